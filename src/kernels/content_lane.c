#include "kernels/content_lane.h"

#include <float.h>
#include <math.h>

/* −ln of what a step may leave of the scale: beyond that the squares of the row could overflow within a block. */
#define MOST_DECAY 0.5

bmf_content_rates bmf_content_rates_of(const bmf_sweep *sweep)
{
    if (!sweep->content)
        return (bmf_content_rates){0};
    const double decay = (double)sweep->learning_rate * (double)sweep->content_regularization;
    const double half = (double)sweep->clip / 2;
    const float largest = sweep->content->largest;
    return (bmf_content_rates){.keep = 1 - decay,
                               .renew = 1 / (1 - decay),
                               .decay = -log1p(-decay),
                               .most_eta_e = largest > 0 ? (float)half / largest : FLT_MAX,
                               .most_norm = decay > 0 ? half / decay : DBL_MAX};
}

/* The limit that keeps ‖W_u‖ below the most for `left` more steps. */
static void set_limit(bmf_content_lane *lane, const bmf_sweep *sweep, const bmf_content_rates *rates, double norm,
                      int32_t left)
{
    const double room = rates->most_norm - norm, step = fmax((double)sweep->content->largest_norm, FLT_MIN);
    const double most = room > 0 ? room / (step * fmax(left, 1)) : 0;
    lane->limit = most < (double)rates->most_eta_e ? (float)most : rates->most_eta_e;
    if (!(rates->decay <= MOST_DECAY)) /* not a number where a step leaves less than nothing */
        lane->limit = -1;              /* no step is short */
}

static double stored_norm2(const bmf_content_lane *lane)
{
    const int64_t weights = lane->weights;
    /* Sixteen partial sums: the loop may run in vectors without reordering anything. */
    float sum[16] = {0}, rest = 0;
    double norm2 = 0;
    int64_t f = 0;
    for (; f + 16 <= weights; f += 16)
        for (int j = 0; j < 16; j++)
            sum[j] += lane->W[f + j] * lane->W[f + j];
    for (; f < weights; f++)
        rest += lane->W[f] * lane->W[f];
    for (int j = 0; j < 16; j++)
        norm2 += (double)sum[j];
    return norm2 + (double)rest;
}

void bmf_content_fold(bmf_content_lane *lane)
{
    for (int64_t f = 0; f < lane->weights; f++)
        lane->W[f] = (float)(lane->scale * (double)lane->W[f]);
    lane->scale = lane->inverse = 1;
}

void bmf_content_begin(bmf_content_lane *lane, const bmf_sweep *sweep, const bmf_content_rates *rates, int64_t u,
                       int32_t n)
{
    *lane = (bmf_content_lane){.W = sweep->W + sweep->W_indptr[u],
                               .weights = sweep->W_indptr[u + 1] - sweep->W_indptr[u],
                               .rest = sweep->slots->rest + sweep->slots->rest_start[u],
                               .scale = sweep->W_scale[u]};
    set_limit(lane, sweep, rates, sqrt(sweep->W_norm2[u]) * lane->scale, n);
    lane->inverse = 1 / lane->scale;
}

void bmf_content_end(const bmf_content_lane *lane, const bmf_sweep *sweep, int64_t u)
{
    sweep->W_scale[u] = lane->scale;
    sweep->W_norm2[u] = stored_norm2(lane);
}

float bmf_content_dot(const bmf_content_lane *lane, const bmf_sweep *sweep, int32_t item, const bmf_rating_slots *slots,
                      uint32_t rest_at)
{
    const bmf_content_row *row = &sweep->content->row[item];
    float dot = 0;
    for (int j = 0; j < BMF_CONTENT_FIRST; j++)
        dot += lane->W[slots->slot[j]] * row->value[j];
    if (bmf_content_row_is_long(row))
        dot += bmf_content_rest_dot(lane->W, lane->rest + rest_at, sweep->content, item);
    return dot;
}

static float cut(float delta, float clip)
{
    return delta > clip ? clip : delta < -clip ? -clip : delta;
}

/* Every delta cut on its own, the scale folded in. Features ascend in a content row, and so do slots. */
static void step_densely(bmf_content_lane *lane, const bmf_sweep *sweep, int32_t item, const bmf_rating_slots *slots,
                         const uint16_t *rest, float eta_e)
{
    const float decay = sweep->learning_rate * sweep->content_regularization;
    const bmf_content_rows *rows = sweep->content;
    const float *value = rows->value + rows->indptr[item];
    const int64_t entries = bmf_content_entries(rows, item), first = entries - bmf_content_rest(rows, item);
    bmf_content_fold(lane);
    int64_t j = 0;
    for (int64_t f = 0; f < lane->weights; f++) {
        float x = 0;
        if (j < entries && (j < first ? slots->slot[j] : rest[j - first]) == f)
            x = value[j++];
        lane->W[f] += cut(eta_e * x - decay * lane->W[f], sweep->clip);
    }
}

void bmf_content_step(bmf_content_lane *lane, const bmf_sweep *sweep, const bmf_content_rates *rates, int32_t item,
                      const bmf_rating_slots *slots, uint32_t rest_at, float eta_e, int32_t left)
{
    if (fabsf(eta_e) > lane->limit) {
        const double norm = sqrt(stored_norm2(lane)) * lane->scale;
        const bool dense = !(rates->decay <= MOST_DECAY) || fabsf(eta_e) > rates->most_eta_e || norm > rates->most_norm;
        set_limit(lane, sweep, rates, norm + fabs((double)eta_e) * (double)sweep->content->largest_norm, left);
        if (dense) {
            step_densely(lane, sweep, item, slots, lane->rest + rest_at, eta_e);
            return;
        }
    }
    lane->scale *= rates->keep;
    lane->inverse *= rates->renew;
    const float gain = eta_e * (float)lane->inverse;
    const bmf_content_row *row = &sweep->content->row[item];
    for (int j = 0; j < BMF_CONTENT_FIRST; j++)
        lane->W[slots->slot[j]] += gain * row->value[j];
    if (bmf_content_row_is_long(row))
        bmf_content_rest_add(lane->W, lane->rest + rest_at, sweep->content, item, gain);
}
