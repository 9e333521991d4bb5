#include <math.h>
#include <stddef.h>

#include "base/memory.h"
#include "kernels/sgd_step.h"
#include "kernels/sweep.h"

typedef struct reference {
    const bmf_sweep *sweep;
    bmf_sgd_rates_float rates;
    double squares;
    int32_t *slot; /* (F) of the content row of the rating at hand */
} reference;

/* The weights of a user, without the one of no feature. */
static int64_t weights_of(const bmf_sweep *s, int64_t user)
{
    return s->W_indptr[user + 1] - s->W_indptr[user] - 1;
}

/* Where the entries of the rating's content row stand in W_u. Returns how many. */
static int64_t list_slots(const bmf_sweep *s, int32_t user, int64_t entry, int32_t *slot)
{
    const bmf_content_rows *rows = s->content;
    const int64_t count = bmf_content_entries(rows, s->item[entry]);
    const int64_t first = count - bmf_content_rest(rows, s->item[entry]);
    for (int64_t j = 0; j < first; j++)
        slot[j] = s->slots->rating[entry].slot[j];
    for (int64_t j = first; j < count; j++)
        slot[j] = s->slots->rest[s->slots->rest_start[user] + s->slots->rest_at[entry] + j - first];
    return count;
}

static void visit_embedded(void *context, int32_t user, int64_t entry)
{
    reference *ref = context;
    const bmf_sweep *s = ref->sweep;
    const int32_t item = s->item[entry];
    const bmf_content_rows *x = s->content;
    float e = bmf_sgd_embed_step_float(&ref->rates, s->value[entry], s->mean, s->stride, s->P + user * s->stride,
                                       s->Q + item * s->stride, &s->user_bias[user], &s->item_bias[item], s->stride,
                                       s->V, s->feature_bias, bmf_content_entries(x, item),
                                       x->feature + x->indptr[item], x->value + x->indptr[item]);
    ref->squares += (double)e * (double)e;
}

static void visit_rating(void *context, int32_t user, int64_t entry)
{
    reference *ref = context;
    const bmf_sweep *s = ref->sweep;
    const int32_t item = s->item[entry];
    const bmf_content_rows *x = s->content;
    const int64_t nnz = x ? list_slots(s, user, entry, ref->slot) : 0;
    float e = bmf_sgd_step_float(&ref->rates, s->value[entry], s->mean, s->stride, s->P + user * s->stride,
                                 s->Q + item * s->stride, &s->user_bias[user], &s->item_bias[item],
                                 x ? weights_of(s, user) : 0, x ? s->W + s->W_indptr[user] : NULL, nnz, ref->slot,
                                 x ? x->value + x->indptr[item] : NULL);
    ref->squares += (double)e * (double)e;
}

/* Multiplies the scales into the stored rows before the plain steps, which know no scale. */
static void fold_scales(const bmf_sweep *s, const int32_t *user, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float *W = s->W + s->W_indptr[user[i]], scale = (float)s->W_scale[user[i]];
        for (int64_t f = 0; f < weights_of(s, user[i]); f++)
            W[f] *= scale;
        s->W_scale[user[i]] = 1;
    }
}

static void renew_norms(const bmf_sweep *s, const int32_t *user, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float *W = s->W + s->W_indptr[user[i]];
        double norm2 = 0;
        for (int64_t f = 0; f < weights_of(s, user[i]); f++)
            norm2 += (double)W[f] * (double)W[f];
        s->W_norm2[user[i]] = norm2;
    }
}

static float cut(float delta, float clip)
{
    return delta > clip ? clip : delta < -clip ? -clip : delta;
}

/* Rows with rates of their own. */
static void visit_rated(void *context, int32_t user, int64_t entry)
{
    reference *ref = context;
    const bmf_sweep *s = ref->sweep;
    const int32_t item = s->item[entry];
    const bmf_row_rates of_user = s->user_rates[user], of_item = s->item_rates[item];
    float *P = s->P + user * s->stride, *Q = s->Q + item * s->stride;
    float *b_u = &s->user_bias[user], *b_i = &s->item_bias[item];
    float e = s->value[entry] - s->mean - *b_u - *b_i;
    for (int64_t f = 0; f < s->stride; f++)
        e -= P[f] * Q[f];
    *b_u += cut(of_user.bias_eta * e - of_user.bias_decay * *b_u, s->clip);
    *b_i += cut(of_item.bias_eta * e - of_item.bias_decay * *b_i, s->clip);
    for (int64_t f = 0; f < s->stride; f++) {
        const float p = P[f], q = Q[f];
        P[f] = p + cut(of_user.eta * e * q - of_user.decay * p, s->clip);
        Q[f] = q + cut(of_item.eta * e * p - of_item.decay * q, s->clip);
    }
    ref->squares += (double)e * (double)e;
}

static void run_reference(reference *ref, const int32_t *user, int64_t count, int lanes)
{
    const bmf_sweep *sweep = ref->sweep;
    if (sweep->V) {
        bmf_sweep_visit(sweep, user, count, lanes, visit_embedded, ref);
        return;
    }
    if (sweep->user_rates) {
        bmf_sweep_visit(sweep, user, count, lanes, visit_rated, ref);
        return;
    }
    if (sweep->content)
        fold_scales(sweep, user, count);
    bmf_sweep_visit(sweep, user, count, lanes, visit_rating, ref);
    if (sweep->content)
        renew_norms(sweep, user, count);
}

double bmf_sweep_reference(const bmf_sweep *sweep, const int32_t *user, int64_t count, int lanes)
{
    reference ref = {sweep,
                     {.eta = sweep->learning_rate,
                      .bias_eta = sweep->bias_learning_rate,
                      .user_lambda = sweep->user_regularization,
                      .item_lambda = sweep->item_regularization,
                      .user_bias_lambda = sweep->user_bias_regularization,
                      .item_bias_lambda = sweep->item_bias_regularization,
                      .content_lambda = sweep->content_regularization,
                      .clip = sweep->clip},
                     0,
                     NULL};
    ref.slot = bmf_alloc(sweep->content ? sweep->content->features : 0, sizeof *ref.slot, "content row", NULL);
    if (!ref.slot)
        ref.squares = NAN; /* seen by the caller as training that went wrong */
    else
        run_reference(&ref, user, count, lanes);
    bmf_free(ref.slot);
    return ref.squares;
}
