#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5_file.h"
#include "store/model_meta.h"
#include "store/parts.h"
#include "store/roles.h"
#include "store/train_state_io.h"

struct bmf_model_file {
    char *path;
    hid_t id;
    bmf_model_meta meta;
    bool has_state, has_svd;
    bmf_train_state state;
    bmf_h5_array array[BMF_ROLES]; /* open and checked; id −1 where the model has none */
    bmf_h5_csr weights;            /* W; no group where the model has none */
};

static int check_complete(hid_t file, bmf_error *err)
{
    int64_t mark = 0;
    htri_t exists = H5Aexists(file, "complete");
    if (exists < 0)
        return bmf_h5_fail(err, file, NULL, "cannot be read");
    int status = exists ? bmf_h5_read_attribute(file, "complete", BMF_H5_INT64, 1, &mark, err) : BMF_OK;
    if (status == BMF_OK && mark != 1)
        status = bmf_fail(err, BMF_ERR_IO, "the model was not completed: its writer was interrupted");
    return status;
}

static int open_array(bmf_model_file *file, const hid_t *group, bmf_role role, bmf_error *err)
{
    bmf_extent extent = bmf_role_extent(&file->meta, bmf_model_file_state(file), role);
    if (extent.columns == 0)
        return BMF_OK;
    bmf_h5_array *array = &file->array[role];
    int status = bmf_h5_array_open(group[bmf_role_group_of(role)], bmf_role_leaf(role), bmf_role_type(role),
                                   bmf_role_is_matrix(role), array, err);
    if (status != BMF_OK || (array->rows == extent.rows && array->columns == extent.columns))
        return status;
    return bmf_fail(err, BMF_ERR_INPUT, "/%s: is %" PRId64 " x %" PRId64 ", the attributes say %" PRId64 " x %" PRId64,
                    bmf_role_name(role), array->rows, array->columns, extent.rows, extent.columns);
}

/* The attributes of a checkpoint's state, and its groups. */
static int open_state(bmf_model_file *file, hid_t *group, bmf_error *err)
{
    int status = bmf_h5_exists(file->id, "state", &file->has_state, err);
    if (status == BMF_OK && file->has_state)
        status = bmf_h5_group_open(file->id, "state", &group[BMF_GROUP_STATE], err);
    if (status == BMF_OK && file->has_state)
        status = bmf_train_state_read(group[BMF_GROUP_STATE], &file->meta, &file->state, err);
    if (status == BMF_OK && file->has_state && file->state.best)
        status = bmf_h5_group_open(group[BMF_GROUP_STATE], "best", &group[BMF_GROUP_BEST], err);
    return status;
}

