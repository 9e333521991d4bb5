/* The model file: slabs in any order come back, nothing shows before the commit, damage and full disks are reported. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/h5.h"
#include "support/assert_close.h"
#include "unit/store_faults.h"
#include "unit/store_samples.h"

#ifndef FLIP_STEP
#define FLIP_STEP 31
#endif

static bmf_error err;

typedef struct sample {
    bmf_dataset dataset;
    bmf_model_meta meta;
} sample;

static int clear_error(void **state)
{
    (void)state;
    bmf_error_clear(&err);
    return 0;
}

static sample make(bmf_content_mode mode, int64_t users, int64_t features, bool text_ids)
{
    sample out;
    sample_options options = sample_defaults();
    options.users = users;
    options.features = features;
    options.text_ids = text_ids;
    assert_ok(sample_dataset(&options, &out.dataset, &err), err);
    out.meta = sample_meta(&out.dataset, mode, 5);
    return out;
}

static int write_sample(const char *path, const void *context, bmf_error *report)
{
    const sample *from = context;
    return sample_model_write(path, &from->meta, &from->dataset, report);
}

static int compare_sample(const char *path, const void *context, bmf_error *report)
{
    const sample *with = context;
    return sample_model_compare(path, &with->meta, &with->dataset, report);
}

static void every_mode_comes_back(void **state)
{
    (void)state;
    static const bmf_content_mode modes[] = {BMF_CONTENT_NONE, BMF_CONTENT_CONCAT, BMF_CONTENT_EMBED};
    for (int variant = 0; variant < 24; variant++) {
        int64_t users = variant & 1 ? 301 : variant & 2 ? 0 : 9;
        sample model = make(modes[variant % 3], users, variant & 4 ? 0 : 37, variant & 8);
        const char *path = test_path("model.h5");
        assert_ok(write_sample(path, &model, &err), err);
        assert_ok(compare_sample(path, &model, &err), err);
        bmf_dataset_clear(&model.dataset);
    }
    check_nothing_open();
}

static void extents_follow_the_meta(void **state)
{
    (void)state;
    bmf_model_meta meta = {.users = 7, .items = 11, .features = 3, .factors = 5, .content = BMF_CONTENT_CONCAT};
    static const int64_t concat[BMF_ROLES][2] = {{7, 5}, {11, 5}, {0, 0}, {7, 1}, {11, 1}, {0, 0}};
    static const int64_t embed[BMF_ROLES][2] = {{7, 5}, {11, 5}, {3, 5}, {7, 1}, {11, 1}, {3, 1}};
    for (int role = 0; role < BMF_ROLES; role++) {
        meta.content = BMF_CONTENT_CONCAT;
        bmf_extent extent = bmf_role_extent(&meta, NULL, (bmf_role)role);
        assert_true(extent.rows == concat[role][0] && extent.columns == concat[role][1]);
        meta.content = BMF_CONTENT_EMBED;
        extent = bmf_role_extent(&meta, NULL, (bmf_role)role);
        assert_true(extent.rows == embed[role][0] && extent.columns == embed[role][1]);
    }
    assert_false(bmf_model_meta_has_weights(&meta));
    meta.content = BMF_CONTENT_CONCAT;
    assert_true(bmf_model_meta_has_weights(&meta));
    meta.features = 0;
    assert_false(bmf_model_meta_has_weights(&meta));
    assert_string_equal(bmf_role_name(BMF_ROLE_FEATURE_BIAS), "feature_bias");
    assert_string_equal(bmf_content_mode_name(BMF_CONTENT_EMBED), "embed");
}

static void extents_of_effects_of_time(void **state)
{
    (void)state;
    bmf_model_meta meta = {.users = 7, .items = 11, .factors = 5, .time_effects = BMF_TIME_BOTH, .time_bins = 4};
    static const int64_t both[][2] = {{4, 1}, {11, 4}, {7, 1}, {7, 1}, {7, 1}, {7, 1}};
    for (int i = 0; i < 6; i++) {
        const bmf_role role = (bmf_role)(BMF_ROLE_TIME_BEGIN + i);
        for (meta.time_effects = BMF_TIME_NONE; meta.time_effects < BMF_TIME_MODES; meta.time_effects++) {
            const bool there =
                i < 2 ? bmf_time_mode_has_items(meta.time_effects) : bmf_time_mode_has_users(meta.time_effects);
            const bmf_extent extent = bmf_role_extent(&meta, NULL, role);
            assert_int_equal(extent.rows, there ? both[i][0] : 0);
            assert_int_equal(extent.columns, there ? both[i][1] : 0);
        }
    }
    assert_int_equal(BMF_ROLE_TIME_BEGIN + 6, BMF_ROLES);
}

static void rows_are_read_in_ranges(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 60, 37, false);
    bmf_model_file *file;
    const char *path = test_path("rows.h5");
    assert_ok(write_sample(path, &model, &err), err);
    assert_ok(bmf_model_file_open(path, &file, &err), err);
    float rows[60 * 5];
    for (int64_t first = 0; first <= 60; first += 7)
        for (int64_t last = first; last <= 60; last += 9) {
            assert_ok(bmf_model_file_read_rows(file, BMF_ROLE_P, first, last - first, rows, &err), err);
            for (int64_t i = 0; i < (last - first) * 5; i++)
                assert_true(rows[i] == sample_value(BMF_ROLE_P, first + i / 5, i % 5));
        }
    assert_int_equal(bmf_model_file_read_rows(file, BMF_ROLE_P, 50, 11, rows, &err), BMF_ERR_INTERNAL);
    bmf_error_clear(&err);
    assert_int_equal(bmf_model_file_read_rows(file, BMF_ROLE_V, 0, 1, rows, &err), BMF_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "has no V"));
    bmf_model_file_close(&file);
    bmf_model_file_close(&file);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

static void weights_are_read_in_ranges(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 60, 37, false);
    bmf_model_file *file;
    const char *path = test_path("weights.h5");
    assert_ok(write_sample(path, &model, &err), err);
    assert_ok(bmf_model_file_open(path, &file, &err), err);
    assert_int_equal(bmf_model_file_weights(file), sample_weight_count(&model.meta));
    for (int64_t first = 0; first <= 60; first += 7)
        for (int64_t last = first; last <= 60; last += 9) {
            bmf_csr found, wanted;
            assert_ok(bmf_model_file_read_weights(file, first, last, &found, &err), err);
            assert_ok(sample_weights(&model.meta, first, last, &wanted, &err), err);
            const int64_t count = bmf_csr_count(&wanted);
            assert_memory_equal(found.indptr, wanted.indptr, (size_t)(last - first + 1) * sizeof *wanted.indptr);
            for (int64_t j = 0; j < count; j++)
                assert_true(found.indices[j] == wanted.indices[j] && found.data[j] == wanted.data[j]);
            bmf_csr_clear(&found);
            bmf_csr_clear(&wanted);
        }
    bmf_model_file_close(&file);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

/* A file from before an attribute was thought of has none of it, and its checksum knows nothing of it. */
static void younger_attributes_may_be_missing(void **state)
{
    (void)state;
    typedef struct record {
        int64_t old;
        double young;
    } record;
    const bmf_h5_field fields[] = {{"old", BMF_H5_INT64, offsetof(record, old), 1},
                                   {"young", BMF_H5_FLOAT64, offsetof(record, young), 1}};
    hid_t file = H5Fcreate("attributes.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    record written = {7, 0.5}, read = {0, 2.5};
    assert_ok(bmf_h5_write_checked_fields(file, fields, 1, &written, &err), err);
    assert_ok(bmf_h5_read_checked_fields(file, fields, 1, 2, &read, &err), err);
    assert_true(read.old == 7 && read.young == 2.5);
    H5Adelete(file, "old");
    H5Adelete(file, "checksum");
    assert_ok(bmf_h5_write_checked_fields(file, fields, 2, &written, &err), err);
    assert_ok(bmf_h5_read_checked_fields(file, fields, 1, 2, &read, &err), err);
    assert_true(read.young == 0.5);
    H5Adelete(file, "young"); /* lost, not older */
    assert_int_equal(bmf_h5_read_checked_fields(file, fields, 1, 2, &read, &err), BMF_ERR_IO);
    H5Fclose(file);
    unlink("attributes.h5");
}

static bmf_model_writer *start(const char *path, const sample *model)
{
    bmf_model_writer *writer;
    assert_ok(bmf_model_writer_create(path, &model->meta, &model->dataset.users, &model->dataset.items,
                                      model->meta.features ? &model->dataset.content : NULL,
                                      sample_weight_count(&model->meta), NULL, &writer, &err),
              err);
    return writer;
}

static void nothing_shows_before_the_commit(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_NONE, 9, 6, false);
    float rows[9 * 5] = {0};
    const char *path = test_path("hidden.h5");
    int before = count_entries(test_directory());
    bmf_model_writer *writer = start(path, &model);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, 9, rows, &err), err);
    assert_int_equal(file_size(path), -1);
    assert_int_equal(count_entries(test_directory()), before + 1);
    bmf_model_writer_abandon(&writer);
    assert_null(writer);
    bmf_model_writer_abandon(&writer);
    assert_int_equal(count_entries(test_directory()), before);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

