#include "model/time_effects.h"

#include <math.h>

#include "base/memory.h"

#define DAY 86400.0
#define POWER 0.4 /* Koren's */

static int allocate(bmf_time_effects *e, bmf_error *err)
{
    bool complete = true;
    if (bmf_time_mode_has_items(e->mode)) {
        e->begin = bmf_alloc_zero(e->bins, sizeof *e->begin, "ranges of time", err);
        e->item_effect = bmf_alloc_zero(e->items * e->bins, sizeof *e->item_effect, "items' effects of time", err);
        complete = e->begin && e->item_effect;
    }
    if (bmf_time_mode_has_users(e->mode)) {
        e->user_slope = bmf_alloc_zero(e->users, sizeof *e->user_slope, "users' effects of time", err);
        e->user_first = bmf_alloc_zero(e->users, sizeof *e->user_first, "users' first times", err);
        e->user_mean = bmf_alloc_zero(e->users, sizeof *e->user_mean, "users' mean times", err);
        e->user_last = bmf_alloc_zero(e->users, sizeof *e->user_last, "users' last times", err);
        complete = complete && e->user_slope && e->user_first && e->user_mean && e->user_last;
    }
    return complete ? BMF_OK : BMF_ERR_MEMORY;
}

int bmf_time_effects_create(bmf_time_mode mode, int64_t users, int64_t items, int64_t bins, bmf_time_effects *out,
                            bmf_error *err)
{
    *out = (bmf_time_effects){.mode = mode, .users = users, .items = items};
    out->bins = bmf_time_mode_has_items(mode) ? bins : 0;
    int status = allocate(out, err);
    if (status != BMF_OK)
        bmf_time_effects_clear(out);
    return status;
}

void bmf_time_effects_clear(bmf_time_effects *effects)
{
    bmf_free(effects->begin);
    bmf_free(effects->item_effect);
    bmf_free(effects->user_slope);
    bmf_free(effects->user_first);
    bmf_free(effects->user_mean);
    bmf_free(effects->user_last);
    *effects = (bmf_time_effects){.mode = BMF_TIME_NONE};
}

int64_t bmf_time_effects_bytes(bmf_time_mode mode, int64_t users, int64_t items, int64_t bins)
{
    const int64_t word = (int64_t)sizeof(float), wide = (int64_t)sizeof(double);
    return (bmf_time_mode_has_items(mode) ? bins * (wide + items * word) : 0) +
           (bmf_time_mode_has_users(mode) ? users * (word + 3 * wide) : 0);
}

int bmf_time_effects_read(bmf_model_file *file, int64_t first, int64_t last, bmf_time_effects *out, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    int status = bmf_time_effects_create(meta->time_effects, last - first, meta->items, meta->time_bins, out, err);
    if (status != BMF_OK)
        return status;
    out->first = meta->time_first;
    out->last = meta->time_last;
    const struct {
        bmf_role role;
        int64_t first, rows;
        void *to;
    } part[] = {
        {BMF_ROLE_TIME_BEGIN, 0, out->bins, out->begin},
        {BMF_ROLE_TIME_ITEM, 0, out->items, out->item_effect},
        {BMF_ROLE_TIME_SLOPE, first, out->users, out->user_slope},
        {BMF_ROLE_TIME_FIRST, first, out->users, out->user_first},
        {BMF_ROLE_TIME_MEAN, first, out->users, out->user_mean},
        {BMF_ROLE_TIME_LAST, first, out->users, out->user_last},
    };
    for (size_t p = 0; p < sizeof part / sizeof *part && status == BMF_OK; p++)
        if (part[p].to)
            status = bmf_model_file_read_rows(file, part[p].role, part[p].first, part[p].rows, part[p].to, err);
    if (status != BMF_OK)
        bmf_time_effects_clear(out);
    return status;
}

int64_t bmf_time_bin(const bmf_time_effects *effects, int64_t t)
{
    int64_t low = 0, high = effects->bins; /* begin[low] ≤ t, or low is 0; t < begin[high], or high is bins */
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (effects->begin[middle] <= (double)t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double bmf_time_deviation(const bmf_time_effects *effects, int64_t user, int64_t t)
{
    const double at = fmax(effects->user_first[user], fmin(effects->user_last[user], (double)t));
    const double days = (at - effects->user_mean[user]) / DAY;
    return copysign(pow(fabs(days), POWER), days);
}

double bmf_time_effect(const bmf_time_effects *effects, int64_t user, int64_t item, int64_t t)
{
    double effect = 0;
    if (effects->item_effect && item >= 0)
        effect += (double)effects->item_effect[item * effects->bins + bmf_time_bin(effects, t)];
    if (effects->user_slope && user >= 0)
        effect += (double)effects->user_slope[user] * bmf_time_deviation(effects, user, t);
    return effect;
}
