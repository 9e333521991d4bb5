#include "train/time_effects.h"

#include <inttypes.h>
#include <math.h>

#include "base/fixed_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/rating_pass.h"

#define SECONDS_A_YEAR 31556952.0
#define YEAR_2200 (230 * SECONDS_A_YEAR)

#define FINE_CELLS 65536 /* of equal width, which ranges of time are made of */

/* Residuals are held to this many times the largest |rating|: damped means stay far below it. */
#define RESIDUAL_MARGIN 16.0

/* Everything the fit holds besides its result. */
typedef struct time_fit {
    bmf_comm *comm;
    const bmf_train_options *options;
    bmf_shard *shard;
    int64_t *time;     /* (training ratings) as the shard has them */
    int64_t cells;     /* of an item: its ranges of time, or 1 */
    float *deviation;  /* (training ratings) dev; NULL where users do not drift */
    int64_t *count;    /* (items × cells) training ratings of all ranks */
    int64_t *sum;      /* (items × cells) */
    double *item_bias; /* (items) */
    double *user_bias; /* (users) */
    double mean;
    bmf_fixed_point format;
    bmf_time_effects *out;
} time_fit;

static void fit_clear(time_fit *fit)
{
    bmf_free(fit->time);
    bmf_free(fit->deviation);
    bmf_free(fit->count);
    bmf_free(fit->sum);
    bmf_free(fit->item_bias);
    bmf_free(fit->user_bias);
}

static int fail_without_times(const bmf_dataset_file *file, const bmf_train_options *options, bmf_error *err)
{
    return bmf_fail(
        err, BMF_ERR_USAGE,
        "--time-effects %s: %s has no times of its ratings (the file that it was imported from had no column "
        "timestamp)",
        bmf_time_mode_name(options->time_effects), bmf_dataset_file_path(file));
}

/* The times of a split of the shard's users, in the order of the file. */
static int read_times(bmf_dataset_file *file, bmf_split split, const time_fit *fit, int64_t **out, bmf_error *err)
{
    const bmf_shard *shard = fit->shard;
    const int64_t count = bmf_csr_count(split == BMF_TRAIN ? &shard->train.matrix : &shard->val.matrix);
    int status =
        bmf_dataset_file_read_timestamps(file, split, shard->first_user, shard->first_user + shard->users, out, err);
    return status == BMF_OK && count > 0 && !*out ? fail_without_times(file, fit->options, err) : status;
}

static int allocate(time_fit *fit, bmf_error *err)
{
    const bmf_shard *shard = fit->shard;
    const bmf_train_options *o = fit->options;
    int status = bmf_time_effects_create(o->time_effects, shard->users, shard->items, o->time_bins, fit->out, err);
    if (status != BMF_OK)
        return status;
    fit->cells = fit->out->item_effect ? fit->out->bins : 1;
    fit->count = bmf_alloc_zero(shard->items * fit->cells, sizeof *fit->count, "ratings in ranges of time", err);
    fit->sum = bmf_alloc(shard->items * fit->cells, sizeof *fit->sum, "sums in ranges of time", err);
    fit->item_bias = bmf_alloc_zero(shard->items, sizeof *fit->item_bias, "biases of items", err);
    fit->user_bias = bmf_alloc_zero(shard->users, sizeof *fit->user_bias, "biases of users", err);
    if (fit->out->user_slope)
        fit->deviation =
            bmf_alloc(bmf_csr_count(&shard->train.matrix), sizeof *fit->deviation, "deviations in time", err);
    return fit->count && fit->sum && fit->item_bias && fit->user_bias && (fit->deviation || !fit->out->user_slope)
               ? BMF_OK
               : BMF_ERR_MEMORY;
}

