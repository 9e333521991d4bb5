/* The body of the fast sweep, included once per instruction set by sweep_<isa>.c, which defines
 *   VECTOR_FLOATS   floats in one vector of that instruction set
 *   VECTOR_MIN(a, b), VECTOR_MAX(a, b)   of such vectors, element by element
 *   VECTOR_SUM(a)   the sum of its elements
 *   TABLE           name of the table of instances to define
 *   ISA_NAME        its name as a string
 *
 * Several users (lanes) are interleaved: the chain dot product → error → row update of one user waits for its latency while
 * the others proceed. Steps are made in program order, lane by lane, so the result is that of sequential SGD in the order of
 * bmf_sweep_visit; only the processor overlaps them. The rows of Q that a lane needs next are prefetched. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "kernels/instances.h"
#include "kernels/sweep.h"

typedef float vec __attribute__((vector_size(VECTOR_FLOATS * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define AHEAD 3                            /* ratings that a lane prefetches ahead of its own step */
#define PREFETCHED_FEATURES 4096           /* a row of W up to this long is fetched whole before its user begins */
#define PREFETCHED_RATINGS 512             /* of a user, before it begins */
#define ROW_FLOATS 16                      /* rows are padded to this many */
#define MOST_VECTORS (128 / VECTOR_FLOATS) /* of a row in a specialised instance */
#define SMALLEST_SCALE 1e-4

typedef struct lane {
    float *P;
    float bias;
    int32_t user, n, left;
    int32_t at, ahead, step; /* entry of the next rating, of the one prefetched, and the way from one to the next */
    const int32_t *item;
    const float *value;
    float *W;
    double scale, norm2;
    float squares; /* sum of e² since the last time it was collected */
} lane;

INLINE float cut(float delta, float clip)
{
    float most = delta < clip ? delta : clip;
    return most > -clip ? most : -clip;
}

INLINE vec cut_vec(vec delta, vec clip)
{
    return VECTOR_MAX(VECTOR_MIN(delta, clip), -clip);
}

INLINE int32_t advance(int32_t at, int32_t step, int32_t n)
{
    at += step;
    return at >= n ? at - n : at;
}

INLINE void prefetch_row(const float *row, int64_t stride)
{
    for (int64_t j = 0; j < stride; j += ROW_FLOATS)
        __builtin_prefetch(row + j, 1);
}

INLINE void prefetch_item(const bmf_sweep *s, int32_t item, int64_t stride, bool content)
{
    prefetch_row(s->Q + item * stride, stride);
    if (content)
        __builtin_prefetch(s->content->group + s->content->row[item].first, 0);
}

/* Stores what the lane kept aside of its user. */
INLINE void leave_user(const lane *l, const bmf_sweep *s, bool content)
{
    s->user_bias[l->user] = l->bias;
    if (content) {
        s->W_scale[l->user] = l->scale;
        s->W_norm2[l->user] = l->norm2;
    }
}

/* Fetches what the user will need when a lane takes it: users come in random order, so no hardware can guess it. */
INLINE void prefetch_user(const bmf_sweep *s, int32_t u, bool content)
{
    const int64_t first = s->indptr[u];
    int64_t n = s->indptr[u + 1] - first;
    n = n < PREFETCHED_RATINGS ? n : PREFETCHED_RATINGS;
    prefetch_row(s->P + u * s->stride, s->stride);
    for (int64_t j = 0; j < n; j += ROW_FLOATS) {
        __builtin_prefetch(s->item + first + j, 0);
        __builtin_prefetch(s->value + first + j, 0);
    }
    if (content && s->content->features <= PREFETCHED_FEATURES)
        prefetch_row(s->W + u * s->content->features, s->content->features);
}

/* Gives the lane the next user that has ratings; false if there is none. */
INLINE bool take_user(lane *l, const bmf_sweep *s, const int32_t *user, int64_t count, int64_t *next, bool content)
{
    while (*next < count) {
        int32_t u = user[(*next)++];
        int64_t first = s->indptr[u];
        int32_t n = (int32_t)(s->indptr[u + 1] - first);
        if (n == 0)
            continue;
        if (*next < count)
            prefetch_user(s, user[*next], content);
        bmf_rating_order order = bmf_rating_order_of(s, u, n);
        *l = (lane){.P = s->P + u * s->stride,
                    .bias = s->user_bias[u],
                    .user = u,
                    .n = n,
                    .left = n,
                    .at = order.start,
                    .ahead = order.start,
                    .step = order.step,
                    .item = s->item + first,
                    .value = s->value + first,
                    .squares = l->squares};
        if (content) {
            l->W = s->W + u * s->content->features;
            l->scale = s->W_scale[u];
            l->norm2 = s->W_norm2[u];
        }
        for (int j = 0; j < AHEAD && j < n; j++) {
            prefetch_item(s, l->item[l->ahead], s->stride, content);
            l->ahead = advance(l->ahead, l->step, n);
        }
        return true;
    }
    return false;
}

