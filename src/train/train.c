#include "train/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/rng.h"
#include "train/auto_merges.h"
#include "train/content_weights.h"
#include "train/epoch.h"
#include "train/merge.h"
#include "train/save.h"
#include "train/shard.h"
#include "train/stopwatch.h"
#include "train/sums.h"
#include "train/validate.h"

#define DIVERGED_ABOVE 4.0 /* times the loss that the start values have: no longer learning */

typedef struct trainer {
    bmf_comm *comm;
    bmf_train_options options;
    bmf_dataset_file *file;
    uint64_t fingerprint; /* of the data set */
    bmf_shard shard;
    bmf_content_pattern pattern; /* of the weights of model and best */
    bmf_content_slots train_slots, val_slots;
    bmf_model model, best;
    bmf_kernel kernel;
    bmf_sweep sweep;
    bmf_epoch *epoch;
    bmf_item_copies copies;
    bmf_merge *merge;
    bmf_stopwatch watch; /* of the epoch */
    double learning_rate;
    double own_P_squares; /* of the users held here, as of the last window */
    double P_mean_square; /* h of the merge: as of the last window */
    int64_t best_epoch;
    double best_loss;
} trainer;

void bmf_train_result_clear(bmf_train_result *result)
{
    bmf_free(result->history);
    *result = (bmf_train_result){0};
}

static void describe_sweep(trainer *t)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    t->sweep = (bmf_sweep){
        .first_user = shard->first_user,
        .indptr = shard->train.matrix.indptr,
        .item = shard->train.matrix.indices,
        .value = shard->train.matrix.data,
        .stride = t->model.stride,
        .P = t->model.P,
        .user_bias = t->model.user_bias,
        .Q = t->model.Q,
        .item_bias = t->model.item_bias,
        .content = t->model.W ? &shard->rows : NULL,
        .slots = &t->train_slots,
        .W_indptr = t->pattern.indptr,
        .W = t->model.W,
        .W_scale = t->model.W_scale,
        .W_norm2 = t->model.W_norm2,
        .mean = (float)shard->mean,
        .regularization = (float)o->regularization,
        .bias_regularization = (float)o->bias_regularization,
        .content_regularization = (float)o->content_regularization,
        .clip = (float)o->clip,
    };
}

/* The number of merges, and what depends on it. Collective. */
static int plan_merges(trainer *t, bmf_error *err)
{
    bmf_train_options *o = &t->options;
    int64_t copies = t->copies.count;
    bmf_comm_sum_int64(t->comm, &copies, 1);
    if (o->merges_per_epoch == BMF_MERGES_AUTO)
        o->merges_per_epoch = bmf_auto_merges(copies, t->shard.items, t->shard.all_train);
    int status =
        bmf_comm_agree(t->comm,
                       bmf_epoch_create(&t->shard, o->merges_per_epoch, o->threads, t->copies.count,
                                        bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_USER_ORDER), 0), &t->epoch, err),
                       err);
    if (status == BMF_OK)
        status = bmf_merge_create(t->comm, &t->copies, o->factors, o->merge, t->shard.item_steps, o->merges_per_epoch,
                                  o->threads, &t->merge, err);
    return status;
}

/* Which weights there are, and where the ratings meet them. */
static int find_weights(trainer *t, bmf_error *err)
{
    const bmf_shard *shard = &t->shard;
    const bmf_csr *train = &shard->train.matrix;
    const int threads = (int)t->options.threads;
    int status = bmf_content_pattern_create(train, &shard->rows, shard->first_user, threads, &t->pattern, err);
    if (status == BMF_OK)
        status = bmf_content_slots_create(train, &shard->rows, &t->pattern, shard->first_user, threads, &t->train_slots,
                                          err);
    if (status == BMF_OK)
        status = bmf_content_slots_create(&shard->val.matrix, &shard->rows, &t->pattern, shard->first_user, threads,
                                          &t->val_slots, err);
    if (status == BMF_ERR_INPUT)
        bmf_context(err, "%s", bmf_dataset_file_path(t->file));
    return status;
}

