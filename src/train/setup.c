#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/rng.h"
#include "train/auto_merges.h"
#include "train/sums.h"

static void describe_sweep(bmf_trainer *t)
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
static int plan_merges(bmf_trainer *t, bmf_error *err)
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

/* Everything that may fail locally before the first epoch. */
static int allocate(bmf_trainer *t, bmf_error *err)
{
    const bmf_shard *shard = &t->shard;
    const bmf_train_options *o = &t->options;
    const bool blended = o->content != BMF_CONTENT_NONE;
    const bmf_content_pattern *pattern = blended ? &t->pattern : NULL;
    int status = blended ? find_weights(t, err) : BMF_OK;
    if (status == BMF_OK)
        status = bmf_model_create(&t->model, shard->first_user, shard->users, shard->items, o->factors, pattern, err);
    if (status == BMF_OK)
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
    bmf_trainer_measure_P(t);
    t->state.learning_rate = t->options.learning_rate;
    return BMF_OK;
}

void bmf_trainer_end_epochs(bmf_trainer *t)
{
    bmf_merge_destroy(&t->merge);
    bmf_epoch_destroy(&t->epoch);
    bmf_item_copies_clear(&t->copies);
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
    bmf_dataset_file_close(&t->file);
}

static int64_t weight_bytes(const bmf_model *model)
{
    if (!model->W)
        return 0;
    return model->pattern->indptr[model->users] * (int64_t)sizeof(float) + model->users * 2 * (int64_t)sizeof(double);
}

/* Content rows, the pattern of the weights and the slots. */
static int64_t content_bytes(const bmf_trainer *t)
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
