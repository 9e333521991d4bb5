/* The only door to MPI. A communicator is passed down; nothing below main knows MPI_COMM_WORLD. Collective calls must be
 * made by every rank of the communicator, by the main thread. */
#ifndef BMF_COMM_COMM_H
#define BMF_COMM_COMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct bmf_comm bmf_comm;

/* Starts MPI (FUNNELED), duplicates the world and compares its size with what the launcher promised (OMPI_COMM_WORLD_SIZE,
 * SLURM_STEP_NUM_TASKS within a step, PMI_SIZE): N single-rank jobs where one of N was meant are refused, BMF_ERR_USAGE. */
int bmf_comm_start(int *argc, char ***argv, bmf_comm **out, bmf_error *err);

/* A communicator of the ranks that pass the same group, in the order they have here. Collective over `comm`; end it with
 * bmf_comm_release before `comm`. */
int bmf_comm_split(bmf_comm *comm, int group, bmf_comm **out, bmf_error *err);

/* The same of the ranks that share memory with this one: those of its host. */
int bmf_comm_split_hosts(bmf_comm *comm, bmf_comm **out, bmf_error *err);
void bmf_comm_release(bmf_comm **comm);

/* Collective end of MPI; NULL-safe. */
void bmf_comm_finish(bmf_comm **comm);

/* For a file that a failed collective write has left open: MPI could not be finished in order any more. bmf_comm_finish will
 * abort with this exit code, after everything else that a failed command does. Local. */
void bmf_comm_finish_by_abort(int exit_code);
bool bmf_comm_finishes_by_abort(void);

/* BMF_ERR_USAGE if the environment asks Open MPI for the component that loses what a full disk does not take (OMPIO), and
 * says nothing of it. bmf_comm_start chooses another if nobody chose. Local. */
int bmf_comm_check_file_io(bmf_error *err);

/* Told a sentence about ranks that make no progress, just before all ranks are ended. */
typedef void bmf_stall_report(const char *text, void *context);

/* From now on a rank that leaves the others waiting for more than `seconds` is found (comm/stall.h): `report` is called on
 * one of those that wait, and all ranks end with BMF_ERR_IO. Communicators split off later are watched too; what MPI does
 * inside other libraries, and the start and the end of MPI are not. Does nothing where there is one rank. Collective. */
int bmf_comm_watch_stalls(bmf_comm *comm, double seconds, bmf_stall_report *report, void *context, bmf_error *err);

/* Ends every rank at once with this exit code; for states that no agreement can reach. Does not return. */
void bmf_comm_abort(bmf_comm *comm, int exit_code) __attribute__((noreturn));

int bmf_comm_rank(const bmf_comm *comm);
int bmf_comm_size(const bmf_comm *comm);

/* Collective. Every rank passes its status and report; all return the same: BMF_OK if all are, else the status and text
 * of the lowest failing rank (with "rank R: " in front
 * unless every rank failed). Call it before anyone acts on something that may have failed on one rank only. */
int bmf_comm_agree(bmf_comm *comm, int status, bmf_error *err);

/* Collective, in place, cut into messages below INT_MAX elements. Same result on every rank. */
void bmf_comm_sum_float(bmf_comm *comm, float *data, int64_t count);
/* The sum on rank 0 alone; what the others hold then is left as it was. */
void bmf_comm_sum_float_on_first(bmf_comm *comm, float *data, int64_t count);
void bmf_comm_sum_double(bmf_comm *comm, double *data, int64_t count);
void bmf_comm_sum_int64(bmf_comm *comm, int64_t *data, int64_t count);
/* The sum of the values of the ranks before this one; 0 on rank 0. */
int64_t bmf_comm_sum_before(bmf_comm *comm, int64_t value);
/* Bitwise or. */
void bmf_comm_or_uint64(bmf_comm *comm, uint64_t *data, int64_t count);
void bmf_comm_max_double(bmf_comm *comm, double *data, int64_t count);
void bmf_comm_min_double(bmf_comm *comm, double *data, int64_t count);

/* Collective: `bytes` bytes from rank `root` to all. */
void bmf_comm_broadcast(bmf_comm *comm, void *data, int64_t bytes, int root);

/* Collective: count[r] bytes of each rank, in rank order, into out on rank 0 (out and count matter on rank 0 only, except
 * that every rank passes its own `bytes`). */
void bmf_comm_gather(bmf_comm *comm, const void *data, int64_t bytes, void *out, const int64_t *count);

/* Point to point, blocking, any size. */
void bmf_comm_send(bmf_comm *comm, const void *data, int64_t bytes, int to);
void bmf_comm_receive(bmf_comm *comm, void *data, int64_t bytes, int from);

/* What a rank sends to another one and receives from it, each below 2 GiB. */
typedef struct bmf_parcel {
    const void *send;
    int64_t send_bytes;
    void *receive;
    int64_t receive_bytes; /* the room for it; on return what came */
} bmf_parcel;

/* Collective. parcel (size): one for each rank; a rank's own is left alone. */
void bmf_comm_exchange(bmf_comm *comm, bmf_parcel *parcel);

/* Collective. */
void bmf_comm_barrier(bmf_comm *comm);

/* Largest number of elements in one message; tests make it tiny to reach the cuts. Local. */
void bmf_comm_set_cut(bmf_comm *comm, int64_t elements);

#endif