/* Everything that may fail locally before the first epoch. */
static int allocate(trainer *t, bmf_error *err)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    const bool blended = o->content != BMF_CONTENT_NONE;
    const bmf_content_pattern *pattern = blended ? &t->pattern : NULL;
    int status = blended ? find_weights(t, err) : BMF_OK;
    if (status == BMF_OK)
        status = bmf_model_create(&t->model, shard->first_user, shard->users, shard->items, o->factors, pattern, err);
    if (status == BMF_OK && shard->all_val > 0)
        status = bmf_model_create(&t->best, shard->first_user, shard->users, shard->items, o->factors, pattern, err);
    if (status != BMF_OK)
        return status;
    t->model.global_mean = t->best.global_mean = shard->mean;
    const int64_t copies =
        bmf_item_copies_wanted(o->threads, shard->items, t->model.stride, bmf_csr_count(&shard->train.matrix));
    bmf_model_init(&t->model, o->seed, o->init_std);
    describe_sweep(t);
    status = bmf_kernel_choose(t->model.stride, t->model.W != NULL, getenv("BMF_KERNEL"), &t->kernel, err);
    if (status == BMF_OK)
        status = bmf_item_copies_create(&t->model, copies, bmf_comm_size(t->comm), &t->copies, err);
    return status;
}

static double squares_of_P(const trainer *t)
{
    return bmf_squares_of(t->model.P, t->model.users * t->model.stride, (int)t->options.threads);
}

static int set_up(trainer *t, const char *dataset_path, bmf_error *err)
{
    int status = bmf_comm_agree(t->comm, bmf_dataset_file_open(dataset_path, &t->file, err), err);
    if (status != BMF_OK)
        return status;
    bmf_dataset_file_use_threads(t->file, (int)t->options.threads);
    const bmf_dataset_shape shape = bmf_dataset_file_shape(t->file);
    if (t->options.content != BMF_CONTENT_NONE && shape.features == 0) {
        if (bmf_comm_rank(t->comm) == 0)
            bmf_log_warning("%s has no content: training the plain model", dataset_path);
        t->options.content = BMF_CONTENT_NONE;
    }
    status = bmf_shard_load(t->comm, t->file, t->options.content != BMF_CONTENT_NONE, t->options.content_weight,
                            t->options.seed, &t->shard, err);
    if (status == BMF_OK)
        status = bmf_comm_agree(t->comm, allocate(t, err), err);
    if (status == BMF_OK)
        status = plan_merges(t, err);
    if (status == BMF_OK && bmf_comm_rank(t->comm) == 0)
        status = bmf_dataset_file_fingerprint(t->file, &t->fingerprint, err);
    status = bmf_comm_agree(t->comm, status, err);
    if (status != BMF_OK)
        return status;
    bmf_comm_broadcast(t->comm, &t->fingerprint, (int64_t)sizeof t->fingerprint, 0);
    if (shape.ratings[BMF_VAL] == 0 && bmf_comm_rank(t->comm) == 0)
        bmf_log_info("%s has no validation ratings: no early stopping, the last epoch is kept", dataset_path);
    double squares = squares_of_P(t);
    bmf_comm_sum_double(t->comm, &squares, 1);
    t->P_mean_square = squares / ((double)t->shard.all_users * (double)t->options.factors);
    t->learning_rate = t->options.learning_rate;
    return BMF_OK;
}

static void tear_down(trainer *t)
{
    bmf_merge_destroy(&t->merge);
    bmf_epoch_destroy(&t->epoch);
    bmf_item_copies_clear(&t->copies);
    bmf_model_clear(&t->model);
    bmf_model_clear(&t->best);
    bmf_content_pattern_clear(&t->pattern);
    bmf_content_slots_clear(&t->train_slots);
    bmf_content_slots_clear(&t->val_slots);
    bmf_shard_clear(&t->shard);
    bmf_dataset_file_close(&t->file);
}

/* Merges a window's work of all copies on all ranks. Collective. */
static void merge_window(trainer *t, int64_t window, bmf_window_sums *sums)
{
    const bmf_train_options *o = &t->options;
    sums->P_squares = t->own_P_squares;
    const int32_t *steps = bmf_epoch_steps(t->epoch, window);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_MERGE);
    bmf_comm_barrier(t->comm); /* so that waiting is not taken for merging */
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_WAIT);
    bmf_merge_window(t->merge, steps, bmf_merge_pull(t->learning_rate, o->regularization, t->P_mean_square),
                     bmf_merge_pull(t->learning_rate, o->bias_regularization, 1), sums);
    t->P_mean_square = sums->P_squares / ((double)t->shard.all_users * (double)o->factors);
}

