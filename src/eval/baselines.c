#include "eval/baselines.h"

#include <math.h>
#include <stdlib.h>

#include "base/fixed_point.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/collective.h"
#include "linalg/topn.h"

/* Residuals are held to this many times the largest |rating|: damped means stay far below it, and the sums cannot
 * overflow. */
#define RESIDUAL_MARGIN 16.0

const char *bmf_baseline_name(bmf_baseline baseline)
{
    static const char *const name[BMF_BASELINES] = {"global_mean", "bias", "popularity", "random"};
    return (unsigned)baseline < BMF_BASELINES ? name[baseline] : "unknown";
}

/* Everything the fit holds besides its result. */
typedef struct fit_state {
    bmf_comm *comm;
    const bmf_csr *train;
    const int64_t *item_count; /* (items) */
    int64_t ratings;           /* over all ranks */
    bmf_fixed_point format;
    int64_t *sum; /* (items) */
} fit_state;

static bmf_fixed_point agree_on_format(const fit_state *fit)
{
    double largest = 0;
    for (int64_t e = 0; e < bmf_csr_count(fit->train); e++)
        largest = fmax(largest, fabs((double)fit->train->data[e]));
    bmf_eval_max_double(fit->comm, &largest, 1);
    return bmf_fixed_point_for(fit->ratings, RESIDUAL_MARGIN * largest);
}

static double fit_mean(const fit_state *fit)
{
    int64_t sum = 0;
    for (int64_t e = 0; e < bmf_csr_count(fit->train); e++)
        sum += bmf_fixed_point_from(fit->format, fit->train->data[e]);
    bmf_eval_sum_int64(fit->comm, &sum, 1);
    return fit->ratings ? bmf_fixed_point_value(fit->format, sum) / (double)fit->ratings : NAN;
}

/* b_i = Σ_u (r − μ − b_u) / (damping + count) over the item's ratings on all ranks. */
static void fit_items(const fit_state *fit, bmf_baselines *out)
{
    const bmf_csr *train = fit->train;
    for (int64_t i = 0; i < out->items; i++)
        fit->sum[i] = 0;
    for (int64_t u = 0; u < out->users; u++)
        for (int64_t e = train->indptr[u]; e < train->indptr[u + 1]; e++)
            fit->sum[train->indices[e]] +=
                bmf_fixed_point_from(fit->format, train->data[e] - out->mean - out->user_bias[u]);
    bmf_eval_sum_int64(fit->comm, fit->sum, out->items);
    for (int64_t i = 0; i < out->items; i++)
        out->item_bias[i] =
            bmf_fixed_point_value(fit->format, fit->sum[i]) / (BMF_BASELINE_ITEM_DAMPING + (double)fit->item_count[i]);
}

/* b_u = Σ_i (r − μ − b_i) / (damping + count) over the user's ratings, all of which are here. */
static void fit_users(const fit_state *fit, bmf_baselines *out)
{
    const bmf_csr *train = fit->train;
    for (int64_t u = 0; u < out->users; u++) {
        double sum = 0;
        for (int64_t e = train->indptr[u]; e < train->indptr[u + 1]; e++)
            sum += train->data[e] - out->mean - out->item_bias[train->indices[e]];
        int64_t count = train->indptr[u + 1] - train->indptr[u];
        out->user_bias[u] = sum / (BMF_BASELINE_USER_DAMPING + (double)count);
    }
}

static int by_rank(const void *left, const void *right)
{
    const bmf_ranked *a = left, *b = right;
    return bmf_ranks_before(*a, *b) ? -1 : bmf_ranks_before(*b, *a);
}

/* order and place of one baseline from the scores in `list`, which is sorted on the way. */
static void set_order(bmf_baselines *out, bmf_baseline baseline, bmf_ranked *list)
{
    qsort(list, (size_t)out->items, sizeof *list, by_rank);
    for (int64_t p = 0; p < out->items; p++) {
        out->order[baseline][p] = list[p].index;
        out->place[baseline][list[p].index] = (int32_t)p;
    }
}

