#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5_file.h"
#include "store/model_meta.h"
#include "store/parts.h"
#include "store/roles.h"
#include "store/train_state_io.h"

#define SLACK ((int64_t)512 << 10) /* object headers, attributes, history */

struct bmf_model_writer {
    char *path; /* as given, for messages */
    bmf_atomic_file place;
    hid_t file;
    int64_t bytes;    /* reserved */
    bool handed_over; /* the file is closed, its rows are written by others */
    bmf_model_meta meta;
    const bmf_train_state *state; /* borrowed while it is created; NULL for a model that is no checkpoint */
    hid_t group[BMF_ROLE_GROUPS]; /* that of the root is the file; −1 where there is none */
    bmf_h5_array array[BMF_ROLES];
    uint64_t *seen[BMF_ROLES];  /* a bit per row written */
    int64_t missing[BMF_ROLES]; /* rows still to come */
    bmf_h5_csr_rows weights;    /* W; no group if the model has none */
    bool has_history;
};

static int check_inputs(const bmf_model_meta *meta, const bmf_ids *users, const bmf_ids *items,
                        const bmf_content *content, bmf_error *err)
{
    int status = bmf_model_meta_check(meta, err);
    if (status != BMF_OK)
        return status;
    if (users->count != meta->users || items->count != meta->items)
        return bmf_fail(err, BMF_ERR_INTERNAL,
                        "%" PRId64 " user ids and %" PRId64 " item ids for %" PRId64 " users and %" PRId64 " items",
                        users->count, items->count, meta->users, meta->items);
    int64_t features = content ? content->matrix.columns : 0;
    if (meta->features > 0 && features != meta->features)
        return bmf_fail(err, BMF_ERR_INTERNAL, "content with %" PRId64 " features for a model with %" PRId64, features,
                        meta->features);
    return BMF_OK;
}

static int64_t estimate(const bmf_model_meta *meta, const bmf_ids *users, const bmf_ids *items,
                        const bmf_content *content, int64_t weights, const bmf_train_state *state)
{
    int64_t bytes = SLACK + bmf_h5_estimate_ids(users) + bmf_h5_estimate_ids(items) +
                    bmf_h5_estimate(meta->users, sizeof(int32_t)) + bmf_h5_estimate(meta->items, sizeof(int32_t));
    for (int role = 0; role < BMF_ROLES; role++) {
        bmf_extent extent = bmf_role_extent(meta, state, (bmf_role)role);
        bytes += bmf_h5_estimate(extent.rows * extent.columns, bmf_role_size((bmf_role)role));
    }
    if (meta->features > 0)
        bytes += bmf_h5_estimate_csr(meta->items, bmf_csr_count(&content->matrix)) +
                 bmf_h5_estimate_strings(&content->feature) + bmf_h5_estimate(meta->features, sizeof *content->idf);
    if (bmf_model_meta_has_weights(meta))
        bytes += bmf_h5_estimate_csr(meta->users, weights);
    return bytes;
}

static int create_array(bmf_model_writer *writer, bmf_role role, bmf_error *err)
{
    bmf_extent extent = bmf_role_extent(&writer->meta, writer->state, role);
    if (extent.columns == 0)
        return BMF_OK;
    bmf_h5_shape shape = {extent.rows, bmf_role_is_matrix(role) ? extent.columns : -1};
    int status = bmf_h5_array_create(writer->group[bmf_role_group_of(role)], bmf_role_leaf(role), bmf_role_type(role),
                                     0, shape, false, &writer->array[role], err);
    if (status != BMF_OK)
        return status;
    writer->missing[role] = extent.rows;
    writer->seen[role] = bmf_alloc_zero(extent.rows / 64 + 1, sizeof(uint64_t), "model writer", err);
    return writer->seen[role] ? BMF_OK : BMF_ERR_MEMORY;
}

