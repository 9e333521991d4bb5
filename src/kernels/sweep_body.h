/* The body of the fast sweep, included once per instruction set by sweep_<isa>.c, which defines
 *   VECTOR_FLOATS        floats in one vector of that instruction set
 *   VECTOR_CUT(a, b)     the elements of vector a cut to ±b
 *   VECTOR_MARK(m, a, b) the integer vector m with the bits of vectors a and b set too
 *   VECTOR_REACHES_2(m)  whether any |element| of the vectors marked in m is 2 or more: then it has the highest bit of the
 *                        exponent, which no smaller number has
 *   VECTOR_SUM(a)        the sum of its elements
 *   VECTOR_SUMS(a, b, c, d)   the sums of four vectors, as a `four`
 *   VECTOR_PLUS_EIGHT(a, b)   a vector with the same sum of elements as vector a and the `eight` b together
 *   FOUR_CUT(a, b)       VECTOR_CUT of a `four`
 *   TABLE                name of the table of instances to define
 *   ISA_NAME             its name as a string
 * after including sweep_vectors.h for the types.
 *
 * Several users (lanes) are interleaved: the chain dot product → error → row update of one user waits for its latency while
 * the others proceed. Four lanes are a group that makes a step each at once: its dot products, errors and biases are one
 * vector. Users differ, so if their items do too, that is what the four steps one after the other would give; where two
 * items are the same the steps are made one after the other. The result is that of sequential SGD in the order of
 * bmf_sweep_visit. */
#include <stddef.h>
#include <string.h>

#include "kernels/instances.h"
#include "kernels/sweep_lane.h"

#define GROUP 4 /* lanes, or fewer where long rows leave no registers for more */
#define MOST_GROUPS (MAX_LANES / GROUP)
#define MOST_VECTORS (128 / VECTOR_FLOATS) /* of a row in a specialised instance */
#define REGISTER_ROW 32 /* floats of a row of P up to which it stays in registers beside what content needs there */

/* The constants of a sweep. */
typedef struct rates {
    float mean, eta, clip;
    bmf_row_rates user, item; /* of every row that has none of its own */
    float most_eta_e;         /* |η e| up to which no delta of a row whose elements are below 2 reaches the clip */
    vec clips;
    bmf_content_rates content;
} rates;

INLINE rates rates_of(const bmf_sweep *s)
{
    const float eta = s->learning_rate, bias_eta = s->bias_learning_rate;
    rates c = {.mean = s->mean,
               .eta = eta,
               .clip = s->clip,
               .user = {eta, eta * s->user_regularization, bias_eta, bias_eta * s->user_bias_regularization},
               .item = {eta, eta * s->item_regularization, bias_eta, bias_eta * s->item_bias_regularization},
               .clips = (vec){0} + s->clip,
               .content = bmf_content_rates_of(s)};
    c.most_eta_e = s->clip / 2 - (c.user.decay > c.item.decay ? c.user.decay : c.item.decay);
    return c;
}

INLINE float cut(float delta, float clip)
{
    float most = delta < clip ? delta : clip;
    return most > -clip ? most : -clip;
}

/* What the step of one rating does to P and Q: gains η e, and ηλ, of each. */
typedef struct pulls {
    vec user_gain, item_gain, user_decay, item_decay;
} pulls;

INLINE pulls pulls_of(float user_gain, float item_gain, float user_decay, float item_decay)
{
    const vec zero = {0};
    return (pulls){zero + user_gain, zero + item_gain, zero + user_decay, zero + item_decay};
}

INLINE void update_rows(vec *P, vec *Q, pulls by, vec clips, int64_t vectors)
{
    for (int64_t j = 0; j < vectors; j++) {
        const vec p = P[j], q = Q[j];
        P[j] = p + VECTOR_CUT(by.user_gain * q - by.user_decay * p, clips);
        Q[j] = q + VECTOR_CUT(by.item_gain * p - by.item_decay * q, clips);
    }
}

