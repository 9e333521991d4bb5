/* The data-set file: what is written comes back, parts as well as the whole; damage and full disks are reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/assert_close.h"
#include "unit/store_faults.h"
#include "unit/store_samples.h"

#ifndef FLIP_STEP
#define FLIP_STEP 31
#endif

static bmf_error err;

static int clear_error(void **state)
{
    (void)state;
    bmf_error_clear(&err);
    return 0;
}

static bmf_dataset make(const sample_options *options)
{
    bmf_dataset dataset;
    assert_ok(sample_dataset(options, &dataset, &err), err);
    return dataset;
}

static void round_trip(const sample_options *options)
{
    const char *path = test_path("round.h5");
    bmf_dataset dataset = make(options), back;
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    assert_ok(bmf_dataset_read(path, &back, &err), err);
    assert_true(datasets_equal(&dataset, &back));
    bmf_dataset_clear(&dataset);
    bmf_dataset_clear(&back);
    check_nothing_open();
}

static void every_kind_comes_back(void **state)
{
    (void)state;
    for (int variant = 0; variant < 64; variant++) {
        sample_options options = sample_defaults();
        options.text_ids = variant & 1;
        options.timestamps = !(variant & 2);
        options.titles = !(variant & 4);
        options.empty_test = variant & 8;
        options.features = variant & 16 ? 0 : 6;
        options.user_features = variant & 32 ? 0 : 5;
        round_trip(&options);
    }
}

static void extremes_come_back(void **state)
{
    (void)state;
    sample_options none = {0}, one = {.users = 1, .items = 2, .per_user = 1, .timestamps = true},
                   large = sample_defaults();
    round_trip(&none);
    none.text_ids = true;
    round_trip(&none);
    round_trip(&one);
    large.users = 700;
    large.items = 300;
    large.per_user = 100;
    large.features = 100;
    round_trip(&large);
    large.text_ids = true;
    round_trip(&large);
}

static void equal_data_give_equal_files(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    const char *a = test_path("a.h5"), *b = test_path("b.h5");
    assert_ok(bmf_dataset_write(a, &dataset, &err), err);
    assert_ok(bmf_dataset_write(b, &dataset, &err), err);
    assert_true(files_equal(a, b));
    bmf_dataset_clear(&dataset);
}

/* Rows [first, last) of `whole`, compared with what was read. */
static void check_slice(const bmf_ratings *whole, int64_t first, int64_t last, const bmf_ratings *part)
{
    int64_t begin = whole->matrix.indptr[first], count = whole->matrix.indptr[last] - begin;
    assert_int_equal(part->matrix.rows, last - first);
    assert_int_equal(part->matrix.columns, whole->matrix.columns);
    for (int64_t row = first; row <= last; row++)
        assert_int_equal(part->matrix.indptr[row - first], whole->matrix.indptr[row] - begin);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(part->matrix.indices[i], whole->matrix.indices[begin + i]);
        assert_true(part->matrix.data[i] == whole->matrix.data[begin + i]);
        if (part->timestamp)
            assert_int_equal(part->timestamp[i], whole->timestamp[begin + i]);
    }
}

static void users_are_read_in_ranges(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    options.users = 40;
    bmf_dataset dataset = make(&options);
    bmf_dataset_file *file;
    const char *path = test_path("ranges.h5");
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    assert_ok(bmf_dataset_file_open(path, &file, &err), err);
    bmf_dataset_shape shape = bmf_dataset_file_shape(file);
    assert_string_equal(bmf_dataset_file_path(file), path);
    assert_int_equal(shape.users, 40);
    assert_int_equal(shape.items, dataset.items.count);
    assert_int_equal(shape.features, 6);
    assert_int_equal(shape.user_features, 5);
    for (int s = 0; s < BMF_SPLITS; s++) {
        int64_t *indptr;
        assert_int_equal(shape.ratings[s], bmf_csr_count(&dataset.split[s].matrix));
        assert_ok(bmf_dataset_file_read_indptr(file, (bmf_split)s, &indptr, &err), err);
        assert_memory_equal(indptr, dataset.split[s].matrix.indptr, 41 * sizeof *indptr);
        bmf_free(indptr);
        for (int64_t first = 0; first <= 40; first += 5)
            for (int64_t last = first; last <= 40; last += 7) {
                bmf_ratings part;
                int with = (int)(first % 2);
                assert_ok(bmf_dataset_file_read_ratings(file, (bmf_split)s, first, last, with, &part, &err), err);
                check_slice(&dataset.split[s], first, last, &part);
                assert_int_equal(part.timestamp != NULL, with);
                bmf_ratings_clear(&part);
            }
    }
    bmf_ratings part;
    assert_int_equal(bmf_dataset_file_read_ratings(file, BMF_VAL, 3, 41, 0, &part, &err), BMF_ERR_INTERNAL);
    assert_null(part.matrix.indptr);
    bmf_dataset_file_close(&file);
    bmf_dataset_file_close(&file);
    bmf_dataset_clear(&dataset);
    check_nothing_open();
}

