/* Metrics against hand-computed values and against reference values made by another program. */
#include "support/assert_close.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"
#include "eval/metrics.h"
#include "linalg/topn.h"

static void test_by_hand(void **state)
{
    (void)state;
    /* Places 1 and 3 of 4 hit; three relevant items in all. */
    static const bool hit[] = {true, false, true, false};
    bmf_ranking_quality q = bmf_ranking_quality_of(hit, 4, 4, 3);
    assert_close(q.precision, 0.5, 1e-15);
    assert_close(q.recall, 2.0 / 3.0, 1e-15);
    assert_close(q.ndcg, (1.0 + 0.5) / (1.0 + 1.0 / log2(3.0) + 0.5), 1e-15);
    assert_close(q.map, (1.0 + 2.0 / 3.0) / 3.0, 1e-15);
}

/* A list shorter than K is divided by K; the ideal list and MAP's divisor stop at min(K, relevant). */
static void test_short_list(void **state)
{
    (void)state;
    static const bool hit[] = {true, true};
    bmf_ranking_quality q = bmf_ranking_quality_of(hit, 2, 10, 2);
    assert_close(q.precision, 0.2, 1e-15);
    assert_close(q.recall, 1, 0);
    assert_close(q.ndcg, 1, 1e-15);
    assert_close(q.map, 1, 1e-15);
    q = bmf_ranking_quality_of(hit, 2, 2, 50);
    assert_close(q.precision, 1, 0);
    assert_close(q.recall, 0.04, 1e-15);
    assert_close(q.ndcg, 1, 1e-15);
    assert_close(q.map, 1, 1e-15);
}

static void test_nothing_relevant(void **state)
{
    (void)state;
    static const bool hit[] = {false, false};
    bmf_ranking_quality q = bmf_ranking_quality_of(hit, 2, 5, 0);
    assert_true(q.precision == 0 && q.recall == 0 && q.ndcg == 0 && q.map == 0);
    q = bmf_ranking_quality_of(hit, 2, 5, 3);
    assert_true(q.precision == 0 && q.recall == 0 && q.ndcg == 0 && q.map == 0);
}

static void test_means(void **state)
{
    (void)state;
    bmf_metric_sums a = {0}, b = {0};
    bmf_metrics m = bmf_metrics_of(&a, 0, 100);
    assert_true(m.ratings == 0 && m.users == 0);
    assert_true(isnan(m.rmse) && isnan(m.mae) && isnan(m.precision) && isnan(m.recall));
    assert_true(isnan(m.ndcg) && isnan(m.map) && isnan(m.coverage));
    bmf_metric_sums_add_error(&a, 3);
    bmf_metric_sums_add_error(&b, -4);
    bmf_metric_sums_add_user(&a, (bmf_ranking_quality){1, 0.5, 0.25, 0.125});
    bmf_metric_sums_add_user(&b, (bmf_ranking_quality){0});
    bmf_metric_sums_merge(&a, &b);
    m = bmf_metrics_of(&a, 7, 100);
    assert_true(m.ratings == 2 && m.users == 2);
    assert_close(m.rmse, sqrt(12.5), 1e-15);
    assert_close(m.mae, 3.5, 0);
    assert_close(m.precision, 0.5, 0);
    assert_close(m.recall, 0.25, 0);
    assert_close(m.ndcg, 0.125, 0);
    assert_close(m.map, 0.0625, 0);
    assert_close(m.coverage, 0.07, 1e-15);
}

typedef struct reference_row {
    double field[4]; /* user, item, rating, prediction */
} reference_row;

static reference_row *read_rows(const char *path, int64_t *count)
{
    FILE *file = fopen(path, "r");
    char line[256];
    reference_row *row = NULL;
    int64_t capacity = 0;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file)); /* header */
    for (*count = 0; fgets(line, sizeof line, file); ++*count) {
        bmf_error err = BMF_ERROR_INIT;
        assert_ok(bmf_grow((void **)&row, &capacity, *count + 1, sizeof *row, "rows", &err), err);
        char *at = line;
        for (int f = 0; f < 4; f++) {
            size_t length = strcspn(at, ",\r\n");
            assert_int_equal(bmf_parse_double(at, length, &row[*count].field[f]), BMF_PARSE_OK);
            at += length + 1;
        }
    }
    fclose(file);
    return row;
}

/* The rows of one user, whose candidates they are. */
static void add_user(const reference_row *row, int64_t count, int64_t top, double threshold, bmf_metric_sums *sums)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_topn list;
    bool hit[16];
    int64_t relevant = 0;
    assert_true(top <= 16);
    assert_ok(bmf_topn_create(&list, top, &err), err);
    for (int64_t j = 0; j < count; j++) {
        bmf_metric_sums_add_error(sums, row[j].field[2] - row[j].field[3]);
        bmf_topn_offer(&list, row[j].field[3], (int32_t)j);
        relevant += row[j].field[2] >= threshold;
    }
    bmf_topn_sort(&list);
    for (int64_t j = 0; j < list.count; j++)
        hit[j] = row[list.entry[j].index].field[2] >= threshold;
    bmf_metric_sums_add_user(sums, bmf_ranking_quality_of(hit, list.count, top, relevant));
    bmf_topn_clear(&list);
}

static bmf_metrics metrics_of_rows(const reference_row *row, int64_t count, int64_t top, double threshold)
{
    bmf_metric_sums sums = {0};
    for (int64_t first = 0, last; first < count; first = last) {
        for (last = first + 1; last < count && row[last].field[0] == row[first].field[0];)
            last++;
        add_user(row + first, last - first, top, threshold, &sums);
    }
    return bmf_metrics_of(&sums, 0, 1);
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void test_reference_values(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/metrics_expected.json", directory);
    json_t *expected = json_load_file(path, 0, NULL);
    assert_non_null(expected);
    snprintf(path, sizeof path, "%s/golden/metrics_predictions.csv", directory);
    int64_t count = 0;
    reference_row *row = read_rows(path, &count);
    const json_t *cases = json_object_get(expected, "at");
    assert_true(json_array_size(cases) >= 3);
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *at = json_array_get(cases, c);
        bmf_metrics m = metrics_of_rows(row, count, (int64_t)number(at, "K"), number(at, "threshold"));
        assert_int_equal(m.users, (int64_t)number(at, "users"));
        assert_close(m.rmse, number(expected, "rmse"), 1e-9);
        assert_close(m.mae, number(expected, "mae"), 1e-9);
        assert_close(m.precision, number(at, "precision"), 1e-9);
        assert_close(m.recall, number(at, "recall"), 1e-9);
        assert_close(m.ndcg, number(at, "ndcg"), 1e-9);
        assert_close(m.map, number(at, "map"), 1e-9);
    }
    json_decref(expected);
    bmf_free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),          cmocka_unit_test(test_short_list),
        cmocka_unit_test(test_nothing_relevant), cmocka_unit_test(test_means),
        cmocka_unit_test(test_reference_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
