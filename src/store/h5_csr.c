#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "store/parts.h"

static int write_encoding(hid_t group, int64_t rows, int64_t columns, bmf_error *err)
{
    int64_t shape[2] = {rows, columns};
    int status = bmf_h5_write_attribute(group, "encoding-type", BMF_H5_TEXT, 1, "csr_matrix", err);
    if (status == BMF_OK)
        status = bmf_h5_write_attribute(group, "encoding-version", BMF_H5_TEXT, 1, "0.1.0", err);
    if (status == BMF_OK)
        status = bmf_h5_write_attribute(group, "shape", BMF_H5_INT64, 2, shape, err);
    return status;
}

static int write_arrays(hid_t group, const bmf_csr *matrix, bmf_error *err)
{
    int64_t count = bmf_csr_count(matrix);
    int64_t *zeros = NULL;
    if (!matrix->indptr && !(zeros = bmf_alloc_zero(matrix->rows + 1, sizeof *zeros, "indptr", err)))
        return BMF_ERR_MEMORY;
    int status = bmf_h5_write_vector(group, "data", BMF_H5_FLOAT32, count, matrix->data, err);
    if (status == BMF_OK)
        status = bmf_h5_write_vector(group, "indices", BMF_H5_INT32, count, matrix->indices, err);
    if (status == BMF_OK)
        status =
            bmf_h5_write_vector(group, "indptr", BMF_H5_INT64, matrix->rows + 1, zeros ? zeros : matrix->indptr, err);
    bmf_free(zeros);
    return status;
}

int bmf_h5_csr_write(hid_t parent, const char *name, const bmf_csr *matrix, hid_t *group, bmf_error *err)
{
    hid_t own = -1;
    int status = bmf_h5_group_create(parent, name, &own, err);
    if (status == BMF_OK)
        status = write_encoding(own, matrix->rows, matrix->columns, err);
    if (status == BMF_OK)
        status = write_arrays(own, matrix, err);
    if (group && status == BMF_OK)
        *group = own;
    else
        bmf_h5_close(&own);
    return status;
}

int bmf_h5_csr_create(hid_t parent, const char *name, int64_t rows, int64_t columns, int64_t count,
                      bmf_h5_csr_rows *out, bmf_error *err)
{
    *out = (bmf_h5_csr_rows)BMF_H5_CSR_ROWS_INIT;
    bmf_h5_csr *csr = &out->csr;
    csr->rows = rows;
    csr->columns = columns;
    csr->count = count;
    int status = bmf_h5_group_create(parent, name, &csr->group, err);
    if (status == BMF_OK)
        status = write_encoding(csr->group, rows, columns, err);
    const struct {
        const char *name;
        bmf_h5_type type;
        int64_t rows;
        bmf_h5_array *array;
    } arrays[] = {{"data", BMF_H5_FLOAT32, count, &csr->data},
                  {"indices", BMF_H5_INT32, count, &csr->indices},
                  {"indptr", BMF_H5_INT64, rows + 1, &csr->indptr}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == BMF_OK; i++)
        status = bmf_h5_array_create(csr->group, arrays[i].name, arrays[i].type, 0, (bmf_h5_shape){arrays[i].rows, -1},
                                     false, arrays[i].array, err);
    if (status != BMF_OK)
        bmf_h5_csr_close(csr);
    return status;
}

static int fail_rows(const bmf_h5_csr_rows *out, int64_t rows, int64_t entries, bmf_error *err)
{
    int status =
        bmf_fail(err, BMF_ERR_INTERNAL,
                 "%" PRId64 " rows with %" PRId64 " entries are written, %" PRId64 " with %" PRId64 " were announced",
                 rows, entries, out->csr.rows, out->csr.count);
    bmf_h5_context(err, out->csr.group, NULL);
    return status;
}

/* indptr of the rows as the file counts them. */
static int append_indptr(bmf_h5_csr_rows *out, const bmf_csr *rows, bmf_error *err)
{
    int64_t *indptr = bmf_alloc(rows->rows, sizeof *indptr, "indptr", err);
    if (!indptr)
        return BMF_ERR_MEMORY;
    for (int64_t i = 0; i < rows->rows; i++)
        indptr[i] = out->entries + rows->indptr[i + 1];
    int status = bmf_h5_array_write(&out->csr.indptr, out->rows + 1, rows->rows, indptr, err);
    bmf_free(indptr);
    return status;
}

