#include "store/parts.h"

#include <inttypes.h>
#include <math.h>

#include "base/memory.h"

int bmf_h5_write_ids(hid_t parent, const char *name, const bmf_ids *ids, hid_t *group, bmf_error *err)
{
    hid_t own = -1;
    int status = bmf_h5_group_create(parent, name, &own, err);
    if (status == BMF_OK)
        status = ids->kind == BMF_ID_INT64 ? bmf_h5_write_vector(own, "id", BMF_H5_INT64, ids->count, ids->number, err)
                                           : bmf_h5_write_strings(own, "id", &ids->text, false, err);
    if (group && status == BMF_OK)
        *group = own;
    else
        bmf_h5_close(&own);
    return status;
}

/* Opens <parent>/<name>/id, whichever of the two types it has. */
static int open_ids(hid_t parent, const char *name, hid_t *group, bmf_h5_array *array, bmf_error *err)
{
    *array = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    int status = bmf_h5_group_open(parent, name, group, err);
    if (status == BMF_OK)
        status = bmf_h5_require(*group, "id", H5O_TYPE_DATASET, err);
    if (status != BMF_OK)
        return status;
    hid_t id = H5Dopen2(*group, "id", H5P_DEFAULT), type = id < 0 ? -1 : H5Dget_type(id);
    bool text = type >= 0 && H5Tget_class(type) == H5T_STRING;
    bool failed = type < 0;
    if (failed)
        status = bmf_h5_fail(err, *group, "id", "cannot be opened");
    bmf_h5_close(&type);
    bmf_h5_close(&id);
    return failed ? status : bmf_h5_array_open(*group, "id", text ? BMF_H5_TEXT : BMF_H5_INT64, false, array, err);
}

int bmf_h5_count_ids(hid_t parent, const char *name, int64_t *count, bmf_error *err)
{
    hid_t group = -1;
    bmf_h5_array array;
    int status = open_ids(parent, name, &group, &array, err);
    if (status == BMF_OK && array.rows > INT32_MAX) {
        status = bmf_fail(err, BMF_ERR_INPUT, "has %" PRId64 " ids, at most %d are allowed", array.rows, INT32_MAX);
        bmf_h5_context(err, array.id, NULL);
    }
    *count = status == BMF_OK ? array.rows : 0;
    (void)bmf_h5_array_close(&array, NULL);
    bmf_h5_close(&group);
    return status;
}

static int read_numbers(const bmf_h5_array *array, bmf_ids *out, bmf_error *err)
{
    out->number = bmf_alloc(array->rows, sizeof *out->number, "ids", err);
    return out->number ? bmf_h5_array_read(array, 0, array->rows, out->number, err) : BMF_ERR_MEMORY;
}