_Static_assert(BMF_CONTENT_GROUP == 4, "content_dot adds up four parts");

/* W_u·x_i, without the scale. */
INLINE float content_dot(const float *W, const bmf_content_group *group, const bmf_content_group *end)
{
    float dot = 0;
#pragma GCC unroll 1
    for (; group < end; group++) {
        float part[BMF_CONTENT_GROUP];
        for (int j = 0; j < BMF_CONTENT_GROUP; j++)
            part[j] = W[group->feature[j]] * group->value[j];
        dot += (part[0] + part[1]) + (part[2] + part[3]);
    }
    return dot;
}

/* The constants of a sweep in registers: loads through the sweep would be repeated after every store to a row. */
typedef struct rates {
    float mean, eta, decay_b, clip;
    vec decay, clips;
    double keep_W;     /* 1 − η λ_c: what a step leaves of W_u */
    float most_eta_e;  /* |η e| up to which η e x stays within half of the bound */
    double most_norm2; /* ‖W_u‖² up to which η λ_c W_u does */
} rates;

INLINE rates rates_of(const bmf_sweep *s)
{
    const vec zero = {0};
    rates c = {.mean = s->mean,
               .eta = s->learning_rate,
               .decay_b = s->learning_rate * s->bias_regularization,
               .clip = s->clip,
               .decay = zero + s->learning_rate * s->regularization,
               .clips = zero + s->clip};
    if (s->content) {
        const double decay = (double)s->learning_rate * (double)s->content_regularization, half = (double)s->clip / 2;
        c.keep_W = 1.0 - decay;
        c.most_eta_e = s->content->largest > 0 ? (float)half / s->content->largest : FLT_MAX;
        c.most_norm2 = decay > 0 ? half / decay * (half / decay) : DBL_MAX;
    }
    return c;
}

/* W_u += cut(η(e x_i − λ_c W_u)) in O(nnz) while no delta can reach the bound, else densely. No delta can if neither of its
 * two terms reaches half of it, and no |W_u,f| is above ‖W_u‖. dot is W_u·x_i without the scale, before the step; the norm
 * follows from it: ‖w + g x‖² = ‖w‖² + 2 g w·x + g² ‖x‖². */
INLINE void content_step(lane *l, const bmf_sweep *s, const rates *c, int32_t item, const bmf_content_group *group,
                         const bmf_content_group *end, float eta_e, float dot)
{
    const double scale = l->scale * c->keep_W;
    const bool small = fabsf(eta_e) <= c->most_eta_e && l->norm2 * l->scale * l->scale <= c->most_norm2;
    if (__builtin_expect(!small || scale < SMALLEST_SCALE, 0)) {
        bmf_content_step_dense(s, l->W, &l->scale, &l->norm2, item, eta_e);
        return;
    }
    const float gain = eta_e / (float)scale;
    float *const W = l->W;
#pragma GCC unroll 1
    for (; group < end; group++)
        for (int j = 0; j < BMF_CONTENT_GROUP; j++)
            W[group->feature[j]] += gain * group->value[j];
    l->scale = scale;
    l->norm2 += (double)(gain * (2 * dot + gain * s->content->row[item].norm2));
}

/* One step of a lane whose row of P is in `P`: registers where `vectors` is a constant, memory otherwise. */
INLINE void step(lane *l, vec *P, const bmf_sweep *s, const rates *c, int64_t vectors, bool content)
{
    const int32_t item = l->item[l->at];
    const float value = l->value[l->at];
    l->at = advance(l->at, l->step, l->n);
    prefetch_item(s, l->item[l->ahead], vectors * VECTOR_FLOATS, content);
    l->ahead = advance(l->ahead, l->step, l->n);

    vec *Q = (vec *)(void *)(s->Q + item * (vectors * VECTOR_FLOATS)), sum = P[0] * Q[0];
    for (int64_t j = 1; j < vectors; j++)
        sum += P[j] * Q[j];
    float *b_i = &s->item_bias[item];
    float e = value - c->mean - l->bias - *b_i - VECTOR_SUM(sum);
    const bmf_content_group *x = NULL, *x_end = NULL;
    float x_dot = 0;
    if (content) {
        x = s->content->group + s->content->row[item].first;
        x_end = x + s->content->row[item].groups;
        x_dot = content_dot(l->W, x, x_end);
        e -= (float)l->scale * x_dot;
    }
    l->squares += e * e;

    const float eta_e = c->eta * e;
    l->bias += cut(eta_e - c->decay_b * l->bias, c->clip);
    *b_i += cut(eta_e - c->decay_b * *b_i, c->clip);
    const vec gain = (vec){0} + eta_e;
    for (int64_t j = 0; j < vectors; j++) {
        vec p = P[j], q = Q[j];
        P[j] = p + cut_vec(gain * q - c->decay * p, c->clips);
        Q[j] = q + cut_vec(gain * p - c->decay * q, c->clips);
    }
    if (content)
        content_step(l, s, c, item, x, x_end, eta_e, x_dot);
}

