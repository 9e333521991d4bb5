#include "train/train.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "train/best.h"
#include "train/checkpoint.h"
#include "train/curvature.h"
#include "train/save.h"
#include "train/sums.h"
#include "train/trainer.h"
#include "train/validate.h"

#define BOLDER 1.05
#define MEEKER 0.5

void bmf_train_result_clear(bmf_train_result *result)
{
    bmf_free(result->history);
    *result = (bmf_train_result){0};
}

/* What is asked for by this rank goes into the window's sums. */
static void ask(const bmf_trainer *t, const volatile int *stop, bmf_window_sums *sums)
{
    sums->signals = stop && *stop ? 1 : 0;
    if (bmf_comm_rank(t->comm) != 0)
        return;
    const double limit = t->options.max_seconds;
    sums->late = limit > 0 && bmf_clock_seconds() - t->started >= limit ? 1 : 0;
    sums->save = bmf_checkpoint_is_late(t) ? 1 : 0;
}

static double mean_square_of_P(const bmf_trainer *t, double squares)
{
    return squares / ((double)t->shard.all_users * (double)t->options.factors);
}

/* Merges a window's work of all copies on all ranks. Collective. */
static void merge_window(bmf_trainer *t, int64_t window, bmf_window_sums *sums)
{
    const bmf_train_options *o = &t->options;
    sums->P_squares = t->own_P_squares;
    const int32_t *steps = bmf_epoch_steps(t->epoch, window);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_MERGE);
    bmf_comm_barrier(t->comm); /* so that waiting is not taken for merging */
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_WAIT);
    const double h = t->state.P_mean_square;
    const bmf_merge_pulls pulls = {
        .factor = bmf_merge_pull(t->state.learning_rate, o->item_regularization, h),
        .bias = bmf_merge_pull(bmf_trainer_bias_rate(t), o->item_bias_regularization, 1),
        .rows = t->rates.item,
        .h = h,
    };
    const uint64_t number = (uint64_t)(t->state.epoch * o->merges_per_epoch + window);
    bmf_merge_window(t->merge, steps, &pulls, bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_MERGE), number), sums);
    if (!t->model.U)
        t->state.P_mean_square = mean_square_of_P(t, sums->P_squares);
}

/* Divides what the merged window did to the items between them and their features. False if that is not finite. Local: the
 * same on all ranks. */
static bool divide_window(bmf_trainer *t, int64_t window, double h)
{
    const bmf_train_options *o = &t->options;
    if (!bmf_merge_is_needed(t->merge))
        memcpy(t->totals, bmf_epoch_steps(t->epoch, window), (size_t)t->shard.items * sizeof *t->totals);
    const bmf_embed_window did = {
        .steps = t->totals,
        .learning_rate = t->state.learning_rate,
        .bias_learning_rate = bmf_trainer_bias_rate(t),
        .regularization = o->item_regularization,
        .bias_regularization = o->item_bias_regularization,
        .content_regularization = o->content_regularization,
        .items = t->rates.item,
        .features = t->rates.feature,
        .sides = t->model.U ? 2 : 1,
        .h = h,
        .h_max = t->state.P_curvature,
    };
    return bmf_embed_divide(&t->embed, &did, &t->model, &t->copies.start);
}

/* Divides what the window did to its users between them and their features. False on all ranks if that is not finite on any.
 * Collective. */
static bool divide_users(bmf_trainer *t, int64_t window)
{
    const bmf_train_options *o = &t->options;
    double mean_square;
    const double largest =
        bmf_curvature_of_items(&t->model, t->shard.item_ratings, (int)o->threads, &mean_square, t->moments);
    const bmf_user_window did = {
        .window = window,
        .learning_rate = t->state.learning_rate,
        .bias_learning_rate = bmf_trainer_bias_rate(t),
        .regularization = o->user_regularization,
        .bias_regularization = o->user_bias_regularization,
        .content_regularization = o->content_regularization,
        .users = t->rates.user,
        .features = t->rates.user_feature,
        .sides = t->totals ? 2 : 1,
        .h = mean_square,
        .h_max = largest,
    };
    return bmf_user_embed_divide(&t->user_embed, t->comm, &did, &t->model);
}

