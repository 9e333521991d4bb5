#include "store/dataset_file.h"

#include <inttypes.h>

#include "base/memory.h"
#include "store/dataset_layout.h"
#include "store/dataset_parts.h"
#include "store/h5_file.h"

#define FEW_RATINGS (1 << 18) /* up to here starting threads costs more than it saves */

/* The group of a split, opened and checked against the ids. */
int bmf_dataset_file_open_split(const bmf_dataset_file *file, bmf_split split, bmf_h5_csr *out, bmf_error *err)
{
    hid_t parent = -1;
    *out = (bmf_h5_csr)BMF_H5_CSR_INIT;
    int status = bmf_h5_group_open(file->id, "ratings", &parent, err);
    if (status == BMF_OK)
        status = bmf_h5_csr_open(parent, bmf_split_name(split), file->shape.users, file->shape.items, out, err);
    bmf_h5_csr_use_threads(out, file->threads);
    bmf_h5_close(&parent);
    return status;
}

int bmf_dataset_file_open_timestamp(const bmf_h5_csr *csr, bmf_h5_array *out, bmf_error *err)
{
    bool exists;
    *out = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    int status = bmf_h5_exists(csr->group, "timestamp", &exists, err);
    if (status != BMF_OK || !exists)
        return status;
    status = bmf_h5_array_open(csr->group, "timestamp", BMF_H5_INT64, false, out, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(out, csr->count, "one for each value of 'data'", err);
    out->threads = csr->threads;
    if (status != BMF_OK)
        (void)bmf_h5_array_close(out, NULL);
    return status;
}

static int check_split(bmf_dataset_file *file, bmf_split split, bmf_error *err)
{
    bmf_h5_csr csr;
    bmf_h5_array timestamp = BMF_H5_ARRAY_INIT;
    int status = bmf_dataset_file_open_split(file, split, &csr, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_open_timestamp(&csr, &timestamp, err);
    if (status == BMF_OK)
        file->shape.ratings[split] = csr.count;
    (void)bmf_h5_array_close(&timestamp, NULL);
    bmf_h5_csr_close(&csr);
    return status;
}

static int count_features(const bmf_dataset_file *file, const char *name, int64_t rows, int64_t *out, bmf_error *err)
{
    bmf_h5_csr csr;
    int status = bmf_h5_csr_open(file->id, name, rows, -1, &csr, err);
    if (status == BMF_OK)
        *out = csr.columns;
    bmf_h5_csr_close(&csr);
    return status;
}

/* The users' content may be missing: data sets without any have none, nor those of older programs. */
static int check_content(bmf_dataset_file *file, bmf_error *err)
{
    bool exists = false;
    int status = count_features(file, "content", file->shape.items, &file->shape.features, err);
    if (status == BMF_OK)
        status = bmf_h5_exists(file->id, "user_content", &exists, err);
    if (status == BMF_OK && exists)
        status = count_features(file, "user_content", file->shape.users, &file->shape.user_features, err);
    return status;
}

static int check_extents(bmf_dataset_file *file, bmf_error *err)
{
    int status = bmf_h5_count_ids(file->id, "users", &file->shape.users, err);
    if (status == BMF_OK)
        status = bmf_h5_count_ids(file->id, "items", &file->shape.items, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = check_split(file, (bmf_split)s, err);
    if (status == BMF_OK)
        status = check_content(file, err);
    if (status != BMF_OK)
        bmf_context(err, "%s", file->path);
    return status;
}

int bmf_dataset_file_open(const char *path, bmf_dataset_file **out, bmf_error *err)
{
    *out = NULL;
    bmf_dataset_file *file = bmf_alloc_zero(1, sizeof *file, "data set", err);
    if (!file)
        return BMF_ERR_MEMORY;
    file->id = -1;
    file->threads = 1;
    file->path = bmf_copy_string(path, "path", err);
    int status = file->path ? bmf_h5_file_open(path, BMF_H5_DATASET, &file->id, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = check_extents(file, err);
    if (status != BMF_OK)
        bmf_dataset_file_close(&file);
    *out = file;
    return status;
}

void bmf_dataset_file_close(bmf_dataset_file **file)
{
    if (!*file)
        return;
    bmf_h5_close(&(*file)->id);
    bmf_free((*file)->path);
    bmf_free(*file);
    *file = NULL;
}

void bmf_dataset_file_use_threads(bmf_dataset_file *file, int threads)
{
    file->threads = threads > 1 ? threads : 1;
}

int bmf_dataset_file_threads(const bmf_dataset_file *file)
{
    return file->threads;
}

bmf_dataset_shape bmf_dataset_file_shape(const bmf_dataset_file *file)
{
    return file->shape;
}

const char *bmf_dataset_file_path(const bmf_dataset_file *file)
{
    return file->path;
}

/* The path comes first in every message of the parts. */
static int finish(const bmf_dataset_file *file, int status, bmf_error *err)
{
    if (status != BMF_OK)
        bmf_context(err, "%s", file->path);
    return status;
}

int bmf_dataset_file_read_users(bmf_dataset_file *file, bmf_ids *out, bmf_error *err)
{
    return finish(file, bmf_h5_read_ids(file->id, "users", file->shape.users, out, err), err);
}

int bmf_dataset_file_read_items(bmf_dataset_file *file, bmf_ids *out, bmf_error *err)
{
    return finish(file, bmf_h5_read_ids(file->id, "items", file->shape.items, out, err), err);
}

int bmf_dataset_file_read_titles(bmf_dataset_file *file, bmf_strings *out, bmf_error *err)
{
    hid_t group = -1;
    bool exists = false;
    bmf_strings_init(out);
    int status = bmf_h5_group_open(file->id, "items", &group, err);
    if (status == BMF_OK)
        status = bmf_h5_exists(group, "title", &exists, err);
    if (status == BMF_OK && exists)
        status = bmf_h5_read_strings(group, "title", file->shape.items, "one for each item", out, err);
    bmf_h5_close(&group);
    return finish(file, status, err);
}

int bmf_dataset_file_read_content(bmf_dataset_file *file, bmf_content *out, bmf_error *err)
{
    return finish(file, bmf_h5_read_content(file->id, "content", file->shape.items, file->shape.features, out, err),
                  err);
}

int bmf_dataset_file_read_user_content(bmf_dataset_file *file, int64_t first, int64_t last, bmf_content *out,
                                       bmf_error *err)
{
    const int64_t users = file->shape.users, features = file->shape.user_features;
    *out = (bmf_content){0};
    if (features == 0)
        return BMF_OK;
    return finish(file, bmf_h5_read_content_rows(file->id, "user_content", users, features, first, last, out, err),
                  err);
}

/* Older programs wrote the first fields only: their content was made as these defaults say. */
static int read_record(hid_t group, bmf_import_record *record, bmf_error *err)
{
    bool all = false;
    *record = (bmf_import_record){.feature_weighting = "tfidf", .title_features = "none", .tag_features = "words"};
    int status = bmf_h5_has_attribute(group, bmf_import_fields[bmf_import_first_fields].name, &all, err);
    int64_t count = all ? bmf_import_field_count : bmf_import_first_fields;
    return status == BMF_OK ? bmf_h5_read_fields(group, bmf_import_fields, count, record, err) : status;
}

int bmf_dataset_file_read_import(bmf_dataset_file *file, bmf_import_record *out, bmf_error *err)
{
    hid_t group = -1;
    bmf_import_record record;
    int status = bmf_h5_group_open(file->id, "import", &group, err);
    if (status == BMF_OK) {
        status = read_record(group, &record, err);
        if (status != BMF_OK)
            bmf_h5_context(err, group, NULL);
    }
    *out = status == BMF_OK ? record : (bmf_import_record){0};
    bmf_h5_close(&group);
    return finish(file, status, err);
}

int bmf_dataset_file_read_indptr(bmf_dataset_file *file, bmf_split split, int64_t **out, bmf_error *err)
{
    bmf_h5_csr csr;
    int64_t users = file->shape.users, *indptr = NULL;
    *out = NULL;
    int status = bmf_dataset_file_open_split(file, split, &csr, err);
    if (status == BMF_OK && !(indptr = bmf_alloc(users + 1, sizeof *indptr, "indptr", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_h5_csr_read_indptr(&csr, 0, users, indptr, err);
    if (status == BMF_OK) {
        *out = indptr;
        indptr = NULL;
    }
    bmf_free(indptr);
    bmf_h5_csr_close(&csr);
    return finish(file, status, err);
}

/* Entries [begin, begin + count) of the time stamps, if the file has them; else NULL. */
static int read_timestamp(const bmf_h5_csr *csr, int64_t begin, int64_t count, int64_t **out, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_dataset_file_open_timestamp(csr, &array, err);
    if (status != BMF_OK || array.id < 0)
        return status;
    *out = bmf_alloc(count, sizeof **out, "timestamps", err);
    status = *out ? bmf_h5_array_read(&array, begin, count, *out, err) : BMF_ERR_MEMORY;
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

/* The first entry of rows [row, end) whose index its row has named before, or −1. `seen` (columns, zeroed): a row + 1. */
static int64_t find_repeat(const bmf_csr *matrix, int64_t row, int64_t end, int32_t *seen)
{
    for (; row < end; row++)
        for (int64_t at = matrix->indptr[row]; at < matrix->indptr[row + 1]; at++) {
            int32_t *mark = &seen[matrix->indices[at]];
            if (*mark == (int32_t)row + 1)
                return at;
            *mark = (int32_t)row + 1;
        }
    return -1;
}

static int fail_repeat(const bmf_csr *matrix, int64_t at, int64_t first, bmf_error *err)
{
    int64_t row = 0;
    while (matrix->indptr[row + 1] <= at)
        row++;
    return bmf_fail(err, BMF_ERR_INPUT, "row %" PRId64 " has index %" PRId32 " twice; a user rates an item once",
                    first + row, matrix->indices[at]);
}

/* First row of the part-th of `parts` stretches of rows with about equal entries. */
static int64_t stretch_begin(const bmf_csr *matrix, int part, int parts)
{
    int64_t wanted = (int64_t)((__int128)bmf_csr_count(matrix) * part / parts), low = 0, high = matrix->rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (matrix->indptr[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return part == parts ? matrix->rows : low;
}

/* No user rates an item twice: importers merge such pairs. O(items × threads + entries). */
static int check_unique(const bmf_csr *matrix, int64_t first, int threads, bmf_error *err)
{
    int64_t count = bmf_csr_count(matrix), repeat = count;
    int parts = count > FEW_RATINGS ? threads : 1;
    int32_t *seen = bmf_alloc_zero(parts * matrix->columns, sizeof *seen, "marks of items", err);
    if (!seen)
        return BMF_ERR_MEMORY;
#pragma omp parallel for schedule(static, 1) num_threads(threads) reduction(min : repeat) if (parts > 1)
    for (int part = 0; part < parts; part++) {
        int64_t row = stretch_begin(matrix, part, parts), end = stretch_begin(matrix, part + 1, parts);
        int64_t found = find_repeat(matrix, row, end, seen + part * matrix->columns);
        if (found >= 0 && found < repeat)
            repeat = found;
    }
    bmf_free(seen);
    return repeat < count ? fail_repeat(matrix, repeat, first, err) : BMF_OK;
}

int bmf_dataset_file_read_ratings(bmf_dataset_file *file, bmf_split split, int64_t first, int64_t last,
                                  int with_timestamp, bmf_ratings *out, bmf_error *err)
{
    bmf_h5_csr csr;
    int64_t begin = 0;
    *out = (bmf_ratings){0};
    if (first < 0 || last < first || last > file->shape.users)
        return bmf_fail(err, BMF_ERR_INTERNAL, "%s: users %" PRId64 " .. %" PRId64 " of %" PRId64, file->path, first,
                        last, file->shape.users);
    int status = bmf_dataset_file_open_split(file, split, &csr, err);
    if (status == BMF_OK)
        status = bmf_h5_csr_read(&csr, first, last, &out->matrix, &begin, err);
    if (status == BMF_OK && (status = check_unique(&out->matrix, first, file->threads, err)) != BMF_OK)
        bmf_h5_context(err, csr.group, NULL);
    if (status == BMF_OK && with_timestamp)
        status = read_timestamp(&csr, begin, bmf_csr_count(&out->matrix), &out->timestamp, err);
    if (status != BMF_OK)
        bmf_ratings_clear(out);
    bmf_h5_csr_close(&csr);
    return finish(file, status, err);
}

int bmf_dataset_file_read_timestamps(bmf_dataset_file *file, bmf_split split, int64_t first, int64_t last,
                                     int64_t **out, bmf_error *err)
{
    bmf_h5_csr csr = BMF_H5_CSR_INIT;
    int64_t *indptr = NULL;
    *out = NULL;
    if (first < 0 || last < first || last > file->shape.users)
        return bmf_fail(err, BMF_ERR_INTERNAL, "%s: users %" PRId64 " .. %" PRId64 " of %" PRId64, file->path, first,
                        last, file->shape.users);
    int status = bmf_dataset_file_open_split(file, split, &csr, err);
    if (status == BMF_OK && !(indptr = bmf_alloc(last - first + 1, sizeof *indptr, "indptr", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_h5_csr_read_indptr(&csr, first, last, indptr, err);
    if (status == BMF_OK)
        status = read_timestamp(&csr, indptr[0], indptr[last - first] - indptr[0], out, err);
    if (status != BMF_OK) {
        bmf_free(*out);
        *out = NULL;
    }
    bmf_h5_csr_close(&csr);
    bmf_free(indptr);
    return finish(file, status, err);
}

static int read_all(bmf_dataset_file *file, bmf_dataset *out, bmf_error *err)
{
    int status = bmf_dataset_file_read_users(file, &out->users, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_items(file, &out->items, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_titles(file, &out->title, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = bmf_dataset_file_read_ratings(file, (bmf_split)s, 0, file->shape.users, 1, &out->split[s], err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_content(file, &out->content, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_user_content(file, 0, file->shape.users, &out->user_content, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_import(file, &out->import, err);
    return status;
}

int bmf_dataset_read(const char *path, bmf_dataset *out, bmf_error *err)
{
    bmf_dataset_file *file;
    *out = (bmf_dataset){0};
    int status = bmf_dataset_file_open(path, &file, err);
    if (status != BMF_OK)
        return status;
    status = read_all(file, out, err);
    if (status != BMF_OK)
        bmf_dataset_clear(out);
    bmf_dataset_file_close(&file);
    return status;
}