int bmf_h5_read_ids(hid_t parent, const char *name, int64_t count, bmf_ids *out, bmf_error *err)
{
    hid_t group = -1;
    bmf_h5_array array;
    *out = (bmf_ids){0};
    int status = open_ids(parent, name, &group, &array, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(&array, count, "one for each row of the matrices", err);
    if (status == BMF_OK) {
        out->kind = array.type == BMF_H5_TEXT ? BMF_ID_STRING : BMF_ID_INT64;
        out->count = array.rows;
        status = out->kind == BMF_ID_INT64
                     ? read_numbers(&array, out, err)
                     : bmf_h5_read_strings(group, "id", count, "one for each row of the matrices", &out->text, err);
    }
    if (status == BMF_OK)
        status = bmf_ids_check(out, name, err);
    if (status != BMF_OK)
        bmf_ids_clear(out);
    (void)bmf_h5_array_close(&array, NULL);
    bmf_h5_close(&group);
    return status;
}

int bmf_h5_write_content(hid_t parent, const char *name, int64_t rows, const bmf_content *content, bmf_error *err)
{
    hid_t group = -1;
    bmf_csr matrix = content->matrix;
    if (!matrix.indptr) /* {0}: no content */
        matrix = (bmf_csr){.rows = rows};
    int64_t features = matrix.columns;
    if (matrix.rows != rows || content->feature.count != features)
        return bmf_fail(err, BMF_ERR_INTERNAL,
                        "%s of %" PRId64 " x %" PRId64 " with %" PRId64 " features for %" PRId64 " rows", name,
                        matrix.rows, features, content->feature.count, rows);
    int status = bmf_h5_csr_write(parent, name, &matrix, &group, err);
    if (status == BMF_OK)
        status = bmf_h5_write_strings(group, "feature", &content->feature, true, err);
    if (status == BMF_OK)
        status = bmf_h5_write_vector(group, "idf", BMF_H5_FLOAT64, features, content->idf, err);
    bmf_h5_close(&group);
    return status;
}

/* Kernels rely on a content row naming each feature once, in order; searches in W do too. */
int bmf_h5_check_ascending(const char *name, const bmf_csr *matrix, int64_t first, bmf_error *err)
{
    for (int64_t row = 0; row < matrix->rows; row++)
        for (int64_t at = matrix->indptr[row] + 1; at < matrix->indptr[row + 1]; at++)
            if (matrix->indices[at] <= matrix->indices[at - 1])
                return bmf_fail(err, BMF_ERR_INPUT,
                                "/%s: index %" PRId32 " follows %" PRId32 " in row %" PRId64
                                ", the indices of a row must ascend",
                                name, matrix->indices[at], matrix->indices[at - 1], first + row);
    return BMF_OK;
}

static int read_idf(hid_t group, const char *name, int64_t features, double **out, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_open(group, "idf", BMF_H5_FLOAT64, false, &array, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(&array, features, "one for each feature", err);
    if (status == BMF_OK && !(*out = bmf_alloc(features, sizeof **out, "idf", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_h5_array_read(&array, 0, features, *out, err);
    for (int64_t f = 0; f < features && status == BMF_OK; f++)
        if (!isfinite((*out)[f]))
            status = bmf_fail(err, BMF_ERR_INPUT, "/%s/idf: value %g at %" PRId64 " is not finite", name, (*out)[f], f);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

int bmf_h5_read_content(hid_t parent, const char *name, int64_t rows, int64_t features, bmf_content *out,
                        bmf_error *err)
{
    return bmf_h5_read_content_rows(parent, name, rows, features, 0, rows, out, err);
}

int bmf_h5_read_content_rows(hid_t parent, const char *name, int64_t rows, int64_t features, int64_t first,
                             int64_t last, bmf_content *out, bmf_error *err)
{
    bmf_h5_csr csr;
    int64_t begin;
    *out = (bmf_content){0};
    int status = bmf_h5_csr_open(parent, name, rows, features, &csr, err);
    if (status == BMF_OK)
        status = bmf_h5_csr_read(&csr, first, last, &out->matrix, &begin, err);
    if (status == BMF_OK)
        status = bmf_h5_check_ascending(name, &out->matrix, first, err);
    if (status == BMF_OK)
        status = bmf_h5_read_strings(csr.group, "feature", features, "one for each column of the content",
                                     &out->feature, err);
    if (status == BMF_OK)
        status = read_idf(csr.group, name, features, &out->idf, err);
    if (status != BMF_OK)
        bmf_content_clear(out);
    bmf_h5_csr_close(&csr);
    return status;
}

int64_t bmf_h5_estimate_ids(const bmf_ids *ids)
{
    if (ids->kind == BMF_ID_INT64)
        return bmf_h5_estimate(ids->count, sizeof *ids->number);
    int64_t size = 1;
    for (int64_t i = 0; i < ids->count; i++)
        if (bmf_strings_length(&ids->text, i) > size)
            size = bmf_strings_length(&ids->text, i);
    return bmf_h5_estimate(ids->count, size);
}

int64_t bmf_h5_estimate_strings(const bmf_strings *list)
{
    return bmf_h5_estimate(list->count ? list->offset[list->count] : 0, 1);
}

int64_t bmf_h5_estimate_csr(int64_t rows, int64_t count)
{
    return bmf_h5_estimate(count, sizeof(int32_t) + sizeof(float)) + bmf_h5_estimate(rows + 1, sizeof(int64_t));
}