/* Everything that may fail locally. */
static int prepare(bmf_dataset_file *file, time_fit *fit, bmf_error *err)
{
    const bmf_shard *shard = fit->shard;
    int status = read_times(file, BMF_TRAIN, fit, &fit->time, err);
    if (status == BMF_OK && fit->time)
        bmf_rating_shuffle_times(&shard->train.matrix, shard->first_user, fit->options->seed, fit->time);
    return status == BMF_OK ? allocate(fit, err) : status;
}

/* First and last time of all training ratings. Collective. */
static int find_range(const bmf_dataset_file *file, time_fit *fit, bmf_error *err)
{
    double first = HUGE_VAL, last = -HUGE_VAL;
    for (int64_t j = 0; j < bmf_csr_count(&fit->shard->train.matrix); j++) {
        first = fmin(first, (double)fit->time[j]);
        last = fmax(last, (double)fit->time[j]);
    }
    bmf_comm_min_double(fit->comm, &first, 1);
    bmf_comm_max_double(fit->comm, &last, 1);
    if (fabs(first) > 0x1p62 || fabs(last) > 0x1p62)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: ratings have times from %g to %g, seconds are expected",
                        bmf_dataset_file_path(file), first, last);
    fit->out->first = (int64_t)first;
    fit->out->last = (int64_t)last;
    if (last > YEAR_2200 && bmf_comm_rank(fit->comm) == 0)
        bmf_log_warning("%s: the last rating is of the year %.0f if times are seconds, as is expected",
                        bmf_dataset_file_path(file), 1970 + last / SECONDS_A_YEAR);
    if (first < last)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE, "--time-effects %s: all training ratings of %s have the same time, %" PRId64,
                    bmf_time_mode_name(fit->options->time_effects), bmf_dataset_file_path(file), fit->out->first);
}

/* Ranges of time with about as many training ratings each, from a histogram over all ranks. Collective. */
static int set_ranges(time_fit *fit, bmf_error *err)
{
    bmf_time_effects *e = fit->out;
    const double first = (double)e->first, width = ((double)e->last - first) / FINE_CELLS;
    int64_t *cell = bmf_alloc_zero(FINE_CELLS, sizeof *cell, "histogram of times", err);
    int status = bmf_comm_agree(fit->comm, cell ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status != BMF_OK)
        goto done;
    for (int64_t j = 0; j < bmf_csr_count(&fit->shard->train.matrix); j++) {
        const int64_t at = (int64_t)(((double)fit->time[j] - first) / width);
        cell[at < FINE_CELLS ? at : FINE_CELLS - 1]++;
    }
    bmf_comm_sum_int64(fit->comm, cell, FINE_CELLS);
    int64_t before = 0, at = 0;
    for (int64_t b = 0; b < e->bins; b++) {
        const int64_t target = (int64_t)((__int128)fit->shard->all_train * b / e->bins);
        while (at < FINE_CELLS && before < target)
            before += cell[at++];
        e->begin[b] = first + (double)at * width;
    }
done:
    bmf_free(cell);
    return status;
}

/* First, mean and last time of each user, and how far from the mean his ratings are. */
static void set_users(time_fit *fit)
{
    bmf_time_effects *e = fit->out;
    const int64_t *indptr = fit->shard->train.matrix.indptr, *time = fit->time;
#pragma omp parallel for num_threads((int)fit->options->threads)
    for (int64_t u = 0; u < e->users; u++) {
        const int64_t count = indptr[u + 1] - indptr[u];
        double sum = 0;
        for (int64_t j = indptr[u]; j < indptr[u + 1]; j++) {
            sum += (double)time[j] - (double)e->first;
            e->user_first[u] = j == indptr[u] ? (double)time[j] : fmin(e->user_first[u], (double)time[j]);
            e->user_last[u] = j == indptr[u] ? (double)time[j] : fmax(e->user_last[u], (double)time[j]);
        }
        e->user_mean[u] = count > 0 ? (double)e->first + sum / (double)count : 0;
        for (int64_t j = indptr[u]; j < indptr[u + 1]; j++)
            fit->deviation[j] = (float)bmf_time_deviation(e, u, time[j]);
    }
}

