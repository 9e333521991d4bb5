/* Finds the rank that makes no progress. Blocking calls know nothing of each other, so a rank that hangs leaves all others
 * waiting for ever. With a watch, a rank that waits tests instead, and answers whoever asks; one that has waited too long
 * asks everybody. Who does not answer neither waits nor arrives: it is reported by its number, and all ranks are ended.
 * A rank at work answers nobody, so the time allowed must be longer than any work between two messages. */
#ifndef BMF_COMM_STALL_H
#define BMF_COMM_STALL_H

#include <mpi.h>

#include "comm/comm.h"

typedef struct bmf_stall bmf_stall;

/* Watches the waits of the ranks of `comm`, of which it takes a duplicate. Collective. */
int bmf_stall_create(bmf_comm *comm, double seconds, bmf_stall_report *report, void *context, bmf_stall **out,
                     bmf_error *err);

/* Returns when the request is complete, with its status unless that is MPI_STATUS_IGNORE; does not return if a rank is found
 * that makes no progress. `what` it is that we wait in ends the message. Local. */
void bmf_stall_wait(bmf_stall *stall, MPI_Request *request, MPI_Status *status, const char *what);

/* Collective; NULL-safe. */
void bmf_stall_destroy(bmf_stall **stall);

#endif
