#include "linalg/topn.h"

#include <math.h>

#include "base/memory.h"

#define SHORT 40 /* entries of lists that are kept in order */
#define GROUP 32 /* scores looked at together */
#define PART 16  /* scores whose best is looked at before the first offer, */
#define PARTS 64 /* and how many of those at most */

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

/* Short lists are kept in order, the worst first: an entry moves past a few others in a loop that is quick to predict, which a
 * heap is not. Puts `moved` in its place from the hole at 0 on. */
static void move_up(bmf_ranked *entry, int64_t count, bmf_ranked moved)
{
    int64_t hole = 0;
    for (; hole + 1 < count && bmf_ranks_before(moved, entry[hole + 1]); hole++)
        entry[hole] = entry[hole + 1];
    entry[hole] = moved;
}

/* The same from the hole at count − 1 down. */
static void move_down(bmf_ranked *entry, int64_t count, bmf_ranked moved)
{
    int64_t hole = count - 1;
    for (; hole > 0 && bmf_ranks_before(entry[hole - 1], moved); hole--)
        entry[hole] = entry[hole - 1];
    entry[hole] = moved;
}

void bmf_topn_keep(bmf_topn *top, double score, int32_t index)
{
    const bmf_ranked offered = {isnan(score) ? -INFINITY : score, index};
    const bool in_order = top->capacity <= SHORT, full = top->count == top->capacity;
    if (full && !bmf_ranks_before(offered, top->entry[0]))
        return;
    top->count += !full;
    if (in_order && full)
        move_up(top->entry, top->count, offered);
    else if (in_order)
        move_down(top->entry, top->count, offered);
    else if (full)
        sift_down(top->entry, top->count, offered);
    else
        sift_up(top->entry, top->count - 1, offered);
}

/* Whether one of the scores is at least the bound, without a branch, so that it may run in vectors. Wider ones than
 * all processors have would gain nothing: what follows a hit costs more. */
static inline bool any_reaches(const float *score, float bound)
{
    int reached = 0;
    for (int j = 0; j < GROUP; j++)
        reached |= score[j] >= bound;
    return reached;
}

/* What an entry must reach: the worst of a full list, before that the floor. */
static inline float bound_of(const bmf_topn *top, float floor)
{
    return top->count < top->capacity ? floor : (float)top->entry[0].score;
}

/* Returns the bound as it is then. */
static inline float offer_each(bmf_topn *top, const float *score, int64_t count, int32_t first, float floor,
                               float bound)
{
    for (int64_t j = 0; j < count; j++)
        if (score[j] >= bound) {
            bmf_topn_offer(top, (double)score[j], first + (int32_t)j);
            bound = bound_of(top, floor);
        }
    return bound;
}

/* A bound that as many of the scores reach as there is room for: each part's best does, of the parts with the greatest ones. */
static inline float floor_of(const float *score, int64_t count, int64_t room)
{
    float best[PARTS] = {0};
    const int64_t parts = count / PART < PARTS ? count / PART : PARTS;
    int64_t filled = 0;
    for (int64_t p = 0; p < parts && parts >= room; p++) { /* the greatest `room` of them, descending */
        float most = -INFINITY;
        for (int j = 0; j < PART; j++)
            most = score[p * PART + j] > most ? score[p * PART + j] : most;
        if (filled == room && most <= best[room - 1])
            continue;
        int64_t hole = filled < room ? filled++ : room - 1;
        for (; hole > 0 && best[hole - 1] < most; hole--)
            best[hole] = best[hole - 1];
        best[hole] = most;
    }
    return filled > 0 ? best[room - 1] : -INFINITY;
}

void bmf_topn_offer_all(bmf_topn *top, const float *score, int64_t count, int32_t first)
{
    const float floor = top->count == 0 ? floor_of(score, count, top->capacity) : -INFINITY;
    float bound = bound_of(top, floor);
    int64_t j = 0;
    for (; j + GROUP <= count; j += GROUP)
        if (any_reaches(score + j, bound))
            bound = offer_each(top, score + j, GROUP, first + (int32_t)j, floor, bound);
    offer_each(top, score + j, count - j, first + (int32_t)j, floor, bound);
}

/* Turns a list that is in order around. */
static void turn(bmf_ranked *entry, int64_t count)
{
    for (int64_t a = 0, b = count - 1; a < b; a++, b--) {
        const bmf_ranked moved = entry[a];
        entry[a] = entry[b];
        entry[b] = moved;
    }
}

void bmf_topn_sort(bmf_topn *top)
{
    if (top->capacity <= SHORT) {
        turn(top->entry, top->count);
        return;
    }
    for (int64_t last = top->count - 1; last > 0; last--) {
        bmf_ranked moved = top->entry[last];
        top->entry[last] = top->entry[0];
        sift_down(top->entry, last, moved);
    }
}
