#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/rng.h"
#include "train/auto_merges.h"
#include "train/curvature.h"
#include "train/sums.h"

/* Features move at every rating. */
static bool features_step(const bmf_trainer *t)
{
    return t->options.content == BMF_CONTENT_EMBED && t->options.content_updates == BMF_UPDATES_STEP;
}

static void describe_sweep(bmf_trainer *t)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    const bool steps = features_step(t);
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
        .content = t->model.W || steps ? &shard->rows : NULL,
        .V = steps ? t->model.V : NULL,
        .feature_bias = steps ? t->model.feature_bias : NULL,
        .slots = &t->train_slots,
        .W_indptr = t->pattern.indptr,
        .W = t->model.W,
        .W_scale = t->model.W_scale,
        .W_norm2 = t->model.W_norm2,
        .mean = (float)shard->mean,
        .user_regularization = (float)o->user_regularization,
        .item_regularization = (float)o->item_regularization,
        .user_bias_regularization = (float)o->user_bias_regularization,
        .item_bias_regularization = (float)o->item_bias_regularization,
        .content_regularization = (float)o->content_regularization,
        .clip = (float)o->clip,
    };
}

int64_t bmf_trainer_ranks(const bmf_trainer *t)
{
    const int64_t here = bmf_comm_size(t->comm), planned = t->options.planned_ranks;
    return planned > here ? planned : here;
}

static bmf_merge_settings merge_settings(const bmf_trainer *t)
{
    const bmf_train_options *o = &t->options;
    return (bmf_merge_settings){.rule = o->merge,
                                .precision = o->merge_precision,
                                .group = o->merge_group,
                                .factors = o->factors,
                                .threads = o->threads,
                                .ranks = bmf_trainer_ranks(t),
                                .windows = o->merges_per_epoch};
}

/* How many of items and users have features that learn by windows; implicit feedback does not count. */
static int sides_of(const bmf_trainer *t)
{
    return (t->totals != NULL) + (t->model.user_features > 0);
}

/* The number of merges, and what depends on it. Collective. */
static int plan_merges(bmf_trainer *t, bmf_error *err)
{
    bmf_train_options *o = &t->options;
    int64_t copies = t->copies.count;
    bmf_comm_sum_int64(t->comm, &copies, 1);
    copies *= bmf_trainer_ranks(t) / bmf_comm_size(t->comm);
    if (o->merges_per_epoch == BMF_MERGES_AUTO)
        o->merges_per_epoch = bmf_auto_merges(copies, t->shard.items, t->shard.all_train, sides_of(t));
    int status =
        bmf_comm_agree(t->comm,
                       bmf_epoch_create(&t->shard, o->merges_per_epoch, o->threads, t->copies.count,
                                        bmf_rng_subkey(bmf_rng_key(o->seed, BMF_STREAM_USER_ORDER), 0), &t->epoch, err),
                       err);
    const bmf_merge_settings settings = merge_settings(t);
    if (status == BMF_OK)
        status = bmf_merge_create(t->comm, &t->copies, &settings, t->shard.item_steps, t->totals, &t->merge, err);
    return status;
}

/* Which weights there are, and where the ratings meet them. */
static int find_weights(bmf_trainer *t, bmf_error *err)
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

bmf_csr bmf_trainer_content(const bmf_trainer *t)
{
    const bmf_content_rows *rows = &t->shard.rows;
    return (bmf_csr){rows->items, rows->features, rows->indptr, rows->feature, rows->value};
}

void bmf_trainer_blend(bmf_trainer *t)
{
    const bmf_csr content = bmf_trainer_content(t);
    if (t->model.V)
        bmf_model_blend(&t->model, &content, (int)t->options.threads);
}

void bmf_trainer_blend_users(bmf_trainer *t)
{
    if (t->model.U)
        bmf_model_blend_users(&t->model, &t->user_rows, NULL, t->model.users, (int)t->options.threads);
}