static void missing_rows_are_not_committed(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_NONE, 9, 6, false);
    float rows[13 * 5] = {0};
    const char *path = test_path("partial.h5");
    int before = count_entries(test_directory());
    bmf_model_writer *writer = start(path, &model);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, 5, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 2, 5, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_Q, 0, 13, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_USER_BIAS, 0, 9, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_ITEM_BIAS, 0, 13, rows, &err), err);
    assert_int_equal(bmf_model_writer_commit(&writer, &err), BMF_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "2 rows of P were never written"));
    assert_null(writer);
    bmf_error_clear(&err);
    writer = start(path, &model);
    assert_int_equal(bmf_model_writer_rows(writer, BMF_ROLE_P, 5, 5, rows, &err), BMF_ERR_INTERNAL);
    bmf_error_clear(&err);
    assert_int_equal(bmf_model_writer_rows(writer, BMF_ROLE_V, 0, 1, rows, &err), BMF_ERR_INTERNAL);
    bmf_error_clear(&err);
    bmf_csr weights = {0};
    assert_int_equal(bmf_model_writer_weights(writer, &weights, &err), BMF_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "has no W"));
    bmf_model_writer_abandon(&writer);
    assert_int_equal(count_entries(test_directory()), before);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

/* Older files do not tell who was trained; a count below 0 is refused. */
static void counts_may_be_missing_but_not_wrong(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_NONE, 9, 6, false);
    float rows[13 * 5] = {0};
    int32_t count[13] = {[4] = -7}, read[11];
    const char *path = test_path("counts.h5");
    for (int told = 0; told < 2; told++) {
        bmf_model_file *file = NULL;
        bmf_model_writer *writer = start(path, &model);
        if (told)
            assert_ok(bmf_model_writer_counts(writer, count, count, &err), err);
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, 9, rows, &err), err);
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_Q, 0, 13, rows, &err), err);
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_USER_BIAS, 0, 9, rows, &err), err);
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_ITEM_BIAS, 0, 13, rows, &err), err);
        if (told) {
            assert_int_equal(bmf_model_writer_commit(&writer, &err), BMF_ERR_IO);
            assert_non_null(strstr(err.text, "row 4 says -7"));
            bmf_error_clear(&err);
            continue;
        }
        assert_ok(bmf_model_writer_commit(&writer, &err), err);
        assert_ok(bmf_model_file_open(path, &file, &err), err);
        assert_ok(bmf_model_file_read_item_counts(file, 2, 11, read, &err), err);
        for (int i = 0; i < 11; i++)
            assert_int_equal(read[i], -1);
        bmf_model_file_close(&file);
    }
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

