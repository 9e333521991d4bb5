/* Sums of squares and copies by threads; the sums are the same to the bit for any number of them. */
#ifndef BMF_TRAIN_SUMS_H
#define BMF_TRAIN_SUMS_H

#include "model/model.h"

/* Σ value²: blocks of a fixed size are added up by whoever takes them, and the blocks in order. count ≥ 0, threads ≥ 1. Local. */
double bmf_squares_of(const float *value, int64_t count, int threads);

/* ‖·‖² (of_P is the caller's, who has it from the merge) of the users held here (of_P, of_user_bias, of_W, of W as it is,
 * scaled), of the items (own parts of either where features have theirs) and of the features, those of users too. */
typedef struct bmf_norms {
    double of_P, of_Q, of_user_bias, of_item_bias, of_W, of_features;
} bmf_norms;
bmf_norms bmf_norms_of(const bmf_model *model, double of_P, int threads);

/* Copies `bytes` bytes, each thread a stretch of them. Local. */
void bmf_copy_by_threads(void *to, const void *from, int64_t bytes, int threads);

#endif