/* The same where no delta can reach the clip. */
INLINE void update_rows_uncut(vec *P, vec *Q, pulls by, int64_t vectors)
{
    const vec user_keep = 1 - by.user_decay, item_keep = 1 - by.item_decay;
    for (int64_t j = 0; j < vectors; j++) {
        const vec p = P[j], q = Q[j];
        P[j] = user_keep * p + by.user_gain * q;
        Q[j] = item_keep * q + by.item_gain * p;
    }
}

INLINE bool any_beyond(four value, four limit)
{
    const four_ints beyond = (value > limit) | (-value > limit);
    return FOUR_ANY(beyond);
}

/* P·Q by elements, in two sums so that the additions need not wait for each other. */
INLINE vec products(const vec *P, const vec *Q, int64_t vectors)
{
    vec even = P[0] * Q[0];
    if (vectors == 1)
        return even;
    vec odd = P[1] * Q[1];
    for (int64_t j = 2; j + 1 < vectors; j += 2) {
        even += P[j] * Q[j];
        odd += P[j + 1] * Q[j + 1];
    }
    if (vectors % 2)
        even += P[vectors - 1] * Q[vectors - 1];
    return even + odd;
}

/* One step of one lane whose row of P is in memory. Returns e². */
INLINE float step(lane *l, const bmf_sweep *s, const rates *c, int64_t vectors, bmf_sweep_kind kind)
{
    const bool content = kind == BMF_SWEEP_CONCAT;
    const int64_t stride = vectors * VECTOR_FLOATS;
    const entry now = *entry_at(l->block, l->done, content);
    const content_entry *full = content ? &l->block->content[l->done] : NULL;
    prefetch_item(s, entry_at(l->block, l->done + AHEAD, content)->item, stride, kind);
    vec *P = (vec *)(void *)l->P, *Q = (vec *)(void *)(s->Q + now.item * stride);
    float *b_i = &s->item_bias[now.item];
    float e = now.value - c->mean - l->bias - *b_i - VECTOR_SUM(products(P, Q, vectors));
    if (content)
        e -= (float)l->content.scale * bmf_content_dot(&l->content, s, now.item, &full->slots, full->rest_at);
    const bmf_row_rates of_user = kind == BMF_SWEEP_RATED ? l->rates : c->user;
    const bmf_row_rates of_item = kind == BMF_SWEEP_RATED ? s->item_rates[now.item] : c->item;
    l->bias += cut(of_user.bias_eta * e - of_user.bias_decay * l->bias, c->clip);
    *b_i += cut(of_item.bias_eta * e - of_item.bias_decay * *b_i, c->clip);
    update_rows(P, Q, pulls_of(of_user.eta * e, of_item.eta * e, of_user.decay, of_item.decay), c->clips, vectors);
    if (content)
        bmf_content_step(&l->content, s, &c->content, now.item, &full->slots, full->rest_at, c->eta * e,
                         l->left + l->laid - l->done - 1);
    l->done++;
    return e * e;
}

/* bmf_row_rates of the members of a group, side by side. */
typedef struct group_rates {
    four eta, decay, bias_eta, bias_decay;
} group_rates;

/* Those of four rows: a matrix of four by four transposed. */
INLINE group_rates transposed(const bmf_row_rates *a, const bmf_row_rates *b, const bmf_row_rates *c,
                              const bmf_row_rates *d)
{
    const four_loose *rows[] = {(const void *)a, (const void *)b, (const void *)c, (const void *)d};
    const four ab_low = __builtin_shufflevector(*rows[0], *rows[1], 0, 4, 1, 5);
    const four ab_high = __builtin_shufflevector(*rows[0], *rows[1], 2, 6, 3, 7);
    const four cd_low = __builtin_shufflevector(*rows[2], *rows[3], 0, 4, 1, 5);
    const four cd_high = __builtin_shufflevector(*rows[2], *rows[3], 2, 6, 3, 7);
    return (group_rates){
        __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5), __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
        __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5), __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
}

INLINE group_rates same_rates(bmf_row_rates of_all)
{
    const four zero = {0};
    return (group_rates){zero + of_all.eta, zero + of_all.decay, zero + of_all.bias_eta, zero + of_all.bias_decay};
}