/* More entries than announced are refused at once, fewer at the commit. */
static void weights_come_as_announced(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 9, 6, false);
    float rows[13 * 5] = {0};
    const char *path = test_path("announced.h5");
    bmf_csr some;
    bmf_model_writer *writer = start(path, &model);
    assert_ok(sample_weights(&model.meta, 0, 9, &some, &err), err);
    some.indptr[9]++;
    assert_int_equal(bmf_model_writer_weights(writer, &some, &err), BMF_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "/W: 9 rows with "));
    bmf_error_clear(&err);
    some.rows = 5;
    assert_ok(bmf_model_writer_weights(writer, &some, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, 9, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_Q, 0, 13, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_USER_BIAS, 0, 9, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_ITEM_BIAS, 0, 13, rows, &err), err);
    assert_int_equal(bmf_model_writer_commit(&writer, &err), BMF_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "/W: 5 rows with "));
    assert_int_equal(file_size(path), -1);
    bmf_csr_clear(&some);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

static void wrong_metas_are_refused(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 9, 6, false);
    bmf_model_writer *writer = (void *)&model;
    const char *path = test_path("refused.h5");
    bmf_model_meta meta = model.meta;
    meta.users = 8;
    assert_int_equal(bmf_model_writer_create(path, &meta, &model.dataset.users, &model.dataset.items,
                                             &model.dataset.content, 0, NULL, &writer, &err),
                     BMF_ERR_INTERNAL);
    assert_null(writer);
    meta = model.meta;
    meta.global_mean = NAN;
    bmf_error_clear(&err);
    assert_int_equal(bmf_model_writer_create(path, &meta, &model.dataset.users, &model.dataset.items,
                                             &model.dataset.content, 0, NULL, &writer, &err),
                     BMF_ERR_INPUT);
    assert_non_null(strstr(err.text, "'global_mean' is not finite"));
    bmf_error_clear(&err);
    assert_int_equal(bmf_model_writer_create(path, &model.meta, &model.dataset.users, &model.dataset.items, NULL, 0,
                                             NULL, &writer, &err),
                     BMF_ERR_INTERNAL);
    assert_int_equal(file_size(path), -1);
    bmf_dataset_clear(&model.dataset);
}

