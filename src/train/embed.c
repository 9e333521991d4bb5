#include "train/embed.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "train/progress.h"

typedef struct division {
    const bmf_embed *embed;
    const bmf_embed_window *window;
    bmf_model *model;
    const bmf_item_side *start;
    bmf_pull factor, bias;
} division;

static void sum_rows(const bmf_csr *content, float *sum)
{
    for (int64_t i = 0; i < content->rows; i++) {
        sum[i] = 0;
        for (int64_t j = content->indptr[i]; j < content->indptr[i + 1]; j++)
            sum[i] += fabsf(content->data[j]);
    }
}

int bmf_embed_create(const bmf_csr *content, int64_t stride, int64_t threads, bmf_embed *out, bmf_error *err)
{
    *out = (bmf_embed){.content = *content, .threads = threads};
    int status = bmf_csr_transpose(content, &out->by_feature, "content by features", err);
    out->row_sum = bmf_alloc(content->rows, sizeof *out->row_sum, "sums of content rows", err);
    out->gradient = bmf_alloc_zero(content->rows * stride, sizeof *out->gradient, "gradients of the items", err);
    out->bias_gradient = bmf_alloc_zero(content->rows, sizeof *out->bias_gradient, "gradients of the items", err);
    out->work = bmf_alloc(threads * stride, sizeof *out->work, "sums of gradients", err);
    if (status != BMF_OK || !out->row_sum || !out->gradient || !out->bias_gradient || !out->work) {
        bmf_embed_clear(out);
        return BMF_ERR_MEMORY;
    }
    sum_rows(content, out->row_sum);
    return BMF_OK;
}

void bmf_embed_clear(bmf_embed *embed)
{
    bmf_csr_clear(&embed->by_feature);
    bmf_free(embed->row_sum);
    bmf_free(embed->gradient);
    bmf_free(embed->bias_gradient);
    bmf_free(embed->work);
    *embed = (bmf_embed){0};
}

int64_t bmf_embed_bytes(int64_t items, int64_t features, int64_t entries, int64_t stride)
{
    const int64_t word = (int64_t)sizeof(float);
    return entries * 2 * word + (features + 1) * (int64_t)sizeof(int64_t) + items * (stride + 2) * word;
}

static bmf_progress factor_progress(const division *d, int64_t i)
{
    const bmf_row_rates *own = d->window->items;
    const int32_t n = d->window->steps[i];
    return own ? bmf_progress_of_row(&d->factor, own[i].eta, own[i].decay, d->window->h, n)
               : bmf_progress_of(&d->factor, n);
}

static bmf_progress bias_progress(const division *d, int64_t i)
{
    const bmf_row_rates *own = d->window->items;
    const int32_t n = d->window->steps[i];
    return own ? bmf_progress_of_row(&d->bias, own[i].bias_eta, own[i].bias_decay, 1, n) : bmf_progress_of(&d->bias, n);
}

/* The gradients of item i into the arrays. */
static void find_gradient(const division *d, int64_t i)
{
    if (d->window->steps[i] == 0)
        return; /* nobody looks */
    const int64_t stride = d->model->stride;
    const float *E = d->model->Q + i * stride, *E0 = d->start->Q + i * stride;
    float *to = d->embed->gradient + i * stride;
    const bmf_progress of_factor = factor_progress(d, i), of_bias = bias_progress(d, i);
    const float unsaturate = (float)of_factor.unsaturate, decay = (float)(of_factor.decay * of_factor.s);
    for (int64_t f = 0; f < stride; f++)
        to[f] = unsaturate * ((E[f] - E0[f]) + decay * E0[f]);
    const double bias = (double)d->model->item_bias[i], bias0 = (double)d->start->bias[i];
    d->embed->bias_gradient[i] = (float)(of_bias.unsaturate * (bias - bias0 + of_bias.decay * of_bias.s * bias0));
}

