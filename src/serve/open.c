#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/scores.h"
#include "serve/serve.h"

/* HDF5 as it is usually built must not be used by two threads at once. */
static pthread_mutex_t one_reader = PTHREAD_MUTEX_INITIALIZER;

static int compare_names(const void *a, const void *b, void *names)
{
    const int64_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    return bmf_ids_compare_text(bmf_strings_get(names, i), bmf_strings_length(names, i), bmf_strings_get(names, j),
                                bmf_strings_length(names, j));
}

static int rank_features(blendmf_model *model, bmf_error *err)
{
    const int64_t features = model->feature.count;
    model->feature_rank = bmf_alloc(features, sizeof *model->feature_rank, "order of features", err);
    if (!model->feature_rank)
        return BMF_ERR_MEMORY;
    for (int64_t f = 0; f < features; f++)
        model->feature_rank[f] = (int32_t)f;
    if (features > 0)
        qsort_r(model->feature_rank, (size_t)features, sizeof *model->feature_rank, compare_names, &model->feature);
    return BMF_OK;
}

/* What an item's prediction rests on if it has no ratings: its content, if that counts in this model. */
static blendmf_basis basis_without_ratings(const blendmf_model *model, const bmf_csr *content, int64_t item)
{
    const bool counts = model->meta.content != BMF_CONTENT_NONE && model->meta.content_weight != 0;
    return counts && content->indptr[item + 1] > content->indptr[item] ? BLENDMF_CONTENT : BLENDMF_BIAS;
}

/* Who has training ratings; a file that does not tell has −1 for all, and they count as trained. */
static int read_bases(bmf_model_file *file, const bmf_csr *content, blendmf_model *model, bmf_error *err)
{
    const int64_t users = model->meta.users, items = model->meta.items;
    int32_t *count = bmf_alloc(users > items ? users : items, sizeof *count, "counts of ratings", err);
    model->user_known = bmf_alloc(users, sizeof *model->user_known, "known users", err);
    model->item_basis = bmf_alloc(items, sizeof *model->item_basis, "known items", err);
    int status = count && model->user_known && model->item_basis ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_model_file_read_user_counts(file, 0, users, count, err);
    for (int64_t u = 0; u < users && status == BMF_OK; u++)
        model->user_known[u] = count[u] != 0;
    if (status == BMF_OK)
        status = bmf_model_file_read_item_counts(file, 0, items, count, err);
    for (int64_t i = 0; i < items && status == BMF_OK; i++)
        model->item_basis[i] = (uint8_t)(count[i] != 0 ? BLENDMF_FACTORS : basis_without_ratings(model, content, i));
    bmf_free(count);
    return status;
}

/* Keeps of the content what answers need. */
static int read_content(bmf_model_file *file, blendmf_model *model, bmf_error *err)
{
    bmf_content content = {0};
    int status = bmf_model_file_read_content(file, &content, err);
    if (status == BMF_OK)
        status = read_bases(file, &content.matrix, model, err);
    if (status == BMF_OK && model->model.W)
        status = bmf_content_scaled(&content.matrix, model->meta.content_weight, &model->content, err);
    if (status == BMF_OK && model->model.W)
        status = bmf_csr_transpose(&model->content, &model->by_feature, "content by features", err);
    if (status == BMF_OK) {
        model->feature = content.feature;
        content.feature = (bmf_strings){0};
        status = rank_features(model, err);
    }
    bmf_content_clear(&content);
    return status;
}

/* Epochs later than the best one left no trace in a model; a checkpoint is as of its last. Without a history: 1, the order of
 * magnitude of what there is. */
static int measure_training(bmf_model_file *file, blendmf_model *model, bmf_error *err)
{
    bmf_epoch_record *history = NULL;
    int64_t epochs = 0;
    int status = bmf_model_file_read_history(file, &history, &epochs, err);
    const int64_t last = bmf_model_file_state(file) ? epochs : model->meta.best_epoch;
    model->training_time = 0;
    for (int64_t e = 0; e < epochs && e < last; e++)
        model->training_time += history[e].learning_rate;
    if (!isfinite(model->training_time) || model->training_time <= 0)
        model->training_time = 1;
    bmf_free(history);
    return status;
}