/* The windows of one epoch. Returns Σ e² over all ranks, not finite if anything anywhere was not. */
static double run_windows(trainer *t, int64_t number)
{
    const bmf_train_options *o = &t->options;
    double squares = 0, failed = 0;
    bmf_epoch_begin(t->epoch, bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_USER_ORDER), (uint64_t)number));
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_ORDER);
    t->sweep.order_key = bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_RATING_ORDER), (uint64_t)number);
    t->sweep.learning_rate = (float)t->learning_rate;
    for (int64_t w = 0; w < o->merges_per_epoch; w++) {
        const bool merges = bmf_merge_is_needed(t->merge);
        bmf_window_sums sums = {.squares = bmf_epoch_sweep(t->epoch, &t->kernel, &t->sweep, &t->copies, w)};
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_SWEEP);
        if (merges || w == o->merges_per_epoch - 1)
            t->own_P_squares = squares_of_P(t);
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_LOSS);
        if (merges)
            merge_window(t, w, &sums);
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_MERGE);
        squares += sums.squares;
        failed += sums.failed;
    }
    return failed > 0 ? NAN : squares;
}

/* λ(‖P‖² + ‖Q‖²) + λ_b(‖b_u‖² + ‖b_i‖²) + λ_c ‖W‖² over all ranks. */
static double penalty(trainer *t)
{
    const bmf_train_options *o = &t->options;
    const bmf_norms norms = bmf_norms_of(&t->model, t->own_P_squares, (int)o->threads);
    double of_users = o->regularization * norms.of_P + o->bias_regularization * norms.of_user_bias +
                      o->content_regularization * norms.of_W;
    bmf_comm_sum_double(t->comm, &of_users, 1);
    return of_users + o->regularization * norms.of_Q + o->bias_regularization * norms.of_item_bias;
}

/* One epoch and its losses. Collective; all ranks get the same record. */
static void run_epoch(trainer *t, int64_t number, bmf_epoch_record *record)
{
    const bmf_shard *shard = &t->shard;
    const int threads = (int)t->options.threads;
    bmf_stopwatch_start(&t->watch);
    double squares = run_windows(t, number);
    if (t->options.exact_train_loss && isfinite(squares))
        squares = bmf_prediction_squares(t->comm, &t->model, shard, &shard->train.matrix, &t->train_slots, threads);
    double extra = penalty(t);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_LOSS);
    double val_squares = bmf_prediction_squares(t->comm, &t->model, shard, &shard->val.matrix, &t->val_slots, threads);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_VALIDATION);
    const double train = (double)shard->all_train, val = (double)shard->all_val;
    *record = (bmf_epoch_record){
        .epoch = number,
        .train_mse = (squares + extra) / train,
        .train_rmse = sqrt(squares / train),
        .val_mse = val > 0 ? (val_squares + extra) / val : NAN,
        .val_rmse = val > 0 ? sqrt(val_squares / val) : NAN,
        .learning_rate = t->learning_rate,
    };
    /* Rounding may differ between ranks by the order of a sum; decisions must not. */
    bmf_comm_broadcast(t->comm, record, (int64_t)sizeof *record, 0);
}

/* Enters what the epoch took. Collective. */
static void record_times(trainer *t, bmf_epoch_record *record)
{
    const double *phase = t->watch.seconds;
    const double merging = phase[BMF_PHASE_WAIT] + phase[BMF_PHASE_MERGE];
    double most[3] = {bmf_stopwatch_total(&t->watch), phase[BMF_PHASE_ORDER] + phase[BMF_PHASE_SWEEP] + merging,
                      merging};
    memcpy(record->phase, phase, sizeof record->phase);
    bmf_comm_max_double(t->comm, most, 3);
    bmf_comm_sum_double(t->comm, record->phase, BMF_PHASES);
    for (int p = 0; p < BMF_PHASES; p++)
        record->phase[p] /= bmf_comm_size(t->comm);
    record->seconds = most[0];
    record->updates_per_second = (double)t->shard.all_train / most[1];
    record->merge_share = most[2] / most[0];
}

static void copy_floats(float *to, const float *from, int64_t count, int threads)
{
    bmf_copy_by_threads(to, from, count * (int64_t)sizeof(float), threads);
}

/* Without validation ratings the last epoch is the best one, and there is nothing to copy. */
static void keep_best(trainer *t, const bmf_epoch_record *record)
{
    const bmf_model *from = &t->model;
    const int threads = (int)t->options.threads;
    bmf_model *to = &t->best;
    t->best_epoch = record->epoch;
    t->best_loss = record->val_mse;
    if (t->shard.all_val == 0)
        return;
    copy_floats(to->P, from->P, from->users * from->stride, threads);
    copy_floats(to->Q, from->Q, from->items * from->stride, threads);
    copy_floats(to->user_bias, from->user_bias, from->users, threads);
    copy_floats(to->item_bias, from->item_bias, from->items, threads);
    if (from->W) {
        copy_floats(to->W, from->W, from->pattern->indptr[from->users], threads);
        memcpy(to->W_scale, from->W_scale, (size_t)from->users * sizeof(double));
        memcpy(to->W_norm2, from->W_norm2, (size_t)from->users * sizeof(double));
    }
}