/* Moves V_f and its bias. sum: (stride) to work in. */
static void move_feature(const division *d, int64_t feature, float *sum)
{
    const bmf_csr *items = &d->embed->by_feature;
    const int64_t stride = d->model->stride;
    double overlap = 0, steps = 0, bias_sum = 0;
    memset(sum, 0, (size_t)stride * sizeof *sum);
    for (int64_t j = items->indptr[feature]; j < items->indptr[feature + 1]; j++) {
        const int64_t i = items->indices[j];
        const int32_t n = d->window->steps[i];
        if (n == 0)
            continue;
        const float x = items->data[j], *gradient = d->embed->gradient + i * stride;
        for (int64_t f = 0; f < stride; f++)
            sum[f] += x * gradient[f];
        bias_sum += (double)(x * d->embed->bias_gradient[i]);
        overlap += fabs((double)x) * (double)n * (double)d->embed->row_sum[i];
        steps += (double)n;
    }
    const bmf_row_rates *own = d->window->features;
    const double ratio = own ? (double)own[feature].eta / d->factor.eta : 1; /* of its η to the common one */
    const double decay = ratio * d->factor.content_decay * steps, bias_decay = d->bias.content_decay * steps;
    const float c = bmf_damping(ratio * d->factor.curvature * overlap + decay), gain = (float)ratio,
                shrink = (float)decay;
    float *V = d->model->V + feature * stride, *bias = &d->model->feature_bias[feature];
    for (int64_t f = 0; f < stride; f++)
        V[f] += c * (gain * sum[f] - shrink * V[f]);
    *bias += bmf_damping(d->bias.curvature * overlap + bias_decay) * (float)(bias_sum - bias_decay * (double)*bias);
}

/* Moves the item's own part in what its features have left over and blends them. y: (stride) to work in. 0 unless something
 * is not finite. */
static float move_item(const division *d, int64_t i, float *y)
{
    const int64_t stride = d->model->stride;
    const int32_t n = d->window->steps[i];
    float *E = d->model->Q + i * stride, *E0 = d->start->Q + i * stride, *Q = d->model->own_Q + i * stride;
    memset(y, 0, (size_t)stride * sizeof *y);
    const float y_bias = bmf_model_add_embedding(d->model, &d->embed->content, i, y);
    const bmf_progress of_factor = factor_progress(d, i), of_bias = bias_progress(d, i);
    const float s = (float)of_factor.s, decay = (float)of_factor.decay * s;
    const float s_bias = (float)of_bias.s, bias_decay = (float)of_bias.decay * s_bias;
    float change = 0;
    for (int64_t f = 0; f < stride; f++) {
        const float before = E0[f] - Q[f]; /* Vᵀx_i as the window began */
        if (n > 0)
            Q[f] += (E[f] - E0[f]) + decay * before - s * (y[f] - before);
        E[f] = E0[f] = Q[f] + y[f];
        change += E[f] * 0;
    }
    float *own = &d->model->own_bias[i], *blended = &d->model->item_bias[i], *began = &d->start->bias[i];
    const float before = *began - *own;
    if (n > 0)
        *own += (*blended - *began) + bias_decay * before - s_bias * (y_bias - before);
    *blended = *began = *own + y_bias;
    return change + *blended * 0;
}

bool bmf_embed_divide(const bmf_embed *embed, const bmf_embed_window *window, bmf_model *model,
                      const bmf_item_side *start)
{
    division d = {.embed = embed, .window = window, .model = model, .start = start};
    const int64_t n = model->items, F = model->features, stride = model->stride;
    int32_t largest = 0;
    float change = 0;
    for (int64_t i = 0; i < n; i++)
        largest = window->steps[i] > largest ? window->steps[i] : largest;
    bmf_pull_describe(&d.factor, window->learning_rate, window->regularization, window->content_regularization,
                      window->h, window->h_max, window->sides, largest);
    bmf_pull_describe(&d.bias, window->bias_learning_rate, window->bias_regularization, window->content_regularization,
                      1, 1, window->sides, largest);
#pragma omp parallel reduction(+ : change) num_threads((int)embed->threads) if (embed->threads > 1)
    {
        float *row = embed->work + omp_get_thread_num() * stride;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++)
            find_gradient(&d, i);
#pragma omp for schedule(dynamic, 4)
        for (int64_t f = 0; f < F; f++)
            move_feature(&d, f, row);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++)
            change += move_item(&d, i, row);
    }
    return isfinite(change);
}
