#include "unit/store_samples.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

sample_options sample_defaults(void)
{
    return (sample_options){.users = 9,
                            .items = 13,
                            .features = 6,
                            .user_features = 5,
                            .per_user = 5,
                            .text_ids = false,
                            .timestamps = true,
                            .titles = true,
                            .empty_test = false};
}

static uint64_t draw(uint64_t stream, int64_t i, uint64_t bound)
{
    return bmf_rng_below(bmf_rng_key(stream, BMF_STREAM_TEST), (uint64_t)i, bound);
}

static int make_ids(bmf_ids *ids, int64_t count, bool text, bmf_error *err)
{
    ids->kind = text ? BMF_ID_STRING : BMF_ID_INT64;
    ids->count = count;
    ids->number = text ? NULL : bmf_alloc(count, sizeof *ids->number, "ids", err);
    int status = text || ids->number ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t i = 0; i < count && status == BMF_OK; i++) {
        char name[64];
        int length = snprintf(name, sizeof name, "u%06ldÄ%.*s", (long)i, (int)(i % 7), "zzzzzzz");
        if (text)
            status = bmf_strings_add(&ids->text, name, length, err);
        else
            ids->number[i] = i * 3 + 1;
    }
    return status;
}

/* Rows of draw(…) ascending indices, spaced by at least one. */
static int make_csr(bmf_csr *out, int64_t rows, int64_t columns, int per_row, uint64_t stream, bmf_error *err)
{
    int most = per_row < columns / 2 ? per_row : (int)(columns / 2);
    int64_t *length = bmf_alloc(rows, sizeof *length, "lengths", err), count = 0;
    for (int64_t r = 0; r < rows; r++)
        count += length[r] = most > 0 ? (int64_t)draw(stream, r, (uint64_t)most + 1) : 0;
    int status = bmf_csr_create(out, rows, columns, count, "sample", err);
    for (int64_t r = 0; r < rows && status == BMF_OK; r++) {
        out->indptr[r + 1] = out->indptr[r] + length[r];
        for (int64_t j = 0; j < length[r]; j++) {
            int64_t at = out->indptr[r] + j;
            out->indices[at] = (int32_t)(2 * j + (int64_t)draw(stream + 1, at, 2));
            out->data[at] = 0.5f * (float)(1 + draw(stream + 2, at, 10));
        }
    }
    bmf_free(length);
    return status;
}

static int make_split(bmf_dataset *out, bmf_split split, const sample_options *options, bmf_error *err)
{
    bmf_ratings *ratings = &out->split[split];
    int per_user = split == BMF_TEST && options->empty_test ? 0 : options->per_user;
    int status = make_csr(&ratings->matrix, options->users, options->items, per_user, 10 * (1 + (uint64_t)split), err);
    if (status != BMF_OK || !options->timestamps)
        return status;
    int64_t count = bmf_csr_count(&ratings->matrix);
    ratings->timestamp = bmf_alloc(count, sizeof *ratings->timestamp, "timestamps", err);
    for (int64_t i = 0; i < count && ratings->timestamp; i++)
        ratings->timestamp[i] = 1000000000 + i * 60;
    return ratings->timestamp ? BMF_OK : BMF_ERR_MEMORY;
}