/* What four lanes need step by step, in registers as far as these go. */
typedef struct group {
    const entry *entry[GROUP]; /* plain */
    four bias, squares;
    group_rates rates; /* of the users, if rows have their own */
    /* blended */
    const content_entry *full[GROUP];
    float *W[GROUP];
    four_doubles scale, inverse;
    four limit;
} group;

/* members: lanes in the group. What would be a fourth or third repeats another and is not looked at. */
INLINE void enter_group(group *g, const lane *l, int members, bmf_sweep_kind kind)
{
    const lane *a = &l[0], *b = &l[1 % members], *c = &l[2 % members], *d = &l[3 % members];
    *g = (group){.bias = {a->bias, b->bias, c->bias, d->bias}};
    for (int i = 0; i < GROUP; i++)
        g->entry[i] = l[i % members].block->plain + l[i % members].done;
    if (kind == BMF_SWEEP_RATED)
        g->rates = transposed(&a->rates, &b->rates, &c->rates, &d->rates);
    if (kind != BMF_SWEEP_CONCAT)
        return;
    for (int i = 0; i < members; i++) {
        g->full[i] = l[i].block->content + l[i].done;
        g->W[i] = l[i].content.W;
    }
    g->scale = (four_doubles){a->content.scale, b->content.scale, c->content.scale, d->content.scale};
    g->inverse = (four_doubles){a->content.inverse, b->content.inverse, c->content.inverse, d->content.inverse};
    g->limit = (four){a->content.limit, b->content.limit, c->content.limit, d->content.limit};
}

INLINE void leave_group(const group *g, lane *l, int32_t steps, int members, bool content)
{
    for (int i = 0; i < members; i++) {
        l[i].bias = g->bias[i];
        l[i].done += steps;
        if (content) {
            l[i].content.scale = g->scale[i];
            l[i].content.inverse = g->inverse[i];
        }
    }
}

/* The starts of the content rows of a group's step, and the weights they meet. */
typedef struct group_content {
    eight value[GROUP], weight[GROUP];
    bool is_long; /* one of them is */
} group_content;

INLINE void meet_content(group_content *x, const group *g, int32_t r, const int64_t item[GROUP], int members,
                         const bmf_content_rows *all)
{
    x->is_long = false;
    for (int i = 0; i < members; i++) {
        const bmf_content_row *row = &all->row[item[i]];
        x->value[i] = *(const eight *)(const void *)row->value;
        x->weight[i] = EIGHT_GATHER(g->W[i], g->full[i][r].slots.slot);
        x->is_long |= bmf_content_row_is_long(row);
    }
}

/* What the rest of a long row adds to W·x of a lane, without the scale, and W += gain x over it. Out of line, and given no
 * pointer to a group, which is to stay in registers. */
static __attribute__((noinline)) float rest_dot(const lane *l, int32_t r, const bmf_content_rows *all)
{
    const content_entry *now = &l->block->content[l->done + r];
    if (!bmf_content_row_is_long(&all->row[now->rating.item]))
        return 0;
    return bmf_content_rest_dot(l->content.W, l->content.rest + now->rest_at, all, now->rating.item);
}

static __attribute__((noinline)) void add_rest(const lane *l, int32_t r, const bmf_content_rows *all, float gain)
{
    const content_entry *now = &l->block->content[l->done + r];
    if (bmf_content_row_is_long(&all->row[now->rating.item]))
        bmf_content_rest_add(l->content.W, l->content.rest + now->rest_at, all, now->rating.item, gain);
}

INLINE four rest_dots(const lane *l, int32_t r, int members, const bmf_content_rows *all)
{
    return (four){rest_dot(&l[0], r, all), rest_dot(&l[1 % members], r, all),
                  members > 2 ? rest_dot(&l[2 % members], r, all) : 0,
                  members > 2 ? rest_dot(&l[3 % members], r, all) : 0};
}