static uint64_t fingerprint(const char *name, const bmf_dataset *dataset)
{
    const char *path = test_path(name);
    bmf_dataset_file *file;
    uint64_t value = 0;
    assert_ok(bmf_dataset_write(path, dataset, &err), err);
    assert_ok(bmf_dataset_file_open(path, &file, &err), err);
    assert_ok(bmf_dataset_file_fingerprint(file, &value, &err), err);
    bmf_dataset_file_close(&file);
    return value;
}

static void fingerprint_follows_the_data(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    uint64_t first = fingerprint("f1.h5", &dataset);
    dataset.import.seed = 99; /* how it was made is not what it is */
    assert_true(fingerprint("f2.h5", &dataset) == first);
    dataset.split[BMF_VAL].matrix.data[0] += 0.5f;
    uint64_t rating = fingerprint("f3.h5", &dataset);
    dataset.users.number[0] = 0;
    uint64_t user = fingerprint("f4.h5", &dataset);
    dataset.content.matrix.data[1] += 0.5f;
    uint64_t content = fingerprint("f5.h5", &dataset);
    dataset.user_content.matrix.data[1] += 0.5f;
    uint64_t user_content = fingerprint("f6.h5", &dataset);
    dataset.user_content.feature.count = 0; /* as if there were none */
    uint64_t without = fingerprint("f7.h5", &dataset);
    dataset.user_content.feature.count = options.user_features;
    assert_true(first != rating && rating != user && user != content && first != user);
    assert_true(content != user_content && user_content != without && content != without);
    bmf_dataset_clear(&dataset);
}

static int read_and_compare(const char *path, const void *context, bmf_error *report)
{
    bmf_dataset back;
    int status = bmf_dataset_read(path, &back, report);
    if (status != BMF_OK)
        return status;
    bool equal = datasets_equal(context, &back);
    bmf_dataset_clear(&back);
    return equal ? BMF_OK : -1;
}

static void flipped_bytes_are_noticed(void **state)
{
    (void)state;
    for (int text = 0; text < 2; text++) {
        sample_options options = sample_defaults();
        options.text_ids = text;
        bmf_dataset dataset = make(&options);
        const char *path = test_path("flips.h5");
        assert_ok(bmf_dataset_write(path, &dataset, &err), err);
        check_flips(path, FLIP_STEP, read_and_compare, &dataset);
        bmf_dataset_clear(&dataset);
    }
}

static void cut_files_are_noticed(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    const char *path = test_path("whole.h5");
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    check_truncations(path, file_size(path) / 97 + 1, read_and_compare, &dataset);
    bmf_dataset_clear(&dataset);
}

static void check_refusal(const char *path, int status, const char *text)
{
    bmf_dataset back;
    bmf_dataset_file *file = (void *)&back;
    char wanted[600];
    snprintf(wanted, sizeof wanted, "%s: %s", path, text);
    bmf_error_clear(&err);
    assert_int_equal(bmf_dataset_read(path, &back, &err), status);
    assert_string_equal(err.text, wanted);
    assert_null(back.users.number);
    bmf_error_clear(&err);
    assert_int_equal(bmf_dataset_file_open(path, &file, &err), status);
    assert_null(file);
    check_nothing_open();
}

