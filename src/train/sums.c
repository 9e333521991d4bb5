#include "train/sums.h"

#include <string.h>

#define BLOCK 4096           /* floats: short enough for float sums in lanes, long enough for threads to take */
#define LANES 16             /* sums side by side, so that they may run in vectors */
#define ROUND 256            /* blocks whose sums are on the stack at a time */
#define COPY_PIECE (1 << 18) /* bytes */

static double squares_of_block(const float *value, int64_t count)
{
    float lane[LANES] = {0};
    double sum = 0;
    int64_t j = 0;
    for (; j + LANES <= count; j += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += value[j + l] * value[j + l];
    for (; j < count; j++)
        sum += (double)value[j] * (double)value[j];
    for (int l = 0; l < LANES; l++)
        sum += (double)lane[l];
    return sum;
}

double bmf_squares_of(const float *value, int64_t count, int threads)
{
    double sum = 0;
    for (int64_t first = 0; first < count; first += (int64_t)ROUND * BLOCK) {
        const int64_t left = count - first, blocks = left < (int64_t)ROUND * BLOCK ? (left + BLOCK - 1) / BLOCK : ROUND;
        double of_block[ROUND];
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && blocks > threads)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t at = b * BLOCK;
            of_block[b] = squares_of_block(value + first + at, left - at < BLOCK ? left - at : BLOCK);
        }
        for (int64_t b = 0; b < blocks; b++)
            sum += of_block[b];
    }
    return sum;
}

bmf_norms bmf_norms_of(const bmf_model *model, double of_P, int threads)
{
    bmf_norms norms = {
        .of_P = of_P,
        .of_Q = bmf_squares_of(model->V ? model->own_Q : model->Q, model->items * model->stride, threads),
        .of_user_bias = bmf_squares_of(model->U ? model->own_user_bias : model->user_bias, model->users, threads),
        .of_item_bias = bmf_squares_of(model->V ? model->own_bias : model->item_bias, model->items, threads),
    };
    if (model->V)
        norms.of_features = bmf_squares_of(model->V, model->features * model->stride, threads) +
                            bmf_squares_of(model->feature_bias, model->features, threads);
    if (model->U)
        norms.of_features +=
            bmf_squares_of(model->U, (model->user_features + model->implicit) * model->stride, threads) +
            bmf_squares_of(model->user_feature_bias, model->user_features, threads);
    for (int64_t u = 0; model->W && u < model->users; u++)
        norms.of_W += model->W_scale[u] * model->W_scale[u] * model->W_norm2[u];
    return norms;
}

void bmf_copy_by_threads(void *to, const void *from, int64_t bytes, int threads)
{
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && bytes > COPY_PIECE)
    for (int64_t at = 0; at < bytes; at += COPY_PIECE)
        memcpy((char *)to + at, (const char *)from + at, (size_t)(bytes - at < COPY_PIECE ? bytes - at : COPY_PIECE));
}