/* Mean squares of P as far as the window has them: where users have features only the end of the epoch has P whole. */
static void measure_window(bmf_trainer *t)
{
    const bool asked = bmf_merge_is_needed(t->merge) || t->totals || t->state.window == t->options.merges_per_epoch;
    if (!t->model.U && asked)
        t->own_P_squares = bmf_trainer_squares_of_P(t);
}

/* Sweeps and merges the next window. False if anything anywhere is not finite. Collective. */
static bool run_window(bmf_trainer *t, const volatile int *stop)
{
    bmf_train_state *state = &t->state;
    const int64_t window = state->window++;
    t->unsaved = true;
    const bool merges = bmf_merge_is_needed(t->merge);
    if (t->model.U) {
        bmf_user_embed_begin(&t->user_embed, window, &t->model);
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_USERS);
    }
    bmf_window_sums sums = {.squares = bmf_epoch_sweep(t->epoch, &t->kernel, &t->sweep, &t->copies, window)};
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_SWEEP);
    measure_window(t);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_LOSS);
    ask(t, stop, &sums);
    const double h = state->P_mean_square; /* as the window began */
    if (merges)
        merge_window(t, window, &sums);
    else if (!t->model.U)
        state->P_mean_square = mean_square_of_P(t, t->own_P_squares);
    bool divided = !t->totals || divide_window(t, window, h);
    if (!t->totals)
        bmf_trainer_blend(t); /* features that moved at every rating */
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_MERGE);
    if (t->model.U) {
        divided = divide_users(t, window) && divided;
        bmf_stopwatch_lap(&t->watch, BMF_PHASE_USERS);
    }
    state->squares += sums.squares;
    t->asked = sums;
    return divided && sums.failed == 0 && isfinite(sums.squares) && isfinite(sums.P_squares);
}

/* How the windows of an epoch ended. */
typedef enum ending { EPOCH_IS_OVER, ASKED_TO_STOP, NOT_FINITE } ending;

static bool is_asked_to_stop(const bmf_trainer *t)
{
    return t->asked.signals > 0 || t->asked.late > 0;
}

/* The windows of the epoch that are left. Collective; the ending and the status are the same on all ranks. */
static int run_windows(bmf_trainer *t, const volatile int *stop, ending *how, bmf_error *err)
{
    const bmf_train_options *o = &t->options;
    bmf_train_state *state = &t->state;
    const uint64_t number = (uint64_t)(state->epoch + 1);
    int status = BMF_OK;
    bmf_epoch_begin(t->epoch, bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_USER_ORDER), number));
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_ORDER);
    t->sweep.order_key = bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_RATING_ORDER), number);
    t->sweep.learning_rate = (float)state->learning_rate;
    t->sweep.bias_learning_rate = (float)bmf_trainer_bias_rate(t);
    bmf_trainer_set_rates(t);
    if (state->window == 0)
        bmf_trainer_measure_curvature(t);
    *how = EPOCH_IS_OVER;
    while (status == BMF_OK && *how == EPOCH_IS_OVER && state->window < o->merges_per_epoch) {
        if (!run_window(t, stop))
            *how = NOT_FINITE;
        else if (state->window < o->merges_per_epoch && is_asked_to_stop(t))
            *how = ASKED_TO_STOP;
        else if (state->window < o->merges_per_epoch && t->asked.save > 0) {
            status = bmf_checkpoint_save(t, err);
            bmf_stopwatch_skip(&t->watch);
        }
    }
    return status;
}

/* λ‖P‖² + λ‖Q‖² + λ‖b_u‖² + λ‖b_i‖² + λ_c (‖W‖², or ‖V‖² + ‖β‖², and those of user
 * features) over all ranks, each with its own λ. */
