/* Collective steps of an evaluation, which may also run in one process that never started MPI (comm NULL). */
#ifndef BMF_EVAL_COLLECTIVE_H
#define BMF_EVAL_COLLECTIVE_H

#include "comm/comm.h"

static inline int bmf_eval_rank(const bmf_comm *comm)
{
    return comm ? bmf_comm_rank(comm) : 0;
}

static inline int bmf_eval_size(const bmf_comm *comm)
{
    return comm ? bmf_comm_size(comm) : 1;
}

static inline int bmf_eval_agree(bmf_comm *comm, int status, bmf_error *err)
{
    return comm ? bmf_comm_agree(comm, status, err) : status;
}

static inline void bmf_eval_sum_int64(bmf_comm *comm, int64_t *data, int64_t count)
{
    if (comm)
        bmf_comm_sum_int64(comm, data, count);
}

static inline void bmf_eval_max_double(bmf_comm *comm, double *data, int64_t count)
{
    if (comm)
        bmf_comm_max_double(comm, data, count);
}

#endif
