#include "store/model_meta.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The modes by their names, as the file has them. */
typedef struct attributes {
    bmf_model_meta meta;
    char content[16], time_effects[16];
} attributes;

#define META(member, type)                                                                                             \
    {                                                                                                                  \
#member, type, offsetof(attributes, meta) + offsetof(bmf_model_meta, member), 1                                \
    }
#define META_TEXT(member)                                                                                              \
    {                                                                                                                  \
#member, BMF_H5_TEXT, offsetof(attributes, meta) + offsetof(bmf_model_meta, member),                           \
            sizeof(((bmf_model_meta *)0)->member)                                                                      \
    }

static const bmf_h5_field fields[] = {
    META(users, BMF_H5_INT64),
    META(items, BMF_H5_INT64),
    META(features, BMF_H5_INT64),
    META(factors, BMF_H5_INT64),
    {"content", BMF_H5_TEXT, offsetof(attributes, content), 16},
    META(global_mean, BMF_H5_FLOAT64),
    META(content_weight, BMF_H5_FLOAT64),
    META(learning_rate, BMF_H5_FLOAT64),
    META(learning_rate_decay, BMF_H5_FLOAT64),
    META(regularization, BMF_H5_FLOAT64),
    META(bias_regularization, BMF_H5_FLOAT64),
    META(content_regularization, BMF_H5_FLOAT64),
    META(init_std, BMF_H5_FLOAT64),
    META(clip, BMF_H5_FLOAT64),
    META(seed, BMF_H5_INT64),
    META(best_epoch, BMF_H5_INT64),
    META(val_mse, BMF_H5_FLOAT64),
    META(val_rmse, BMF_H5_FLOAT64),
    META(rating_min, BMF_H5_FLOAT64),
    META(rating_max, BMF_H5_FLOAT64),
    META_TEXT(merge),
    META(merges_per_epoch, BMF_H5_INT64),
    META(ranks, BMF_H5_INT64),
    META(threads, BMF_H5_INT64),
    META_TEXT(dataset),
    META(dataset_fingerprint, BMF_H5_UINT64),
    /* younger than the first files: */
    META(bias_learning_rate, BMF_H5_FLOAT64),
    META(user_regularization, BMF_H5_FLOAT64),
    META(item_regularization, BMF_H5_FLOAT64),
    META(user_bias_regularization, BMF_H5_FLOAT64),
    META(item_bias_regularization, BMF_H5_FLOAT64),
    META(regularization_scaling, BMF_H5_FLOAT64),
    META_TEXT(schedule),
    META_TEXT(merge_precision),
    META(hosts, BMF_H5_INT64),
    META(user_features, BMF_H5_INT64),
    META(implicit_feedback, BMF_H5_INT64),
    META(user_content_weight, BMF_H5_FLOAT64),
    /* last, of models with effects of time alone: */
    {"time_effects", BMF_H5_TEXT, offsetof(attributes, time_effects), 16},
    META(time_bins, BMF_H5_INT64),
    META(time_first, BMF_H5_INT64),
    META(time_last, BMF_H5_INT64),
    META(time_item_damping, BMF_H5_FLOAT64),
    META(time_user_damping, BMF_H5_FLOAT64),
};
#define FIELDS ((int64_t)(sizeof fields / sizeof fields[0]))
#define OF_TIME 6
#define YOUNGER (12 + OF_TIME)

#define HISTORY(member, type)                                                                                          \
    {                                                                                                                  \
#member, type, offsetof(bmf_epoch_record, member), 1                                                           \
    }

const bmf_h5_field bmf_history_fields[] = {
    HISTORY(epoch, BMF_H5_INT64),         HISTORY(train_mse, BMF_H5_FLOAT64),
    HISTORY(train_rmse, BMF_H5_FLOAT64),  HISTORY(val_mse, BMF_H5_FLOAT64),
    HISTORY(val_rmse, BMF_H5_FLOAT64),    HISTORY(learning_rate, BMF_H5_FLOAT64),
    HISTORY(seconds, BMF_H5_FLOAT64),     HISTORY(updates_per_second, BMF_H5_FLOAT64),
    HISTORY(merge_share, BMF_H5_FLOAT64),
};
const int64_t bmf_history_field_count = sizeof bmf_history_fields / sizeof bmf_history_fields[0];

static const char *const mode_names[] = {"none", "concat", "embed"};
#define MODES ((int)(sizeof mode_names / sizeof mode_names[0]))

const char *bmf_content_mode_name(bmf_content_mode mode)
{
    return mode_names[mode];
}

const char *bmf_time_mode_name(bmf_time_mode mode)
{
    static const char *const names[BMF_TIME_MODES] = {"none", "items", "users", "both"};
    return names[mode];
}

bool bmf_time_mode_has_items(bmf_time_mode mode)
{
    return mode == BMF_TIME_ITEMS || mode == BMF_TIME_BOTH;
}

bool bmf_time_mode_has_users(bmf_time_mode mode)
{
    return mode == BMF_TIME_USERS || mode == BMF_TIME_BOTH;
}

