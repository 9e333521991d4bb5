/* Which content weights users have and the slots of ratings, against a search; the same for any number of threads and ranks. */
#include "support/assert_close.h"

#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/content_weights.h"

#define M 41
#define N 30
#define F 200

typedef struct world {
    bmf_csr train, val;
    bmf_content_rows rows;
} world;

/* Items with 0, 1, .. 19 features; every third item has none. */
static void make_rows(bmf_content_rows *rows)
{
    int64_t indptr[N + 1] = {0}, nnz = 0;
    int32_t feature[N * F];
    float value[N * F];
    bmf_error err = BMF_ERROR_INIT;
    for (int i = 0; i < N; i++) {
        for (int32_t f = 0; f < F && i % 3; f++)
            if (bmf_rng_below(1, (uint64_t)(i * F + f), F) < (uint64_t)(i % 20)) {
                feature[nnz] = f;
                value[nnz++] = 1 + (float)f;
            }
        indptr[i + 1] = nnz;
    }
    assert_ok(bmf_content_rows_create(N, F, indptr, feature, value, rows, &err), err);
}

/* User u has u % 7 ratings in one, (u + 3) % 5 in the other. */
static void make_ratings(int64_t stream, int64_t add, int64_t modulus, bmf_csr *out)
{
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_csr_create(out, M, N, M * modulus, "ratings", &err), err);
    int64_t count = 0;
    for (int64_t u = 0; u < M; u++) {
        for (int64_t j = 0; j < (u + add) % modulus; j++)
            out->indices[count++] = (int32_t)bmf_rng_below((uint64_t)stream, (uint64_t)(u * 100 + j), N);
        out->indptr[u + 1] = count;
    }
}

static void make_world(world *w)
{
    make_rows(&w->rows);
    make_ratings(2, 0, 7, &w->train);
    make_ratings(3, 3, 5, &w->val);
}

static void clear_world(world *w)
{
    bmf_csr_clear(&w->train);
    bmf_csr_clear(&w->val);
    bmf_content_rows_clear(&w->rows);
}

static bool item_has(const bmf_content_rows *rows, int32_t item, int32_t feature)
{
    for (int64_t j = rows->indptr[item]; j < rows->indptr[item + 1]; j++)
        if (rows->feature[j] == feature)
            return true;
    return false;
}

static void check_pattern(const world *w, const bmf_content_pattern *pattern)
{
    for (int64_t u = 0; u < M; u++) {
        int64_t at = pattern->indptr[u];
        for (int32_t f = 0; f < F; f++) {
            bool met = false;
            for (int64_t r = w->train.indptr[u]; r < w->train.indptr[u + 1]; r++)
                met |= item_has(&w->rows, w->train.indices[r], f);
            if (met)
                assert_int_equal(pattern->index[at++], f);
        }
        assert_int_equal(pattern->index[at++], F);
        assert_int_equal(pattern->indptr[u + 1], at);
    }
}

/* Where feature f stands in the weights of user u: the last place if nowhere. */
static int64_t place_of(const bmf_content_pattern *pattern, int64_t u, int32_t f)
{
    const int64_t first = pattern->indptr[u], last = pattern->indptr[u + 1] - 1;
    for (int64_t j = first; j < last; j++)
        if (pattern->index[j] == f)
            return j - first;
    return last - first;
}

static void check_slots(const world *w, const bmf_csr *ratings, const bmf_content_pattern *pattern,
                        const bmf_content_slots *slots)
{
    for (int64_t u = 0; u < M; u++)
        for (int64_t r = ratings->indptr[u]; r < ratings->indptr[u + 1]; r++) {
            const int32_t item = ratings->indices[r], *feature = w->rows.feature + w->rows.indptr[item];
            const int64_t count = bmf_content_entries(&w->rows, item), first = count - bmf_content_rest(&w->rows, item);
            const bmf_rating_slots *at = &slots->rating[r];
            assert_int_equal(bmf_content_row_is_long(&w->rows.row[item]), count > BMF_CONTENT_FIRST);
            for (int64_t j = 0; j < first; j++)
                assert_int_equal(at->slot[j], place_of(pattern, u, feature[j]));
            for (int64_t j = first; j < count; j++)
                assert_int_equal(slots->rest[slots->rest_start[u] + slots->rest_at[r] + j - first],
                                 place_of(pattern, u, feature[j]));
            for (int64_t j = 0; j < BMF_CONTENT_FIRST; j++)
                assert_true(at->slot[j] < pattern->indptr[u + 1] - pattern->indptr[u]);
        }
}

