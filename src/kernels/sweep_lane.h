/* Part of the body of the fast sweep (sweep_body.h): the users that are swept side by side. A lane holds one user; the
 * ratings it steps on next are laid out in its block in the order of this epoch, so that the arithmetic walks over plain
 * arrays. */
#ifndef BMF_KERNELS_SWEEP_LANE_H
#define BMF_KERNELS_SWEEP_LANE_H

#include "kernels/content_lane.h"
#include "kernels/sweep.h"

#define INLINE static inline __attribute__((always_inline))
#define BLOCK 256        /* ratings laid out at a time */
#define CONTENT_BLOCK 64 /* the same with content, whose scale is looked at in between */
#define AHEAD 3
#define WALKS 4                 /* through the ratings of a user, while they are laid out */
#define LINE_SLOTS 4            /* slots of ratings in a cache line */
#define ROW_FLOATS 16           /* rows are padded to this many */
#define PREFETCHED_RATINGS 512  /* of a user, before it begins */
#define PREFETCHED_WEIGHTS 4096 /* of a user */
#define SMALLEST_SCALE 1e-2     /* of W_u when a block begins */

typedef struct entry {
    int32_t item;
    float value;
} entry;

/* The ratings of the user that a lane takes next, still to be fetched. A line of items and one of values at each round of
 * steps: fetched all at once they would fill the queue of the cache, and the steps would wait behind them. */
typedef struct upcoming {
    const int32_t *item;
    const float *value;
    int32_t lines;
    /* blended */
    const bmf_rating_slots *slots;
    const float *W;
    int32_t weight_lines;
} upcoming;

/* With content: the place in the weights too. 32 bytes. */
typedef struct content_entry {
    entry rating;
    bmf_rating_slots slots;
    uint32_t rest_at, unused;
} content_entry;

typedef union block { /* those behind the last are there to be fetched ahead only */
    entry plain[BLOCK + AHEAD + WALKS];
    content_entry content[CONTENT_BLOCK + AHEAD + WALKS];
} block;

typedef struct lane {
    block *block;
    int32_t laid, done; /* ratings in the block, and how many of them are past */
    int32_t left;       /* ratings of the user that are not laid out yet */
    int32_t at, step;   /* entry to lay out next, and the way from one to the next */
    int32_t n, user;
    float *P;
    float bias;
    bmf_row_rates rates; /* the user's own, if rows have these */
    const int32_t *item;
    const float *value;
    const bmf_rating_slots *slots;
    const uint32_t *rest_at;
    bmf_content_lane content;
} lane;

INLINE int32_t advance(int32_t at, int32_t step, int32_t n)
{
    at += step;
    return at >= n ? at - n : at;
}

INLINE void prefetch_floats(const float *row, int64_t count)
{
    for (int64_t j = 0; j < count; j += ROW_FLOATS)
        __builtin_prefetch(row + j, 1);
}

INLINE void prefetch_item(const bmf_sweep *s, int64_t item, int64_t stride, bmf_sweep_kind kind)
{
    prefetch_floats(s->Q + item * stride, stride);
    if (kind == BMF_SWEEP_RATED)
        __builtin_prefetch(&s->item_rates[item], 0);
    if (kind == BMF_SWEEP_CONCAT)
        __builtin_prefetch(&s->content->row[item], 0);
}

INLINE void prefetch_upcoming(upcoming *next, bool content)
{
    if (content && next->weight_lines > 0) {
        __builtin_prefetch(next->W, 1);
        next->W += ROW_FLOATS;
        next->weight_lines--;
    }
    if (next->lines <= 0)
        return;
    __builtin_prefetch(next->item, 0);
    __builtin_prefetch(next->value, 0);
    next->item += ROW_FLOATS;
    next->value += ROW_FLOATS;
    next->lines--;
    for (int i = 0; content && i < ROW_FLOATS; i += LINE_SLOTS)
        __builtin_prefetch(next->slots + i, 0);
    if (content)
        next->slots += ROW_FLOATS;
}

/* Fetches what the user will need when a lane takes it, and what it takes to do so for the one after: runs of users
 * come in random order, so no hardware can guess where the next begins. */
