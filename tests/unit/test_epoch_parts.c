/* The parts of an epoch around the sweep: orders and windows, steps, sums, the table of saturations, and the rules that decide
 * by counts. */
#include "support/assert_close.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/auto_merges.h"
#include "train/epoch.h"
#include "train/memory_plan.h"
#include "train/merge.h"
#include "train/saturation.h"
#include "train/sums.h"
#include "train/touched.h"

#define USERS 211
#define ITEMS 37

static void test_saturations_from_the_table(void **state)
{
    (void)state;
    const double pulls[] = {1e-12, 1e-6, 5e-4, 0.02, 0.7, 0.999};
    for (size_t p = 0; p < sizeof pulls / sizeof *pulls; p++) {
        bmf_saturation table;
        bmf_saturation_init(&table, pulls[p], 300000);
        assert_true(bmf_saturation_of(&table, 0) == 0);
        for (uint64_t j = 1; j < 20000; j++) {
            /* All magnitudes, and some beyond what the table was made for. */
            int64_t n = 1 + (int64_t)bmf_rng_below(5, j, (uint64_t)1 << (1 + j % 38));
            double wanted = bmf_merge_saturation(pulls[p], (double)n);
            assert_true(fabs(bmf_saturation_of(&table, n) - wanted) <= 1e-13 * wanted);
        }
    }
}

static void test_sums_do_not_depend_on_threads(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    const int64_t most = 3 * 1000 * 1000 + 77, counts[] = {0, 1, 15, 4096, 4097, 70001, most};
    float *value = bmf_alloc(most, sizeof *value, "values", &err), *copy = bmf_alloc(most, sizeof *copy, "copy", &err);
    assert_true(value && copy);
    for (int64_t j = 0; j < most; j++)
        value[j] = (float)bmf_rng_uniform(9, (uint64_t)j) - 0.3f;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        double wanted = 0;
        for (int64_t j = 0; j < counts[c]; j++)
            wanted += (double)value[j] * (double)value[j];
        const double one = bmf_squares_of(value, counts[c], 1);
        assert_true(fabs(one - wanted) <= 1e-6 * wanted);
        for (int threads = 2; threads <= 4; threads++)
            assert_true(bmf_squares_of(value, counts[c], threads) == one);
    }
    bmf_copy_by_threads(copy, value, most * (int64_t)sizeof *value, 3);
    assert_memory_equal(copy, value, (size_t)most * sizeof *value);
    bmf_free(value);
    bmf_free(copy);
}

/* Kernel of the tests: marks the users it is given, and adds 1 to a row of Q for each rating. */
static int seen[USERS];
static double mark(const bmf_sweep *s, const int32_t *user, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        seen[user[i]]++; /* a user belongs to one thread */
        for (int64_t j = s->indptr[user[i]]; j < s->indptr[user[i] + 1]; j++)
            s->Q[s->item[j] * s->stride]++;
    }
    return (double)count;
}

static void make_shard(bmf_shard *shard, int32_t *item_steps)
{
    bmf_error err = BMF_ERROR_INIT;
    *shard = (bmf_shard){.first_user = 5, .users = USERS, .all_users = USERS + 5, .items = ITEMS};
    int64_t ratings = 0;
    for (int u = 0; u < USERS; u++)
        ratings += (int64_t)bmf_rng_below(3, (uint64_t)u, 20);
    assert_int_equal(bmf_csr_create(&shard->train.matrix, USERS, ITEMS, ratings, "ratings", &err), BMF_OK);
    bmf_csr *m = &shard->train.matrix;
    memset(item_steps, 0, ITEMS * sizeof *item_steps);
    for (int u = 0; u < USERS; u++)
        m->indptr[u + 1] = m->indptr[u] + (int64_t)bmf_rng_below(3, (uint64_t)u, 20);
    for (int64_t j = 0; j < ratings; j++) {
        m->indices[j] = (int32_t)bmf_rng_below(4, (uint64_t)j, ITEMS);
        item_steps[m->indices[j]]++;
    }
    shard->item_steps = item_steps;
}