int bmf_h5_csr_append(bmf_h5_csr_rows *out, const bmf_csr *rows, bmf_error *err)
{
    const int64_t count = bmf_csr_count(rows);
    if (rows->rows > out->csr.rows - out->rows || count > out->csr.count - out->entries)
        return fail_rows(out, out->rows + rows->rows, out->entries + count, err);
    int status = append_indptr(out, rows, err);
    if (status == BMF_OK)
        status = bmf_h5_array_write(&out->csr.indices, out->entries, count, rows->indices, err);
    if (status == BMF_OK)
        status = bmf_h5_array_write(&out->csr.data, out->entries, count, rows->data, err);
    out->rows += rows->rows;
    out->entries += count;
    return status;
}

int bmf_h5_csr_finish(bmf_h5_csr_rows *out, bmf_error *err)
{
    const int64_t zero = 0; /* the first of indptr; not before: until rows come, the arrays have no values */
    int status = BMF_OK;
    if (out->rows != out->csr.rows || out->entries != out->csr.count)
        status = fail_rows(out, out->rows, out->entries, err);
    if (status == BMF_OK)
        status = bmf_h5_array_write(&out->csr.indptr, 0, 1, &zero, err);
    bmf_h5_array *const arrays[] = {&out->csr.data, &out->csr.indices, &out->csr.indptr};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        int closed = bmf_h5_array_close(arrays[i], err);
        if (status == BMF_OK)
            status = closed;
    }
    bmf_h5_csr_close(&out->csr);
    return status;
}

static int read_shape(bmf_h5_csr *csr, int64_t rows, int64_t columns, bmf_error *err)
{
    int64_t shape[2];
    int status = bmf_h5_read_attribute(csr->group, "shape", BMF_H5_INT64, 2, shape, err);
    if (status != BMF_OK)
        return status;
    csr->rows = shape[0];
    csr->columns = shape[1];
    if (shape[0] != rows || (columns >= 0 && shape[1] != columns))
        return bmf_fail(err, BMF_ERR_INPUT,
                        "attribute 'shape' is %" PRId64 " x %" PRId64 ", the rest of the file says %" PRId64
                        " rows and %" PRId64 " columns",
                        shape[0], shape[1], rows, columns >= 0 ? columns : shape[1]);
    if (shape[1] < 0 || shape[1] > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'shape' has %" PRId64 " columns, 0 .. %d are allowed", shape[1],
                        INT32_MAX);
    return BMF_OK;
}

static int check_encoding(hid_t group, bmf_error *err)
{
    char encoding[32];
    int status = bmf_h5_read_attribute(group, "encoding-type", BMF_H5_TEXT, sizeof encoding, encoding, err);
    if (status == BMF_OK && strcmp(encoding, "csr_matrix") != 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "attribute 'encoding-type' is '%s', 'csr_matrix' is expected", encoding);
    return status;
}

