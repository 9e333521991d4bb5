#include "train/validate.h"

#include <stddef.h>

#define BLOCK 256 /* predictions at a time, on the stack */

static double squares_of_user(const bmf_model *model, const bmf_shard *shard, int64_t user)
{
    const bmf_csr *val = &shard->val.matrix;
    float predicted[BLOCK];
    double squares = 0;
    for (int64_t j = val->indptr[user], count; j < val->indptr[user + 1]; j += count) {
        int64_t left = val->indptr[user + 1] - j;
        count = left < BLOCK ? left : BLOCK;
        bmf_model_predict_user(model, model->W ? &shard->rows : NULL, user, val->indices + j, count, predicted);
        for (int64_t i = 0; i < count; i++) {
            double e = (double)val->data[j + i] - (double)predicted[i];
            squares += e * e;
        }
    }
    return squares;
}

double bmf_validation_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, int threads)
{
    double squares = 0;
    /* Static: the same users on the same threads, so that one thread count gives one rounding. */
#pragma omp parallel for schedule(static) reduction(+ : squares) num_threads(threads) if (threads > 1)
    for (int64_t u = 0; u < shard->users; u++)
        squares += squares_of_user(model, shard, u);
    bmf_comm_sum_double(comm, &squares, 1);
    return squares;
}
