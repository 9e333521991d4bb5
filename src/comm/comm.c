#include "comm/comm.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "comm/handle.h"
#include "comm/launcher.h"
#include "comm/stall.h"

#define DEFAULT_CUT ((int64_t)1 << 28) /* elements in one message; MPI 3 counts are ints */

#define ROUNDS_AT_ONCE 16 /* of an exchange */
#define EXCHANGE_TAG 1

#define IO_COMPONENT "OMPI_MCA_io" /* the variable that chooses Open MPI's way to write files */

static int abort_code; /* that MPI has to end with; 0: in order */

struct bmf_comm {
    MPI_Comm comm;
    int rank, size;
    int64_t cut;
    bmf_stall *stall;  /* NULL: nobody watches, and calls block */
    bool stall_is_own; /* else that of the communicator this one was split off */
};

/* Not allocated: a rank that failed to would leave the others waiting, with nobody to tell them. */
static bmf_comm world;

int bmf_comm_start(int *argc, char ***argv, bmf_comm **out, bmf_error *err)
{
    *out = NULL;
    int provided = 0;
    setenv(IO_COMPONENT, "^ompio", 0);
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return bmf_fail(err, BMF_ERR_INTERNAL, "MPI could not be started");
    bmf_comm *comm = &world;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->comm);
    MPI_Comm_rank(comm->comm, &comm->rank);
    MPI_Comm_size(comm->comm, &comm->size);
    comm->cut = DEFAULT_CUT;
    *out = comm;
    if (provided < MPI_THREAD_FUNNELED)
        return bmf_fail(err, BMF_ERR_INTERNAL, "this MPI library does not allow threads (MPI_THREAD_FUNNELED)");
    bmf_launcher launcher = bmf_launcher_read(getenv);
    return bmf_launcher_check(&launcher, comm->size, err);
}

/* A communicator without MPI's yet. Collective over the one it is split off. */
static int create_part(bmf_comm *comm, bmf_comm **out, bmf_error *err)
{
    *out = bmf_alloc_zero(1, sizeof **out, "communicator", err);
    if (bmf_comm_agree(comm, *out ? BMF_OK : BMF_ERR_MEMORY, err) == BMF_OK)
        return BMF_OK;
    bmf_free(*out);
    *out = NULL;
    return BMF_ERR_MEMORY;
}

static void describe_part(const bmf_comm *comm, bmf_comm *part)
{
    MPI_Comm_rank(part->comm, &part->rank);
    MPI_Comm_size(part->comm, &part->size);
    part->cut = comm->cut;
    part->stall = comm->stall;
}

int bmf_comm_split(bmf_comm *comm, int group, bmf_comm **out, bmf_error *err)
{
    int status = create_part(comm, out, err);
    if (status != BMF_OK)
        return status;
    MPI_Comm_split(comm->comm, group, comm->rank, &(*out)->comm);
    describe_part(comm, *out);
    return BMF_OK;
}

int bmf_comm_split_hosts(bmf_comm *comm, bmf_comm **out, bmf_error *err)
{
    int status = create_part(comm, out, err);
    if (status != BMF_OK)
        return status;
    MPI_Comm_split_type(comm->comm, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &(*out)->comm);
    describe_part(comm, *out);
    return BMF_OK;
}

void bmf_comm_release(bmf_comm **comm)
{
    if (!*comm)
        return;
    if ((*comm)->stall_is_own)
        bmf_stall_destroy(&(*comm)->stall);
    MPI_Comm_free(&(*comm)->comm);
    if (*comm != &world)
        bmf_free(*comm);
    *comm = NULL;
}

void bmf_comm_finish(bmf_comm **comm)
{
    if (!*comm)
        return;
    if (abort_code)
        bmf_comm_abort(*comm, abort_code);
    bmf_comm_release(comm);
    MPI_Finalize();
}

void bmf_comm_finish_by_abort(int exit_code)
{
    abort_code = exit_code;
}

bool bmf_comm_finishes_by_abort(void)
{
    return abort_code != 0;
}

int bmf_comm_check_file_io(bmf_error *err)
{
    const char *chosen = getenv(IO_COMPONENT);
    if (!chosen || chosen[0] == '^' || !strstr(chosen, "ompio"))
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE,
                    "%s is '%s': this component of Open MPI loses data without a word when a disk is full; unset "
                    "it, or set it to ^ompio",
                    IO_COMPONENT, chosen);
}

void bmf_comm_abort(bmf_comm *comm, int exit_code)
{
    MPI_Abort(comm->comm, exit_code);
    abort(); /* MPI_Abort does not return */
}

MPI_Comm bmf_comm_handle(const bmf_comm *comm)
{
    return comm->comm;
}