static double penalty(bmf_trainer *t)
{
    const bmf_train_options *o = &t->options;
    const bmf_norms norms = bmf_norms_of(&t->model, t->own_P_squares, (int)o->threads);
    double of_users = o->user_regularization * norms.of_P + o->user_bias_regularization * norms.of_user_bias +
                      o->content_regularization * norms.of_W;
    bmf_comm_sum_double(t->comm, &of_users, 1);
    return of_users + o->item_regularization * norms.of_Q + o->item_bias_regularization * norms.of_item_bias +
           o->content_regularization * norms.of_features;
}

/* Users as the epoch leaves them, where they have features. Collective. */
static void end_windows(bmf_trainer *t)
{
    if (!t->model.U)
        return;
    bmf_trainer_blend_users(t);
    bmf_trainer_measure_P(t);
    t->own_P_squares = bmf_squares_of(t->model.own_P, t->model.users * t->model.stride, (int)t->options.threads);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_USERS);
}

/* The losses of an epoch whose windows are over. Collective; all ranks get the same record. */
static void measure_epoch(bmf_trainer *t, bmf_epoch_record *record)
{
    const bmf_shard *shard = &t->shard;
    const int threads = (int)t->options.threads;
    double squares = t->state.squares;
    if (t->options.exact_train_loss && isfinite(squares))
        squares = bmf_prediction_squares(t->comm, &t->model, shard, &shard->train.matrix, &t->train_slots, threads);
    double extra = penalty(t);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_LOSS);
    double val_squares = bmf_prediction_squares(t->comm, &t->model, shard, &shard->val.matrix, &t->val_slots, threads);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_VALIDATION);
    const double train = (double)shard->all_train, val = (double)shard->all_val;
    *record = (bmf_epoch_record){
        .epoch = t->state.epoch + 1,
        .train_mse = (squares + extra) / train,
        .train_rmse = sqrt(squares / train),
        .val_mse = val > 0 ? (val_squares + extra) / val : NAN,
        .val_rmse = val > 0 ? sqrt(val_squares / val) : NAN,
        .learning_rate = t->state.learning_rate,
    };
    /* Rounding may differ between ranks by the order of a sum; decisions must not. */
    bmf_comm_broadcast(t->comm, record, (int64_t)sizeof *record, 0);
}

/* Enters what the epoch took; `share` of it was run here, which is less than 1 after a resumption. Collective. */
static void record_times(bmf_trainer *t, double share, bmf_epoch_record *record)
{
    const double *phase = t->watch.seconds;
    const double merging = phase[BMF_PHASE_WAIT] + phase[BMF_PHASE_MERGE];
    double most[3] = {bmf_stopwatch_total(&t->watch),
                      phase[BMF_PHASE_ORDER] + phase[BMF_PHASE_SWEEP] + phase[BMF_PHASE_USERS] + merging, merging};
    memcpy(record->phase, phase, sizeof record->phase);
    bmf_comm_max_double(t->comm, most, 3);
    bmf_comm_sum_double(t->comm, record->phase, BMF_PHASES);
    for (int p = 0; p < BMF_PHASES; p++)
        record->phase[p] /= bmf_comm_size(t->comm);
    record->seconds = most[0];
    const double ranks = bmf_comm_size(t->comm), windows = share * (double)t->options.merges_per_epoch;
    record->merge_bytes = (double)bmf_merge_take_bytes(t->merge) +
                          windows * 2 * (ranks - 1) / ranks * (double)bmf_user_embed_sum_bytes(&t->user_embed);
    bmf_comm_max_double(t->comm, &record->merge_bytes, 1);
    record->updates_per_second = share * (double)t->shard.all_train / most[1];
    record->merge_share = most[2] / most[0];
}

/* Training is over by itself: by the number of epochs, or for want of progress. */
static bool is_over(const bmf_trainer *t, bmf_stop_reason *reason)
{
    const bmf_train_options *o = &t->options;
    const bool tired = o->patience > 0 && t->shard.all_val > 0 && t->state.epoch - t->best_epoch >= o->patience;
    *reason = tired ? BMF_STOP_PATIENCE : BMF_STOP_EPOCHS;
    return (tired && t->state.window == 0) || t->state.epoch >= o->epochs;
}