static int open_arrays(bmf_model_file *file, bmf_error *err)
{
    hid_t group[BMF_ROLE_GROUPS] = {file->id, -1, -1, -1};
    int status = open_state(file, group, err);
    if (status == BMF_OK && file->meta.time_effects != BMF_TIME_NONE)
        status = bmf_h5_group_open(file->id, "time", &group[BMF_GROUP_TIME], err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        status = open_array(file, group, (bmf_role)role, err);
    bmf_h5_close(&group[BMF_GROUP_TIME]);
    bmf_h5_close(&group[BMF_GROUP_BEST]);
    bmf_h5_close(&group[BMF_GROUP_STATE]);
    return status;
}

static int check_ids(hid_t file, const char *name, int64_t wanted, bmf_error *err)
{
    int64_t count;
    int status = bmf_h5_count_ids(file, name, &count, err);
    if (status == BMF_OK && count != wanted)
        status = bmf_fail(err, BMF_ERR_INPUT, "/%s/id: has %" PRId64 " ids, the attribute '%s' says %" PRId64, name,
                          count, name, wanted);
    return status;
}

/* Content rows of `rows` rows, if there are features. */
static int check_content(const bmf_model_file *file, const char *name, int64_t rows, int64_t features, bmf_error *err)
{
    bmf_h5_csr csr;
    if (features == 0)
        return BMF_OK;
    int status = bmf_h5_csr_open(file->id, name, rows, features, &csr, err);
    bmf_h5_csr_close(&csr);
    return status;
}

static int check_parts(bmf_model_file *file, bmf_error *err)
{
    int status = check_complete(file->id, err);
    if (status == BMF_OK)
        status = bmf_model_meta_read(file->id, &file->meta, err);
    if (status == BMF_OK)
        status = check_ids(file->id, "users", file->meta.users, err);
    if (status == BMF_OK)
        status = check_ids(file->id, "items", file->meta.items, err);
    if (status == BMF_OK)
        status = check_content(file, "content", file->meta.items, file->meta.features, err);
    if (status == BMF_OK)
        status = check_content(file, "user_content", file->meta.users, file->meta.user_features, err);
    if (status == BMF_OK && file->meta.features > 0)
        status = bmf_h5_exists(file->id, "content_svd", &file->has_svd, err);
    if (status == BMF_OK)
        status = open_arrays(file, err);
    if (status == BMF_OK && bmf_model_meta_has_weights(&file->meta))
        status = bmf_h5_csr_open(file->id, "W", file->meta.users, file->meta.features, &file->weights, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", file->path);
    return status;
}

int bmf_model_file_check_signature(const char *path, bmf_error *err)
{
    const int status = bmf_h5_file_check_signature(path, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", path);
    return status;
}

int bmf_model_file_open(const char *path, bmf_model_file **out, bmf_error *err)
{
    *out = NULL;
    bmf_model_file *file = bmf_alloc_zero(1, sizeof *file, "model", err);
    if (!file)
        return BMF_ERR_MEMORY;
    file->id = -1;
    file->weights = (bmf_h5_csr)BMF_H5_CSR_INIT;
    for (int role = 0; role < BMF_ROLES; role++)
        file->array[role] = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    file->path = bmf_copy_string(path, "path", err);
    int status = file->path ? bmf_h5_file_open(path, BMF_H5_MODEL, &file->id, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = check_parts(file, err);
    if (status != BMF_OK)
        bmf_model_file_close(&file);
    *out = file;
    return status;
}

void bmf_model_file_close(bmf_model_file **file_at)
{
    bmf_model_file *file = *file_at;
    if (!file)
        return;
    for (int role = 0; role < BMF_ROLES; role++)
        (void)bmf_h5_array_close(&file->array[role], NULL);
    bmf_h5_csr_close(&file->weights);
    bmf_h5_close(&file->id);
    bmf_free(file->path);
    bmf_free(file);
    *file_at = NULL;
}

const bmf_model_meta *bmf_model_file_meta(const bmf_model_file *file)
{
    return &file->meta;
}

const bmf_train_state *bmf_model_file_state(const bmf_model_file *file)
{
    return file->has_state ? &file->state : NULL;
}

static int finish(const bmf_model_file *file, int status, bmf_error *err)
{
    if (status != BMF_OK)
        bmf_context(err, "%s", file->path);
    return status;
}

int bmf_model_file_read_users(bmf_model_file *file, bmf_ids *out, bmf_error *err)
{
    return finish(file, bmf_h5_read_ids(file->id, "users", file->meta.users, out, err), err);
}

int bmf_model_file_read_items(bmf_model_file *file, bmf_ids *out, bmf_error *err)
{
    return finish(file, bmf_h5_read_ids(file->id, "items", file->meta.items, out, err), err);
}

int bmf_model_file_read_content(bmf_model_file *file, bmf_content *out, bmf_error *err)
{
    *out = (bmf_content){0};
    if (file->meta.features == 0) /* not stored: items without features */
        return finish(file, bmf_csr_create(&out->matrix, file->meta.items, 0, 0, "content", err), err);
    return finish(file, bmf_h5_read_content(file->id, "content", file->meta.items, file->meta.features, out, err), err);
}

int bmf_model_file_read_user_content(bmf_model_file *file, bmf_content *out, bmf_error *err)
{
    const int64_t users = file->meta.users, features = file->meta.user_features;
    *out = (bmf_content){0};
    return features ? finish(file, bmf_h5_read_content(file->id, "user_content", users, features, out, err), err)
                    : BMF_OK;
}

int64_t bmf_model_file_content_svd(const bmf_model_file *file)
{
    return file->has_svd ? file->meta.features : 0;
}

int bmf_model_file_read_projection(bmf_model_file *file, bmf_projection *out, bmf_error *err)
{
    *out = (bmf_projection){.rank = 0};
    return file->has_svd ? finish(file, bmf_h5_read_projection(file->id, file->meta.features, out, err), err) : BMF_OK;
}

static int read_some_counts(hid_t group, int64_t rows, int64_t first, int64_t count, int32_t *out, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_open(group, "ratings", BMF_H5_INT32, false, &array, err);
    if (status != BMF_OK)
        return status;
    status = bmf_h5_array_expect_rows(&array, rows, "one for each id", err);
    if (status == BMF_OK)
        status = bmf_h5_array_read(&array, first, count, out, err);
    for (int64_t i = 0; i < count && status == BMF_OK; i++)
        if (out[i] < 0)
            status = bmf_fail(err, BMF_ERR_INPUT, "ratings: row %" PRId64 " says %" PRId32 ", 0 or more is allowed",
                              first + i, out[i]);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

static int read_counts(bmf_model_file *file, const char *name, int64_t rows, int64_t first, int64_t count, int32_t *out,
                       bmf_error *err)
{
    hid_t group = -1;
    bool told = false;
    int status = bmf_h5_group_open(file->id, name, &group, err);
    if (status == BMF_OK)
        status = bmf_h5_exists(group, "ratings", &told, err);
    if (status == BMF_OK && told)
        status = read_some_counts(group, rows, first, count, out, err);
    for (int64_t i = 0; i < count && !told; i++)
        out[i] = -1;
    bmf_h5_close(&group);
    return finish(file, status, err);
}

int bmf_model_file_read_user_counts(bmf_model_file *file, int64_t first, int64_t count, int32_t *out, bmf_error *err)
{
    return read_counts(file, "users", file->meta.users, first, count, out, err);
}

int bmf_model_file_read_item_counts(bmf_model_file *file, int64_t first, int64_t count, int32_t *out, bmf_error *err)
{
    return read_counts(file, "items", file->meta.items, first, count, out, err);
}

static int open_history(bmf_model_file *file, hid_t *group, int64_t *count, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_group_open(file->id, "history", group, err);
    if (status == BMF_OK)
        status = bmf_h5_array_open(*group, bmf_history_fields[0].name, bmf_history_fields[0].type, false, &array, err);
    if (status != BMF_OK)
        return status;
    *count = array.rows;
    if (file->has_state && array.rows != file->state.epoch)
        status = bmf_fail(err, BMF_ERR_INPUT, "/history: has %" PRId64 " epochs, the state says %" PRId64, array.rows,
                          file->state.epoch);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

static int read_column(hid_t group, const bmf_h5_field *field, int64_t count, uint64_t *column,
                       bmf_epoch_record *record, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_open(group, field->name, field->type, false, &array, err);
    if (status != BMF_OK)
        return status;
    status = bmf_h5_array_expect_rows(&array, count, "one for each epoch", err);
    if (status == BMF_OK)
        status = bmf_h5_array_read(&array, 0, count, column, err);
    for (int64_t i = 0; i < count && status == BMF_OK; i++)
        memcpy((char *)&record[i] + field->offset, &column[i], sizeof column[i]);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

int bmf_model_file_read_history(bmf_model_file *file, bmf_epoch_record **out, int64_t *count, bmf_error *err)
{
    hid_t group = -1;
    bmf_epoch_record *record = NULL;
    uint64_t *column = NULL;
    *out = NULL;
    *count = 0;
    int64_t epochs = 0;
    int status = open_history(file, &group, &epochs, err);
    if (status != BMF_OK)
        goto done;
    record = bmf_alloc_zero(epochs, sizeof *record, "history", err);
    column = bmf_alloc(epochs, sizeof *column, "history", err);
    status = record && column ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t f = 0; f < bmf_history_field_count && status == BMF_OK; f++)
        status = read_column(group, &bmf_history_fields[f], epochs, column, record, err);
    if (status == BMF_OK) {
        *out = record;
        *count = epochs;
        record = NULL;
    }
done:
    bmf_free(record);
    bmf_free(column);
    bmf_h5_close(&group);
    return finish(file, status, err);
}

/* Index of the first value that is NaN or infinite, or −1. The exponent is all ones for those, which vectorises. */
static int64_t find_not_finite(const float *value, int64_t count)
{
    uint32_t bad = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &value[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    for (int64_t i = 0; i < count && bad; i++)
        if (!isfinite(value[i]))
            return i;
    return -1;
}

static int64_t find_not_finite_double(const double *value, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(value[i]))
            return i;
    return -1;
}

/* Ranges of time follow each other. */
static int check_ranges(int64_t first, const double *begin, int64_t count, bmf_error *err)
{
    for (int64_t b = 1; b < count; b++)
        if (begin[b] < begin[b - 1])
            return bmf_fail(err, BMF_ERR_INPUT, "/%s: range %" PRId64 " begins before the one in front of it",
                            bmf_role_name(BMF_ROLE_TIME_BEGIN), first + b);
    return BMF_OK;
}

int bmf_model_file_read_rows(bmf_model_file *file, bmf_role role, int64_t first, int64_t rows, void *out,
                             bmf_error *err)
{
    const bmf_h5_array *array = &file->array[role];
    int status;
    if (array->id < 0)
        status = bmf_fail(err, BMF_ERR_INTERNAL, "a model of this kind has no %s", bmf_role_name(role));
    else
        status = bmf_h5_array_read(array, first, rows, out, err);
    if (status == BMF_OK) {
        const int64_t count = rows * array->columns;
        int64_t at = array->type == BMF_H5_FLOAT64 ? find_not_finite_double(out, count) : find_not_finite(out, count);
        if (at >= 0)
            status = bmf_fail(err, BMF_ERR_INPUT, "/%s: the value in row %" PRId64 ", column %" PRId64 " is not finite",
                              bmf_role_name(role), first + at / array->columns, at % array->columns);
        else if (role == BMF_ROLE_TIME_BEGIN)
            status = check_ranges(first, out, rows, err);
    }
    return finish(file, status, err);
}

int64_t bmf_model_file_weights(const bmf_model_file *file)
{
    return file->weights.count;
}

int bmf_model_file_read_weights(bmf_model_file *file, int64_t first, int64_t last, bmf_csr *out, bmf_error *err)
{
    int64_t begin;
    *out = (bmf_csr){0};
    if (file->weights.group < 0)
        return finish(file, bmf_fail(err, BMF_ERR_INTERNAL, "a model of this kind has no W"), err);
    int status = bmf_h5_csr_read(&file->weights, first, last, out, &begin, err);
    if (status == BMF_OK)
        status = bmf_h5_check_ascending("W", out, first, err);
    if (status != BMF_OK)
        bmf_csr_clear(out);
    return finish(file, status, err);
}