/* True if the epoch is better than all before; without validation ratings the last epoch is the one to keep. */
static bool is_best(const trainer *t, const bmf_epoch_record *record)
{
    return t->shard.all_val == 0 || t->best_epoch == 0 || record->val_mse < t->best_loss;
}

/* The mean squared error to expect of the start values: the mean predicts with the variance of the ratings; P_u·Q_i and
 * W_u·x_i (‖x_i‖ is content_weight at most) add theirs. */
static double start_loss(const trainer *t)
{
    const bmf_train_options *o = &t->options;
    double variance = o->init_std * o->init_std;
    double of_content = t->model.W ? variance * o->content_weight * o->content_weight : 0;
    return t->shard.variance + (double)o->factors * variance * variance + of_content;
}

/* Clipping keeps values finite for a while when steps overshoot; the loss tells. */
static bool has_diverged(const trainer *t, const bmf_epoch_record *record)
{
    double loss = record->train_rmse * record->train_rmse;
    return !isfinite(loss) || !isfinite(record->train_mse) || loss > DIVERGED_ABOVE * fmax(start_loss(t), 1e-6);
}

static int report_divergence(const trainer *t, const bmf_epoch_record *record, bmf_error *err)
{
    return bmf_fail(err, BMF_ERR_DIVERGED,
                    "training diverged in epoch %" PRId64
                    ": train_rmse %g on ratings from %g to %g (learning rate %g, %d rank(s), "
                    "merge %s); try --learning-rate %g%s",
                    record->epoch, record->train_rmse, t->shard.rating_min, t->shard.rating_max, record->learning_rate,
                    bmf_comm_size(t->comm), bmf_merge_rule_name(t->options.merge), record->learning_rate / 2,
                    t->options.merge == BMF_MERGE_SATURATING ? "" : ", or --merge saturating");
}

static bool wants_stop(trainer *t, const volatile int *stop)
{
    double wanted = stop && *stop ? 1 : 0;
    bmf_comm_max_double(t->comm, &wanted, 1);
    return wanted > 0;
}

/* The loop over epochs; result->history has room for all of them. */
static int run_epochs(trainer *t, const bmf_train_observer *observer, const volatile int *stop,
                      bmf_train_result *result, bmf_error *err)
{
    const bmf_train_options *o = &t->options;
    result->stopped = BMF_STOP_EPOCHS;
    for (int64_t number = 1; number <= o->epochs; number++) {
        bmf_epoch_record *record = &result->history[number - 1];
        run_epoch(t, number, record);
        result->epochs_run = number;
        if (has_diverged(t, record))
            return report_divergence(t, record, err);
        bool best = is_best(t, record);
        if (best)
            keep_best(t, record);
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_KEEP_BEST);
        record_times(t, record);
        result->seconds += record->seconds;
        if (observer && observer->epoch && bmf_comm_rank(t->comm) == 0)
            observer->epoch(record, best, observer->context);
        if (wants_stop(t, stop)) {
            result->stopped = BMF_STOP_SIGNAL;
            break;
        }
        if (o->patience > 0 && t->shard.all_val > 0 && number - t->best_epoch >= o->patience) {
            result->stopped = BMF_STOP_PATIENCE;
            break;
        }
        t->learning_rate *= o->learning_rate_decay;
    }
    return BMF_OK;
}

static int64_t weight_bytes(const bmf_model *model)
{
    if (!model->W)
        return 0;
    return model->pattern->indptr[model->users] * (int64_t)sizeof(float) + model->users * 2 * (int64_t)sizeof(double);
}

/* Content rows, the pattern of the weights and the slots. */
static int64_t content_bytes(const trainer *t)
{
    if (!t->model.W)
        return 0;
    const bmf_content_pattern *pattern = &t->pattern;
    const int64_t users = pattern->users;
    return bmf_content_rows_bytes(&t->shard.rows) + (users + 1) * (int64_t)sizeof *pattern->indptr +
           pattern->indptr[users] * (int64_t)sizeof *pattern->index +
           bmf_content_slots_bytes(&t->train_slots, users, bmf_csr_count(&t->shard.train.matrix)) +
           bmf_content_slots_bytes(&t->val_slots, users, bmf_csr_count(&t->shard.val.matrix));
}