static void set_orders(const int64_t *item_count, bmf_ranked *list, bmf_baselines *out)
{
    for (int64_t i = 0; i < out->items; i++)
        list[i] = (bmf_ranked){0, (int32_t)i};
    set_order(out, BMF_BASELINE_GLOBAL_MEAN, list);
    for (int64_t i = 0; i < out->items; i++)
        list[i] = (bmf_ranked){out->item_bias[i], (int32_t)i};
    set_order(out, BMF_BASELINE_BIAS, list);
    for (int64_t i = 0; i < out->items; i++)
        list[i] = (bmf_ranked){(double)item_count[i], (int32_t)i};
    set_order(out, BMF_BASELINE_POPULARITY, list);
}

static int allocate(bmf_baselines *out, bmf_error *err)
{
    out->user_bias = bmf_alloc_zero(out->users, sizeof(double), "user biases of the baseline", err);
    out->item_bias = bmf_alloc_zero(out->items, sizeof(double), "item biases of the baseline", err);
    if (!out->user_bias || !out->item_bias)
        return BMF_ERR_MEMORY;
    for (int b = 0; b < BMF_BASELINES_FIXED; b++) {
        out->order[b] = bmf_alloc(out->items, sizeof(int32_t), "order of a baseline", err);
        out->place[b] = bmf_alloc(out->items, sizeof(int32_t), "order of a baseline", err);
        if (!out->order[b] || !out->place[b])
            return BMF_ERR_MEMORY;
    }
    return BMF_OK;
}

int bmf_baselines_fit(bmf_comm *comm, const bmf_csr *train, int64_t first_user, const int64_t *item_count,
                      uint64_t seed, bmf_baselines *out, bmf_error *err)
{
    fit_state fit = {.comm = comm, .train = train, .item_count = item_count};
    *out = (bmf_baselines){.first_user = first_user, .users = train->rows, .items = train->columns};
    out->random_key = bmf_rng_key(seed, BMF_STREAM_RANDOM_BASELINE);
    bmf_ranked *list = bmf_alloc(out->items, sizeof *list, "list of items to sort", err);
    fit.sum = bmf_alloc(out->items, sizeof *fit.sum, "sums of the baseline", err);
    int status = allocate(out, err);
    if (!list || !fit.sum)
        status = BMF_ERR_MEMORY;
    status = bmf_eval_agree(comm, status, err);
    if (status != BMF_OK)
        goto done;
    for (int64_t i = 0; i < out->items; i++)
        fit.ratings += item_count[i];
    fit.format = agree_on_format(&fit);
    out->mean = fit_mean(&fit);
    for (int sweep = 0; sweep < BMF_BASELINE_SWEEPS; sweep++) {
        fit_items(&fit, out);
        fit_users(&fit, out);
    }
    set_orders(item_count, list, out);
done:
    if (status != BMF_OK)
        bmf_baselines_clear(out);
    bmf_free(fit.sum);
    bmf_free(list);
    return status;
}

void bmf_baselines_clear(bmf_baselines *baselines)
{
    bmf_free(baselines->user_bias);
    bmf_free(baselines->item_bias);
    for (int b = 0; b < BMF_BASELINES_FIXED; b++) {
        bmf_free(baselines->order[b]);
        bmf_free(baselines->place[b]);
    }
    *baselines = (bmf_baselines){0};
}

bool bmf_baseline_predicts(bmf_baseline baseline)
{
    return baseline == BMF_BASELINE_GLOBAL_MEAN || baseline == BMF_BASELINE_BIAS;
}

double bmf_baseline_predict(const bmf_baselines *baselines, bmf_baseline baseline, int64_t user, int64_t item)
{
    if (baseline == BMF_BASELINE_GLOBAL_MEAN)
        return baselines->mean;
    if (baseline == BMF_BASELINE_BIAS)
        return baselines->mean + baselines->user_bias[user] + baselines->item_bias[item];
    return NAN;
}

double bmf_baseline_draw(const bmf_baselines *baselines, int64_t user, int64_t item)
{
    uint64_t key = bmf_rng_subkey(baselines->random_key, (uint64_t)(baselines->first_user + user));
    return bmf_rng_uniform(key, (uint64_t)item);
}
