#include "cli/export_arrays.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/rows.h"
#include "store/npy.h"

#define NAME_ROOM 64

static FILE *open_file(bmf_export *out, const char *name, const char *part, char full[NAME_ROOM], bmf_error *err)
{
    snprintf(full, NAME_ROOM, "%s%s.%s", name, part, out->form == BMF_EXPORT_NPY ? "npy" : "csv");
    if (bmf_strings_add(&out->written, full, (int64_t)strlen(full), err) != BMF_OK)
        return NULL;
    return bmf_atomic_directory_open(&out->directory, full, err);
}

static int close_file(bmf_export *out, FILE *file, const char *name, bmf_error *err)
{
    struct stat info;
    fflush(file);
    if (fstat(fileno(file), &info) == 0)
        out->bytes += (int64_t)info.st_size;
    return bmf_atomic_directory_close(file, name, err);
}

/* A one-dimensional array in a file of its own. */
static int write_array(bmf_export *out, const char *name, const char *part, bmf_npy_type type, const void *data,
                       size_t size, int64_t count, bmf_error *err)
{
    char full[NAME_ROOM];
    FILE *file = open_file(out, name, part, full, err);
    if (!file)
        return err->status;
    bmf_npy_header(file, type, &count, 1);
    if (count > 0)
        fwrite(data, size, (size_t)count, file);
    return close_file(out, file, full, err);
}

/* An id as a field of CSV. */
static int put_id(FILE *file, const bmf_ids *ids, int64_t i, bmf_text *scratch, bmf_error *err)
{
    if (ids->kind == BMF_ID_INT64) {
        fprintf(file, "%" PRId64, ids->number[i]);
        return BMF_OK;
    }
    scratch->size = 0;
    int status = bmf_csv_field(scratch, bmf_strings_get(&ids->text, i), bmf_strings_length(&ids->text, i), err);
    if (status == BMF_OK && scratch->size > 0)
        fwrite(scratch->bytes, 1, (size_t)scratch->size, file);
    return status;
}

static void put_header(FILE *file, const char *axis, const char *column, int64_t columns)
{
    fputs(axis, file);
    if (columns == 0)
        fprintf(file, ",%s", column);
    for (int64_t c = 1; c <= columns; c++)
        fprintf(file, ",%s%" PRId64, column, c);
    fputc('\n', file);
}

int bmf_export_matrix(bmf_export *out, const char *name, bmf_export_axis rows, const char *column, const float *data,
                      int64_t columns, int64_t stride, bmf_error *err)
{
    char full[NAME_ROOM];
    bmf_text scratch = {0};
    const int64_t width = columns == 0 ? 1 : columns, extent[2] = {rows.ids->count, columns};
    FILE *file = open_file(out, name, "", full, err);
    if (!file)
        return err->status;
    int status = BMF_OK;
    if (out->form == BMF_EXPORT_NPY)
        bmf_npy_header(file, BMF_NPY_FLOAT32, extent, columns == 0 ? 1 : 2);
    else
        put_header(file, rows.name, column, columns);
    for (int64_t r = 0; r < rows.ids->count && status == BMF_OK && !ferror(file); r++) {
        if (out->form == BMF_EXPORT_NPY) {
            fwrite(data + r * stride, sizeof *data, (size_t)width, file);
            continue;
        }
        status = put_id(file, rows.ids, r, &scratch, err);
        for (int64_t c = 0; c < width; c++)
            fprintf(file, ",%.9g", (double)data[r * stride + c]);
        fputc('\n', file);
    }
    bmf_text_clear(&scratch);
    int closed = close_file(out, file, full, err);
    return status != BMF_OK ? status : closed;
}

int bmf_export_doubles(bmf_export *out, const char *name, bmf_export_axis rows, const double *data, int64_t count,
                       bmf_error *err)
{
    char full[NAME_ROOM];
    bmf_text scratch = {0};
    FILE *file = open_file(out, name, "", full, err);
    if (!file)
        return err->status;
    int status = BMF_OK;
    if (out->form == BMF_EXPORT_NPY) {
        bmf_npy_header(file, BMF_NPY_FLOAT64, &count, count < 0 ? 0 : 1);
        fwrite(data, sizeof *data, count < 0 ? 1 : (size_t)count, file);
    } else {
        fprintf(file, "%s%s%s\n", rows.ids ? rows.name : "", rows.ids ? "," : "", name);
        for (int64_t r = 0; r < (count < 0 ? 1 : count) && status == BMF_OK; r++) {
            if (rows.ids)
                status = put_id(file, rows.ids, r, &scratch, err);
            fprintf(file, "%s%.17g\n", rows.ids ? "," : "", data[r]);
        }
    }
    bmf_text_clear(&scratch);
    int closed = close_file(out, file, full, err);
    return status != BMF_OK ? status : closed;
}

static int write_entries(bmf_export *out, const char *name, bmf_export_axis rows, bmf_export_axis columns,
                         const char *value, const bmf_csr *matrix, bmf_error *err)
{
    char full[NAME_ROOM];
    bmf_text scratch = {0};
    FILE *file = open_file(out, name, "", full, err);
    if (!file)
        return err->status;
    int status = BMF_OK;
    fprintf(file, "%s,%s,%s\n", rows.name, columns.name, value);
    for (int64_t r = 0; r < matrix->rows && status == BMF_OK && !ferror(file); r++)
        for (int64_t e = matrix->indptr[r]; e < matrix->indptr[r + 1] && status == BMF_OK; e++) {
            status = put_id(file, rows.ids, r, &scratch, err);
            fputc(',', file);
            if (status == BMF_OK)
                status = put_id(file, columns.ids, matrix->indices[e], &scratch, err);
            fprintf(file, ",%.9g\n", (double)matrix->data[e]);
        }
    bmf_text_clear(&scratch);
    int closed = close_file(out, file, full, err);
    return status != BMF_OK ? status : closed;
}

int bmf_export_sparse(bmf_export *out, const char *name, bmf_export_axis rows, bmf_export_axis columns,
                      const char *value, const bmf_csr *matrix, bmf_error *err)
{
    if (out->form == BMF_EXPORT_CSV)
        return write_entries(out, name, rows, columns, value, matrix, err);
    const int64_t count = bmf_csr_count(matrix);
    int status = write_array(out, name, "_data", BMF_NPY_FLOAT32, matrix->data, sizeof *matrix->data, count, err);
    if (status == BMF_OK)
        status =
            write_array(out, name, "_indices", BMF_NPY_INT32, matrix->indices, sizeof *matrix->indices, count, err);
    if (status == BMF_OK)
        status = write_array(out, name, "_indptr", BMF_NPY_INT64, matrix->indptr, sizeof *matrix->indptr,
                             matrix->rows + 1, err);
    return status;
}

int bmf_export_ids(bmf_export *out, const char *name, const bmf_ids *ids, bmf_error *err)
{
    if (out->form == BMF_EXPORT_CSV)
        return BMF_OK;
    if (ids->kind == BMF_ID_INT64)
        return write_array(out, name, "", BMF_NPY_INT64, ids->number, sizeof *ids->number, ids->count, err);
    char full[NAME_ROOM];
    FILE *file = open_file(out, name, "", full, err);
    if (!file)
        return err->status;
    int status = bmf_npy_texts(file, &ids->text, err), closed = close_file(out, file, full, err);
    return status != BMF_OK ? status : closed;
}
