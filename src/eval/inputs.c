#include "eval/inputs.h"

#include "base/log.h"
#include "base/memory.h"

int64_t bmf_eval_blocks(int64_t users)
{
    return (users + BMF_EVAL_BLOCK - 1) / BMF_EVAL_BLOCK;
}

/* The first `blocks % size` ranks get one block more. */
bmf_eval_range bmf_eval_deal(int64_t users, int rank, int size)
{
    int64_t blocks = bmf_eval_blocks(users), each = blocks / size, more = blocks % size;
    int64_t first = rank * each + (rank < more ? rank : more);
    return (bmf_eval_range){first, first + each + (rank < more)};
}

bmf_eval_range bmf_eval_block_users(int64_t users, bmf_eval_range blocks)
{
    int64_t first = blocks.first * BMF_EVAL_BLOCK, last = blocks.last * BMF_EVAL_BLOCK;
    return (bmf_eval_range){first < users ? first : users, last < users ? last : users};
}

/* train is always needed: the segments and the baselines are defined by it. */
static bool split_needed(const bmf_evaluate_options *options, bmf_split split)
{
    return split == BMF_TRAIN || split == options->split ||
           (options->candidates == BMF_CANDIDATES_ALL && split < options->split);
}

static int read_ratings(bmf_dataset_file *file, const bmf_evaluate_options *options, bool timed, bmf_eval_inputs *out,
                        bmf_error *err)
{
    int status = BMF_OK;
    for (bmf_split split = BMF_TRAIN; split < BMF_SPLITS && status == BMF_OK; split++)
        if (split_needed(options, split))
            status = bmf_dataset_file_read_ratings(file, split, out->user.first, out->user.last,
                                                   timed && split == options->split, &out->ratings[split], err);
    return status;
}