static void test_against_search(void **state)
{
    (void)state;
    world w;
    bmf_error err = BMF_ERROR_INIT;
    make_world(&w);
    for (int threads = 1; threads <= 3; threads++) {
        bmf_content_pattern pattern;
        bmf_content_slots train, val;
        assert_ok(bmf_content_pattern_create(&w.train, &w.rows, 0, threads, &pattern, &err), err);
        assert_ok(bmf_content_slots_create(&w.train, &w.rows, &pattern, 0, threads, &train, &err), err);
        assert_ok(bmf_content_slots_create(&w.val, &w.rows, &pattern, 0, threads, &val, &err), err);
        check_pattern(&w, &pattern);
        check_slots(&w, &w.train, &pattern, &train);
        check_slots(&w, &w.val, &pattern, &val);
        assert_true(bmf_content_slots_bytes(&train, M, bmf_csr_count(&w.train)) > 16 * bmf_csr_count(&w.train));
        bmf_content_pattern_clear(&pattern);
        bmf_content_slots_clear(&train);
        bmf_content_slots_clear(&val);
    }
    clear_world(&w);
}

/* The short rows of an item are filled up with places that differ from each other while there are enough. */
static void test_padding_differs(void **state)
{
    (void)state;
    const int64_t indptr[] = {0, 2, 12};
    const int32_t feature[] = {3, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float value[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    bmf_error err = BMF_ERROR_INIT;
    bmf_content_rows rows;
    bmf_content_pattern pattern;
    bmf_content_slots slots;
    int64_t start[] = {0, 2};
    int32_t item[] = {0, 1};
    const bmf_csr ratings = {1, 2, start, item, NULL};
    assert_ok(bmf_content_rows_create(2, 10, indptr, feature, value, &rows, &err), err);
    assert_ok(bmf_content_pattern_create(&ratings, &rows, 0, 1, &pattern, &err), err);
    assert_ok(bmf_content_slots_create(&ratings, &rows, &pattern, 0, 1, &slots, &err), err);
    for (int a = 0; a < BMF_CONTENT_FIRST; a++)
        for (int b = 0; b < a; b++)
            assert_true(slots.rating[0].slot[a] != slots.rating[0].slot[b]);
    for (int j = 2; j < BMF_CONTENT_FIRST; j++)
        assert_true(rows.row[0].value[j] == 0);
    bmf_content_rows_clear(&rows);
    bmf_content_pattern_clear(&pattern);
    bmf_content_slots_clear(&slots);
}

/* One user with one item that has as many features as a slot can count, and one more. */
static void test_most_weights(void **state)
{
    (void)state;
    for (int64_t more = 0; more < 2; more++) {
        const int64_t count = BMF_MOST_WEIGHTS + more, indptr[] = {0, count};
        bmf_error err = BMF_ERROR_INIT;
        int32_t *feature = bmf_alloc(count, sizeof *feature, "features", &err);
        float *value = bmf_alloc_zero(count, sizeof *value, "values", &err);
        for (int32_t f = 0; f < count; f++)
            feature[f] = f;
        bmf_content_rows rows;
        bmf_content_pattern pattern;
        bmf_content_slots slots;
        int64_t start[] = {0, 1};
        int32_t item = 0;
        const bmf_csr ratings = {1, 1, start, &item, NULL};
        assert_ok(bmf_content_rows_create(1, count, indptr, feature, value, &rows, &err), err);
        int status = bmf_content_pattern_create(&ratings, &rows, 7, 1, &pattern, &err);
        if (more == 0) {
            assert_ok(status, err);
            assert_ok(bmf_content_slots_create(&ratings, &rows, &pattern, 7, 1, &slots, &err), err);
            assert_int_equal(slots.rest[slots.rest_start[1] - 1], BMF_MOST_WEIGHTS - 1);
            bmf_content_slots_clear(&slots);
        } else {
            assert_int_equal(status, BMF_ERR_INPUT);
            assert_string_equal(err.text, "user 7: the items of his training ratings have 65536 different features "
                                          "(allowed: 65535); import with --max-features 65535");
            assert_null(pattern.indptr);
        }
        bmf_content_pattern_clear(&pattern);
        bmf_content_rows_clear(&rows);
        bmf_free(feature);
        bmf_free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_search),
        cmocka_unit_test(test_padding_differs),
        cmocka_unit_test(test_most_weights),
    };
    return cmocka_run_group_tests_name("content_weights", tests, NULL, NULL) ? 1 : 0;
}
