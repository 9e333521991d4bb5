#include "train/best.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "train/sums.h"

#define DIVERGED_ABOVE 4.0 /* times the loss that the start values have: no longer learning */
#define HEAVY 10           /* content weights above it make the start values large */

static void copy_floats(float *to, const float *from, int64_t count, int threads)
{
    bmf_copy_by_threads(to, from, count * (int64_t)sizeof(float), threads);
}

static void copy_model(bmf_model *to, const bmf_model *from, int threads)
{
    copy_floats(to->P, from->P, from->users * from->stride, threads);
    copy_floats(to->Q, from->Q, from->items * from->stride, threads);
    copy_floats(to->user_bias, from->user_bias, from->users, threads);
    copy_floats(to->item_bias, from->item_bias, from->items, threads);
    if (from->V) {
        copy_floats(to->own_Q, from->own_Q, from->items * from->stride, threads);
        copy_floats(to->own_bias, from->own_bias, from->items, threads);
        copy_floats(to->V, from->V, from->features * from->stride, threads);
        copy_floats(to->feature_bias, from->feature_bias, from->features, threads);
    }
    if (from->U) {
        copy_floats(to->own_P, from->own_P, from->users * from->stride, threads);
        copy_floats(to->own_user_bias, from->own_user_bias, from->users, threads);
        copy_floats(to->U, from->U, (from->user_features + from->implicit) * from->stride, threads);
        copy_floats(to->user_feature_bias, from->user_feature_bias, from->user_features, threads);
    }
    if (from->W) {
        copy_floats(to->W, from->W, from->pattern->indptr[from->users], threads);
        memcpy(to->W_scale, from->W_scale, (size_t)from->users * sizeof(double));
        memcpy(to->W_norm2, from->W_norm2, (size_t)from->users * sizeof(double));
    }
}

bool bmf_is_best(const bmf_trainer *t, const bmf_epoch_record *record)
{
    return t->shard.all_val == 0 || t->best_epoch == 0 || record->val_mse < t->best_loss;
}

void bmf_keep_best(bmf_trainer *t, const bmf_epoch_record *record)
{
    t->best_epoch = record->epoch;
    t->best_loss = record->val_mse;
    bmf_keep_model(t);
}

void bmf_keep_model(bmf_trainer *t)
{
    copy_model(&t->best, &t->model, (int)t->options.threads);
}

/* The mean squared error to expect of the start values: the mean predicts with the variance of the ratings; P_u·Q_i and
 * W_u·x_i (‖x_i‖ is content_weight at most) add theirs. */
static double start_loss(const bmf_trainer *t)
{
    const bmf_train_options *o = &t->options;
    double variance = o->init_std * o->init_std;
    const double weight2 = o->content_weight * o->content_weight;
    double of_content = t->model.W   ? variance * weight2
                        : t->model.V ? (double)o->factors * variance * variance * weight2
                                     : 0;
    double of_users = 0; /* |y_u|² is user_content_weight² at most, and 1 */
    if (t->model.user_features > 0)
        of_users += o->user_content_weight * o->user_content_weight;
    if (t->model.implicit > 0)
        of_users += 1;
    of_users *= (double)o->factors * variance * variance * (1 + (t->model.V ? weight2 : 0));
    return t->shard.variance + (double)o->factors * variance * variance + of_content + of_users;
}

/* Clipping keeps values finite for a while when steps overshoot; the loss tells. */
bool bmf_has_diverged(const bmf_trainer *t, const bmf_epoch_record *record)
{
    double loss = record->train_rmse * record->train_rmse;
    return !isfinite(loss) || !isfinite(record->train_mse) || (t->shard.all_val > 0 && !isfinite(record->val_mse)) ||
           loss > DIVERGED_ABOVE * fmax(start_loss(t), 1e-6);
}

/* Start values into arrays that may hold anything, padding included. */
static void start_anew(bmf_trainer *t)
{
    bmf_model *model = &t->model;
    memset(model->P, 0, (size_t)(model->users * model->stride) * sizeof *model->P);
    memset(model->Q, 0, (size_t)(model->items * model->stride) * sizeof *model->Q);
    if (model->V)
        memset(model->V, 0, (size_t)(model->features * model->stride) * sizeof *model->V);
    if (model->U)
        memset(model->U, 0, (size_t)((model->user_features + model->implicit) * model->stride) * sizeof *model->U);
    if (model->W)
        memset(model->W, 0, (size_t)model->pattern->indptr[model->users] * sizeof *model->W);
    bmf_trainer_start(t);
}

void bmf_roll_back(bmf_trainer *t, double train_rmse)
{
    bmf_train_state *state = &t->state;
    const double halved = state->learning_rate / 2;
    if (t->best_epoch > 0)
        copy_model(&t->model, &t->best, (int)t->options.threads);
    else
        start_anew(t);
    char where[64] = "the start values";
    if (t->best_epoch > 0)
        snprintf(where, sizeof where, "the parameters of epoch %" PRId64, t->best_epoch);
    if (bmf_comm_rank(t->comm) == 0)
        bmf_log_warning("training diverged in epoch %" PRId64 " (train_rmse %g, learning rate %g): back to %s with "
                        "learning rate %g (rollback %" PRId64 " of at most %d)",
                        state->epoch + 1, train_rmse, state->learning_rate, where, halved, state->rollbacks + 1,
                        BMF_ROLLBACKS);
    bmf_item_copies_restart(&t->copies);
    state->epoch = t->best_epoch;
    state->window = 0;
    state->squares = 0;
    state->learning_rate = halved;
    state->rollbacks++;
    bmf_trainer_measure_P(t);
}

int bmf_report_divergence(const bmf_trainer *t, double train_rmse, bmf_error *err)
{
    const bmf_train_state *state = &t->state;
    char kept[96] = "no epoch was finished, so that no model is written";
    if (t->best_epoch > 0)
        snprintf(kept, sizeof kept, "the model of epoch %" PRId64 " is written", t->best_epoch);
    return bmf_fail(
        err, BMF_ERR_DIVERGED,
        "training diverged in epoch %" PRId64
        ": train_rmse %g on ratings from %g to %g (learning rate %g after halving it %" PRId64
        " times, %d rank(s), merge %s); %s; try --learning-rate %g%s%s",
        state->epoch + 1, train_rmse, t->shard.rating_min, t->shard.rating_max, state->learning_rate, state->rollbacks,
        bmf_comm_size(t->comm), bmf_merge_rule_name(t->options.merge), kept, state->learning_rate / 2,
        t->options.merge == BMF_MERGE_SATURATING ? ", a larger --regularization or a smaller --clip"
                                                 : ", or --merge saturating",
        t->options.content_weight > HEAVY || t->options.user_content_weight > HEAVY ? "; the content weight is large"
                                                                                    : "");
}
