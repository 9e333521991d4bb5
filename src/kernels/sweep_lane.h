/* Part of the body of the fast sweep (sweep_body.h): the users that are swept side by side. A lane holds one user; the
 * ratings it steps on next are laid out in its block in the order of this epoch, so that the arithmetic walks over plain
 * arrays. */
#ifndef BMF_KERNELS_SWEEP_LANE_H
#define BMF_KERNELS_SWEEP_LANE_H

#include "kernels/content_lane.h"
#include "kernels/sweep.h"

#define INLINE static inline __attribute__((always_inline))
#define BLOCK 64 /* ratings laid out at a time */
#define AHEAD 3
#define ROW_FLOATS 16           /* rows are padded to this many */
#define PREFETCHED_RATINGS 512  /* of a user, before it begins */
#define PREFETCHED_WEIGHTS 4096 /* a row of W up to this long is fetched whole before its user begins */
#define SMALLEST_SCALE 1e-2     /* of W_u when a block begins */

typedef struct entry {
    int32_t item;
    float value;
} entry;

typedef struct block {
    entry entry[BLOCK + AHEAD]; /* those behind the last are there to be fetched ahead only */
} block;

typedef struct lane {
    block *block;
    int32_t laid, done; /* ratings in the block, and how many of them are past */
    int32_t left;       /* ratings of the user that are not laid out yet */
    int32_t at, step;   /* entry to lay out next, and the way from one to the next */
    int32_t n, user;
    float *P;
    float bias;
    const int32_t *item;
    const float *value;
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

INLINE void prefetch_item(const bmf_sweep *s, int64_t item, int64_t stride, bool content)
{
    prefetch_floats(s->Q + item * stride, stride);
    if (content)
        __builtin_prefetch(&s->content->row[item], 0);
}

/* Fetches what the user will need when a lane takes it: users come in random order, so no hardware can guess it. */
INLINE void prefetch_user(const bmf_sweep *s, int32_t u, bool content)
{
    const int64_t first = s->indptr[u];
    int64_t n = s->indptr[u + 1] - first;
    n = n < PREFETCHED_RATINGS ? n : PREFETCHED_RATINGS;
    prefetch_floats(s->P + u * s->stride, s->stride);
    for (int64_t j = 0; j < n; j += ROW_FLOATS) {
        __builtin_prefetch(s->item + first + j, 0);
        __builtin_prefetch(s->value + first + j, 0);
    }
    if (content && s->content->features <= PREFETCHED_WEIGHTS)
        prefetch_floats(s->W + u * s->content->features, s->content->features);
}

/* Lays out the next ratings of the user. */
INLINE void lay_out(lane *l, const bmf_sweep *s, bool content)
{
    const int32_t count = l->left < BLOCK ? l->left : BLOCK, n = l->n, step = l->step;
    int32_t at = l->at;
    block *b = l->block;
    if (content && l->content.scale < SMALLEST_SCALE)
        bmf_content_fold(&l->content, s);
    for (int32_t j = 0; j < count; j++) {
        b->entry[j] = (entry){l->item[at], l->value[at]};
        at = advance(at, step, n);
    }
    l->at = at;
    for (int32_t j = count; j < count + AHEAD; j++) {
        b->entry[j] = (entry){l->item[at], 0};
        at = advance(at, step, n);
    }
    l->left -= count;
    l->laid = count;
    l->done = 0;
}

/* Gives the lane the next user that has ratings; false if there is none. */
INLINE bool take_user(lane *l, const bmf_sweep *s, const bmf_content_rates *c, const int32_t *user, int64_t count,
                      int64_t *next, bool content)
{
    while (*next < count) {
        const int32_t u = user[(*next)++];
        const int64_t first = s->indptr[u];
        const int32_t n = (int32_t)(s->indptr[u + 1] - first);
        if (n == 0)
            continue;
        if (*next < count)
            prefetch_user(s, user[*next], content);
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
        if (content)
            bmf_content_begin(&l->content, s, c, u, n);
        lay_out(l, s, content);
        for (int32_t j = 0; j < AHEAD; j++)
            prefetch_item(s, l->block->entry[j].item, s->stride, content);
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