/* Errors e of the members' ratings into their biases and rows. marked: as VECTOR_MARK left the rows. */
INLINE void group_update(group *g, const group_rates *of_users, const group_rates *of_items, four e,
                         const int64_t item[GROUP], vec *const P[GROUP], vec *const Q[GROUP], marks marked,
                         const bmf_sweep *s, const rates *c, int64_t vectors, const int members, bmf_sweep_kind kind)
{
    const four clips = (four){0} + c->clip;
    float *bias = s->item_bias;
    const int b = 1 % members, d = 3 % members;
    four b_i = {bias[item[0]], bias[item[b]], bias[item[2 % members]], bias[item[d]]};
    g->bias += FOUR_CUT(of_users->bias_eta * e - of_users->bias_decay * g->bias, clips);
    b_i += FOUR_CUT(of_items->bias_eta * e - of_items->bias_decay * b_i, clips);
    for (int i = 0; i < members; i++)
        bias[item[i]] = b_i[i];
    const four user_gain = of_users->eta * e, item_gain = of_items->eta * e;
    bool large;
    if (kind == BMF_SWEEP_RATED)
        large = any_beyond(user_gain, clips / 2 - of_users->decay) | any_beyond(item_gain, clips / 2 - of_items->decay);
    else
        large = any_beyond(user_gain, (four){0} + c->most_eta_e);
    if (__builtin_expect(large | VECTOR_REACHES_2(marked), 0)) {
        for (int i = 0; i < members; i++)
            update_rows(P[i], Q[i], pulls_of(user_gain[i], item_gain[i], of_users->decay[i], of_items->decay[i]),
                        c->clips, vectors);
        return;
    }
    for (int i = 0; i < members; i++)
        update_rows_uncut(P[i], Q[i], pulls_of(user_gain[i], item_gain[i], of_users->decay[i], of_items->decay[i]),
                          vectors);
}

/* A step of each member of the group at once, their lanes in l as the burst found them, their rows of P in P[i]; r: how many
 * the burst has made. False, and nothing done, if two have the same item or a step on W is not short: then they go one after
 * the other. */
INLINE bool group_step(group *g, const lane *l, vec *const P[GROUP], int32_t r, const bmf_sweep *s, const rates *c,
                       int64_t vectors, const int members, bmf_sweep_kind kind)
{
    const bool content = kind == BMF_SWEEP_CONCAT;
    const int64_t stride = vectors * VECTOR_FLOATS;
    int64_t item[GROUP];
    bool same = false;
    entry now[GROUP];
    for (int i = 0; i < members; i++) {
        prefetch_item(s, content ? g->full[i][r + AHEAD].rating.item : g->entry[i][r + AHEAD].item, stride, kind);
        now[i] = content ? g->full[i][r].rating : g->entry[i][r];
        item[i] = now[i].item;
        for (int j = 0; j < i; j++)
            same |= item[i] == item[j];
    }
    if (__builtin_expect(same, 0))
        return false;
    vec *Q[GROUP], product[GROUP];
    marks marked = {0};
    for (int i = 0; i < members; i++) {
        Q[i] = (vec *)(void *)(s->Q + item[i] * stride);
        product[i] = products(P[i], Q[i], vectors);
        for (int64_t j = 0; j < vectors; j++)
            marked = VECTOR_MARK(marked, P[i][j], Q[i][j]);
    }
    group_content x;
    const four scale = content ? __builtin_convertvector(g->scale, four) : (four){0};
    if (content) {
        meet_content(&x, g, r, item, members, s->content);
        for (int i = 0; i < members; i++)
            product[i] = VECTOR_PLUS_EIGHT(product[i], x.weight[i] * x.value[i] * scale[i]);
    }
    const int b = 1 % members, d = 3 % members; /* with four members 1 and 3, with two members both 1 */
    const four value = {now[0].value, now[b].value, now[2 % members].value, now[d].value};
    const float *bias = s->item_bias;
    four b_i = {bias[item[0]], bias[item[b]], bias[item[2 % members]], bias[item[d]]};
    four e = (value - c->mean - g->bias - b_i) - VECTOR_SUMS(product[0], product[b], product[2 % members], product[d]);
    if (content && __builtin_expect(x.is_long, 0))
        e -= scale * rest_dots(l, r, members, s->content);
    const four eta_e = c->eta * e;
    if (content) {
        if (__builtin_expect(any_beyond(eta_e, g->limit), 0))
            return false;
        g->scale *= c->content.keep;
        g->inverse *= c->content.renew;
        const four gain = eta_e * __builtin_convertvector(g->inverse, four);
        for (int i = 0; i < members; i++)
            bmf_eight_scatter(g->W[i], g->full[i][r].slots.slot, x.weight[i] + gain[i] * x.value[i]);
        if (__builtin_expect(x.is_long, 0))
            for (int i = 0; i < members; i++)
                add_rest(&l[i], r, s->content, gain[i]);
    }
    g->squares += e * e;
    if (kind == BMF_SWEEP_RATED) {
        const bmf_row_rates *own = s->item_rates;
        const group_rates of_items = transposed(&own[item[0]], &own[item[b]], &own[item[2 % members]], &own[item[d]]);
        group_update(g, &g->rates, &of_items, e, item, P, Q, marked, s, c, vectors, members, kind);
    } else {
        const group_rates of_users = same_rates(c->user), of_items = same_rates(c->item);
        group_update(g, &of_users, &of_items, e, item, P, Q, marked, s, c, vectors, members, kind);
    }
    return true;
}