/* The groups of a checkpoint, with the attributes of its state, and that of effects of time. */
static int create_groups(bmf_model_writer *writer, bmf_error *err)
{
    int status = BMF_OK;
    writer->group[BMF_GROUP_ROOT] = writer->file;
    if (writer->state)
        status = bmf_h5_group_create(writer->file, "state", &writer->group[BMF_GROUP_STATE], err);
    if (writer->state && status == BMF_OK)
        status = bmf_train_state_write(writer->group[BMF_GROUP_STATE], writer->state, err);
    if (writer->state && writer->state->best && status == BMF_OK)
        status = bmf_h5_group_create(writer->group[BMF_GROUP_STATE], "best", &writer->group[BMF_GROUP_BEST], err);
    if (writer->meta.time_effects != BMF_TIME_NONE && status == BMF_OK)
        status = bmf_h5_group_create(writer->file, "time", &writer->group[BMF_GROUP_TIME], err);
    return status;
}

static int create_parts(bmf_model_writer *writer, const bmf_ids *users, const bmf_ids *items,
                        const bmf_content *content, int64_t weights, bmf_error *err)
{
    int status = bmf_model_meta_write(writer->file, &writer->meta, err);
    if (status == BMF_OK)
        status = bmf_h5_write_ids(writer->file, "users", users, NULL, err);
    if (status == BMF_OK)
        status = bmf_h5_write_ids(writer->file, "items", items, NULL, err);
    if (status == BMF_OK && writer->meta.features > 0)
        status = bmf_h5_write_content(writer->file, "content", writer->meta.items, content, err);
    if (status == BMF_OK)
        status = create_groups(writer, err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        status = create_array(writer, (bmf_role)role, err);
    if (status == BMF_OK && bmf_model_meta_has_weights(&writer->meta))
        status = bmf_h5_csr_create(writer->file, "W", writer->meta.users, writer->meta.features, weights,
                                   &writer->weights, err);
    return status;
}

static bmf_model_writer *new_writer(const char *path, const bmf_model_meta *meta, bmf_error *err)
{
    bmf_model_writer *writer = bmf_alloc_zero(1, sizeof *writer, "model writer", err);
    if (!writer)
        return NULL;
    writer->file = -1;
    writer->place = (bmf_atomic_file)BMF_ATOMIC_FILE_INIT;
    writer->meta = *meta;
    writer->weights = (bmf_h5_csr_rows)BMF_H5_CSR_ROWS_INIT;
    for (int role = 0; role < BMF_ROLES; role++)
        writer->array[role] = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    for (int g = 0; g < BMF_ROLE_GROUPS; g++)
        writer->group[g] = -1;
    writer->path = bmf_copy_string(path, "path", err);
    if (!writer->path)
        bmf_model_writer_abandon(&writer);
    return writer;
}

int bmf_model_writer_create(const char *path, const bmf_model_meta *meta, const bmf_ids *users, const bmf_ids *items,
                            const bmf_content *content, int64_t weights, const bmf_train_state *state,
                            bmf_model_writer **out, bmf_error *err)
{
    *out = NULL;
    bmf_model_writer *writer = new_writer(path, meta, err);
    if (!writer)
        return BMF_ERR_MEMORY;
    writer->state = state;
    int status = check_inputs(meta, users, items, content, err);
    if (status == BMF_OK)
        status = bmf_atomic_file_create(&writer->place, path, err);
    writer->place.keep_older = state != NULL;
    if (status == BMF_OK)
        status = bmf_h5_file_create(
            &writer->place, BMF_H5_MODEL,
            meta->time_effects == BMF_TIME_NONE ? BMF_H5_MODEL_VERSION : BMF_H5_MODEL_TIME_VERSION,
            writer->bytes = estimate(meta, users, items, content, weights, state), &writer->file, err);
    if (status == BMF_OK)
        status = create_parts(writer, users, items, content, weights, err);
    writer->state = NULL;
    if (status != BMF_OK) {
        bmf_context(err, "%s", path);
        bmf_model_writer_abandon(&writer);
    }
    *out = writer;
    return status;
}

static void mark_rows(bmf_model_writer *writer, bmf_role role, int64_t first, int64_t rows)
{
    for (int64_t row = first; row < first + rows; row++) {
        uint64_t bit = (uint64_t)1 << (row % 64);
        writer->missing[role] -= (writer->seen[role][row / 64] & bit) == 0;
        writer->seen[role][row / 64] |= bit;
    }
}

int bmf_model_writer_rows(bmf_model_writer *writer, bmf_role role, int64_t first, int64_t rows, const void *data,
                          bmf_error *err)
{
    int status;
    if (writer->array[role].id < 0)
        status = bmf_fail(err, BMF_ERR_INTERNAL, "a model of this kind has no %s", bmf_role_name(role));
    else
        status = bmf_h5_array_write(&writer->array[role], first, rows, data, err);
    if (status == BMF_OK)
        mark_rows(writer, role, first, rows);
    else
        bmf_context(err, "%s", writer->path);
    return status;
}

int bmf_model_writer_weights(bmf_model_writer *writer, const bmf_csr *rows, bmf_error *err)
{
    int status;
    if (writer->weights.csr.group < 0)
        status = bmf_fail(err, BMF_ERR_INTERNAL, "a model of this kind has no W");
    else
        status = bmf_h5_csr_append(&writer->weights, rows, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    return status;
}

static int write_counts(hid_t file, const char *name, const int32_t *count, int64_t rows, bmf_error *err)
{
    hid_t group = -1;
    int status = bmf_h5_group_open(file, name, &group, err);
    if (status == BMF_OK)
        status = bmf_h5_write_vector(group, "ratings", BMF_H5_INT32, rows, count, err);
    bmf_h5_close(&group);
    return status;
}

int bmf_model_writer_counts(bmf_model_writer *writer, const int32_t *of_users, const int32_t *of_items, bmf_error *err)
{
    int status = write_counts(writer->file, "users", of_users, writer->meta.users, err);
    if (status == BMF_OK)
        status = write_counts(writer->file, "items", of_items, writer->meta.items, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    return status;
}

int bmf_model_writer_projection(bmf_model_writer *writer, const bmf_projection *projection, bmf_error *err)
{
    writer->bytes += bmf_h5_estimate_projection(projection);
    int status = bmf_atomic_file_reserve(&writer->place, writer->bytes, err);
    if (status == BMF_OK)
        status = bmf_h5_write_projection(writer->file, projection, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    return status;
}

int bmf_model_writer_user_content(bmf_model_writer *writer, const bmf_content *content, bmf_error *err)
{
    const bmf_model_meta *meta = &writer->meta;
    if (content->matrix.rows != meta->users || content->matrix.columns != meta->user_features)
        return bmf_fail(err, BMF_ERR_INTERNAL,
                        "features of users are %" PRId64 " x %" PRId64 " for a model with %" PRId64 " x %" PRId64,
                        content->matrix.rows, content->matrix.columns, meta->users, meta->user_features);
    writer->bytes += bmf_h5_estimate_csr(meta->users, bmf_csr_count(&content->matrix)) +
                     bmf_h5_estimate_strings(&content->feature) +
                     bmf_h5_estimate(meta->user_features, sizeof *content->idf);
    int status = bmf_atomic_file_reserve(&writer->place, writer->bytes, err);
    if (status == BMF_OK)
        status = bmf_h5_write_content(writer->file, "user_content", meta->users, content, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    return status;
}

/* One field of all records as a data set of its own. All fields are 8 bytes. */
static int write_column(hid_t group, const bmf_h5_field *field, const bmf_epoch_record *record, int64_t count,
                        uint64_t *column, bmf_error *err)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(&column[i], (const char *)&record[i] + field->offset, sizeof column[i]);
    return bmf_h5_write_vector(group, field->name, field->type, count, column, err);
}

int bmf_model_writer_history(bmf_model_writer *writer, const bmf_epoch_record *record, int64_t count, bmf_error *err)
{
    hid_t group = -1;
    int status = BMF_OK;
    uint64_t *column = bmf_alloc(count, sizeof *column, "history", err);
    if (!column)
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_h5_group_create(writer->file, "history", &group, err);
    for (int64_t f = 0; f < bmf_history_field_count && status == BMF_OK; f++)
        status = write_column(group, &bmf_history_fields[f], record, count, column, err);
    bmf_free(column);
    bmf_h5_close(&group);
    if (status == BMF_OK)
        writer->has_history = true;
    else
        bmf_context(err, "%s", writer->path);
    return status;
}

static void close_groups(bmf_model_writer *writer)
{
    writer->group[BMF_GROUP_ROOT] = -1;
    for (int g = 0; g < BMF_ROLE_GROUPS; g++)
        bmf_h5_close(&writer->group[g]);
}

static int close_arrays(bmf_model_writer *writer, bmf_error *err)
{
    int status = BMF_OK;
    for (int role = 0; role < BMF_ROLES; role++) {
        if (status == BMF_OK && writer->missing[role] > 0)
            status = bmf_fail(err, BMF_ERR_INTERNAL, "%" PRId64 " rows of %s were never written", writer->missing[role],
                              bmf_role_name((bmf_role)role));
        int closed = bmf_h5_array_close(&writer->array[role], err);
        if (status == BMF_OK)
            status = closed;
    }
    if (status == BMF_OK && writer->weights.csr.group >= 0)
        status = bmf_h5_csr_finish(&writer->weights, err);
    close_groups(writer);
    return status;
}

/* Closes the file and reads it back before it takes the place of another. */
static int finish_file(bmf_model_writer *writer, bmf_error *err)
{
    if (bmf_h5_close(&writer->file) < 0)
        return bmf_h5_fail(err, -1, NULL, "cannot write its last values");
    int status = bmf_atomic_file_sync(&writer->place, err);
    if (status == BMF_OK && bmf_model_file_verify(writer->place.temporary, err) != BMF_OK)
        status = err->status == BMF_ERR_MEMORY ? BMF_ERR_MEMORY : (err->status = BMF_ERR_IO); /* not what was written */
    return status == BMF_OK ? bmf_atomic_file_commit(&writer->place, err) : status;
}

/* The arrays were created without values, and stay so. */
int bmf_model_writer_hand_over(bmf_model_writer *writer, const char **temporary, int64_t *bytes, bmf_error *err)
{
    int status = writer->has_history ? BMF_OK : bmf_model_writer_history(writer, NULL, 0, err);
    for (int role = 0; role < BMF_ROLES; role++)
        (void)bmf_h5_array_close(&writer->array[role], NULL);
    bmf_h5_csr_close(&writer->weights.csr);
    close_groups(writer);
    if (bmf_h5_close(&writer->file) < 0 && status == BMF_OK)
        status = bmf_h5_fail(err, -1, NULL, "cannot write its last values");
    if (status == BMF_OK && writer->place.failure)
        status = bmf_fail(err, BMF_ERR_IO, "cannot write: %s", strerror(writer->place.failure));
    if (status == BMF_OK) /* again: closing gave back what lies past the end */
        status = bmf_atomic_file_reserve(&writer->place, writer->bytes, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    writer->handed_over = true;
    *temporary = writer->place.temporary;
    *bytes = writer->bytes;
    return status;
}

/* Everything that is still to be written. */
static int complete(bmf_model_writer *writer, bmf_error *err)
{
    const int64_t mark = 1;
    int status = writer->has_history ? BMF_OK : bmf_model_writer_history(writer, NULL, 0, err);
    if (status == BMF_OK)
        status = close_arrays(writer, err);
    if (status == BMF_OK)
        status = bmf_h5_write_attribute(writer->file, "complete", BMF_H5_INT64, 1, &mark, err);
    return status;
}

int bmf_model_writer_commit(bmf_model_writer **writer_at, bmf_error *err)
{
    bmf_model_writer *writer = *writer_at;
    int status = writer->handed_over ? BMF_OK : complete(writer, err);
    if (status == BMF_OK)
        status = finish_file(writer, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", writer->path);
    bmf_model_writer_abandon(writer_at); /* after a success nothing is left to remove */
    return status;
}

void bmf_model_writer_abandon(bmf_model_writer **writer_at)
{
    bmf_model_writer *writer = *writer_at;
    if (!writer)
        return;
    for (int role = 0; role < BMF_ROLES; role++) {
        (void)bmf_h5_array_close(&writer->array[role], NULL);
        bmf_free(writer->seen[role]);
    }
    bmf_h5_csr_close(&writer->weights.csr);
    close_groups(writer);
    bmf_h5_file_discard(&writer->place, &writer->file);
    bmf_free(writer->path);
    bmf_free(writer);
    *writer_at = NULL;
}