int bmf_comm_rank(const bmf_comm *comm)
{
    return comm->rank;
}

int bmf_comm_size(const bmf_comm *comm)
{
    return comm->size;
}

void bmf_comm_set_cut(bmf_comm *comm, int64_t elements)
{
    comm->cut = elements;
}

int bmf_comm_watch_stalls(bmf_comm *comm, double seconds, bmf_stall_report *report, void *context, bmf_error *err)
{
    comm->stall_is_own = true;
    return comm->size > 1 ? bmf_stall_create(comm, seconds, report, context, &comm->stall, err) : BMF_OK;
}

/* Calls of MPI, each as it is, or where stalls are watched as the one that returns at once and a wait. */

static void all_reduce(bmf_comm *comm, const void *mine, void *all, int count, MPI_Datatype type, MPI_Op op)
{
    MPI_Request request;
    if (!comm->stall) {
        MPI_Allreduce(mine, all, count, type, op, comm->comm);
        return;
    }
    MPI_Iallreduce(mine, all, count, type, op, comm->comm, &request);
    bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a sum over all ranks");
}

static void broadcast(bmf_comm *comm, void *data, int bytes, int root)
{
    MPI_Request request;
    if (!comm->stall) {
        MPI_Bcast(data, bytes, MPI_BYTE, root, comm->comm);
        return;
    }
    MPI_Ibcast(data, bytes, MPI_BYTE, root, comm->comm, &request);
    bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a message to all ranks");
}

static void send_piece(bmf_comm *comm, const void *data, int bytes, int to)
{
    MPI_Request request;
    if (!comm->stall) {
        MPI_Send(data, bytes, MPI_BYTE, to, 0, comm->comm);
        return;
    }
    MPI_Isend(data, bytes, MPI_BYTE, to, 0, comm->comm, &request);
    bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a message to one rank");
}

static void receive_piece(bmf_comm *comm, void *data, int bytes, int from)
{
    MPI_Request request;
    if (!comm->stall) {
        MPI_Recv(data, bytes, MPI_BYTE, from, 0, comm->comm, MPI_STATUS_IGNORE);
        return;
    }
    MPI_Irecv(data, bytes, MPI_BYTE, from, 0, comm->comm, &request);
    bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a message from one rank");
}

/* The longest piece of `left` elements that one message may carry. */
static int piece_of(const bmf_comm *comm, int64_t left)
{
    return (int)(left < comm->cut ? left : comm->cut);
}

static void reduce_all(bmf_comm *comm, void *data, int64_t count, int64_t size, MPI_Datatype type, MPI_Op op)
{
    char *at = data;
    for (int64_t left = count; left > 0;) {
        int piece = piece_of(comm, left);
        all_reduce(comm, MPI_IN_PLACE, at, piece, type, op);
        at += piece * size;
        left -= piece;
    }
}

void bmf_comm_sum_float(bmf_comm *comm, float *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_FLOAT, MPI_SUM);
}

void bmf_comm_sum_float_on_first(bmf_comm *comm, float *data, int64_t count)
{
    for (int64_t left = count; left > 0;) {
        const int piece = piece_of(comm, left);
        const void *from = comm->rank == 0 ? MPI_IN_PLACE : data;
        MPI_Request request;
        if (comm->stall) {
            MPI_Ireduce(from, data, piece, MPI_FLOAT, MPI_SUM, 0, comm->comm, &request);
            bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a sum over the ranks of a host");
        } else {
            MPI_Reduce(from, data, piece, MPI_FLOAT, MPI_SUM, 0, comm->comm);
        }
        data += piece;
        left -= piece;
    }
}

void bmf_comm_sum_double(bmf_comm *comm, double *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_DOUBLE, MPI_SUM);
}

void bmf_comm_sum_int64(bmf_comm *comm, int64_t *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_INT64_T, MPI_SUM);
}

int64_t bmf_comm_sum_before(bmf_comm *comm, int64_t value)
{
    int64_t sum = 0; /* which rank 0 is not given */
    MPI_Request request;
    if (comm->stall) {
        MPI_Iexscan(&value, &sum, 1, MPI_INT64_T, MPI_SUM, comm->comm, &request);
        bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a sum over all ranks");
    } else {
        MPI_Exscan(&value, &sum, 1, MPI_INT64_T, MPI_SUM, comm->comm);
    }
    return comm->rank == 0 ? 0 : sum;
}

void bmf_comm_or_uint64(bmf_comm *comm, uint64_t *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_UINT64_T, MPI_BOR);
}

void bmf_comm_max_double(bmf_comm *comm, double *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_DOUBLE, MPI_MAX);
}