INLINE void prefetch_users(const bmf_sweep *s, const int32_t *user, int64_t count, upcoming *next, bool content)
{
    const int32_t u = user[0];
    const int64_t first = s->indptr[u];
    int64_t n = s->indptr[u + 1] - first;
    n = n < PREFETCHED_RATINGS ? n : PREFETCHED_RATINGS;
    while (next->lines > 0 || (content && next->weight_lines > 0))
        prefetch_upcoming(next, content);
    *next = (upcoming){
        .item = s->item + first, .value = s->value + first, .lines = (int32_t)((n + ROW_FLOATS - 1) / ROW_FLOATS)};
    prefetch_floats(s->P + u * s->stride, s->stride);
    if (content) {
        const int64_t weights = s->W_indptr[u + 1] - s->W_indptr[u];
        next->slots = s->slots->rating + first;
        next->W = s->W + s->W_indptr[u];
        next->weight_lines =
            (int32_t)(((weights < PREFETCHED_WEIGHTS ? weights : PREFETCHED_WEIGHTS) + ROW_FLOATS - 1) / ROW_FLOATS);
    }
    if (count > 1) {
        __builtin_prefetch(&s->indptr[user[1]], 0);
        __builtin_prefetch(&s->user_bias[user[1]], 1);
        if (content)
            __builtin_prefetch(&s->W_indptr[user[1]], 0);
    }
}

INLINE entry *entry_at(block *b, int32_t j, bool content)
{
    return content ? &b->content[j].rating : &b->plain[j];
}

/* Lays out `count` ratings from the one at l->at on, and some more. Four walks side by side, each with four times the step, so
 * that a position does not wait for the one before. */
INLINE void walk(lane *l, int32_t count, bool content, bool long_rows)
{
    const int32_t n = l->n, two = advance(l->step, l->step, n), four_steps = advance(two, two, n);
    block *b = l->block;
    int32_t at[WALKS] = {l->at};
    for (int i = 1; i < WALKS; i++)
        at[i] = advance(at[i - 1], l->step, n);
    for (int32_t j = 0; j < count + AHEAD; j += WALKS) {
        if (j <= count && count < j + WALKS)
            l->at = at[count - j];
#pragma GCC unroll 4
        for (int i = 0; i < WALKS; i++) {
            *entry_at(b, j + i, content) = (entry){l->item[at[i]], l->value[at[i]]};
            if (content) {
                b->content[j + i].slots = l->slots[at[i]];
                b->content[j + i].rest_at = long_rows ? l->rest_at[at[i]] : 0;
            }
            at[i] = advance(at[i], four_steps, n);
        }
    }
}

/* Lays out the next ratings of the user. */
INLINE void lay_out(lane *l, bool content)
{
    const int32_t most = content ? CONTENT_BLOCK : BLOCK, count = l->left < most ? l->left : most;
    if (content && l->content.scale < SMALLEST_SCALE)
        bmf_content_fold(&l->content);
    if (content && l->rest_at)
        walk(l, count, content, true);
    else
        walk(l, count, content, false);
    l->left -= count;
    l->laid = count;
    l->done = 0;
}

/* Gives the lane the next user that has ratings; false if there is none. */
INLINE bool take_user(lane *l, const bmf_sweep *s, const bmf_content_rates *c, const int32_t *user, int64_t count,
                      int64_t *next, upcoming *ahead, bmf_sweep_kind kind)
{
    const bool content = kind == BMF_SWEEP_CONCAT;
    while (*next < count) {
        const int32_t u = user[(*next)++];
        const int64_t first = s->indptr[u];
        const int32_t n = (int32_t)(s->indptr[u + 1] - first);
        if (n == 0)
            continue;
        if (*next < count)
            prefetch_users(s, user + *next, count - *next, ahead, content);
        const bmf_rating_order order = bmf_rating_order_of(s, u, n);
        *l = (lane){.block = l->block,
                    .left = n,
                    .at = order.start,
                    .step = order.step,
                    .n = n,
                    .user = u,
                    .P = s->P + u * s->stride,
                    .bias = s->user_bias[u],
                    .item = s->item + first,
                    .value = s->value + first};
        if (content) {
            l->slots = s->slots->rating + first;
            l->rest_at = s->slots->rest_at ? s->slots->rest_at + first : NULL;
            bmf_content_begin(&l->content, s, c, u, n);
        }
        if (kind == BMF_SWEEP_RATED)
            l->rates = s->user_rates[u];
        lay_out(l, content);
        for (int32_t j = 0; j < AHEAD; j++)
            prefetch_item(s, entry_at(l->block, j, content)->item, s->stride, kind);
        return true;
    }
    return false;
}

/* Stores what the lane kept aside of its user. */
INLINE void leave_user(const lane *l, const bmf_sweep *s, bool content)
{
    s->user_bias[l->user] = l->bias;
    if (content)
        bmf_content_end(&l->content, s, l->user);
}

#endif
