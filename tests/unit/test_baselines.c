/* Baselines against plain formulas, and their independence of the order of users. */
#include "support/assert_close.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/baselines.h"

#define USERS 60
#define ITEMS 25

/* Odd users rate about half of the items in half stars (times `unit`); item ITEMS − 1 stays unrated. Row r holds user
 * (r × step) mod USERS, with the ratings he has under any step. */
static bmf_csr make_train(int64_t step, float unit)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_csr train;
    uint64_t key = bmf_rng_key(11, BMF_STREAM_TEST);
    assert_ok(bmf_csr_create(&train, USERS, ITEMS, USERS * ITEMS, "train", &err), err);
    for (int64_t r = 0, count = 0; r < USERS; r++) {
        int64_t user = r * step % USERS;
        for (int32_t i = 0; i < ITEMS - 1 && user % 2 == 1; i++) {
            uint64_t draw = bmf_rng_draw(key, (uint64_t)(user * ITEMS + i));
            if (draw % 2 == 0)
                continue;
            train.indices[count] = i;
            train.data[count++] = unit * 0.5f * (float)(1 + (draw >> 8) % 10);
        }
        train.indptr[r + 1] = count;
    }
    return train;
}

static void count_items(const bmf_csr *train, int64_t *count)
{
    memset(count, 0, ITEMS * sizeof *count);
    for (int64_t e = 0; e < bmf_csr_count(train); e++)
        count[train->indices[e]]++;
}

static bmf_baselines fit(const bmf_csr *train, uint64_t seed)
{
    bmf_error err = BMF_ERROR_INIT;
    int64_t count[ITEMS];
    bmf_baselines baselines;
    count_items(train, count);
    assert_ok(bmf_baselines_fit(NULL, train, 0, count, seed, &baselines, &err), err);
    return baselines;
}

/* The same alternation in plain double arithmetic. */
static double plain_fit(const bmf_csr *train, double user_bias[USERS], double item_bias[ITEMS])
{
    double mean = 0, sum[ITEMS], count[ITEMS];
    int64_t ratings = bmf_csr_count(train);
    for (int64_t e = 0; e < ratings; e++)
        mean += (double)train->data[e] / (double)ratings;
    memset(user_bias, 0, USERS * sizeof *user_bias);
    for (int sweep = 0; sweep < 10; sweep++) {
        for (int i = 0; i < ITEMS; i++)
            sum[i] = count[i] = 0;
        for (int u = 0; u < USERS; u++)
            for (int64_t e = train->indptr[u]; e < train->indptr[u + 1]; e++) {
                sum[train->indices[e]] += (double)train->data[e] - mean - user_bias[u];
                count[train->indices[e]]++;
            }
        for (int i = 0; i < ITEMS; i++)
            item_bias[i] = sum[i] / (10 + count[i]);
        for (int u = 0; u < USERS; u++) {
            double of_user = 0, n = 0;
            for (int64_t e = train->indptr[u]; e < train->indptr[u + 1]; e++, n++)
                of_user += (double)train->data[e] - mean - item_bias[train->indices[e]];
            user_bias[u] = of_user / (15 + n);
        }
    }
    return mean;
}

static void test_biases_equal_plain(void **state)
{
    (void)state;
    static const float unit[] = {1, 1e-20f, 1e20f, -3};
    for (size_t j = 0; j < sizeof unit / sizeof *unit; j++) {
        double user_bias[USERS], item_bias[ITEMS], tolerance = 1e-12 * fabs((double)unit[j]);
        bmf_csr train = make_train(1, unit[j]);
        bmf_baselines got = fit(&train, 1);
        double mean = plain_fit(&train, user_bias, item_bias);
        assert_close(got.mean, mean, tolerance);
        for (int u = 0; u < USERS; u++)
            assert_close(got.user_bias[u], user_bias[u], tolerance);
        for (int i = 0; i < ITEMS; i++)
            assert_close(got.item_bias[i], item_bias[i], tolerance);
        assert_close(bmf_baseline_predict(&got, BMF_BASELINE_BIAS, 1, 2), mean + user_bias[1] + item_bias[2],
                     3 * tolerance);
        assert_close(bmf_baseline_predict(&got, BMF_BASELINE_GLOBAL_MEAN, 1, 2), mean, tolerance);
        assert_true(isnan(bmf_baseline_predict(&got, BMF_BASELINE_POPULARITY, 1, 2)));
        assert_true(isnan(bmf_baseline_predict(&got, BMF_BASELINE_RANDOM, 1, 2)));
        bmf_baselines_clear(&got);
        bmf_csr_clear(&train);
    }
}

