#include "train/validate.h"

#include <stddef.h>

#define BLOCK 256 /* predictions at a time, on the stack */
#define LINE_FLOATS 16

static double squares_of_user(const bmf_model *model, const bmf_shard *shard, const bmf_csr *ratings,
                              const bmf_content_slots *slots, int64_t user)
{
    float predicted[BLOCK];
    double squares = 0;
    for (int64_t j = ratings->indptr[user], count; j < ratings->indptr[user + 1]; j += count) {
        int64_t left = ratings->indptr[user + 1] - j;
        count = left < BLOCK ? left : BLOCK;
        bmf_model_predict_user(model, model->W ? &shard->rows : NULL, slots, j, user, ratings->indices + j, count,
                               predicted);
        for (int64_t i = 0; i < count; i++) {
            double e = (double)ratings->data[j + i] - (double)predicted[i];
            squares += e * e;
        }
    }
    return squares;
}

/* Fetches a user's content weights while the one before is scored: he has few ratings here, so each meets weights that no
 * other has brought. */
static void prefetch_weights(const bmf_model *model, int64_t user)
{
    for (int64_t j = model->pattern->indptr[user]; j < model->pattern->indptr[user + 1]; j += LINE_FLOATS)
        __builtin_prefetch(model->W + j);
}

/* The first user of each of `parts` parts, even in ratings. */
static int64_t first_of_part(const bmf_csr *ratings, int part, int parts)
{
    const int64_t target = (int64_t)((__int128)bmf_csr_count(ratings) * part / parts);
    return part == parts ? ratings->rows : bmf_csr_row_from(ratings->indptr, ratings->rows, target);
}

double bmf_prediction_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, const bmf_csr *ratings,
                              const bmf_content_slots *slots, int threads)
{
    const int parts = bmf_csr_count(ratings) > 0 ? threads : 0;
    double squares = 0;
    /* In order: the parts are added up as they stand, whoever is done first. */
#pragma omp parallel for ordered schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int part = 0; part < parts; part++) {
        const int64_t last = first_of_part(ratings, part + 1, threads);
        double own = 0;
        for (int64_t u = first_of_part(ratings, part, threads); u < last; u++) {
            if (model->W && u + 1 < last && ratings->indptr[u + 1] < ratings->indptr[u + 2])
                prefetch_weights(model, u + 1);
            own += squares_of_user(model, shard, ratings, slots, u);
        }
#pragma omp ordered
        squares += own;
    }
    bmf_comm_sum_double(comm, &squares, 1);
    return squares;
}