void bmf_trainer_start(bmf_trainer *t)
{
    bmf_model *model = &t->model;
    const int64_t *indptr = t->shard.train.matrix.indptr;
    const size_t row = (size_t)model->stride * sizeof(float);
    bmf_model_init(model, t->options.seed, t->options.init_std);
    for (int64_t u = 0; u < model->users; u++)
        if (indptr[u] == indptr[u + 1])
            memset(model->P + u * model->stride, 0, row);
    for (int64_t i = 0; i < model->items; i++)
        if (t->shard.item_ratings[i] == 0)
            memset(model->Q + i * model->stride, 0, row);
    bmf_trainer_blend(t);
    bmf_trainer_blend_users(t);
}

/* Of users, apart from the items of implicit feedback. */
static int64_t own_features(const bmf_trainer *t)
{
    return t->user_rows.columns - (t->options.implicit_feedback ? t->shard.items : 0);
}

/* A model of the shard's shape, without values. */
static int create_model(const bmf_trainer *t, bmf_model *model, bmf_error *err)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    int status = bmf_model_create(model, shard->first_user, shard->users, shard->items, o->factors,
                                  o->content == BMF_CONTENT_CONCAT ? &t->pattern : NULL, err);
    if (status == BMF_OK && o->content == BMF_CONTENT_EMBED)
        status = bmf_model_add_features(model, shard->rows.features, err);
    if (status == BMF_OK && t->user_rows.columns > 0)
        status = bmf_model_add_user_features(model, own_features(t), o->implicit_feedback, err);
    model->global_mean = shard->mean;
    return status;
}

/* What features of users need, once the windows are known. Collective. */
static int create_user_embed(bmf_trainer *t, bmf_error *err)
{
    if (!t->model.U)
        return BMF_OK;
    int32_t *window_of = bmf_alloc(t->shard.users, sizeof *window_of, "windows of the users", err);
    int status = window_of ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        bmf_epoch_window_of(t->epoch, window_of);
        status = bmf_user_embed_create(&t->user_rows, t->model.user_features, &t->shard.train.matrix, window_of,
                                       t->options.merges_per_epoch, t->model.stride, t->options.threads, &t->user_embed,
                                       err);
    }
    bmf_free(window_of);
    return bmf_comm_agree(t->comm, status, err);
}

/* What features that learn by windows need. */
static int create_embed(bmf_trainer *t, bmf_error *err)
{
    const bmf_csr content = bmf_trainer_content(t);
    const bool items = t->model.V && !features_step(t);
    if (!items && !t->model.U)
        return BMF_OK;
    t->moments = bmf_alloc(bmf_curvature_room(t->options.factors), sizeof *t->moments, "moments of the factors", err);
    if (!items)
        return t->moments ? BMF_OK : BMF_ERR_MEMORY;
    t->totals = bmf_alloc_zero(t->shard.items, sizeof *t->totals, "steps of a window", err);
    return t->totals && t->moments ? bmf_embed_create(&content, t->model.stride, t->options.threads, &t->embed, err)
                                   : BMF_ERR_MEMORY;
}

/* Copies of the item side; what is swept are the items' own parts where features move at every rating. */
static int create_copies(bmf_trainer *t, bmf_error *err)
{
    const int64_t copies = bmf_item_copies_wanted(t->options.threads, t->shard.items, t->model.stride,
                                                  bmf_csr_count(&t->shard.train.matrix));
    int status = bmf_item_copies_create(&t->model, copies, (int)bmf_trainer_ranks(t), &t->copies, err);
    if (status == BMF_OK && features_step(t))
        t->copies.copy[0] = (bmf_item_side){t->model.own_Q, t->model.own_bias};
    return status;
}

static bmf_sweep_kind kind_of_sweep(const bmf_trainer *t)
{
    return t->model.W ? BMF_SWEEP_CONCAT : bmf_rates_are_wanted(&t->options) ? BMF_SWEEP_RATED : BMF_SWEEP_PLAIN;
}