void bmf_comm_min_double(bmf_comm *comm, double *data, int64_t count)
{
    reduce_all(comm, data, count, sizeof *data, MPI_DOUBLE, MPI_MIN);
}

void bmf_comm_broadcast(bmf_comm *comm, void *data, int64_t bytes, int root)
{
    char *at = data;
    for (int64_t left = bytes; left > 0;) {
        int piece = piece_of(comm, left);
        broadcast(comm, at, piece, root);
        at += piece;
        left -= piece;
    }
}

void bmf_comm_send(bmf_comm *comm, const void *data, int64_t bytes, int to)
{
    const char *at = data;
    for (int64_t left = bytes; left > 0;) {
        int piece = piece_of(comm, left);
        send_piece(comm, at, piece, to);
        at += piece;
        left -= piece;
    }
}

void bmf_comm_receive(bmf_comm *comm, void *data, int64_t bytes, int from)
{
    char *at = data;
    for (int64_t left = bytes; left > 0;) {
        int piece = piece_of(comm, left);
        receive_piece(comm, at, piece, from);
        at += piece;
        left -= piece;
    }
}

void bmf_comm_gather(bmf_comm *comm, const void *data, int64_t bytes, void *out, const int64_t *count)
{
    if (comm->rank != 0) {
        bmf_comm_send(comm, data, bytes, 0);
        return;
    }
    char *at = out;
    if (bytes > 0)
        memcpy(at, data, (size_t)bytes);
    at += bytes;
    for (int rank = 1; rank < comm->size; rank++) {
        bmf_comm_receive(comm, at, count[rank], rank);
        at += count[rank];
    }
}

/* `count` rounds of an exchange at once; in round d a rank sends to the d-th after it and receives from the d-th before. */
static void exchange_rounds(bmf_comm *comm, bmf_parcel *parcel, int first, int count)
{
    MPI_Request request[2 * ROUNDS_AT_ONCE];
    for (int d = 0; d < count; d++) {
        const int to = (comm->rank + first + d) % comm->size, from = (comm->rank - first - d + comm->size) % comm->size;
        bmf_parcel *in = &parcel[from];
        const bmf_parcel *out = &parcel[to];
        MPI_Irecv(in->receive, (int)in->receive_bytes, MPI_BYTE, from, EXCHANGE_TAG, comm->comm, &request[d]);
        MPI_Isend(out->send, (int)out->send_bytes, MPI_BYTE, to, EXCHANGE_TAG, comm->comm, &request[count + d]);
    }
    for (int r = 0; r < 2 * count; r++) {
        MPI_Status status;
        int bytes = 0;
        if (comm->stall)
            bmf_stall_wait(comm->stall, &request[r], &status, "rows of other ranks");
        else
            MPI_Wait(&request[r], &status);
        if (r >= count)
            continue;
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        parcel[status.MPI_SOURCE].receive_bytes = bytes;
    }
}

void bmf_comm_exchange(bmf_comm *comm, bmf_parcel *parcel)
{
    for (int d = 1; d < comm->size; d += ROUNDS_AT_ONCE) {
        const int left = comm->size - d;
        exchange_rounds(comm, parcel, d, left < ROUNDS_AT_ONCE ? left : ROUNDS_AT_ONCE);
    }
}

void bmf_comm_barrier(bmf_comm *comm)
{
    MPI_Request request;
    if (!comm->stall) {
        MPI_Barrier(comm->comm);
        return;
    }
    MPI_Ibarrier(comm->comm, &request);
    bmf_stall_wait(comm->stall, &request, MPI_STATUS_IGNORE, "a meeting of all ranks");
}

int bmf_comm_agree(bmf_comm *comm, int status, bmf_error *err)
{
    /* The lowest failing rank, and whether everybody failed: a failure of all is nobody's in particular. */
    int mine[2] = {status == BMF_OK ? comm->size : comm->rank, status == BMF_OK ? 0 : 1}, first = comm->size,
        failed = 0;
    all_reduce(comm, &mine[0], &first, 1, MPI_INT, MPI_MIN);
    if (first == comm->size)
        return BMF_OK;
    all_reduce(comm, &mine[1], &failed, 1, MPI_INT, MPI_SUM);
    bmf_error report = BMF_ERROR_INIT;
    if (comm->rank == first) {
        report.status = status;
        if (err && err->status != BMF_OK)
            memcpy(report.text, err->text, sizeof report.text);
        else
            memcpy(report.text, "no report", sizeof "no report");
        if (failed < comm->size)
            bmf_context(&report, "rank %d", comm->rank);
    }
    bmf_comm_broadcast(comm, &report, (int64_t)sizeof report, first);
    if (err)
        *err = report;
    return report.status;
}