/* Up to `rounds` steps of each of groups × members lanes, in rounds of one step each; ends early where a group cannot make
 * its steps at once. Returns the number of steps made by all, adds Σ e² to *squares. Rows of P are in registers where
 * `vectors` is a constant that lets them. */
INLINE int64_t burst(lane *active, int32_t rounds, const bmf_sweep *s, const rates *c, const int64_t vectors,
                     const int groups, const int members, upcoming *ahead, bmf_sweep_kind kind, double *squares)
{
    const bool content = kind == BMF_SWEEP_CONCAT;
    const bool fixed = __builtin_constant_p(vectors) && (!content || vectors * VECTOR_FLOATS <= REGISTER_ROW);
    group g[MOST_GROUPS];
    vec kept[MAX_LANES][MOST_VECTORS], *P[MAX_LANES];
#pragma GCC unroll 8
    for (int i = 0; i < groups * members; i++) {
        P[i] = fixed ? kept[i] : (vec *)(void *)active[i].P;
#pragma GCC unroll 16
        for (int64_t j = 0; fixed && j < vectors; j++)
            kept[i][j] = ((vec *)(void *)active[i].P)[j];
    }
#pragma GCC unroll 2
    for (int i = 0; i < groups; i++)
        enter_group(&g[i], active + i * members, members, kind);
    int32_t r = 0;
    int part = 0;
    for (; r < rounds; r++) {
        prefetch_upcoming(ahead, content);
#pragma GCC unroll 2
        for (int i = 0; i < groups; i++)
            if (__builtin_expect(
                    !group_step(&g[i], active + i * members, P + i * members, r, s, c, vectors, members, kind), 0)) {
                part = i;
                goto out;
            }
    }
out:
#pragma GCC unroll 8
    for (int i = 0; i < groups * members; i++) {
#pragma GCC unroll 16
        for (int64_t j = 0; fixed && j < vectors; j++)
            ((vec *)(void *)active[i].P)[j] = kept[i][j];
    }
#pragma GCC unroll 2
    for (int i = 0; i < groups; i++) {
        leave_group(&g[i], active + i * members, i < part ? r + 1 : r, members, content);
        for (int j = 0; j < members; j++)
            *squares += (double)g[i].squares[j];
    }
    return (int64_t)r * groups * members + part * members;
}