/* Rates of the rows, if they have their own. Collective. */
static int create_rates(bmf_trainer *t, bmf_error *err)
{
    if (!bmf_rates_are_wanted(&t->options))
        return BMF_OK;
    int status = bmf_rates_create(t->comm, &t->shard, t->options.regularization_scaling, t->totals != NULL,
                                  &t->user_rows, &t->rates, err);
    t->sweep.user_rates = t->rates.user;
    t->sweep.item_rates = t->rates.item;
    return status;
}

/* Everything that may fail locally before the first epoch. */
static int allocate(bmf_trainer *t, bmf_error *err)
{
    const bmf_train_options *o = &t->options;
    if (features_step(t) && bmf_comm_size(t->comm) > 1)
        return bmf_fail(err, BMF_ERR_USAGE, "--content-updates step: runs in one process, here are %d",
                        bmf_comm_size(t->comm));
    int status = o->content == BMF_CONTENT_CONCAT ? find_weights(t, err) : BMF_OK;
    if (status == BMF_OK)
        status = create_model(t, &t->model, err);
    if (status == BMF_OK)
        status = create_model(t, &t->best, err);
    if (status != BMF_OK)
        return status;
    bmf_trainer_start(t);
    describe_sweep(t);
    status = bmf_kernel_choose(t->model.stride, kind_of_sweep(t), features_step(t) ? "ref" : getenv("BMF_KERNEL"),
                               &t->kernel, err);
    if (status == BMF_OK)
        status = create_embed(t, err);
    return status == BMF_OK ? create_copies(t, err) : status;
}

double bmf_trainer_squares_of_P(const bmf_trainer *t)
{
    return bmf_squares_of(t->model.P, t->model.users * t->model.stride, (int)t->options.threads);
}

void bmf_trainer_measure_P(bmf_trainer *t)
{
    double squares = bmf_trainer_squares_of_P(t);
    bmf_comm_sum_double(t->comm, &squares, 1);
    t->state.P_mean_square = squares / ((double)t->shard.all_users * (double)t->options.factors);
}

double bmf_trainer_bias_rate(const bmf_trainer *t)
{
    return t->state.learning_rate * (t->options.bias_learning_rate / t->options.learning_rate);
}

void bmf_trainer_set_rates(bmf_trainer *t)
{
    bmf_train_state *state = &t->state;
    if (!t->rates.user)
        return;
    if (t->options.schedule == BMF_SCHEDULE_ADAGRAD && state->window == 0) {
        const double rmse = state->epoch > 0 ? t->history[state->epoch - 1].train_rmse : sqrt(t->shard.variance);
        double of_P = 0, of_Q = 0;
        bmf_rates_mean_squares(t->comm, &t->model, &t->shard, &of_P, &of_Q);
        state->P_energy += rmse * rmse * of_Q;
        state->Q_energy += rmse * rmse * of_P;
    }
    bmf_rates_set(&t->rates, &t->shard, &t->options, state->learning_rate, bmf_trainer_bias_rate(t), state->P_energy,
                  state->Q_energy);
}

void bmf_trainer_measure_curvature(bmf_trainer *t)
{
    if (t->totals)
        t->state.P_curvature = bmf_curvature_of(t->comm, &t->model, t->shard.all_users, t->moments);
}

/* Features of users as asked for. Collective. */
static int load_user_rows(bmf_trainer *t, bmf_error *err)
{
    const bmf_train_options *o = &t->options;
    const int64_t first = t->shard.first_user, last = first + t->shard.users;
    bmf_content own = {0};
    int status = BMF_OK;
    if (o->user_content == BMF_USER_CONTENT_NONE && !o->implicit_feedback)
        return BMF_OK;
    if (o->user_content == BMF_USER_CONTENT_EMBED)
        status = bmf_dataset_file_read_user_content(t->file, first, last, &own, err);
    for (int64_t j = 0; j < bmf_csr_count(&own.matrix); j++)
        own.matrix.data[j] = (float)(o->user_content_weight * (double)own.matrix.data[j]);
    if (status == BMF_OK)
        status = bmf_user_rows_create(&own.matrix, &t->shard.train.matrix, o->implicit_feedback, &t->user_rows, err);
    bmf_content_clear(&own);
    return bmf_comm_agree(t->comm, status, err);
}