/* Read back before it takes its place: what a reader would refuse never gets there. */
static void values_not_finite_are_never_written(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_NONE, 9, 6, false);
    float rows[13 * 5] = {0};
    const char *path = test_path("nan.h5");
    bmf_model_writer *writer = start(path, &model);
    rows[3 * 5 + 2] = INFINITY;
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, 9, rows, &err), err);
    rows[3 * 5 + 2] = 0;
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_Q, 0, 13, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_USER_BIAS, 0, 9, rows, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_ITEM_BIAS, 0, 13, rows, &err), err);
    assert_int_equal(bmf_model_writer_commit(&writer, &err), BMF_ERR_IO);
    assert_non_null(strstr(err.text, "/P: the value in row 3, column 2 is not finite"));
    assert_int_equal(file_size(path), -1);
    bmf_error_clear(&err);
    bmf_dataset_clear(&model.dataset);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_NONE, 9, 6, false);
    char kind[32], wanted[600];
    int64_t version;
    bmf_model_file *file;
    const char *path = test_path("kinds.h5");
    assert_ok(write_sample(path, &model, &err), err);
    assert_ok(bmf_file_kind(path, kind, &version, &err), err);
    assert_string_equal(kind, "model");
    assert_int_equal(version, 2);
    assert_ok(bmf_dataset_write(path, &model.dataset, &err), err);
    assert_int_equal(bmf_model_file_open(path, &file, &err), BMF_ERR_INPUT);
    snprintf(wanted, sizeof wanted, "%s: is a blendmf data set, a blendmf model is expected", path);
    assert_string_equal(err.text, wanted);
    assert_null(file);
    bmf_dataset_clear(&model.dataset);
    check_nothing_open();
}

static void flipped_bytes_are_noticed(void **state)
{
    (void)state;
    static const bmf_content_mode modes[] = {BMF_CONTENT_CONCAT, BMF_CONTENT_EMBED};
    for (int i = 0; i < 2; i++) {
        sample model = make(modes[i], 9, 6, i);
        const char *path = test_path("flips.h5");
        assert_ok(write_sample(path, &model, &err), err);
        check_flips(path, FLIP_STEP, compare_sample, &model);
        bmf_dataset_clear(&model.dataset);
    }
}

static void cut_files_are_noticed(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 9, 6, false);
    const char *path = test_path("whole.h5");
    assert_ok(write_sample(path, &model, &err), err);
    check_truncations(path, file_size(path) / 97 + 1, compare_sample, &model);
    bmf_dataset_clear(&model.dataset);
}

static void failed_writes_leave_the_older_file(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 500, 97, false);
    check_size_limits(write_sample, &model);
    bmf_dataset_clear(&model.dataset);
}

static void full_disks_leave_the_older_file(void **state)
{
    (void)state;
    sample model = make(BMF_CONTENT_CONCAT, 1500, 197, false);
    check_full_disks(write_sample, &model);
    bmf_dataset_clear(&model.dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_mode_comes_back, clear_error),
        cmocka_unit_test_setup(extents_follow_the_meta, clear_error),
        cmocka_unit_test_setup(extents_of_effects_of_time, clear_error),
        cmocka_unit_test_setup(rows_are_read_in_ranges, clear_error),
        cmocka_unit_test_setup(weights_are_read_in_ranges, clear_error),
        cmocka_unit_test_setup(counts_may_be_missing_but_not_wrong, clear_error),
        cmocka_unit_test_setup(weights_come_as_announced, clear_error),
        cmocka_unit_test_setup(younger_attributes_may_be_missing, clear_error),
        cmocka_unit_test_setup(nothing_shows_before_the_commit, clear_error),
        cmocka_unit_test_setup(missing_rows_are_not_committed, clear_error),
        cmocka_unit_test_setup(wrong_metas_are_refused, clear_error),
        cmocka_unit_test_setup(values_not_finite_are_never_written, clear_error),
        cmocka_unit_test_setup(other_files_are_refused, clear_error),
        cmocka_unit_test_setup(flipped_bytes_are_noticed, clear_error),
        cmocka_unit_test_setup(cut_files_are_noticed, clear_error),
        cmocka_unit_test_setup(failed_writes_leave_the_older_file, clear_error),
        cmocka_unit_test_setup(full_disks_leave_the_older_file, clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
