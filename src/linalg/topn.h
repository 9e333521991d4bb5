/* The N best of a stream of scored indices, in O(N) memory. */
#ifndef BMF_LINALG_TOPN_H
#define BMF_LINALG_TOPN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct bmf_ranked {
    double score;
    int32_t index;
} bmf_ranked;

/* The one order of every ranking: higher score first, then smaller index. */
static inline bool bmf_ranks_before(bmf_ranked a, bmf_ranked b)
{
    return a.score > b.score || (a.score == b.score && a.index < b.index);
}

typedef struct bmf_topn {
    int64_t capacity, count;
    bmf_ranked *entry; /* (capacity): the worst of them at 0; after bmf_topn_sort, best first */
} bmf_topn;

/* Room for the best `capacity` ≥ 1 entries. On failure *top is {0}. Local. */
int bmf_topn_create(bmf_topn *top, int64_t capacity, bmf_error *err);
void bmf_topn_clear(bmf_topn *top);

/* Forgets the entries; needed after bmf_topn_sort before the next offer. */
void bmf_topn_reset(bmf_topn *top);

/* Keeps the entry if it is among the best so far. A score that is not a number ranks as −infinity. O(log N). */
void bmf_topn_keep(bmf_topn *top, double score, int32_t index);

/* The same, with the usual answer (no) given inline. Each index is to be offered once. The kept set and its order do not
 * depend on the order of the offers. */
static inline void bmf_topn_offer(bmf_topn *top, double score, int32_t index)
{
    if (top->count < top->capacity || bmf_ranks_before((bmf_ranked){score, index}, top->entry[0]))
        bmf_topn_keep(top, score, index);
}

/* Offers score[j] for the indices first + j, j in 0 .. count − 1. Where the list is full, many at a time are passed over of
 * which none reaches its worst entry. Scores that are not numbers are passed over. */
void bmf_topn_offer_all(bmf_topn *top, const float *score, int64_t count, int32_t first);

/* Puts entry[0 .. count) in order, best first. O(N log N). */
void bmf_topn_sort(bmf_topn *top);

#endif