/* This rank's ratings, and the content as it is or reduced. Collective. */
static int load(bmf_trainer *t, bmf_error *err)
{
    bmf_train_options *o = &t->options;
    const bool blended = o->content != BMF_CONTENT_NONE;
    if (!blended)
        o->content_svd = 0;
    int status = bmf_reduce_content(t->comm, t->file, o->content_svd, (int)o->threads, &t->reduced, err);
    if (status == BMF_OK)
        status = bmf_shard_load(t->comm, t->file, blended && o->content_svd == 0, o->content_weight, o->seed,
                                o->planned_ranks, &t->shard, err);
    if (status == BMF_OK)
        status = bmf_time_effects_fit(t->comm, t->file, o, &t->shard, &t->time, err);
    if (status != BMF_OK || o->content_svd == 0)
        return status;
    status = bmf_shard_take_content(&t->shard, &t->reduced.content.matrix, o->content_weight, err);
    if (bmf_comm_rank(t->comm) != 0) /* who does not write needs it no more */
        bmf_reduced_content_clear(&t->reduced);
    return bmf_comm_agree(t->comm, status, err);
}

int bmf_trainer_set_up(bmf_trainer *t, bmf_error *err)
{
    const char *dataset_path = t->files->dataset;
    int status = bmf_comm_agree(t->comm, bmf_dataset_file_open(dataset_path, &t->file, err), err);
    if (status != BMF_OK)
        return status;
    bmf_dataset_file_use_threads(t->file, (int)t->options.threads);
    const bmf_dataset_shape shape = bmf_dataset_file_shape(t->file);
    if (t->options.content != BMF_CONTENT_NONE && shape.features == 0) {
        if (bmf_comm_rank(t->comm) == 0)
            bmf_log_info("%s has no content of items: training without", dataset_path);
        t->options.content = BMF_CONTENT_NONE;
    }
    if (shape.user_features == 0)
        t->options.user_content = BMF_USER_CONTENT_NONE;
    status = load(t, err);
    if (status == BMF_OK)
        status = load_user_rows(t, err);
    if (status == BMF_OK)
        status = bmf_comm_agree(t->comm, allocate(t, err), err);
    if (status == BMF_OK)
        status = create_rates(t, err);
    if (status == BMF_OK)
        status = plan_merges(t, err);
    if (status == BMF_OK)
        status = create_user_embed(t, err);
    if (status == BMF_OK && bmf_comm_rank(t->comm) == 0)
        status = bmf_dataset_file_fingerprint(t->file, &t->fingerprint, err);
    status = bmf_comm_agree(t->comm, status, err);
    if (status != BMF_OK)
        return status;
    bmf_comm_broadcast(t->comm, &t->fingerprint, (int64_t)sizeof t->fingerprint, 0);
    if (shape.ratings[BMF_VAL] == 0 && bmf_comm_rank(t->comm) == 0)
        bmf_log_info("%s has no validation ratings: no early stopping, the last epoch is kept", dataset_path);
    bmf_trainer_measure_P(t);
    t->state.learning_rate = t->options.learning_rate;
    return BMF_OK;
}

void bmf_trainer_end_epochs(bmf_trainer *t)
{
    bmf_merge_destroy(&t->merge);
    bmf_epoch_destroy(&t->epoch);
    bmf_item_copies_clear(&t->copies);
    bmf_embed_clear(&t->embed);
    bmf_user_embed_clear(&t->user_embed);
    bmf_csr_clear(&t->user_rows);
    bmf_rates_clear(&t->rates);
    bmf_free(t->moments);
    bmf_free(t->totals);
    t->moments = NULL;
    t->totals = NULL;
    bmf_ratings_clear(&t->shard.train);
    bmf_ratings_clear(&t->shard.val);
    bmf_content_slots_clear(&t->train_slots);
    bmf_content_slots_clear(&t->val_slots);
}