/* Which of an item's cells a training rating is in. */
static int64_t cell_of(const time_fit *fit, int64_t j)
{
    return fit->shard->train.matrix.indices[j] * fit->cells +
           (fit->out->item_effect ? bmf_time_bin(fit->out, fit->time[j]) : 0);
}

/* What may be said before the sides take turns: format and mean of the sums, ratings in each cell. Collective. */
static void start(time_fit *fit)
{
    const bmf_shard *shard = fit->shard;
    const double largest = fmax(fabs(shard->rating_min), fabs(shard->rating_max));
    int64_t sum = 0;
    fit->format = bmf_fixed_point_for(shard->all_train, RESIDUAL_MARGIN * largest);
    for (int64_t j = 0; j < bmf_csr_count(&shard->train.matrix); j++) {
        sum += bmf_fixed_point_from(fit->format, (double)shard->train.matrix.data[j]);
        fit->count[cell_of(fit, j)]++;
    }
    bmf_comm_sum_int64(fit->comm, &sum, 1);
    bmf_comm_sum_int64(fit->comm, fit->count, shard->items * fit->cells);
    fit->mean = bmf_fixed_point_value(fit->format, sum) / (double)shard->all_train;
}

/* Σ of what the users' side leaves of the ratings in each cell, over all ranks. Collective. */
static void sum_cells(time_fit *fit)
{
    const bmf_csr *train = &fit->shard->train.matrix;
    const int64_t cells = fit->shard->items * fit->cells;
    for (int64_t c = 0; c < cells; c++)
        fit->sum[c] = 0;
#pragma omp parallel for num_threads((int)fit->options->threads)
    for (int64_t u = 0; u < train->rows; u++)
        for (int64_t j = train->indptr[u]; j < train->indptr[u + 1]; j++) {
            const double line = fit->deviation ? (double)fit->out->user_slope[u] * (double)fit->deviation[j] : 0;
            const int64_t left =
                bmf_fixed_point_from(fit->format, (double)train->data[j] - fit->mean - fit->user_bias[u] - line);
#pragma omp atomic
            fit->sum[cell_of(fit, j)] += left;
        }
    bmf_comm_sum_int64(fit->comm, fit->sum, cells);
}

/* b_i and d_i of an item, which minimize Σ (y − b − d)² + damping b² + A Σ d²: with d put in terms of b, each cell weighs
 * w = A / (A + n). */
static void fit_item(time_fit *fit, int64_t item)
{
    const double A = fit->options->time_item_damping;
    const int64_t *count = fit->count + item * fit->cells, *sum = fit->sum + item * fit->cells;
    float *effect = fit->out->item_effect ? fit->out->item_effect + item * fit->cells : NULL;
    double above = 0, below = BMF_TIME_ITEM_BIAS_DAMPING;
    for (int64_t c = 0; c < fit->cells; c++) {
        const double w = effect ? A / (A + (double)count[c]) : 1;
        above += w * bmf_fixed_point_value(fit->format, sum[c]);
        below += w * (double)count[c];
    }
    fit->item_bias[item] = above / below;
    for (int64_t c = 0; effect && c < fit->cells; c++)
        effect[c] = (float)((bmf_fixed_point_value(fit->format, sum[c]) - (double)count[c] * fit->item_bias[item]) /
                            (A + (double)count[c]));
}