static int measure_mean_user(blendmf_model *model, bmf_error *err)
{
    const bmf_model *m = &model->model;
    double *mean = model->mean_P = bmf_alloc_zero(m->factors, sizeof *mean, "mean of the users' factors", err);
    int64_t known = 0;
    if (!mean)
        return BMF_ERR_MEMORY;
    for (int64_t u = 0; u < m->users; u++) {
        if (!model->user_known[u])
            continue;
        known++;
        model->mean_user_bias += (double)m->user_bias[u];
        for (int64_t f = 0; f < m->factors; f++)
            mean[f] += (double)m->P[u * m->stride + f];
    }
    for (int64_t f = 0; f < m->factors && known > 0; f++)
        mean[f] /= (double)known;
    if (known > 0)
        model->mean_user_bias /= (double)known;
    return BMF_OK;
}

static int read_model(bmf_model_file *file, blendmf_model *model, bmf_error *err)
{
    model->meta = *bmf_model_file_meta(file);
    int status = bmf_model_load(file, 0, model->meta.users, &model->model, err);
    bmf_free(model->model.own_Q); /* predictions need the sums only */
    bmf_free(model->model.own_bias);
    model->model.own_Q = model->model.own_bias = NULL;
    if (status == BMF_OK)
        status = bmf_model_file_read_users(file, &model->users, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_items(file, &model->items, err);
    if (status == BMF_OK)
        status = read_content(file, model, err);
    if (status == BMF_OK)
        status = bmf_serve_measure_items(model, err);
    if (status == BMF_OK)
        status = measure_training(file, model, err);
    if (status == BMF_OK)
        status = measure_mean_user(model, err);
    return status;
}

int blendmf_open(const char *path, blendmf_model **out, blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_model_file *file = NULL;
    blendmf_model *model = bmf_alloc_zero(1, sizeof *model, "model", &err);
    int status = model ? BMF_OK : BMF_ERR_MEMORY;
    *out = NULL;
    bmf_linalg_begin_threads();
    pthread_mutex_lock(&one_reader);
    if (status == BMF_OK)
        status = bmf_model_file_open(path, &file, &err);
    if (status == BMF_OK)
        status = read_model(file, model, &err);
    bmf_model_file_close(&file);
    pthread_mutex_unlock(&one_reader);
    if (status != BMF_OK)
        blendmf_close(&model);
    *out = model;
    return bmf_serve_finish(status, &err, error);
}

void blendmf_close(blendmf_model **model_at)
{
    blendmf_model *model = *model_at;
    if (!model)
        return;
    bmf_model_clear(&model->model);
    bmf_ids_clear(&model->users);
    bmf_ids_clear(&model->items);
    bmf_csr_clear(&model->content);
    bmf_csr_clear(&model->by_feature);
    bmf_strings_clear(&model->feature);
    bmf_free(model->feature_rank);
    bmf_free(model->user_known);
    bmf_free(model->item_basis);
    bmf_free(model->inverse_norm);
    bmf_free(model->mean_P);
    bmf_free(model);
    *model_at = NULL;
}

blendmf_info blendmf_model_info(const blendmf_model *model)
{
    return (blendmf_info){
        .users = model->meta.users,
        .items = model->meta.items,
        .features = model->meta.features,
        .factors = model->meta.factors,
        .content = bmf_content_mode_name(model->meta.content),
        .global_mean = model->meta.global_mean,
        .rating_min = model->meta.rating_min,
        .rating_max = model->meta.rating_max,
    };
}

static int64_t index_of(const bmf_ids *ids, const char *id)
{
    return id ? bmf_ids_find_text(ids, id, (int64_t)strlen(id)) : -1;
}

int64_t blendmf_user_index(const blendmf_model *model, const char *id)
{
    return index_of(&model->users, id);
}

int64_t blendmf_item_index(const blendmf_model *model, const char *id)
{
    return index_of(&model->items, id);
}

static int id_of(const bmf_ids *ids, int64_t index, char *text, size_t room)
{
    char number[24];
    if (index < 0 || index >= ids->count)
        return -1;
    return snprintf(text, room, "%s", bmf_ids_print(ids, index, number));
}

int blendmf_user_id(const blendmf_model *model, int64_t user, char *text, size_t room)
{
    return id_of(&model->users, user, text, room);
}

int blendmf_item_id(const blendmf_model *model, int64_t item, char *text, size_t room)
{
    return id_of(&model->items, item, text, room);
}

int64_t blendmf_feature_index(const blendmf_model *model, const char *name)
{
    int64_t low = 0, high = model->feature.count;
    const int64_t length = name ? (int64_t)strlen(name) : 0;
    while (name && low < high) {
        const int64_t middle = low + (high - low) / 2, f = model->feature_rank[middle];
        const int order = bmf_ids_compare_text(bmf_strings_get(&model->feature, f),
                                               bmf_strings_length(&model->feature, f), name, length);
        if (order == 0)
            return f;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