/* What is going to happen, with the memory of the rank that has the most to hold. Collective. */
static void make_plan(trainer *t, bmf_train_plan *plan)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    const bmf_memory_sizes sizes = {
        .users = shard->users,
        .train = bmf_csr_count(&shard->train.matrix),
        .val = bmf_csr_count(&shard->val.matrix),
        .all_val = shard->all_val,
        .items = shard->items,
        .stride = t->model.stride,
        .factors = o->factors,
        .windows = o->merges_per_epoch,
        .threads = o->threads,
        .copies = t->copies.count,
        .ranks = bmf_comm_size(t->comm),
        .W_bytes = weight_bytes(&t->model),
        .content_bytes = content_bytes(t),
    };
    *plan = (bmf_train_plan){.merges_per_epoch = o->merges_per_epoch, .copies = t->copies.count == o->threads};
    plan->memory = bmf_memory_plan_of(&sizes);
    const double mine = (double)bmf_memory_plan_total(&plan->memory);
    double most = mine, owner = bmf_comm_rank(t->comm);
    bmf_comm_max_double(t->comm, &most, 1);
    if (mine < most)
        owner = bmf_comm_size(t->comm);
    bmf_comm_min_double(t->comm, &owner, 1);
    bmf_comm_broadcast(t->comm, plan, (int64_t)sizeof *plan, (int)owner);
}

static void describe_model(const trainer *t, const bmf_train_result *result, bmf_model_meta *meta)
{
    const bmf_train_options *o = &t->options;
    const bmf_epoch_record *best = &result->history[t->best_epoch - 1];
    *meta = (bmf_model_meta){
        .users = t->shard.all_users,
        .items = t->shard.items,
        .features = t->model.features,
        .factors = o->factors,
        .content = o->content,
        .global_mean = t->shard.mean,
        .content_weight = o->content_weight,
        .learning_rate = o->learning_rate,
        .learning_rate_decay = o->learning_rate_decay,
        .regularization = o->regularization,
        .bias_regularization = o->bias_regularization,
        .content_regularization = o->content_regularization,
        .init_std = o->init_std,
        .clip = o->clip,
        .seed = (int64_t)o->seed,
        .best_epoch = t->best_epoch,
        .val_mse = best->val_mse,
        .val_rmse = best->val_rmse,
        .rating_min = t->shard.rating_min,
        .rating_max = t->shard.rating_max,
        .merges_per_epoch = o->merges_per_epoch,
        .ranks = bmf_comm_size(t->comm),
        .threads = o->threads,
        .dataset_fingerprint = t->fingerprint,
    };
    strncpy(meta->dataset, bmf_base_name(bmf_dataset_file_path(t->file)), sizeof meta->dataset - 1);
    strncpy(meta->merge, bmf_merge_rule_name(o->merge), sizeof meta->merge - 1);
}

int bmf_train(bmf_comm *comm, const char *dataset_path, const char *model_path, const bmf_train_options *options,
              const bmf_train_observer *observer, const volatile int *stop, bmf_train_result *result, bmf_error *err)
{
    trainer t = {.comm = comm, .options = *options};
    *result = (bmf_train_result){0};
    const int64_t before = bmf_memory_now();
    int status = bmf_comm_agree(comm, bmf_train_check(options, err), err);
    if (status == BMF_OK)
        status = set_up(&t, dataset_path, err);
    if (status == BMF_OK) {
        result->history = bmf_alloc_zero(options->epochs, sizeof *result->history, "history", err);
        status = bmf_comm_agree(comm, result->history ? BMF_OK : BMF_ERR_MEMORY, err);
    }
    if (status == BMF_OK)
        make_plan(&t, &result->plan);
    if (status == BMF_OK && observer && observer->begins && bmf_comm_rank(comm) == 0)
        observer->begins(&result->plan, observer->context);
    if (status == BMF_OK)
        status = run_epochs(&t, observer, stop, result, err);
    if (status == BMF_OK) {
        describe_model(&t, result, &result->meta);
        bmf_ratings_clear(&t.shard.train); /* makes room for what saving needs */
        bmf_ratings_clear(&t.shard.val);
        bmf_content_slots_clear(&t.train_slots);
        bmf_content_slots_clear(&t.val_slots);
        if (model_path)
            status = bmf_save_model(comm, model_path, t.shard.all_val > 0 ? &t.best : &t.model, &result->meta, t.file,
                                    result->history, result->epochs_run, err);
    }
    if (status == BMF_OK) {
        double peak = (double)(bmf_memory_peak() - before);
        bmf_comm_max_double(comm, &peak, 1);
        result->peak_bytes = peak > 0 ? (int64_t)peak : 0;
    }
    tear_down(&t);
    return status;
}
