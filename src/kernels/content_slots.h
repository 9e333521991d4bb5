/* Which weights W_u a user has, and where among them a rating's content row meets them.
 *
 * Only features of the items that a user has training ratings on ever get a gradient. He has weights for these, in ascending
 * order, and one more at the end that belongs to no feature and is always 0. A slot is a position among them. A rating's
 * slots are kept beside it, so that a step need not look for them. */
#ifndef BMF_KERNELS_CONTENT_SLOTS_H
#define BMF_KERNELS_CONTENT_SLOTS_H

#include "kernels/content.h"

/* Compressed rows: user u has the weights indptr[u] .. indptr[u+1], at least one. */
typedef struct bmf_content_pattern {
    int64_t users, features;
    int64_t *indptr; /* (users + 1) */
    int32_t *index;  /* (indptr[users]) features, ascending in a row; the last of a row is F: of no feature */
} bmf_content_pattern;

/* Where the start of a rating's content row stands in the weights of its user. 16 bytes. */
typedef struct bmf_rating_slots {
    uint16_t slot[BMF_CONTENT_FIRST]; /* padded with places of other entries */
} bmf_rating_slots;

#define BMF_MOST_WEIGHTS 65535 /* of a user, without the one of no feature: what a slot can count */

/* Of all ratings of a matrix, in its order. A feature that the user has no weight for is at the weight of no feature. */
typedef struct bmf_content_slots {
    bmf_rating_slots *rating; /* (ratings) */
    uint32_t *
        rest_at; /* (ratings) where those of the rest of a long row begin, from the user's first; NULL if there are none */
    int64_t *rest_start; /* (users + 1) where the user's begin in `rest` */
    uint16_t *rest;      /* slots of the entries that are not in the start of their row */
} bmf_content_slots;

/* What it takes to find the slots of one user after the other. */
typedef struct bmf_slot_finder {
    const bmf_content_rows *rows; /* borrowed */
    uint64_t *mark;               /* (F / 64 + 1) bits, all 0 between calls */
    int32_t *slot;                /* (F) −1 between calls */
} bmf_slot_finder;

int bmf_slot_finder_create(const bmf_content_rows *rows, bmf_slot_finder *out, bmf_error *err);
void bmf_slot_finder_clear(bmf_slot_finder *finder);

/* How many weights a user with ratings on these n items has, the one of no feature included; if index is not NULL, lists
 * their features there. */
int64_t bmf_list_weights(bmf_slot_finder *finder, const int32_t *item, int64_t n, int32_t *index);

/* Entries of the rows of n items that are not in their starts. */
int64_t bmf_count_rest(const bmf_content_rows *rows, const int32_t *item, int64_t n);

/* The slots of n ratings of a user with the weights index (weights) into slots (n), rest_at (n, or NULL) and rest
 * (bmf_count_rest). */
void bmf_find_slots(bmf_slot_finder *finder, const int32_t *index, int64_t weights, const int32_t *item, int64_t n,
                    bmf_rating_slots *slots, uint32_t *rest_at, uint16_t *rest);

/* W·x over the rest of a long row of an item, and W += gain x; rest: its slots. */
static inline float bmf_content_rest_dot(const float *W, const uint16_t *rest, const bmf_content_rows *rows,
                                         int64_t item)
{
    const int64_t count = bmf_content_rest(rows, item);
    const float *value = rows->value + rows->indptr[item + 1] - count;
    float dot = 0;
    for (int64_t j = 0; j < count; j++)
        dot += W[rest[j]] * value[j];
    return dot;
}
static inline void bmf_content_rest_add(float *W, const uint16_t *rest, const bmf_content_rows *rows, int64_t item,
                                        float gain)
{
    const int64_t count = bmf_content_rest(rows, item);
    const float *value = rows->value + rows->indptr[item + 1] - count;
    for (int64_t j = 0; j < count; j++)
        W[rest[j]] += gain * value[j];
}

void bmf_content_pattern_clear(bmf_content_pattern *pattern);
void bmf_content_slots_clear(bmf_content_slots *slots);

#endif