/* item_in_model from the ids of both sides. */
static int map_items(bmf_dataset_file *dataset, bmf_model_file *model, bmf_eval_inputs *out, bmf_error *err)
{
    bmf_ids ours = {0}, theirs = {0};
    int status = bmf_dataset_file_read_items(dataset, &ours, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_items(model, &theirs, err);
    if (status != BMF_OK)
        goto done;
    out->item_in_model = bmf_alloc(ours.count, sizeof *out->item_in_model, "map of items", err);
    if (!out->item_in_model) {
        status = BMF_ERR_MEMORY;
        goto done;
    }
    for (int64_t i = 0; i < ours.count; i++)
        out->item_in_model[i] = (int32_t)bmf_ids_find_same(&theirs, &ours, i);
done:
    bmf_ids_clear(&ours);
    bmf_ids_clear(&theirs);
    return status;
}

/* user_in_model, counted from the first model user found, and the range of model users that covers them all: both lists
 * of ids ascend, so found indices do. */
static int map_users(bmf_dataset_file *dataset, bmf_model_file *model, bmf_eval_inputs *out, bmf_eval_range *covering,
                     bmf_error *err)
{
    bmf_ids ours = {0}, theirs = {0};
    int64_t count = out->user.last - out->user.first;
    *covering = (bmf_eval_range){0, 0};
    int status = bmf_dataset_file_read_users(dataset, &ours, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_users(model, &theirs, err);
    if (status != BMF_OK)
        goto done;
    out->user_in_model = bmf_alloc(count, sizeof *out->user_in_model, "map of users", err);
    if (!out->user_in_model) {
        status = BMF_ERR_MEMORY;
        goto done;
    }
    for (int64_t u = 0; u < count; u++) {
        int64_t found = bmf_ids_find_same(&theirs, &ours, out->user.first + u);
        if (found >= 0 && covering->last == 0)
            covering->first = found;
        if (found >= 0)
            covering->last = found + 1;
        out->user_in_model[u] = found >= 0 ? found - covering->first : -1;
    }
done:
    bmf_ids_clear(&ours);
    bmf_ids_clear(&theirs);
    return status;
}

static int read_model(bmf_model_file *file, bmf_eval_range users, bmf_eval_inputs *out, bmf_error *err)
{
    bmf_content content = {0};
    int status = bmf_model_load(file, users.first, users.last, &out->model, err);
    if (status == BMF_OK)
        status = bmf_time_effects_read(file, users.first, users.last, &out->time, err);
    if (status != BMF_OK || out->model.content == BMF_CONTENT_NONE)
        return status;
    status = bmf_model_file_read_content(file, &content, err);
    if (status == BMF_OK)
        status = bmf_content_scaled(&content.matrix, bmf_model_file_meta(file)->content_weight, &out->content, err);
    bmf_content_clear(&content);
    return status;
}

/* Figures on ratings that the model was trained on, or on another scale, look plausible and mean nothing: say so. */
static int warn_of_other_dataset(bmf_dataset_file *dataset, const bmf_model_meta *meta, bmf_error *err)
{
    uint64_t fingerprint = 0;
    int status = bmf_dataset_file_fingerprint(dataset, &fingerprint, err);
    if (status == BMF_OK && fingerprint != meta->dataset_fingerprint)
        bmf_log_warning("%s is not the data set that the model was trained on (%s): its test ratings may be among the "
                        "model's training ratings",
                        bmf_dataset_file_path(dataset), meta->dataset);
    return status;
}

/* Predictions are then those at no time. */
static void warn_without_times(const bmf_eval_inputs *inputs, const bmf_evaluate_options *options, const char *path)
{
    const bmf_ratings *ratings = &inputs->ratings[options->split];
    if (bmf_csr_count(&ratings->matrix) > 0 && !ratings->timestamp)
        bmf_log_warning("%s has no times of its ratings: the model's effects of time are left out", path);
}

int bmf_eval_inputs_read(const char *model_path, const char *dataset_path, const bmf_evaluate_options *options,
                         int rank, int size, bmf_eval_inputs *out, bmf_error *err)
{
    bmf_dataset_file *dataset = NULL;
    bmf_model_file *model = NULL;
    bmf_eval_range covering;
    *out = (bmf_eval_inputs){0};
    int status = bmf_dataset_file_open(dataset_path, &dataset, err);
    if (status == BMF_OK)
        status = bmf_model_file_open(model_path, &model, err);
    if (status != BMF_OK)
        goto done;
    bmf_dataset_file_use_threads(dataset, (int)options->threads);
    if (rank == 0)
        status = warn_of_other_dataset(dataset, bmf_model_file_meta(model), err);
    if (status != BMF_OK)
        goto done;
    out->shape = bmf_dataset_file_shape(dataset);
    out->blocks = bmf_eval_deal(out->shape.users, rank, size);
    out->user = bmf_eval_block_users(out->shape.users, out->blocks);
    status = map_items(dataset, model, out, err);
    if (status == BMF_OK)
        status = map_users(dataset, model, out, &covering, err);
    const bool timed = bmf_model_file_meta(model)->time_effects != BMF_TIME_NONE;
    if (status == BMF_OK)
        status = read_ratings(dataset, options, timed, out, err);
    if (status == BMF_OK && timed && rank == 0)
        warn_without_times(out, options, dataset_path);
    if (status == BMF_OK)
        status = read_model(model, covering, out, err);
done:
    bmf_model_file_close(&model);
    bmf_dataset_file_close(&dataset);
    if (status != BMF_OK)
        bmf_eval_inputs_clear(out);
    return status;
}

void bmf_eval_inputs_clear(bmf_eval_inputs *inputs)
{
    for (int split = 0; split < BMF_SPLITS; split++)
        bmf_ratings_clear(&inputs->ratings[split]);
    bmf_free(inputs->user_in_model);
    bmf_free(inputs->item_in_model);
    bmf_model_clear(&inputs->model);
    bmf_csr_clear(&inputs->content);
    bmf_time_effects_clear(&inputs->time);
    *inputs = (bmf_eval_inputs){0};
}

double bmf_eval_predict(const bmf_eval_inputs *inputs, int64_t user, int64_t item)
{
    const bmf_csr *content = inputs->content.indptr ? &inputs->content : NULL;
    return bmf_model_predict(&inputs->model, content, inputs->user_in_model[user], inputs->item_in_model[item]);
}

double bmf_eval_predict_without_content(const bmf_eval_inputs *inputs, int64_t user, int64_t item)
{
    bmf_model own = inputs->model; /* a view */
    if (own.own_Q) {
        own.Q = own.own_Q;
        own.item_bias = own.own_bias;
    }
    return bmf_model_predict(&own, NULL, inputs->user_in_model[user], inputs->item_in_model[item]);
}

double bmf_eval_time_effect(const bmf_eval_inputs *inputs, bmf_split split, int64_t user, int64_t e)
{
    const bmf_ratings *ratings = &inputs->ratings[split];
    if (!ratings->timestamp)
        return 0;
    return bmf_time_effect(&inputs->time, inputs->user_in_model[user],
                           inputs->item_in_model[ratings->matrix.indices[e]], ratings->timestamp[e]);
}