void bmf_trainer_clear(bmf_trainer *t)
{
    bmf_trainer_end_epochs(t);
    bmf_model_clear(&t->model);
    bmf_model_clear(&t->best);
    bmf_content_pattern_clear(&t->pattern);
    bmf_shard_clear(&t->shard);
    bmf_time_effects_clear(&t->time);
    bmf_reduced_content_clear(&t->reduced);
    bmf_dataset_file_close(&t->file);
}

static int64_t weight_bytes(const bmf_model *model)
{
    if (!model->W)
        return 0;
    return model->pattern->indptr[model->users] * (int64_t)sizeof(float) + model->users * 2 * (int64_t)sizeof(double);
}

/* Beside the plain model's parameters: those of features, and the items' own. */
static int64_t feature_bytes(const bmf_trainer *t)
{
    return t->model.V ? (t->shard.items + t->model.features) * (t->model.stride + 1) * (int64_t)sizeof(float) : 0;
}

/* The same of users. */
static int64_t user_feature_bytes(const bmf_trainer *t)
{
    const bmf_model *m = &t->model;
    return m->U ? ((m->users + m->user_features + m->implicit) * m->stride + m->users + m->user_features) *
                      (int64_t)sizeof(float)
                : 0;
}

static int64_t user_content_bytes(const bmf_trainer *t)
{
    const bmf_csr *rows = &t->user_rows;
    return t->model.U ? bmf_user_embed_bytes(rows->rows, rows->columns, bmf_csr_count(rows),
                                             t->options.merges_per_epoch, t->model.stride)
                      : 0;
}

static int64_t embed_bytes(const bmf_trainer *t)
{
    const bmf_content_rows *rows = &t->shard.rows;
    return bmf_embed_bytes(rows->items, rows->features, rows->indptr[rows->items], t->model.stride) +
           rows->items * (int64_t)sizeof *t->totals;
}

/* Content rows, and the pattern of the weights and the slots or what features need to learn by windows. */
static int64_t content_bytes(const bmf_trainer *t)
{
    if (t->model.V)
        return bmf_content_rows_bytes(&t->shard.rows) + (t->totals ? embed_bytes(t) : 0);
    if (!t->model.W)
        return 0;
    const bmf_content_pattern *pattern = &t->pattern;
    const int64_t users = pattern->users;
    return bmf_content_rows_bytes(&t->shard.rows) + (users + 1) * (int64_t)sizeof *pattern->indptr +
           pattern->indptr[users] * (int64_t)sizeof *pattern->index +
           bmf_content_slots_bytes(&t->train_slots, users, bmf_csr_count(&t->shard.train.matrix)) +
           bmf_content_slots_bytes(&t->val_slots, users, bmf_csr_count(&t->shard.val.matrix));
}

/* Of ranks that are not here --ranks-per-host says how many share one; all, if it does not. */
static int planned_hosts(const bmf_trainer *t)
{
    const int64_t ranks = bmf_trainer_ranks(t), group = t->options.merge_group;
    if (ranks == bmf_comm_size(t->comm))
        return bmf_merge_hosts(t->merge);
    return (int)(group > 0 ? (ranks + group - 1) / group : 1);
}