/* Once more from where all was well, if there have not been too many of these. Collective. */
static int recover(bmf_trainer *t, const bmf_epoch_record *record, bmf_error *err)
{
    if (t->state.rollbacks >= BMF_ROLLBACKS)
        return bmf_report_divergence(t, record->train_rmse, err);
    bmf_roll_back(t, record->train_rmse);
    return BMF_OK;
}

/* The epoch counts: from here on the state is that between this one and the next. */
static void enter_epoch(bmf_trainer *t, const bmf_epoch_record *record)
{
    t->history[record->epoch - 1] = *record;
    t->state.epoch = record->epoch;
    t->state.window = 0;
    t->state.squares = 0;
    if (t->options.schedule != BMF_SCHEDULE_BOLD_DRIVER)
        t->state.learning_rate *= t->options.learning_rate_decay;
    else if (record->epoch > 1)
        t->state.learning_rate *= record->train_mse < t->history[record->epoch - 2].train_mse ? BOLDER : MEEKER;
}

/* One epoch, or what is left of it. Collective. */
static int run_epoch(bmf_trainer *t, const bmf_train_observer *observer, const volatile int *stop, double *seconds,
                     bmf_error *err)
{
    ending how;
    bmf_epoch_record record = {.train_rmse = NAN};
    const double windows = (double)t->options.merges_per_epoch;
    const double share = (windows - (double)t->state.window) / windows;
    bmf_stopwatch_start(&t->watch);
    (void)bmf_merge_take_bytes(t->merge); /* of an epoch that did not count */
    int status = run_windows(t, stop, &how, err);
    if (status != BMF_OK || how == ASKED_TO_STOP)
        return status;
    if (how == EPOCH_IS_OVER) {
        end_windows(t);
        measure_epoch(t, &record);
    }
    if (how == NOT_FINITE || bmf_has_diverged(t, &record))
        return recover(t, &record, err);
    const bool best = bmf_is_best(t, &record);
    if (best)
        bmf_keep_best(t, &record);
    bmf_stopwatch_lap(&t->watch, BMF_PHASE_KEEP_BEST);
    record_times(t, share, &record);
    enter_epoch(t, &record);
    *seconds += record.seconds;
    if (observer && observer->epoch && bmf_comm_rank(t->comm) == 0)
        observer->epoch(&record, best, observer->context);
    return BMF_OK;
}

/* The loop over epochs. The same status on all ranks. */
static int run_epochs(bmf_trainer *t, const bmf_train_observer *observer, const volatile int *stop,
                      bmf_train_result *result, bmf_error *err)
{
    int status = BMF_OK;
    while (status == BMF_OK && !is_over(t, &result->stopped)) {
        const int64_t before = t->state.epoch;
        status = run_epoch(t, observer, stop, &result->seconds, err);
        if (status == BMF_OK && is_asked_to_stop(t) && !is_over(t, &result->stopped)) {
            result->stopped = t->asked.signals > 0 ? BMF_STOP_SIGNAL : BMF_STOP_TIME;
            break;
        }
        if (status == BMF_OK && t->state.epoch > before && bmf_checkpoint_is_due(t))
            status = bmf_checkpoint_save(t, err);
    }
    return status;
}

/* The model of the best epoch; as it is now if no epoch was finished. Collective. */
static int save_best(bmf_trainer *t, const bmf_model_meta *meta, bmf_error *err)
{
    const bmf_save save = {
        .path = t->files->model,
        .model = t->best_epoch > 0 ? &t->best : &t->model,
        .meta = meta,
        .dataset = t->file,
        .reduced = &t->reduced,
        .user_ratings = t->shard.user_ratings,
        .item_ratings = t->shard.item_ratings,
        .history = t->history,
        .epochs = t->state.epoch,
        .io = t->options.io,
        .time = &t->time,
    };
    return t->files->model ? bmf_save_model(t->comm, &save, err) : BMF_OK;
}