static int open_arrays(bmf_h5_csr *csr, bmf_error *err)
{
    int status = bmf_h5_array_open(csr->group, "indptr", BMF_H5_INT64, false, &csr->indptr, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(&csr->indptr, csr->rows + 1, "one more than the matrix has", err);
    if (status == BMF_OK)
        status = bmf_h5_array_open(csr->group, "data", BMF_H5_FLOAT32, false, &csr->data, err);
    if (status == BMF_OK)
        status = bmf_h5_array_open(csr->group, "indices", BMF_H5_INT32, false, &csr->indices, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(&csr->indices, csr->data.rows, "one for each value of 'data'", err);
    csr->count = csr->data.rows;
    return status;
}

int bmf_h5_csr_open(hid_t parent, const char *name, int64_t rows, int64_t columns, bmf_h5_csr *out, bmf_error *err)
{
    *out = (bmf_h5_csr)BMF_H5_CSR_INIT;
    int status = bmf_h5_group_open(parent, name, &out->group, err);
    if (status != BMF_OK)
        return status;
    status = check_encoding(out->group, err);
    if (status == BMF_OK)
        status = read_shape(out, rows, columns, err);
    if (status != BMF_OK)
        bmf_h5_context(err, out->group, NULL);
    else
        status = open_arrays(out, err);
    if (status != BMF_OK)
        bmf_h5_csr_close(out);
    return status;
}

void bmf_h5_csr_close(bmf_h5_csr *csr)
{
    (void)bmf_h5_array_close(&csr->indptr, NULL);
    (void)bmf_h5_array_close(&csr->indices, NULL);
    (void)bmf_h5_array_close(&csr->data, NULL);
    bmf_h5_close(&csr->group);
}

void bmf_h5_csr_use_threads(bmf_h5_csr *csr, int threads)
{
    csr->threads = csr->indptr.threads = csr->indices.threads = csr->data.threads = threads;
}

static int check_indptr(const bmf_h5_csr *csr, int64_t first, int64_t last, const int64_t *indptr, bmf_error *err)
{
    int64_t rows = last - first;
    if (first == 0 && indptr[0] != 0)
        return bmf_fail(err, BMF_ERR_INPUT, "starts with %" PRId64 ", it must start with 0", indptr[0]);
    if (last == csr->rows && indptr[rows] != csr->count)
        return bmf_fail(err, BMF_ERR_INPUT, "ends with %" PRId64 ", but there are %" PRId64 " values", indptr[rows],
                        csr->count);
    if (indptr[0] < 0 || indptr[rows] > csr->count)
        return bmf_fail(err, BMF_ERR_INPUT, "leads to entries %" PRId64 " .. %" PRId64 ", 0 .. %" PRId64 " are allowed",
                        indptr[0], indptr[rows], csr->count);
    for (int64_t i = 0; i < rows; i++)
        if (indptr[i + 1] < indptr[i])
            return bmf_fail(err, BMF_ERR_INPUT,
                            "falls from %" PRId64 " to %" PRId64 " at row %" PRId64 ", it must not descend", indptr[i],
                            indptr[i + 1], first + i);
    return BMF_OK;
}

int bmf_h5_csr_read_indptr(const bmf_h5_csr *csr, int64_t first, int64_t last, int64_t *out, bmf_error *err)
{
    int status = bmf_h5_array_read(&csr->indptr, first, last - first + 1, out, err);
    if (status != BMF_OK)
        return status;
    status = check_indptr(csr, first, last, out, err);
    if (status != BMF_OK)
        bmf_h5_context(err, csr->group, "indptr");
    return status;
}

static int read_entries(const bmf_h5_csr *csr, int64_t begin, int64_t count, bmf_csr *matrix, bmf_error *err)
{
    int status = bmf_h5_array_read(&csr->indices, begin, count, matrix->indices, err);
    if (status == BMF_OK)
        status = bmf_h5_array_read(&csr->data, begin, count, matrix->data, err);
    if (status != BMF_OK)
        return status;
    status = bmf_csr_check(matrix, "entries", csr->threads, err);
    if (status != BMF_OK)
        bmf_h5_context(err, csr->group, NULL);
    return status;
}

int bmf_h5_csr_read(const bmf_h5_csr *csr, int64_t first, int64_t last, bmf_csr *out, int64_t *begin, bmf_error *err)
{
    bmf_csr matrix = {0};
    int64_t rows = last - first;
    *out = matrix;
    *begin = 0;
    int64_t *indptr = bmf_alloc(rows + 1, sizeof *indptr, "indptr", err);
    if (!indptr)
        return BMF_ERR_MEMORY;
    int status = bmf_h5_csr_read_indptr(csr, first, last, indptr, err);
    if (status == BMF_OK)
        status = bmf_csr_create(&matrix, rows, csr->columns, indptr[rows] - indptr[0], "matrix", err);
    if (status == BMF_OK) {
        *begin = indptr[0];
        for (int64_t i = 0; i <= rows; i++)
            matrix.indptr[i] = indptr[i] - *begin;
        status = read_entries(csr, *begin, bmf_csr_count(&matrix), &matrix, err);
    }
    if (status == BMF_OK)
        *out = matrix;
    else
        bmf_csr_clear(&matrix);
    bmf_free(indptr);
    return status;
}