bool bmf_model_meta_has_weights(const bmf_model_meta *meta)
{
    return meta->content == BMF_CONTENT_CONCAT && meta->features > 0;
}

bool bmf_model_meta_has_user_parts(const bmf_model_meta *meta)
{
    return meta->user_features > 0 || meta->implicit_feedback != 0;
}

int bmf_model_meta_write(hid_t file, const bmf_model_meta *meta, bmf_error *err)
{
    attributes record = {.meta = *meta};
    snprintf(record.content, sizeof record.content, "%s", bmf_content_mode_name(meta->content));
    snprintf(record.time_effects, sizeof record.time_effects, "%s", bmf_time_mode_name(meta->time_effects));
    return bmf_h5_write_checked_fields(file, fields, meta->time_effects == BMF_TIME_NONE ? FIELDS - OF_TIME : FIELDS,
                                       &record, err);
}

static int check_range(const char *name, int64_t value, int64_t least, bmf_error *err)
{
    if (value >= least && value <= INT32_MAX)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_INPUT, "attribute '%s' is %" PRId64 ", %" PRId64 " .. %d are allowed", name, value,
                    least, INT32_MAX);
}

/* The attributes of models with effects of time. */
static int check_time(const bmf_model_meta *meta, bmf_error *err)
{
    if (meta->time_effects == BMF_TIME_NONE)
        return BMF_OK;
    if (meta->time_last < meta->time_first)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'time_last' is %" PRId64 ", before 'time_first' %" PRId64,
                        meta->time_last, meta->time_first);
    return bmf_time_mode_has_items(meta->time_effects) ? check_range("time_bins", meta->time_bins, 1, err) : BMF_OK;
}

int bmf_model_meta_check(const bmf_model_meta *meta, bmf_error *err)
{
    int status = check_range("users", meta->users, 0, err);
    if (status == BMF_OK)
        status = check_range("items", meta->items, 0, err);
    if (status == BMF_OK)
        status = check_range("features", meta->features, 0, err);
    if (status == BMF_OK)
        status = check_range("factors", meta->factors, 1, err);
    if (status == BMF_OK)
        status = check_range("user_features", meta->user_features, 0, err);
    if (status != BMF_OK)
        return status;
    if (meta->implicit_feedback != 0 && meta->implicit_feedback != 1)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'implicit_feedback' is %" PRId64 ", 0 or 1 is allowed",
                        meta->implicit_feedback);
    if (!isfinite(meta->user_content_weight))
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'user_content_weight' is not finite");
    if (meta->content == BMF_CONTENT_NONE && meta->features != 0)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'features' is %" PRId64 ", but 'content' is none",
                        meta->features);
    if (!isfinite(meta->global_mean) || !isfinite(meta->content_weight))
        return bmf_fail(err, BMF_ERR_INPUT, "attribute '%s' is not finite",
                        isfinite(meta->global_mean) ? "content_weight" : "global_mean");
    return check_time(meta, err);
}

/* "" of older files is none. */
static int read_time_mode(const char *text, bmf_time_mode *mode, bmf_error *err)
{
    *mode = BMF_TIME_NONE;
    while (*text && *mode < BMF_TIME_MODES && strcmp(text, bmf_time_mode_name(*mode)) != 0)
        ++*mode;
    if (*mode < BMF_TIME_MODES)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_INPUT, "attribute 'time_effects' is '%s'; none, items, users and both are known",
                    text);
}

static void take_unless_given(double *own, double of_all)
{
    if (isnan(*own))
        *own = of_all;
}

int bmf_model_meta_read(hid_t file, bmf_model_meta *meta, bmf_error *err)
{
    attributes record;
    memset(&record, 0, sizeof record);
    snprintf(record.meta.schedule, sizeof record.meta.schedule, "decay");
    record.meta.hosts = 1;
    snprintf(record.meta.merge_precision, sizeof record.meta.merge_precision, "float32");
    record.meta.bias_learning_rate = NAN;
    record.meta.user_regularization = record.meta.item_regularization = NAN;
    record.meta.user_bias_regularization = record.meta.item_bias_regularization = NAN;
    int status = bmf_h5_read_checked_fields(file, fields, FIELDS - YOUNGER, FIELDS, &record, err);
    if (status != BMF_OK)
        return status;
    int mode = 0;
    while (mode < MODES && strcmp(record.content, mode_names[mode]) != 0)
        mode++;
    if (mode == MODES)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'content' is '%s'; none, concat and embed are known",
                        record.content);
    *meta = record.meta;
    meta->content = (bmf_content_mode)mode;
    status = read_time_mode(record.time_effects, &meta->time_effects, err);
    if (status != BMF_OK)
        return status;
    take_unless_given(&meta->bias_learning_rate, meta->learning_rate);
    take_unless_given(&meta->user_regularization, meta->regularization);
    take_unless_given(&meta->item_regularization, meta->regularization);
    take_unless_given(&meta->user_bias_regularization, meta->bias_regularization);
    take_unless_given(&meta->item_bias_regularization, meta->bias_regularization);
    return bmf_model_meta_check(meta, err);
}