/* Every user once in an epoch, and the steps of every window are those that the copies took. */
static void check_epoch(const bmf_shard *shard, int64_t windows, int64_t threads, int64_t count)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_model model;
    bmf_item_copies copies;
    bmf_epoch *epoch = NULL;
    const bmf_kernel kernel = {.sweep = mark};
    assert_int_equal(bmf_model_create(&model, 5, USERS, ITEMS, 3, NULL, &err), BMF_OK);
    assert_int_equal(bmf_item_copies_create(&model, count, 2, &copies, &err), BMF_OK);
    assert_int_equal(bmf_epoch_create(shard, windows, threads, count, 77, &epoch, &err), BMF_OK);
    const bmf_sweep sweep = {.indptr = shard->train.matrix.indptr,
                             .item = shard->train.matrix.indices,
                             .stride = model.stride,
                             .Q = model.Q,
                             .item_bias = model.item_bias};
    for (uint64_t number = 1; number <= 3; number++) {
        memset(seen, 0, sizeof seen);
        bmf_epoch_begin(epoch, number);
        double users = 0;
        for (int64_t w = 0; w < windows; w++) {
            memset(model.Q, 0, (size_t)(ITEMS * model.stride) * sizeof(float)); /* the others begin at zero anyway */
            users += bmf_epoch_sweep(epoch, &kernel, &sweep, &copies, w);
            const int32_t *steps = bmf_epoch_steps(epoch, w);
            for (int64_t c = 0; c < count; c++)
                for (int64_t i = 0; i < ITEMS && (count > 1 || threads == 1); i++)
                    assert_int_equal((int)copies.copy[c].Q[i * model.stride], steps[c * ITEMS + i]);
        }
        assert_true(users == USERS);
        for (int u = 0; u < USERS; u++)
            assert_int_equal(seen[u], 1);
    }
    bmf_epoch_destroy(&epoch);
    bmf_item_copies_clear(&copies);
    bmf_model_clear(&model);
}

static void test_epochs_cover_every_user_once(void **state)
{
    (void)state;
    bmf_shard shard;
    int32_t item_steps[ITEMS];
    make_shard(&shard, item_steps);
    assert_true(bmf_epoch_keeps_steps(1, 64, ITEMS, 1));
    assert_true(bmf_epoch_keeps_steps(2, 1, ITEMS, 8 * ITEMS) && !bmf_epoch_keeps_steps(2, 1, ITEMS, 8 * ITEMS - 1));
    /* 3 windows are kept with these sizes, 50 are counted anew. */
    const int64_t windows[] = {1, 3, 50}, threads[] = {1, 2, 3, 7};
    for (int w = 0; w < 3; w++)
        for (int t = 0; t < 4; t++) {
            check_epoch(&shard, windows[w], threads[t], threads[t]);
            check_epoch(&shard, windows[w], threads[t], 1);
        }
    bmf_ratings_clear(&shard.train);
}

static void test_copies_by_size(void **state)
{
    (void)state;
    assert_int_equal(bmf_item_copies_wanted(2, 10700, 32, 9000000), 2);
    assert_int_equal(bmf_item_copies_wanted(8, 9700, 32, 70000), 8);       /* small: whatever the ratings */
    assert_int_equal(bmf_item_copies_wanted(64, 1000000, 32, 1000000), 1); /* 8 GB beside 8 MB */
    assert_int_equal(bmf_item_copies_wanted(2, 100000, 64, 100000000), 2); /* 52 MB beside 800 MB */
    assert_int_equal(bmf_item_copies_wanted(1, INT32_MAX, 4096, 1), 1);
}

static void test_automatic_merges(void **state)
{
    (void)state;
    assert_int_equal(bmf_auto_merges(1, 10700, 9000000, false), 1);
    assert_int_equal(bmf_auto_merges(8, 10700, 9000000, false), 1);
    assert_int_equal(bmf_auto_merges(16, 10700, 1000000000, false), 2);
    assert_int_equal(bmf_auto_merges(64, 10700, 1000000000, false), 7); /* eight would cost more than 4 % */
    assert_int_equal(bmf_auto_merges(64, 10700, 10000000000, false), 8);
    assert_int_equal(bmf_auto_merges(10000, 1000, 1000000000000, false), 8);
    assert_int_equal(bmf_auto_merges(64, 3700, 1000000, false), 1);
}