static void other_files_are_refused(void **state)
{
    (void)state;
    const char *path = test_path("other.h5");
    check_refusal(test_path("missing.h5"), BMF_ERR_IO, "cannot be opened: No such file or directory");
    check_refusal(test_directory(), BMF_ERR_IO, "is a directory, a file is expected");
    check_refusal("/dev/null", BMF_ERR_IO, "is not a regular file, a file is expected");
    write_text(path, "");
    check_refusal(path, BMF_ERR_INPUT, "is empty, an HDF5 file is expected");
    write_text(path, "userId,movieId,rating,timestamp\n1,2,3.5,4\n");
    check_refusal(path, BMF_ERR_INPUT, "is not an HDF5 file, an HDF5 file is expected");
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    bmf_model_meta meta = sample_meta(&dataset, BMF_CONTENT_NONE, 4);
    assert_ok(sample_model_write(path, &meta, &dataset, &err), err);
    check_refusal(path, BMF_ERR_INPUT, "is a blendmf model, a blendmf data set is expected");
    bmf_dataset_clear(&dataset);
}

static void kind_is_told(void **state)
{
    (void)state;
    char kind[32];
    int64_t version = 0;
    const char *path = test_path("kind.h5");
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    assert_ok(bmf_file_kind(path, kind, &version, &err), err);
    assert_string_equal(kind, "dataset");
    assert_int_equal(version, 1);
    assert_int_equal(bmf_file_kind(test_path("missing.h5"), kind, &version, &err), BMF_ERR_IO);
    assert_string_equal(kind, "");
    bmf_dataset_clear(&dataset);
}

static void impossible_targets_are_refused(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    int before = count_entries(test_directory());
    assert_int_equal(bmf_dataset_write(test_path("no/such/dir.h5"), &dataset, &err), BMF_ERR_IO);
    assert_non_null(strstr(err.text, "dir.h5: cannot create a file beside it: No such file or directory"));
    bmf_error_clear(&err);
    assert_int_equal(bmf_dataset_write(test_directory(), &dataset, &err), BMF_ERR_IO);
    assert_non_null(strstr(err.text, "is a directory; the name of a regular file is needed"));
    bmf_error_clear(&err);
    assert_int_equal(bmf_dataset_write("/dev/null", &dataset, &err), BMF_ERR_IO);
    assert_int_equal(count_entries(test_directory()), before);
    bmf_dataset_clear(&dataset);
}

static void links_and_modes_survive(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options), back;
    const char *link = test_path("link.h5"), *target = test_path("target.h5");
    struct stat info;
    mode_t mask = umask(0027);
    write_text(target, "old");
    assert_int_equal(symlink(target, link), 0);
    assert_ok(bmf_dataset_write(link, &dataset, &err), err);
    umask(mask);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_true(info.st_blocks * 512 < info.st_size + 65536); /* the reservation was given back */
    assert_ok(bmf_dataset_read(target, &back, &err), err);
    bmf_dataset_clear(&back);
    bmf_dataset_clear(&dataset);
}

static int write_sample(const char *path, const void *context, bmf_error *report)
{
    return bmf_dataset_write(path, context, report);
}

static bmf_dataset make_large(void)
{
    sample_options options = sample_defaults();
    options.users = 500;
    options.items = 400;
    options.per_user = 150;
    return make(&options);
}

static void failed_writes_leave_the_older_file(void **state)
{
    (void)state;
    bmf_dataset dataset = make_large();
    check_size_limits(write_sample, &dataset);
    bmf_dataset_clear(&dataset);
}

static void full_disks_leave_the_older_file(void **state)
{
    (void)state;
    bmf_dataset dataset = make_large();
    check_full_disks(write_sample, &dataset);
    bmf_dataset_clear(&dataset);
}