/* `rounds` steps of each of `lanes` lanes, their rows of P in registers. */
INLINE void burst(lane *active, int32_t rounds, const bmf_sweep *s, const rates *c, const int64_t vectors,
                  const int lanes, bool content)
{
    lane l[MAX_LANES];
    vec P[MAX_LANES][MOST_VECTORS];
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i++) {
        l[i] = active[i];
#pragma GCC unroll 16
        for (int64_t j = 0; j < vectors; j++)
            P[i][j] = ((vec *)(void *)l[i].P)[j];
    }
    for (int32_t r = 0; r < rounds; r++) {
#pragma GCC unroll 4
        for (int i = 0; i < lanes; i++)
            step(&l[i], P[i], s, c, vectors, content);
    }
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i++) {
#pragma GCC unroll 16
        for (int64_t j = 0; j < vectors; j++)
            ((vec *)(void *)l[i].P)[j] = P[i][j];
        active[i] = l[i];
    }
}

INLINE double sweep_lanes(const bmf_sweep *s, const int32_t *user, int64_t count, int64_t vectors, const int lanes,
                          bool content)
{
    const bool fixed = __builtin_constant_p(vectors);
    const bmf_sweep sweep = *s;
    const rates c = rates_of(s);
    lane active[MAX_LANES];
    memset(active, 0, sizeof active);
    double squares = 0;
    int running = 0;
    int64_t next = 0;
    while (running < lanes && take_user(&active[running], s, user, count, &next, content))
        running++;
    while (running > 0) {
        int32_t rounds = active[0].left;
        for (int l = 1; l < running; l++)
            rounds = active[l].left < rounds ? active[l].left : rounds;
        if (running == lanes && fixed)
            burst(active, rounds, &sweep, &c, vectors, lanes, content);
        else
            for (int32_t r = 0; r < rounds; r++)
                for (int l = 0; l < running; l++)
                    step(&active[l], (vec *)(void *)active[l].P, &sweep, &c, vectors, content);
        for (int l = 0; l < running; l++) {
            squares += (double)active[l].squares;
            active[l].squares = 0;
            active[l].left -= rounds;
        }
        for (int l = 0; l < running;) {
            if (active[l].left > 0) {
                l++;
                continue;
            }
            leave_user(&active[l], s, content);
            if (!take_user(&active[l], s, user, count, &next, content))
                active[l] = active[--running];
            else
                l++;
        }
    }
    return squares;
}

#define INSTANCE(name, stride, plain_lanes, concat_lanes)                                                              \
    static double name##_plain(const bmf_sweep *s, const int32_t *user, int64_t count)                                 \
    {                                                                                                                  \
        return sweep_lanes(s, user, count, (stride) / VECTOR_FLOATS, plain_lanes, false);                              \
    }                                                                                                                  \
    static double name##_concat(const bmf_sweep *s, const int32_t *user, int64_t count)                                \
    {                                                                                                                  \
        return sweep_lanes(s, user, count, (stride) / VECTOR_FLOATS, concat_lanes, true);                              \
    }

/* Interleaving by measurement: the shorter the row, the more users it takes to hide the latency of a step; a row of W for
 * each of them has to stay in the first cache, so the blended model takes fewer. */
INSTANCE(k16, 16, 4, 3)
INSTANCE(k32, 32, 4, 3)
INSTANCE(k48, 48, 4, 3)
INSTANCE(k64, 64, 3, 3)
INSTANCE(k128, 128, 2, 2)
INSTANCE(any, s->stride, 2, 2)
INSTANCE(generic, s->stride, 1, 1)

#define ENTRY(name, stride, plain_lanes, concat_lanes)                                                                 \
    {                                                                                                                  \
        stride, {plain_lanes, concat_lanes}, ISA_NAME "-" #name,                                                       \
        {                                                                                                              \
            name##_plain, name##_concat                                                                                \
        }                                                                                                              \
    }

const bmf_kernel_instance TABLE[] = {
    ENTRY(k16, 16, 4, 3),   ENTRY(k32, 32, 4, 3), ENTRY(k48, 48, 4, 3),     ENTRY(k64, 64, 3, 3),
    ENTRY(k128, 128, 2, 2), ENTRY(any, 0, 2, 2),  ENTRY(generic, -1, 1, 1),
};
