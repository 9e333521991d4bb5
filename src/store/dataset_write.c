#include <inttypes.h>

#include "store/dataset_file.h"
#include "store/dataset_layout.h"
#include "store/h5_file.h"
#include "store/parts.h"

#define SLACK ((int64_t)256 << 10) /* object headers, attributes, file header */

#define FIELD(type, count, member)                                                                                     \
    {                                                                                                                  \
#member, type, offsetof(bmf_import_record, member), count                                                      \
    }
#define TEXT_FIELD(member) FIELD(BMF_H5_TEXT, sizeof(((bmf_import_record *)0)->member), member)

const bmf_h5_field bmf_import_fields[] = {
    TEXT_FIELD(source),
    TEXT_FIELD(format),
    TEXT_FIELD(split),
    FIELD(BMF_H5_FLOAT64, BMF_SPLITS, split_ratio),
    TEXT_FIELD(duplicates),
    FIELD(BMF_H5_FLOAT64, 1, cold_items),
    FIELD(BMF_H5_INT64, 1, max_features),
    FIELD(BMF_H5_INT64, 1, seed),
    FIELD(BMF_H5_INT64, 1, ratings_read),
    FIELD(BMF_H5_INT64, 1, bad_lines),
    FIELD(BMF_H5_INT64, 1, duplicate_ratings),
    FIELD(BMF_H5_INT64, 1, unknown_tags),
    TEXT_FIELD(feature_weighting),
    TEXT_FIELD(title_features),
    TEXT_FIELD(tag_features),
    TEXT_FIELD(item_columns),
    TEXT_FIELD(users),
    TEXT_FIELD(user_columns),
};
const int64_t bmf_import_first_fields = 12;
const int64_t bmf_import_field_count = sizeof bmf_import_fields / sizeof bmf_import_fields[0];

/* A data set that contradicts itself is a fault of the program, not of its input. */
static int check_extents(const bmf_dataset *dataset, bmf_error *err)
{
    int64_t users = dataset->users.count, items = dataset->items.count;
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_csr *matrix = &dataset->split[s].matrix;
        if (matrix->indptr && (matrix->rows != users || matrix->columns != items))
            return bmf_fail(err, BMF_ERR_INTERNAL,
                            "split %s is %" PRId64 " x %" PRId64 ", there are %" PRId64 " users and %" PRId64 " items",
                            bmf_split_name((bmf_split)s), matrix->rows, matrix->columns, users, items);
    }
    if (dataset->title.count != 0 && dataset->title.count != items)
        return bmf_fail(err, BMF_ERR_INTERNAL, "%" PRId64 " titles for %" PRId64 " items", dataset->title.count, items);
    return BMF_OK;
}

static int64_t estimate_content(const bmf_content *content)
{
    return bmf_h5_estimate_csr(content->matrix.rows, bmf_csr_count(&content->matrix)) +
           bmf_h5_estimate_strings(&content->feature) + bmf_h5_estimate(content->feature.count, sizeof *content->idf);
}

static int64_t estimate(const bmf_dataset *dataset)
{
    int64_t bytes = SLACK + bmf_h5_estimate_ids(&dataset->users) + bmf_h5_estimate_ids(&dataset->items) +
                    bmf_h5_estimate_strings(&dataset->title);
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_ratings *ratings = &dataset->split[s];
        bytes += bmf_h5_estimate_csr(ratings->matrix.rows, bmf_csr_count(&ratings->matrix));
        if (ratings->timestamp)
            bytes += bmf_h5_estimate(bmf_csr_count(&ratings->matrix), sizeof *ratings->timestamp);
    }
    return bytes + estimate_content(&dataset->content) + estimate_content(&dataset->user_content);
}

static int write_items(hid_t file, const bmf_dataset *dataset, bmf_error *err)
{
    hid_t group = -1;
    int status = bmf_h5_write_ids(file, "items", &dataset->items, &group, err);
    if (status == BMF_OK && dataset->title.count == dataset->items.count)
        status = bmf_h5_write_strings(group, "title", &dataset->title, true, err);
    bmf_h5_close(&group);
    return status;
}

static int write_split(hid_t parent, const bmf_dataset *dataset, bmf_split split, bmf_error *err)
{
    hid_t group = -1;
    const bmf_ratings *ratings = &dataset->split[split];
    bmf_csr matrix = ratings->matrix;
    if (!matrix.indptr) /* {0}: an empty split */
        matrix = (bmf_csr){.rows = dataset->users.count, .columns = dataset->items.count};
    int status = bmf_h5_csr_write(parent, bmf_split_name(split), &matrix, &group, err);
    if (status == BMF_OK && ratings->timestamp)
        status = bmf_h5_write_vector(group, "timestamp", BMF_H5_INT64, bmf_csr_count(&matrix), ratings->timestamp, err);
    bmf_h5_close(&group);
    return status;
}

static int write_ratings(hid_t file, const bmf_dataset *dataset, bmf_error *err)
{
    hid_t group = -1;
    int status = bmf_h5_group_create(file, "ratings", &group, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = write_split(group, dataset, (bmf_split)s, err);
    bmf_h5_close(&group);
    return status;
}

static int write_import(hid_t file, const bmf_import_record *record, bmf_error *err)
{
    hid_t group = -1;
    int status = bmf_h5_group_create(file, "import", &group, err);
    if (status == BMF_OK)
        status = bmf_h5_write_fields(group, bmf_import_fields, bmf_import_field_count, record, err);
    bmf_h5_close(&group);
    return status;
}

static int write_all(hid_t file, const bmf_dataset *dataset, bmf_error *err)
{
    int status = bmf_h5_write_ids(file, "users", &dataset->users, NULL, err);
    if (status == BMF_OK)
        status = write_items(file, dataset, err);
    if (status == BMF_OK)
        status = write_ratings(file, dataset, err);
    if (status == BMF_OK)
        status = bmf_h5_write_content(file, "content", dataset->items.count, &dataset->content, err);
    if (status == BMF_OK && dataset->user_content.feature.count > 0)
        status = bmf_h5_write_content(file, "user_content", dataset->users.count, &dataset->user_content, err);
    if (status == BMF_OK)
        status = write_import(file, &dataset->import, err);
    return status;
}

int bmf_dataset_write(const char *path, const bmf_dataset *dataset, bmf_error *err)
{
    bmf_atomic_file place = BMF_ATOMIC_FILE_INIT;
    hid_t file = -1;
    int status = check_extents(dataset, err);
    if (status == BMF_OK)
        status = bmf_atomic_file_create(&place, path, err);
    if (status == BMF_OK)
        status = bmf_h5_file_create(&place, BMF_H5_DATASET, BMF_H5_DATASET_VERSION, estimate(dataset), &file, err);
    if (status == BMF_OK)
        status = write_all(file, dataset, err);
    if (status == BMF_OK)
        status = bmf_h5_file_finish(&place, &file, err);
    if (status == BMF_OK)
        return BMF_OK;
    bmf_h5_file_discard(&place, &file);
    bmf_context(err, "%s", path);
    return status;
}
