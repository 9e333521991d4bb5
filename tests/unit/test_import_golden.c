/* Import of MovieLens ml-latest-small against what pandas and scikit-learn made of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "data/import.h"
#include "support/assert_close.h"

#define LINE 512

static char paths[3][512];
static bmf_dataset dataset; /* of one thread */

static FILE *open_golden(const char *directory, const char *name)
{
    char path[512], header[LINE];
    snprintf(path, sizeof path, "%s/golden/%s", directory, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(header, sizeof header, file));
    return file;
}

static bmf_import_options movielens(const char *directory, int threads)
{
    bmf_import_options options = bmf_import_defaults();
    const char *const names[] = {"ratings", "movies", "tags"};
    for (int i = 0; i < 3; i++)
        snprintf(paths[i], sizeof paths[i], "%s/data/ml-latest-small/%s.csv", directory, names[i]);
    options.ratings_path = paths[0];
    options.items_path = paths[1];
    options.tags_path = paths[2];
    options.threads = threads;
    return options;
}

static void import_once(const char *directory)
{
    bmf_error err = BMF_ERROR_INIT;
    if (dataset.users.count > 0)
        return;
    bmf_import_options options = movielens(directory, 1);
    assert_ok(bmf_import(&options, &dataset, &err), err);
}

static void split_counts_per_user(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    import_once(directory);
    FILE *file = open_golden(directory, "split_counts_per_user.csv");
    char line[LINE];
    int64_t user = 0, total[BMF_SPLITS] = {0};
    for (; fgets(line, sizeof line, file); user++) {
        int64_t id, count[BMF_SPLITS];
        assert_int_equal(
            sscanf(line, "%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64, &id, &count[0], &count[1], &count[2]), 4);
        assert_int_equal(dataset.users.number[user], id);
        for (int s = 0; s < BMF_SPLITS; s++) {
            const int64_t *indptr = dataset.split[s].matrix.indptr;
            assert_int_equal(indptr[user + 1] - indptr[user], count[s]);
            total[s] += count[s];
        }
    }
    fclose(file);
    assert_int_equal(user, dataset.users.count);
    assert_memory_equal(total, ((int64_t[]){70312, 15102, 15422}), sizeof total);
    for (int s = 0; s < BMF_SPLITS; s++)
        assert_int_equal(bmf_csr_count(&dataset.split[s].matrix), total[s]);
}

/* Each user's training ratings are the earliest ones, and the splits follow each other in time. */
static void splits_follow_in_time(void **state)
{
    (void)state;
    import_once(reference_data_or_skip());
    for (int64_t u = 0; u < dataset.users.count; u++) {
        int64_t last = INT64_MIN;
        for (int s = 0; s < BMF_SPLITS; s++)
            for (int64_t at = dataset.split[s].matrix.indptr[u]; at < dataset.split[s].matrix.indptr[u + 1]; at++) {
                assert_true(dataset.split[s].timestamp[at] >= last);
                last = dataset.split[s].timestamp[at];
            }
    }
}

static void vocabulary_and_idf(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    import_once(directory);
    FILE *file = open_golden(directory, "tfidf_vocabulary.csv");
    char line[LINE];
    int64_t feature = 0;
    for (; fgets(line, sizeof line, file); feature++) {
        char *comma = strchr(line, ',');
        int64_t frequency;
        double idf;
        assert_non_null(comma);
        *comma = '\0';
        assert_int_equal(sscanf(comma + 1, "%" SCNd64 ",%lf", &frequency, &idf), 2);
        assert_true(feature < dataset.content.feature.count);
        assert_string_equal(bmf_strings_get(&dataset.content.feature, feature), line);
        assert_close(dataset.content.idf[feature], idf, 1e-6);
    }
    fclose(file);
    assert_int_equal(feature, dataset.content.feature.count);
}

/* All values of the file, and no others. */
static void every_content_value(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    import_once(directory);
    FILE *file = open_golden(directory, "tfidf_values.csv");
    const bmf_csr *content = &dataset.content.matrix;
    char line[LINE];
    int64_t at = 0;
    for (; fgets(line, sizeof line, file); at++) {
        int64_t id;
        char term[LINE];
        double value;
        assert_int_equal(sscanf(line, "%" SCNd64 ",%511[^,],%lf", &id, term, &value), 3);
        int64_t item = bmf_ids_find_number(&dataset.items, id);
        assert_true(item >= 0 && at >= content->indptr[item] && at < content->indptr[item + 1]);
        assert_string_equal(bmf_strings_get(&dataset.content.feature, content->indices[at]), term);
        assert_close(content->data[at], value, 1e-6);
    }
    fclose(file);
    assert_int_equal(at, bmf_csr_count(content));
    assert_int_equal(content->rows, 9742);
}

static void report_of_movielens(void **state)
{
    (void)state;
    import_once(reference_data_or_skip());
    bmf_dataset_report r = bmf_dataset_report_of(&dataset);
    assert_int_equal(r.users, 610);
    assert_int_equal(r.items, 9742);
    assert_int_equal(r.all.items, 9724);
    assert_int_equal(r.all.ratings, 100836);
    assert_int_equal(r.all.missing + r.all.not_positive, 0);
    assert_int_equal(r.features, 1677);
    assert_true(r.totals_consistent);
    assert_int_equal(dataset.import.duplicate_ratings + dataset.import.unknown_tags + dataset.import.bad_lines, 0);
    assert_string_equal(bmf_strings_get(&dataset.title, 0), "Toy Story (1995)");
}

static void two_threads_are_as_one(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    import_once(directory);
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset two;
    bmf_import_options options = movielens(directory, 2);
    assert_ok(bmf_import(&options, &two, &err), err);
    assert_true(bmf_ids_equal(&dataset.users, &two.users));
    assert_true(bmf_ids_equal(&dataset.items, &two.items));
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_ratings *a = &dataset.split[s], *b = &two.split[s];
        size_t count = (size_t)bmf_csr_count(&a->matrix), rows = (size_t)a->matrix.rows + 1;
        assert_int_equal(memcmp(a->matrix.indptr, b->matrix.indptr, rows * sizeof(int64_t)), 0);
        assert_int_equal(memcmp(a->matrix.indices, b->matrix.indices, count * sizeof(int32_t)), 0);
        assert_int_equal(memcmp(a->matrix.data, b->matrix.data, count * sizeof(float)), 0);
        assert_int_equal(memcmp(a->timestamp, b->timestamp, count * sizeof(int64_t)), 0);
    }
    bmf_dataset_clear(&two);
}

static void movietweetings_dat(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset tweets;
    bmf_import_options options = bmf_import_defaults();
    snprintf(paths[0], sizeof paths[0], "%s/data/movietweetings-142k/ratings.dat", directory);
    snprintf(paths[1], sizeof paths[1], "%s/data/movietweetings-142k/movies.dat", directory);
    options.ratings_path = paths[0];
    options.items_path = paths[1];
    assert_ok(bmf_import(&options, &tweets, &err), err);
    bmf_dataset_report r = bmf_dataset_report_of(&tweets);
    assert_string_equal(tweets.import.format, "dat");
    assert_true(r.totals_consistent);
    int64_t fantomas = bmf_ids_find_text(&tweets.items, "0002844", 7);
    assert_true(fantomas >= 0);
    assert_string_equal(bmf_strings_get(&tweets.title, fantomas),
                        "Fant\xc3\xb4mas - \xc3\x80 l'ombre de la guillotine (1913)");
    bmf_dataset_clear(&tweets);
}

static int teardown(void **state)
{
    (void)state;
    bmf_dataset_clear(&dataset);
    return 0;
}

int main(void)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_counts_per_user), cmocka_unit_test(splits_follow_in_time),
        cmocka_unit_test(vocabulary_and_idf),    cmocka_unit_test(every_content_value),
        cmocka_unit_test(report_of_movielens),   cmocka_unit_test(two_threads_are_as_one),
        cmocka_unit_test(movietweetings_dat),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