void bmf_trainer_plan(bmf_trainer *t, bmf_train_plan *plan)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    const bmf_memory_sizes sizes = {
        .users = shard->users,
        .train = bmf_csr_count(&shard->train.matrix),
        .val = bmf_csr_count(&shard->val.matrix),
        .items = shard->items,
        .stride = t->model.stride,
        .merge = merge_settings(t),
        .copies = t->copies.count,
        .ranks = (int)bmf_trainer_ranks(t),
        .hosts = planned_hosts(t),
        .W_bytes = weight_bytes(&t->model),
        .feature_bytes = feature_bytes(t),
        .content_bytes = content_bytes(t) + user_content_bytes(t),
        .user_feature_bytes = user_feature_bytes(t),
        .rate_bytes = t->rates.user
                          ? bmf_rates_bytes(shard->users, shard->items,
                                            (t->rates.feature ? shard->rows.features : 0) + t->rates.user_features)
                          : 0,
        .time_bytes = bmf_time_effects_bytes(t->time.mode, shard->users, shard->items, t->time.bins),
        .time_fit_bytes = bmf_time_fit_bytes(&t->time, bmf_csr_count(&shard->train.matrix)),
    };
    *plan = (bmf_train_plan){.merges_per_epoch = o->merges_per_epoch,
                             .copies = t->copies.count == o->threads,
                             .hosts = planned_hosts(t),
                             .train = sizes.train,
                             .val = sizes.val,
                             .users = sizes.users,
                             .sides = sides_of(t),
                             .sum_bytes = bmf_user_embed_sum_bytes(&t->user_embed),
                             .merged_rows = bmf_merge_rows(t->merge)};
    plan->memory = bmf_memory_plan_of(&sizes);
    const double mine = (double)bmf_memory_plan_total(&plan->memory);
    double most = mine, owner = bmf_comm_rank(t->comm);
    bmf_comm_max_double(t->comm, &most, 1);
    if (mine < most)
        owner = bmf_comm_size(t->comm);
    bmf_comm_min_double(t->comm, &owner, 1);
    bmf_comm_broadcast(t->comm, plan, (int64_t)sizeof *plan, (int)owner);
}

void bmf_trainer_describe(const bmf_trainer *t, bmf_model_meta *meta)
{
    const bmf_train_options *o = &t->options;
    const bmf_epoch_record none = {.val_mse = NAN, .val_rmse = NAN}; /* not one was finished */
    const bmf_epoch_record *best = t->best_epoch > 0 ? &t->history[t->best_epoch - 1] : &none;
    *meta = (bmf_model_meta){
        .users = t->shard.all_users,
        .items = t->shard.items,
        .features = t->model.features,
        .factors = o->factors,
        .content = o->content,
        .global_mean = t->shard.mean,
        .content_weight = o->content_weight,
        .learning_rate = o->learning_rate,
        .bias_learning_rate = o->bias_learning_rate,
        .learning_rate_decay = o->learning_rate_decay,
        .regularization_scaling = o->regularization_scaling,
        .regularization = o->regularization,
        .bias_regularization = o->bias_regularization,
        .user_regularization = o->user_regularization,
        .item_regularization = o->item_regularization,
        .user_bias_regularization = o->user_bias_regularization,
        .item_bias_regularization = o->item_bias_regularization,
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
        .user_features = t->model.user_features,
        .implicit_feedback = t->model.implicit > 0,
        .user_content_weight = t->model.user_features > 0 ? o->user_content_weight : 0,
        .time_effects = t->time.mode,
        .time_bins = t->time.bins,
        .time_first = t->time.first,
        .time_last = t->time.last,
        .time_item_damping = t->time.item_effect ? o->time_item_damping : 0,
        .time_user_damping = t->time.user_slope ? o->time_user_damping : 0,
    };
    strncpy(meta->dataset, bmf_base_name(bmf_dataset_file_path(t->file)), sizeof meta->dataset - 1);
    strncpy(meta->schedule, bmf_schedule_name(o->schedule), sizeof meta->schedule - 1);
    meta->hosts = planned_hosts(t);
    strncpy(meta->merge_precision, bmf_merge_precision_name(o->merge_precision), sizeof meta->merge_precision - 1);
    strncpy(meta->merge, bmf_merge_rule_name(o->merge), sizeof meta->merge - 1);
}