static int make_content(bmf_content *out, int64_t items, int64_t features, bmf_error *err)
{
    int status = make_csr(&out->matrix, items, features, 4, 77, err);
    if (status == BMF_OK && !(out->idf = bmf_alloc(features, sizeof *out->idf, "idf", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t f = 0; f < features && status == BMF_OK; f++) {
        char name[32];
        int length = snprintf(name, sizeof name, "feature%05ld", (long)f);
        out->idf[f] = 1.0 + 0.25 * (double)f;
        status = bmf_strings_add(&out->feature, name, length, err);
    }
    return status;
}

static int make_titles(bmf_strings *out, int64_t items, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = 0; i < items && status == BMF_OK; i++) {
        char title[64];
        int length =
            i % 5 == 0 ? 0 : snprintf(title, sizeof title, "Película nº %ld (19%02ld)", (long)i, (long)(i % 99));
        status = bmf_strings_add(out, title, length, err);
    }
    return status;
}

int sample_dataset(const sample_options *options, bmf_dataset *out, bmf_error *err)
{
    *out = (bmf_dataset){0};
    out->import = (bmf_import_record){.source = "ratings.csv",
                                      .format = "csv",
                                      .split = "temporal",
                                      .split_ratio = {0.7, 0.15, 0.15},
                                      .duplicates = "last",
                                      .cold_items = 0.125,
                                      .max_features = 5000,
                                      .seed = -3,
                                      .ratings_read = 70,
                                      .bad_lines = 2,
                                      .duplicate_ratings = 1,
                                      .unknown_tags = 4,
                                      .feature_weighting = "binary",
                                      .title_features = "year,words",
                                      .tag_features = "phrases",
                                      .item_columns = "a,b=text",
                                      .users = "users.dat",
                                      .user_columns = "age"};
    int status = make_ids(&out->users, options->users, options->text_ids, err);
    if (status == BMF_OK)
        status = make_ids(&out->items, options->items, false, err);
    if (status == BMF_OK && options->titles)
        status = make_titles(&out->title, options->items, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = make_split(out, (bmf_split)s, options, err);
    if (status == BMF_OK)
        status = make_content(&out->content, options->items, options->features, err);
    if (status == BMF_OK && options->user_features > 0)
        status = make_content(&out->user_content, options->users, options->user_features, err);
    if (status != BMF_OK)
        bmf_dataset_clear(out);
    return status;
}

static bool same(const void *a, const void *b, int64_t count, size_t size)
{
    return count == 0 || memcmp(a, b, (size_t)count * size) == 0;
}

bool strings_equal(const bmf_strings *a, const bmf_strings *b)
{
    if (a->count != b->count)
        return false;
    for (int64_t i = 0; i < a->count; i++)
        if (bmf_strings_length(a, i) != bmf_strings_length(b, i) ||
            strcmp(bmf_strings_get(a, i), bmf_strings_get(b, i)) != 0)
            return false;
    return true;
}

static bool csr_equal(const bmf_csr *a, const bmf_csr *b)
{
    int64_t count = bmf_csr_count(a);
    if (!a->indptr || !b->indptr) /* {0}: none */
        return !a->indptr && !b->indptr;
    return a->rows == b->rows && a->columns == b->columns && same(a->indptr, b->indptr, a->rows + 1, 8) &&
           same(a->indices, b->indices, count, 4) && same(a->data, b->data, count, 4);
}

bool ratings_equal(const bmf_ratings *a, const bmf_ratings *b)
{
    if (!csr_equal(&a->matrix, &b->matrix) || !a->timestamp != !b->timestamp)
        return false;
    return !a->timestamp || same(a->timestamp, b->timestamp, bmf_csr_count(&a->matrix), 8);
}

bool content_equal(const bmf_content *a, const bmf_content *b)
{
    return csr_equal(&a->matrix, &b->matrix) && strings_equal(&a->feature, &b->feature) &&
           same(a->idf, b->idf, a->feature.count, 8);
}

static bool imports_equal(const bmf_import_record *a, const bmf_import_record *b)
{
    return strcmp(a->source, b->source) == 0 && strcmp(a->format, b->format) == 0 && strcmp(a->split, b->split) == 0 &&
           strcmp(a->duplicates, b->duplicates) == 0 && same(a->split_ratio, b->split_ratio, BMF_SPLITS, 8) &&
           same(&a->cold_items, &b->cold_items, 1, 8) && a->max_features == b->max_features && a->seed == b->seed &&
           a->ratings_read == b->ratings_read && a->bad_lines == b->bad_lines &&
           a->duplicate_ratings == b->duplicate_ratings && a->unknown_tags == b->unknown_tags &&
           strcmp(a->feature_weighting, b->feature_weighting) == 0 &&
           strcmp(a->title_features, b->title_features) == 0 && strcmp(a->tag_features, b->tag_features) == 0 &&
           strcmp(a->item_columns, b->item_columns) == 0 && strcmp(a->users, b->users) == 0 &&
           strcmp(a->user_columns, b->user_columns) == 0;
}

bool datasets_equal(const bmf_dataset *a, const bmf_dataset *b)
{
    for (int s = 0; s < BMF_SPLITS; s++)
        if (!ratings_equal(&a->split[s], &b->split[s]))
            return false;
    return bmf_ids_equal(&a->users, &b->users) && bmf_ids_equal(&a->items, &b->items) &&
           strings_equal(&a->title, &b->title) && content_equal(&a->content, &b->content) &&
           content_equal(&a->user_content, &b->user_content) && imports_equal(&a->import, &b->import);
}

bmf_model_meta sample_meta(const bmf_dataset *dataset, bmf_content_mode mode, int64_t factors)
{
    return (bmf_model_meta){.users = dataset->users.count,
                            .items = dataset->items.count,
                            .features = mode == BMF_CONTENT_NONE ? 0 : dataset->content.matrix.columns,
                            .factors = factors,
                            .content = mode,
                            .global_mean = 3.53,
                            .content_weight = 0.75,
                            .learning_rate = 0.0125,
                            .bias_learning_rate = 0.005,
                            .learning_rate_decay = 0.97,
                            .regularization = 0.086,
                            .bias_regularization = 0.00127,
                            .content_regularization = 0.0013,
                            .user_regularization = 0.09,
                            .item_regularization = 0.08,
                            .user_bias_regularization = 0.0012,
                            .item_bias_regularization = 0.0014,
                            .init_std = 0.05,
                            .regularization_scaling = 0.25,
                            .schedule = "adagrad",
                            .clip = 5,
                            .seed = 42,
                            .best_epoch = 2,
                            .val_mse = 0.77,
                            .val_rmse = 0.8775,
                            .rating_min = 0.5,
                            .rating_max = 5,
                            .merge = "saturating",
                            .merges_per_epoch = 8,
                            .ranks = 3,
                            .threads = 2,
                            .dataset = "sample.h5",
                            .dataset_fingerprint = 0xfedcba9876543210u};
}

int32_t sample_count(int64_t row)
{
    return (int32_t)(row % 5 * (row + 3));
}

float sample_value(bmf_role role, int64_t row, int64_t column)
{
    return (float)role + 0.125f * (float)row - 0.5f * (float)column;
}

bmf_epoch_record sample_epoch(int64_t i)
{
    double x = (double)i;
    return (bmf_epoch_record){i + 1, 0.9 - 0.1 * x, 0.8, 0.85, 0.92, 0.01 / (x + 1), 0.25, 1e7 + x, 0.0625, {0}, 0};
}

static int write_array(bmf_model_writer *writer, const bmf_model_meta *meta, bmf_role role, bmf_error *err)
{
    const int64_t slab = 4;
    bmf_extent extent = bmf_role_extent(meta, NULL, role);
    float *data = bmf_alloc(slab * extent.columns, sizeof *data, "rows", err);
    int status = data ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t last = extent.rows; last > 0 && status == BMF_OK && extent.columns > 0; last -= slab) {
        int64_t first = last > slab ? last - slab : 0;
        for (int64_t i = 0; i < (last - first) * extent.columns; i++)
            data[i] = sample_value(role, first + i / extent.columns, i % extent.columns);
        status = bmf_model_writer_rows(writer, role, first, last - first, data, err);
    }
    bmf_free(data);
    return status;
}

int sample_weights(const bmf_model_meta *meta, int64_t first, int64_t last, bmf_csr *out, bmf_error *err)
{
    int64_t at = 0;
    int status = bmf_csr_create(out, last - first, meta->features, (last - first) * meta->features, "weights", err);
    for (int64_t u = first; u < last && status == BMF_OK; u++) {
        for (int32_t f = 0; f < meta->features; f++)
            if (u == 4 || (u % 3 && draw(77, u * meta->features + f, 3) == 0)) {
                out->indices[at] = f;
                out->data[at++] = 1 + 0.125f * (float)u - 0.5f * (float)f;
            }
        out->indptr[u - first + 1] = at;
    }
    return status;
}

static int write_weights(bmf_model_writer *writer, const bmf_model_meta *meta, bmf_error *err)
{
    const int64_t slab = 4;
    int status = BMF_OK;
    for (int64_t first = 0; first < meta->users && status == BMF_OK; first += slab) {
        bmf_csr rows;
        status = sample_weights(meta, first, first + slab < meta->users ? first + slab : meta->users, &rows, err);
        if (status == BMF_OK)
            status = bmf_model_writer_weights(writer, &rows, err);
        bmf_csr_clear(&rows);
    }
    return status;
}

int64_t sample_weight_count(const bmf_model_meta *meta)
{
    bmf_csr rows = {0};
    if (!bmf_model_meta_has_weights(meta) || sample_weights(meta, 0, meta->users, &rows, NULL) != BMF_OK)
        return 0;
    const int64_t count = bmf_csr_count(&rows);
    bmf_csr_clear(&rows);
    return count;
}

static int write_counts(bmf_model_writer *writer, const bmf_model_meta *meta, bmf_error *err)
{
    const int64_t most = meta->users > meta->items ? meta->users : meta->items;
    int32_t *count = bmf_alloc(most, sizeof *count, "counts", err);
    for (int64_t i = 0; count && i < most; i++)
        count[i] = sample_count(i);
    int status = count ? bmf_model_writer_counts(writer, count, count, err) : BMF_ERR_MEMORY;
    bmf_free(count);
    return status;
}

/* Of an embedded model: its features came from three more. */
static int make_projection(const bmf_model_meta *meta, bmf_projection *out, bmf_error *err)
{
    const int64_t wide = meta->features + 3;
    *out = (bmf_projection){.rank = meta->features};
    out->idf = bmf_alloc(wide, sizeof *out->idf, "idf", err);
    out->components = bmf_alloc(wide * out->rank, sizeof *out->components, "components", err);
    out->singular_value = bmf_alloc(out->rank, sizeof *out->singular_value, "values", err);
    int status = out->idf && out->components && out->singular_value ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t f = 0; f < wide && status == BMF_OK; f++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "wide%03ld", (long)f);
        out->idf[f] = 1 + 0.125 * (double)f;
        for (int64_t d = 0; d < out->rank; d++)
            out->components[f * out->rank + d] = 0.25f * (float)f - (float)d;
        status = bmf_strings_add(&out->feature, name, length, err);
    }
    for (int64_t d = 0; d < out->rank && status == BMF_OK; d++)
        out->singular_value[d] = 10 - (double)d;
    return status;
}

