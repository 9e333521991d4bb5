#include <math.h>
#include <stddef.h>

#include "base/memory.h"
#include "kernels/sgd_step.h"
#include "kernels/sweep.h"

typedef struct reference {
    const bmf_sweep *sweep;
    bmf_sgd_rates_float rates;
    double squares;
    int32_t *feature; /* (F) the content row of the rating at hand */
    float *value;
} reference;

/* The non-zeros of an item; room for all of a row. Returns how many. */
static int64_t list_entries(const bmf_content_rows *content, int32_t item, int32_t *feature, float *value)
{
    int64_t count = 0;
    for (int32_t j = 0; j < BMF_CONTENT_FIRST + content->row[item].more; j++) {
        const bmf_content_entry x = bmf_content_entry_of(content, item, j);
        if (x.value != 0) {
            feature[count] = x.feature;
            value[count++] = x.value;
        }
    }
    return count;
}

static void visit_rating(void *context, int32_t user, int64_t entry)
{
    reference *ref = context;
    const bmf_sweep *s = ref->sweep;
    const int32_t item = s->item[entry];
    const int64_t F = s->content ? s->content->features : 0;
    const int64_t nnz = F ? list_entries(s->content, item, ref->feature, ref->value) : 0;
    float e = bmf_sgd_step_float(&ref->rates, s->value[entry], s->mean, s->stride, s->P + user * s->stride,
                                 s->Q + item * s->stride, &s->user_bias[user], &s->item_bias[item], F,
                                 F ? s->W + user * F : NULL, nnz, ref->feature, ref->value);
    ref->squares += (double)e * (double)e;
}

/* Multiplies the scales into the stored rows before the plain steps, which know no scale. */
static void fold_scales(const bmf_sweep *s, const int32_t *user, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float *W = s->W + user[i] * s->content->features, scale = (float)s->W_scale[user[i]];
        for (int64_t f = 0; f < s->content->features; f++)
            W[f] *= scale;
        s->W_scale[user[i]] = 1;
    }
}

static void renew_norms(const bmf_sweep *s, const int32_t *user, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float *W = s->W + user[i] * s->content->features;
        double norm2 = 0;
        for (int64_t f = 0; f < s->content->features; f++)
            norm2 += (double)W[f] * (double)W[f];
        s->W_norm2[user[i]] = norm2;
    }
}

static void run_reference(reference *ref, const int32_t *user, int64_t count, int lanes)
{
    const bmf_sweep *sweep = ref->sweep;
    if (sweep->content)
        fold_scales(sweep, user, count);
    bmf_sweep_visit(sweep, user, count, lanes, visit_rating, ref);
    if (sweep->content)
        renew_norms(sweep, user, count);
}

double bmf_sweep_reference(const bmf_sweep *sweep, const int32_t *user, int64_t count, int lanes)
{
    reference ref = {sweep,
                     {sweep->learning_rate, sweep->regularization, sweep->bias_regularization,
                      sweep->content_regularization, sweep->clip},
                     0,
                     NULL,
                     NULL};
    const int64_t F = sweep->content ? sweep->content->features : 0;
    ref.feature = bmf_alloc(F, sizeof *ref.feature, "content row", NULL);
    ref.value = bmf_alloc(F, sizeof *ref.value, "content row", NULL);
    if (!ref.feature || !ref.value)
        ref.squares = NAN; /* seen by the caller as training that went wrong */
    else
        run_reference(&ref, user, count, lanes);
    bmf_free(ref.feature);
    bmf_free(ref.value);
    return ref.squares;
}