static void test_idle_share(void **state)
{
    (void)state;
    const int64_t ratings[4] = {0, 1, 1, 1000000};
    assert_close(bmf_touched_idle_share(ratings, 4, 1), 0, 0);
    assert_close(bmf_touched_idle_share(ratings, 4, 4), 2 * 0.75 / 3, 1e-12);
    assert_close(bmf_touched_idle_share(ratings, 1, 4), 0, 0);
}

static void test_memory_plan(void **state)
{
    (void)state;
    bmf_memory_sizes sizes = {.users = 1000,
                              .train = 50000,
                              .val = 4000,
                              .items = 300,
                              .stride = 16,
                              .merge = {.factors = 10, .windows = 1, .threads = 1},
                              .copies = 1,
                              .ranks = 1,
                              .hosts = 1};
    bmf_memory_plan plan = bmf_memory_plan_of(&sizes);
    assert_int_equal(plan.bytes[BMF_MEMORY_RATINGS], 8 * 51001);
    assert_int_equal(plan.bytes[BMF_MEMORY_VALIDATION], 8 * 5001);
    assert_int_equal(plan.bytes[BMF_MEMORY_PARAMETERS], 4 * 1300 * 17);
    assert_int_equal(plan.bytes[BMF_MEMORY_BEST], 4 * 1300 * 17);
    assert_int_equal(plan.bytes[BMF_MEMORY_MERGE], 0);
    int64_t total = 0;
    for (int p = 0; p < BMF_MEMORY_PARTS; p++)
        total += plan.bytes[p];
    assert_int_equal(bmf_memory_plan_total(&plan), total);
    sizes.ranks = 2;
    plan = bmf_memory_plan_of(&sizes);
    assert_int_equal(plan.bytes[BMF_MEMORY_BEST], 4 * 1300 * 17);
    const int64_t in_a_host = bmf_merge_bytes(&sizes.merge, 300, 1);
    assert_int_equal(plan.bytes[BMF_MEMORY_MERGE], 4 * 300 * 17 + in_a_host);
    sizes.hosts = 2; /* messages of half the rows to and from two, each of at least 4 (k + 4) bytes a row */
    assert_true(bmf_merge_bytes(&sizes.merge, 300, 2) > in_a_host + 2 * 2 * 150 * 4 * 14);
    plan = bmf_memory_plan_of(&sizes);
    assert_int_equal(plan.bytes[BMF_MEMORY_MERGE], 4 * 300 * 17 + bmf_merge_bytes(&sizes.merge, 300, 2));
    sizes.time_bytes = 1000;
    plan = bmf_memory_plan_of(&sizes);
    assert_int_equal(plan.bytes[BMF_MEMORY_PARAMETERS], 4 * 1300 * 17 + 1000);
    assert_int_equal(plan.bytes[BMF_MEMORY_RATINGS], 8 * 51001);
    const int64_t later = bmf_memory_plan_total(&plan);
    sizes.time_fit_bytes = 600000; /* more than what is made later */
    plan = bmf_memory_plan_of(&sizes);
    assert_int_equal(bmf_memory_plan_total(&plan), 8 * (51001 + 5001) + 1000 + 600000);
    assert_true(bmf_memory_plan_total(&plan) > later);
    assert_int_equal(plan.bytes[BMF_MEMORY_BEST], 4 * 1300 * 17);
    const int64_t now = bmf_memory_now(); /* first: asking takes memory too */
    assert_true(now > 100000 && bmf_memory_peak() >= now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saturations_from_the_table),
        cmocka_unit_test(test_sums_do_not_depend_on_threads),
        cmocka_unit_test(test_epochs_cover_every_user_once),
        cmocka_unit_test(test_copies_by_size),
        cmocka_unit_test(test_automatic_merges),
        cmocka_unit_test(test_idle_share),
        cmocka_unit_test(test_memory_plan),
    };
    return cmocka_run_group_tests_name("epoch_parts", tests, NULL, NULL) ? 1 : 0;
}