/* What is left to write after the last epoch. If one file fails the other is still tried. Collective. */
static int save_all(bmf_trainer *t, bmf_train_result *result, bmf_error *err)
{
    bmf_error of_checkpoint = BMF_ERROR_INIT;
    if (t->files->checkpoint && t->unsaved)
        bmf_checkpoint_save(t, &of_checkpoint);
    bmf_trainer_blend_users(t); /* in the middle of an epoch it is this model that is written */
    bmf_trainer_describe(t, &result->meta);
    bmf_trainer_end_epochs(t); /* makes room for what saving needs */
    int status = save_best(t, &result->meta, err);
    return of_checkpoint.status != BMF_OK ? bmf_fail(err, of_checkpoint.status, "%s", of_checkpoint.text) : status;
}

/* After all that could be done about it: the best model so far, and the reason. Collective. */
static int give_up(bmf_trainer *t, bmf_train_result *result, bmf_error *err)
{
    bmf_error of_model = BMF_ERROR_INIT;
    bmf_trainer_describe(t, &result->meta);
    bmf_trainer_end_epochs(t);
    if (t->best_epoch > 0 && save_best(t, &result->meta, &of_model) != BMF_OK)
        bmf_context(err, "%s", of_model.text);
    return BMF_ERR_DIVERGED;
}

static int begin(bmf_trainer *t, bmf_error *err)
{
    int status = bmf_comm_agree(t->comm, bmf_train_check(&t->options, err), err);
    if (status == BMF_OK)
        status = bmf_checkpoint_lock(t, err);
    if (status == BMF_OK)
        status = bmf_trainer_set_up(t, err);
    if (status == BMF_OK) {
        t->history = bmf_alloc_zero(t->options.epochs, sizeof *t->history, "history", err);
        status = bmf_comm_agree(t->comm, t->history ? BMF_OK : BMF_ERR_MEMORY, err);
    }
    if (status == BMF_OK && t->files->checkpoint && t->files->resume)
        status = bmf_checkpoint_resume(t, err);
    else if (status == BMF_OK && t->files->checkpoint)
        status = bmf_checkpoint_warn(t, err);
    t->saved = bmf_clock_seconds();
    return status;
}

int bmf_train(bmf_comm *comm, const bmf_train_files *files, const bmf_train_options *options,
              const bmf_train_observer *observer, const volatile int *stop, bmf_train_result *result, bmf_error *err)
{
    bmf_trainer t = {.comm = comm,
                     .options = bmf_train_resolved(options),
                     .files = files,
                     .lock = BMF_RUN_LOCK_INIT,
                     .started = bmf_clock_seconds()};
    *result = (bmf_train_result){0};
    const int64_t before = bmf_memory_now();
    int status = begin(&t, err);
    if (status == BMF_OK)
        bmf_trainer_plan(&t, &result->plan);
    if (status == BMF_OK && observer && observer->begins && bmf_comm_rank(comm) == 0)
        observer->begins(&result->plan, observer->context);
    if (status == BMF_OK)
        status = run_epochs(&t, observer, stop, result, err);
    if (status == BMF_OK)
        status = save_all(&t, result, err);
    else if (status == BMF_ERR_DIVERGED)
        status = give_up(&t, result, err);
    result->history = t.history;
    result->epochs_run = t.state.epoch;
    result->windows_run = t.state.window;
    result->rollbacks = t.state.rollbacks;
    result->checkpoints = t.checkpoints;
    result->checkpoint_seconds = t.checkpoint_seconds;
    if (status == BMF_OK) {
        double peak = (double)(bmf_memory_peak() - before);
        bmf_comm_max_double(comm, &peak, 1);
        result->peak_bytes = peak > 0 ? (int64_t)peak : 0;
    }
    bmf_run_lock_release(&t.lock);
    bmf_trainer_clear(&t);
    return status;
}