static void contradictions_are_not_written(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options);
    const char *path = test_path("never.h5");
    dataset.users.count--;
    assert_int_equal(bmf_dataset_write(path, &dataset, &err), BMF_ERR_INTERNAL);
    assert_int_equal(file_size(path), -1);
    dataset.users.count++;
    dataset.title.bytes[dataset.title.offset[1]] = '\0';
    bmf_error_clear(&err);
    assert_int_equal(bmf_dataset_write(path, &dataset, &err), BMF_ERR_INPUT);
    assert_non_null(strstr(err.text, "has a NUL byte inside"));
    assert_int_equal(file_size(path), -1);
    bmf_dataset_clear(&dataset);
    check_nothing_open();
}

static void long_strings_are_not_written(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    options.titles = false;
    bmf_dataset dataset = make(&options), back;
    const char *path = test_path("long.h5");
    const int64_t largest = 1 << 20;
    char *text = bmf_alloc(largest + 1, 1, "title", &err);
    memset(text, 'x', (size_t)largest + 1);
    assert_ok(bmf_strings_add(&dataset.title, text, largest, &err), err);
    while (dataset.title.count < dataset.items.count)
        assert_ok(bmf_strings_add(&dataset.title, "", 0, &err), err);
    assert_ok(bmf_dataset_write(path, &dataset, &err), err); /* the longest that can be read again */
    assert_ok(bmf_dataset_read(path, &back, &err), err);
    assert_true(strings_equal(&dataset.title, &back.title));
    unlink(path);
    bmf_strings_clear(&dataset.title);
    while (dataset.title.count < dataset.items.count)
        assert_ok(bmf_strings_add(&dataset.title, text, largest + (dataset.title.count == 3), &err), err);
    assert_int_equal(bmf_dataset_write(path, &dataset, &err), BMF_ERR_INPUT);
    char wanted[512];
    snprintf(wanted, sizeof wanted,
             "%s: /items/title: a string of 1048577 bytes is too long, at most 1048576 bytes are stored", path);
    assert_string_equal(err.text, wanted);
    assert_int_equal(file_size(path), -1);
    bmf_free(text);
    bmf_dataset_clear(&dataset);
    bmf_dataset_clear(&back);
    check_nothing_open();
}

static void an_item_twice_for_a_user_is_refused(void **state)
{
    (void)state;
    sample_options options = sample_defaults();
    bmf_dataset dataset = make(&options), back;
    const char *path = test_path("twice.h5");
    bmf_csr *matrix = &dataset.split[BMF_VAL].matrix;
    int64_t user = 0;
    while (matrix->indptr[user + 1] - matrix->indptr[user] < 3)
        user++;
    int32_t *row = matrix->indices + matrix->indptr[user];
    row[2] = row[0];
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    assert_int_equal(bmf_dataset_read(path, &back, &err), BMF_ERR_INPUT);
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s: /ratings/val: row %ld has index %d twice; a user rates an item once", path,
             (long)user, row[0]);
    assert_string_equal(err.text, wanted);
    bmf_dataset_clear(&dataset);
    check_nothing_open();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_kind_comes_back, clear_error),
        cmocka_unit_test_setup(extremes_come_back, clear_error),
        cmocka_unit_test_setup(equal_data_give_equal_files, clear_error),
        cmocka_unit_test_setup(users_are_read_in_ranges, clear_error),
        cmocka_unit_test_setup(fingerprint_follows_the_data, clear_error),
        cmocka_unit_test_setup(flipped_bytes_are_noticed, clear_error),
        cmocka_unit_test_setup(cut_files_are_noticed, clear_error),
        cmocka_unit_test_setup(other_files_are_refused, clear_error),
        cmocka_unit_test_setup(kind_is_told, clear_error),
        cmocka_unit_test_setup(impossible_targets_are_refused, clear_error),
        cmocka_unit_test_setup(links_and_modes_survive, clear_error),
        cmocka_unit_test_setup(failed_writes_leave_the_older_file, clear_error),
        cmocka_unit_test_setup(full_disks_leave_the_older_file, clear_error),
        cmocka_unit_test_setup(contradictions_are_not_written, clear_error),
        cmocka_unit_test_setup(long_strings_are_not_written, clear_error),
        cmocka_unit_test_setup(an_item_twice_for_a_user_is_refused, clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