/* Who comes first must not touch a bit of the item biases: the ground for any number of ranks. */
static void test_order_of_users_changes_nothing(void **state)
{
    (void)state;
    bmf_csr train = make_train(1, 0.7f), other = make_train(7, 0.7f);
    bmf_baselines a = fit(&train, 1), b = fit(&other, 1);
    assert_memory_equal(&a.mean, &b.mean, sizeof a.mean);
    assert_memory_equal(a.item_bias, b.item_bias, ITEMS * sizeof *a.item_bias);
    assert_memory_equal(a.order[BMF_BASELINE_BIAS], b.order[BMF_BASELINE_BIAS], ITEMS * sizeof(int32_t));
    for (int64_t r = 0; r < USERS; r++)
        assert_memory_equal(&b.user_bias[r], &a.user_bias[r * 7 % USERS], sizeof(double));
    bmf_baselines_clear(&a);
    bmf_baselines_clear(&b);
    bmf_csr_clear(&train);
    bmf_csr_clear(&other);
}

static void test_orders(void **state)
{
    (void)state;
    int64_t count[ITEMS];
    bmf_csr train = make_train(1, 1);
    bmf_baselines got = fit(&train, 1);
    count_items(&train, count);
    assert_int_equal(count[ITEMS - 1], 0);
    for (int b = 0; b < BMF_BASELINES_FIXED; b++)
        for (int32_t p = 0; p < ITEMS; p++)
            assert_int_equal(got.place[b][got.order[b][p]], p);
    for (int32_t p = 0; p < ITEMS; p++)
        assert_int_equal(got.order[BMF_BASELINE_GLOBAL_MEAN][p], p);
    for (int32_t p = 1; p < ITEMS; p++) {
        int32_t before = got.order[BMF_BASELINE_POPULARITY][p - 1], after = got.order[BMF_BASELINE_POPULARITY][p];
        assert_true(count[before] > count[after] || (count[before] == count[after] && before < after));
        before = got.order[BMF_BASELINE_BIAS][p - 1];
        after = got.order[BMF_BASELINE_BIAS][p];
        assert_true(got.item_bias[before] > got.item_bias[after] ||
                    (got.item_bias[before] == got.item_bias[after] && before < after));
    }
    bmf_baselines_clear(&got);
    bmf_csr_clear(&train);
}

/* A draw belongs to (seed, global user, item). */
static void test_random(void **state)
{
    (void)state;
    bmf_csr train = make_train(1, 1);
    bmf_baselines a = fit(&train, 5), b = fit(&train, 6);
    double sum = 0;
    for (int64_t u = 0; u < USERS; u++)
        for (int64_t i = 0; i < ITEMS; i++) {
            double draw = bmf_baseline_draw(&a, u, i);
            assert_true(draw >= 0 && draw < 1);
            assert_true(draw != bmf_baseline_draw(&b, u, i));
            sum += draw;
        }
    assert_close(sum / (USERS * ITEMS), 0.5, 5 * sqrt(1.0 / 12 / (USERS * ITEMS)));
    double wanted = bmf_baseline_draw(&a, 40, 3);
    a.first_user = 30;
    assert_true(bmf_baseline_draw(&a, 10, 3) == wanted);
    bmf_baselines_clear(&a);
    bmf_baselines_clear(&b);
    bmf_csr_clear(&train);
}

static void test_no_ratings(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_csr train;
    assert_ok(bmf_csr_create(&train, 3, ITEMS, 0, "train", &err), err);
    bmf_baselines got = fit(&train, 1);
    assert_true(isnan(got.mean));
    for (int32_t p = 0; p < ITEMS; p++) {
        assert_int_equal(got.order[BMF_BASELINE_BIAS][p], p);
        assert_true(got.item_bias[p] == 0);
    }
    bmf_baselines_clear(&got);
    bmf_csr_clear(&train);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const name[] = {"global_mean", "bias", "popularity", "random"};
    for (int b = 0; b < BMF_BASELINES; b++) {
        assert_string_equal(bmf_baseline_name((bmf_baseline)b), name[b]);
        assert_int_equal(bmf_baseline_predicts((bmf_baseline)b), b < 2);
    }
    assert_string_equal(bmf_segment_name(BMF_SEGMENT_WARM), "warm");
    assert_string_equal(bmf_segment_name(BMF_SEGMENT_NEW_ITEM), "new_item");
    assert_string_equal(bmf_segment_name(BMF_SEGMENT_NEW_USER), "new_user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_biases_equal_plain),
        cmocka_unit_test(test_order_of_users_changes_nothing),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_ratings),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
