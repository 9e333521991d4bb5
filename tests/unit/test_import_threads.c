/* The file that an import writes is the same to the byte for any number of threads, and however the users of the text are
 * interleaved: ratings that stand in order of users are grouped in place, others are scattered. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "data/import.h"
#include "store/dataset_file.h"
#include "support/assert_close.h"
#include "unit/store_faults.h"

#define USERS 400
#define ITEMS 350
#define PER_USER 260 /* 104000 ratings: enough for threads and several pieces of text */

static bmf_error err;

/* Few items and times, so that pairs repeat and times tie. */
static void write_rating(FILE *file, int64_t user, int64_t i)
{
    uint64_t draw = bmf_rng_draw(11, (uint64_t)(user * PER_USER + i));
    int64_t length = 1 + user * (PER_USER - 1) / USERS; /* users differ in length */
    if (i < length)
        fprintf(file, "%" PRId64 ",%d,%.1f,%d\n", 3 * user + 1, (int)(draw % ITEMS) * 7, 0.5 * (double)(draw >> 20 & 7),
                (int)(1000000000 + (draw >> 32) % 40 * 86400));
}

static void write_ratings(const char *path, bool by_user)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("userId,movieId,rating,timestamp\n", file);
    for (int64_t n = 0; n < USERS * PER_USER; n++) {
        if (by_user)
            write_rating(file, n / PER_USER, n % PER_USER);
        else
            write_rating(file, n % USERS, n / USERS);
    }
    assert_int_equal(fclose(file), 0);
}

static void import_to(const char *path, const bmf_import_options *options)
{
    bmf_dataset dataset;
    assert_ok(bmf_import(options, &dataset, &err), err);
    assert_ok(bmf_dataset_write(path, &dataset, &err), err);
    bmf_dataset_clear(&dataset);
}

static void compare_all(bmf_import_options options)
{
    char text[512], one[512], other[512];
    snprintf(text, sizeof text, "%s/ratings.csv", test_directory());
    snprintf(one, sizeof one, "%s/one.h5", test_directory());
    snprintf(other, sizeof other, "%s/other.h5", test_directory());
    options.ratings_path = text;
    for (int by_user = 1; by_user >= 0; by_user--) {
        write_ratings(text, by_user);
        for (int threads = 1; threads <= 3; threads++) {
            options.threads = threads;
            bool first = by_user && threads == 1;
            import_to(first ? one : other, &options);
            if (!first)
                assert_true(files_equal(one, other));
        }
    }
}

static void files_are_equal(void **state)
{
    (void)state;
    static const bmf_duplicates duplicates[] = {BMF_DUPLICATES_LAST, BMF_DUPLICATES_FIRST, BMF_DUPLICATES_MEAN};
    static const bmf_split_kind split[] = {BMF_SPLIT_TEMPORAL, BMF_SPLIT_RANDOM, BMF_SPLIT_NONE};
    bmf_import_options options = bmf_import_defaults();
    for (int i = 0; i < 3; i++) {
        options.duplicates = duplicates[i];
        options.split = split[i];
        options.cold_items = i == 1 ? 0.1 : 0;
        compare_all(options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_equal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