static bool has_projection(const bmf_model_meta *meta)
{
    return meta->content == BMF_CONTENT_EMBED && meta->features > 0;
}

static int write_projection(bmf_model_writer *writer, const bmf_model_meta *meta, bmf_error *err)
{
    bmf_projection projection;
    int status = make_projection(meta, &projection, err);
    if (status == BMF_OK)
        status = bmf_model_writer_projection(writer, &projection, err);
    bmf_projection_clear(&projection);
    return status;
}

static int compare_projection(bmf_model_file *file, const bmf_model_meta *meta, bmf_error *err)
{
    bmf_projection found, wanted = {.rank = 0};
    const int64_t wide = meta->features + 3;
    int status = bmf_model_file_read_projection(file, &found, err);
    if (status == BMF_OK && has_projection(meta))
        status = make_projection(meta, &wanted, err);
    if (status == BMF_OK && (found.rank != wanted.rank || bmf_model_file_content_svd(file) != wanted.rank ||
                             !strings_equal(&found.feature, &wanted.feature)))
        status = -1;
    if (status == BMF_OK && has_projection(meta) &&
        (!same(found.idf, wanted.idf, wide, 8) || !same(found.singular_value, wanted.singular_value, wanted.rank, 8) ||
         !same(found.components, wanted.components, wide * wanted.rank, 4)))
        status = -1;
    bmf_projection_clear(&found);
    bmf_projection_clear(&wanted);
    return status;
}