/* As many rounds as every lane has ratings laid out for. Returns Σ e². */
INLINE double run_rounds(lane *active, int running, const bmf_sweep *s, const rates *c, int64_t vectors,
                         const int lanes, upcoming *ahead, bmf_sweep_kind kind)
{
    const int members = lanes < GROUP ? lanes : GROUP, groups = lanes / members;
    int32_t rounds = active[0].laid - active[0].done;
    for (int i = 1; i < running; i++) {
        const int32_t laid = active[i].laid - active[i].done;
        rounds = laid < rounds ? laid : rounds;
    }
    double squares = 0;
    for (int32_t r = 0; r < rounds; r++) {
        int first = 0;
        if (lanes > 1 && running == lanes) {
            const int64_t made = burst(active, rounds - r, s, c, vectors, groups, members, ahead, kind, &squares);
            r += (int32_t)(made / lanes);
            first = (int)(made % lanes);
            if (r == rounds)
                break;
        } else if (groups > 1 && running >= members) {
            first = (int)burst(active, 1, s, c, vectors, 1, members, ahead, kind, &squares);
        }
        for (int i = first; i < running; i++)
            squares += (double)step(&active[i], s, c, vectors, kind);
    }
    return squares;
}

INLINE double sweep_lanes(const bmf_sweep *s, const int32_t *user, int64_t count, int64_t vectors, const int lanes,
                          bmf_sweep_kind kind)
{
    const bool content = kind == BMF_SWEEP_CONCAT;
    const rates c = rates_of(s);
    lane active[MAX_LANES];
    block blocks[MAX_LANES];
    double squares = 0;
    upcoming ahead = {0};
    int running = 0;
    int64_t next = 0;
    memset(active, 0, sizeof active);
    for (int i = 0; i < lanes; i++)
        active[i].block = &blocks[i];
    while (running < lanes && take_user(&active[running], s, &c.content, user, count, &next, &ahead, kind))
        running++;
    while (running > 0) {
        squares += run_rounds(active, running, s, &c, vectors, lanes, &ahead, kind);
        for (int i = 0; i < running;) {
            lane *l = &active[i];
            if (l->done < l->laid) {
                i++;
            } else if (l->left > 0) {
                lay_out(l, content);
            } else {
                leave_user(l, s, content);
                if (!take_user(l, s, &c.content, user, count, &next, &ahead, kind))
                    active[i] = active[--running];
                else
                    i++;
            }
        }
    }
    return squares;
}

#define INSTANCE(...) INSTANCE_OF(__VA_ARGS__)
#define KIND_OF(name, stride, lanes, kind)                                                                             \
    static double name(const bmf_sweep *s, const int32_t *user, int64_t count)                                         \
    {                                                                                                                  \
        return sweep_lanes(s, user, count, (stride) / VECTOR_FLOATS, lanes, kind);                                     \
    }
#define INSTANCE_OF(name, stride, plain_lanes, concat_lanes)                                                           \
    KIND_OF(name##_plain, stride, plain_lanes, BMF_SWEEP_PLAIN)                                                        \
    KIND_OF(name##_concat, stride, concat_lanes, BMF_SWEEP_CONCAT)                                                     \
    KIND_OF(name##_rated, stride, plain_lanes, BMF_SWEEP_RATED)

/* Interleaving by measurement: the shorter the row, the more users it takes to hide the latency of a step. */
INSTANCE(k16, 16, LANES_16)
INSTANCE(k32, 32, LANES_32)
INSTANCE(k48, 48, LANES_48)
INSTANCE(k64, 64, LANES_64)
INSTANCE(k128, 128, LANES_128)
INSTANCE(any, s->stride, LANES_ANY)
INSTANCE(generic, s->stride, 1, 1)

#define ENTRY(...) ENTRY_OF(__VA_ARGS__)
#define ENTRY_OF(name, stride, plain_lanes, concat_lanes)                                                              \
    {                                                                                                                  \
        stride, {plain_lanes, concat_lanes, plain_lanes}, ISA_NAME "-" #name,                                          \
        {                                                                                                              \
            name##_plain, name##_concat, name##_rated                                                                  \
        }                                                                                                              \
    }

const bmf_kernel_instance TABLE[] = {
    ENTRY(k16, 16, LANES_16),    ENTRY(k32, 32, LANES_32), ENTRY(k48, 48, LANES_48), ENTRY(k64, 64, LANES_64),
    ENTRY(k128, 128, LANES_128), ENTRY(any, 0, LANES_ANY), ENTRY(generic, -1, 1, 1),
};
