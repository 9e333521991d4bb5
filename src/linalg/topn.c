#include "linalg/topn.h"

#include <math.h>

#include "base/memory.h"

#define SCANNED 16 /* sums looked at together */

#ifdef BMF_HAVE_TARGET_CLONES
#define SCAN_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SCAN_CLONES
#endif

int bmf_topn_create(bmf_topn *top, int64_t capacity, bmf_error *err)
{
    *top = (bmf_topn){0};
    if (capacity < 1)
        return bmf_fail(err, BMF_ERR_INTERNAL, "a top-N list needs room for at least one entry");
    top->entry = bmf_alloc(capacity, sizeof *top->entry, "top-N list", err);
    if (!top->entry)
        return BMF_ERR_MEMORY;
    top->capacity = capacity;
    return BMF_OK;
}

void bmf_topn_clear(bmf_topn *top)
{
    bmf_free(top->entry);
    *top = (bmf_topn){0};
}

void bmf_topn_reset(bmf_topn *top)
{
    top->count = 0;
}

/* Puts `moved` where it belongs in the heap of `count` entries, starting from the hole at 0. */
static void sift_down(bmf_ranked *entry, int64_t count, bmf_ranked moved)
{
    int64_t hole = 0;
    for (int64_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count && bmf_ranks_before(entry[child], entry[child + 1]))
            child++;
        if (!bmf_ranks_before(moved, entry[child]))
            break;
        entry[hole] = entry[child];
    }
    entry[hole] = moved;
}

static void sift_up(bmf_ranked *entry, int64_t hole, bmf_ranked moved)
{
    while (hole > 0) {
        int64_t parent = (hole - 1) / 2;
        if (!bmf_ranks_before(entry[parent], moved))
            break;
        entry[hole] = entry[parent];
        hole = parent;
    }
    entry[hole] = moved;
}

void bmf_topn_keep(bmf_topn *top, double score, int32_t index)
{
    bmf_ranked offered = {isnan(score) ? -INFINITY : score, index};
    if (top->count < top->capacity)
        sift_up(top->entry, top->count++, offered);
    else if (bmf_ranks_before(offered, top->entry[0]))
        sift_down(top->entry, top->count, offered);
}

static void offer_each(bmf_topn *top, const float *score, const float *bias, int64_t count, int32_t first)
{
    for (int64_t j = 0; j < count; j++)
        bmf_topn_offer(top, (double)(score[j] + bias[j]), first + (int32_t)j);
}

/* Whether one of SCANNED sums reaches the bound, without a branch. */
static inline bool any_reaches(const float *score, const float *bias, float bound)
{
    int reached = 0;
    for (int j = 0; j < SCANNED; j++)
        reached |= score[j] + bias[j] >= bound;
    return reached;
}

SCAN_CLONES
void bmf_topn_offer_sums(bmf_topn *top, const float *score, const float *bias, int64_t count, int32_t first)
{
    int64_t j = 0;
    for (; j + SCANNED <= count; j += SCANNED)
        if (top->count < top->capacity || any_reaches(score + j, bias + j, (float)top->entry[0].score))
            offer_each(top, score + j, bias + j, SCANNED, first + (int32_t)j);
    offer_each(top, score + j, bias + j, count - j, first + (int32_t)j);
}

void bmf_topn_sort(bmf_topn *top)
{
    for (int64_t last = top->count - 1; last > 0; last--) {
        bmf_ranked moved = top->entry[last];
        top->entry[last] = top->entry[0];
        sift_down(top->entry, last, moved);
    }
}