int sample_model_write(const char *path, const bmf_model_meta *meta, const bmf_dataset *dataset, bmf_error *err)
{
    bmf_model_writer *writer;
    bmf_epoch_record history[SAMPLE_EPOCHS];
    for (int i = 0; i < SAMPLE_EPOCHS; i++)
        history[i] = sample_epoch(i);
    int status =
        bmf_model_writer_create(path, meta, &dataset->users, &dataset->items, meta->features ? &dataset->content : NULL,
                                sample_weight_count(meta), NULL, &writer, err);
    if (status != BMF_OK)
        return status;
    status = write_counts(writer, meta, err);
    if (status == BMF_OK && has_projection(meta))
        status = write_projection(writer, meta, err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        status = write_array(writer, meta, (bmf_role)role, err);
    if (status == BMF_OK && bmf_model_meta_has_weights(meta))
        status = write_weights(writer, meta, err);
    if (status == BMF_OK)
        status = bmf_model_writer_history(writer, history, SAMPLE_EPOCHS, err);
    if (status == BMF_OK)
        return bmf_model_writer_commit(&writer, err);
    bmf_model_writer_abandon(&writer);
    return status;
}

static int compare_array(bmf_model_file *file, const bmf_model_meta *meta, bmf_role role, bmf_error *err)
{
    bmf_extent extent = bmf_role_extent(meta, NULL, role);
    if (extent.columns == 0)
        return BMF_OK;
    float *data = bmf_alloc(extent.rows * extent.columns, sizeof *data, "rows", err);
    int status = bmf_model_file_read_rows(file, role, 0, extent.rows, data, err);
    for (int64_t i = 0; i < extent.rows * extent.columns && status == BMF_OK; i++)
        if (data[i] != sample_value(role, i / extent.columns, i % extent.columns))
            status = -1;
    bmf_free(data);
    return status;
}

static int compare_weights(bmf_model_file *file, const bmf_model_meta *meta, bmf_error *err)
{
    bmf_csr found = {0}, wanted = {0};
    int status = bmf_model_file_read_weights(file, 0, meta->users, &found, err);
    if (status == BMF_OK)
        status = sample_weights(meta, 0, meta->users, &wanted, err);
    if (status == BMF_OK && !csr_equal(&found, &wanted))
        status = -1;
    bmf_csr_clear(&found);
    bmf_csr_clear(&wanted);
    return status;
}

static int compare_counts(bmf_model_file *file, const bmf_model_meta *meta, bmf_error *err)
{
    const int64_t first = meta->users / 2, users = meta->users - first;
    int32_t *count = bmf_alloc(users + meta->items, sizeof *count, "counts", err);
    int status = count ? bmf_model_file_read_user_counts(file, first, users, count, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_model_file_read_item_counts(file, 0, meta->items, count + users, err);
    for (int64_t i = 0; i < users + meta->items && status == BMF_OK; i++)
        if (count[i] != sample_count(i < users ? first + i : i - users))
            status = -1;
    bmf_free(count);
    return status;
}

static int compare_ids(bmf_model_file *file, const bmf_dataset *dataset, bmf_error *err)
{
    bmf_ids users = {0}, items = {0};
    int status = bmf_model_file_read_users(file, &users, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_items(file, &items, err);
    if (status == BMF_OK && (!bmf_ids_equal(&users, &dataset->users) || !bmf_ids_equal(&items, &dataset->items)))
        status = -1;
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    return status;
}

static int compare_content(bmf_model_file *file, const bmf_model_meta *meta, const bmf_dataset *dataset, bmf_error *err)
{
    bmf_content content;
    int status = bmf_model_file_read_content(file, &content, err);
    if (status != BMF_OK)
        return status;
    bool equal = meta->features ? content_equal(&content, &dataset->content)
                                : content.matrix.rows == meta->items && content.matrix.columns == 0;
    bmf_content_clear(&content);
    return equal ? BMF_OK : -1;
}

static int compare_history(bmf_model_file *file, bmf_error *err)
{
    bmf_epoch_record *history;
    int64_t count;
    int status = bmf_model_file_read_history(file, &history, &count, err);
    if (status == BMF_OK && count != SAMPLE_EPOCHS)
        status = -1;
    for (int64_t i = 0; i < SAMPLE_EPOCHS && status == BMF_OK; i++) {
        bmf_epoch_record wanted = sample_epoch(i);
        if (memcmp(&wanted, &history[i], sizeof wanted) != 0)
            status = -1;
    }
    bmf_free(history);
    return status;
}

static bool metas_equal(const bmf_model_meta *a, const bmf_model_meta *b)
{
    return a->users == b->users && a->items == b->items && a->features == b->features && a->factors == b->factors &&
           a->content == b->content && same(&a->global_mean, &b->global_mean, 9, 8) && a->seed == b->seed &&
           a->best_epoch == b->best_epoch && same(&a->val_mse, &b->val_mse, 4, 8) && strcmp(a->merge, b->merge) == 0 &&
           a->merges_per_epoch == b->merges_per_epoch && a->ranks == b->ranks && a->threads == b->threads &&
           strcmp(a->dataset, b->dataset) == 0 && a->dataset_fingerprint == b->dataset_fingerprint;
}

int sample_model_compare(const char *path, const bmf_model_meta *meta, const bmf_dataset *dataset, bmf_error *err)
{
    bmf_model_file *file;
    int status = bmf_model_file_open(path, &file, err);
    if (status != BMF_OK)
        return status;
    if (!metas_equal(meta, bmf_model_file_meta(file)))
        status = -1;
    if (status == BMF_OK)
        status = compare_ids(file, dataset, err);
    if (status == BMF_OK)
        status = compare_counts(file, meta, err);
    if (status == BMF_OK)
        status = compare_content(file, meta, dataset, err);
    if (status == BMF_OK)
        status = compare_projection(file, meta, err);
    if (status == BMF_OK)
        status = compare_history(file, err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        status = compare_array(file, meta, (bmf_role)role, err);
    if (status == BMF_OK && bmf_model_meta_has_weights(meta))
        status = compare_weights(file, meta, err);
    bmf_model_file_close(&file);
    return status;
}
