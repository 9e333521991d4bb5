/* Scores of a batch of users for all items, by matrix multiplication. */
#ifndef BMF_LINALG_SCORES_H
#define BMF_LINALG_SCORES_H

#include "data/csr.h"

/* The items' half of a model, borrowed. */
typedef struct bmf_item_side {
    const float *Q;    /* (items, stride), the first `factors` of each row count */
    const float *bias; /* (items) */
    int64_t items, factors, stride;
} bmf_item_side;

/* How many users to score at once so that (users × items) floats stay within 32 MiB: 1 .. 128, a function of `items`
 * only, so that a fixed order of users always meets the same matrix shapes. */
int64_t bmf_scores_batch(int64_t items);

/* Makes BLAS run on the threads that call it. Call it before a parallel region that scores in several threads: a BLAS
 * built on threads of its own keeps one setting for the whole process, not to be changed while others compute. Local. */
void bmf_linalg_begin_threads(void);

/* scores (users × items) = user_base[u] + bias[i] + P_u · Q_i; P is (users, stride), user_base (users) the global mean
 * plus the user's bias. One thread, whatever OpenMP's settings: call it from several at once, after
 * bmf_linalg_begin_threads. The same shapes and values give the same bits. users and items below 2³¹. Local. */
void bmf_scores_block(const bmf_item_side *items, const float *P, const float *user_base, int64_t users, float *scores);

/* scores (users × count) = bias[i] + P_u · Q_i for the items first .. first + count − 1; bias may be NULL for 0. As
 * bmf_scores_block in all else. */
void bmf_scores_tile(const bmf_item_side *items, int64_t first, int64_t count, const float *P, int64_t users,
                     float *scores);

/* scores[i] += scale × (weights · x_i) for one user and every row x_i of `content` (items × F); weights is (F).
 * O(entries of content). Local. */
void bmf_scores_add_content(const bmf_csr *content, const float *weights, double scale, float *scores);

#endif
