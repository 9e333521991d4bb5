#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "store/dataset_parts.h"

/* Adds one array: its type and extents, then its values piece by piece, so that memory stays bounded. */
static int digest_array(const bmf_h5_array *array, XXH3_state_t *state, bmf_error *err)
{
    int64_t head[4] = {array->type, (int64_t)array->text_size, array->rows, array->columns};
    int64_t piece = bmf_h5_array_piece(array);
    size_t size = array->type == BMF_H5_TEXT ? array->text_size : bmf_h5_type_size(array->type);
    void *buffer = bmf_alloc(piece, size * (size_t)array->columns, "fingerprint", err);
    int status = buffer ? BMF_OK : BMF_ERR_MEMORY;
    XXH3_64bits_update(state, head, sizeof head);
    for (int64_t i = 0; i < array->rows && status == BMF_OK; i += piece) {
        int64_t count = array->rows - i < piece ? array->rows - i : piece;
        status = bmf_h5_array_read(array, i, count, buffer, err);
        if (status == BMF_OK)
            XXH3_64bits_update(state, buffer, (size_t)count * size * (size_t)array->columns);
    }
    bmf_free(buffer);
    return status;
}

static int digest_ids(hid_t file, const char *name, int64_t count, XXH3_state_t *state, bmf_error *err)
{
    bmf_ids ids;
    int status = bmf_h5_read_ids(file, name, count, &ids, err);
    if (status != BMF_OK)
        return status;
    int64_t head[2] = {ids.kind, ids.count};
    XXH3_64bits_update(state, head, sizeof head);
    if (ids.kind == BMF_ID_INT64)
        XXH3_64bits_update(state, ids.number, (size_t)ids.count * sizeof *ids.number);
    else if (ids.count > 0)
        XXH3_64bits_update(state, ids.text.bytes, (size_t)ids.text.offset[ids.count]);
    bmf_ids_clear(&ids);
    return BMF_OK;
}

static int digest_csr(const bmf_h5_csr *csr, XXH3_state_t *state, bmf_error *err)
{
    int64_t shape[2] = {csr->rows, csr->columns};
    XXH3_64bits_update(state, shape, sizeof shape);
    int status = digest_array(&csr->indptr, state, err);
    if (status == BMF_OK)
        status = digest_array(&csr->indices, state, err);
    if (status == BMF_OK)
        status = digest_array(&csr->data, state, err);
    return status;
}

static int digest_split(const bmf_dataset_file *file, bmf_split split, XXH3_state_t *state, bmf_error *err)
{
    bmf_h5_csr csr;
    bmf_h5_array timestamp = BMF_H5_ARRAY_INIT;
    int status = bmf_dataset_file_open_split(file, split, &csr, err);
    if (status == BMF_OK)
        status = digest_csr(&csr, state, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_open_timestamp(&csr, &timestamp, err);
    if (status == BMF_OK && timestamp.id >= 0)
        status = digest_array(&timestamp, state, err);
    (void)bmf_h5_array_close(&timestamp, NULL);
    bmf_h5_csr_close(&csr);
    return status;
}

static int digest_content(const bmf_dataset_file *file, const char *name, int64_t rows, int64_t features,
                          XXH3_state_t *state, bmf_error *err)
{
    bmf_h5_csr csr;
    int status = bmf_h5_csr_open(file->id, name, rows, features, &csr, err);
    if (status == BMF_OK)
        status = digest_csr(&csr, state, err);
    bmf_h5_csr_close(&csr);
    return status;
}

static int digest_all(const bmf_dataset_file *file, XXH3_state_t *state, bmf_error *err)
{
    int status = digest_ids(file->id, "users", file->shape.users, state, err);
    if (status == BMF_OK)
        status = digest_ids(file->id, "items", file->shape.items, state, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = digest_split(file, (bmf_split)s, state, err);
    if (status == BMF_OK)
        status = digest_content(file, "content", file->shape.items, file->shape.features, state, err);
    if (status == BMF_OK && file->shape.user_features > 0)
        status = digest_content(file, "user_content", file->shape.users, file->shape.user_features, state, err);
    return status;
}

int bmf_dataset_file_fingerprint(bmf_dataset_file *file, uint64_t *out, bmf_error *err)
{
    *out = 0;
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return bmf_fail(err, BMF_ERR_MEMORY, "%s: no memory for its fingerprint", file->path);
    XXH3_64bits_reset(state);
    int status = digest_all(file, state, err);
    if (status == BMF_OK)
        *out = XXH3_64bits_digest(state);
    else
        bmf_context(err, "%s", file->path);
    XXH3_freeState(state);
    return status;
}