/* b_u and s_u of a user, which minimize Σ (y − b − s dev)² + damping b² + A s². */
static void fit_user(time_fit *fit, int64_t user)
{
    const bmf_csr *train = &fit->shard->train.matrix;
    double y = 0, x = 0, xx = fit->options->time_user_damping, xy = 0;
    const double n = BMF_TIME_USER_BIAS_DAMPING + (double)(train->indptr[user + 1] - train->indptr[user]);
    for (int64_t j = train->indptr[user]; j < train->indptr[user + 1]; j++) {
        const double drift = fit->out->item_effect ? (double)fit->out->item_effect[cell_of(fit, j)] : 0;
        const double left = (double)train->data[j] - fit->mean - fit->item_bias[train->indices[j]] - drift;
        const double dev = fit->deviation ? (double)fit->deviation[j] : 0;
        y += left;
        x += dev;
        xx += dev * dev;
        xy += dev * left;
    }
    if (!fit->deviation) {
        fit->user_bias[user] = y / n;
        return;
    }
    const double determinant = n * xx - x * x; /* above 0: both diagonal entries are damped */
    fit->user_bias[user] = (y * xx - x * xy) / determinant;
    fit->out->user_slope[user] = (float)((n * xy - x * y) / determinant);
}

/* Collective. */
static void run_sweeps(time_fit *fit)
{
    const int threads = (int)fit->options->threads;
    start(fit);
    for (int sweep = 0; sweep < BMF_TIME_SWEEPS; sweep++) {
        sum_cells(fit);
#pragma omp parallel for num_threads(threads)
        for (int64_t i = 0; i < fit->shard->items; i++)
            fit_item(fit, i);
#pragma omp parallel for num_threads(threads)
        for (int64_t u = 0; u < fit->shard->users; u++)
            fit_user(fit, u);
    }
}

static void take_out(const bmf_time_effects *effects, const int64_t *time, bmf_csr *ratings, int threads)
{
#pragma omp parallel for num_threads(threads)
    for (int64_t u = 0; u < ratings->rows; u++)
        for (int64_t j = ratings->indptr[u]; j < ratings->indptr[u + 1]; j++)
            ratings->data[j] =
                (float)((double)ratings->data[j] - bmf_time_effect(effects, u, ratings->indices[j], time[j]));
}

/* The same of the validation ratings, whose times are read when those of training are no longer held. Collective. */
static int take_out_of_validation(bmf_dataset_file *file, const time_fit *fit, bmf_error *err)
{
    int64_t *time = NULL;
    int status = bmf_comm_agree(fit->comm, read_times(file, BMF_VAL, fit, &time, err), err);
    if (status == BMF_OK)
        take_out(fit->out, time, &fit->shard->val.matrix, (int)fit->options->threads);
    bmf_free(time);
    return status;
}

int64_t bmf_time_fit_bytes(const bmf_time_effects *effects, int64_t ratings)
{
    const int64_t word = (int64_t)sizeof(float), wide = (int64_t)sizeof(double);
    const int64_t cells = effects->items * (effects->item_effect ? effects->bins : 1);
    return ratings * (wide + (effects->user_slope ? word : 0)) + (2 * cells + effects->items + effects->users) * wide;
}

int bmf_time_effects_fit(bmf_comm *comm, bmf_dataset_file *file, const bmf_train_options *options, bmf_shard *shard,
                         bmf_time_effects *out, bmf_error *err)
{
    time_fit fit = {.comm = comm, .options = options, .shard = shard, .out = out};
    *out = (bmf_time_effects){.mode = BMF_TIME_NONE};
    if (options->time_effects == BMF_TIME_NONE)
        return BMF_OK;
    int status = bmf_comm_agree(comm, prepare(file, &fit, err), err);
    if (status == BMF_OK)
        status = bmf_comm_agree(comm, find_range(file, &fit, err), err);
    if (status == BMF_OK && out->begin)
        status = set_ranges(&fit, err);
    if (status == BMF_OK) {
        if (out->user_slope)
            set_users(&fit);
        run_sweeps(&fit);
        take_out(out, fit.time, &shard->train.matrix, (int)options->threads);
    }
    fit_clear(&fit);
    if (status == BMF_OK)
        status = take_out_of_validation(file, &fit, err);
    if (status != BMF_OK)
        bmf_time_effects_clear(out);
    return status;
}
