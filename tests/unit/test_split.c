#include "data/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/assert_close.h"

#define USERS 40
#define ITEMS 60

static const double usual[BMF_SPLITS] = {0.7, 0.15, 0.15};

static void counts_are_those_of_the_formula(void **state)
{
    (void)state;
    /* int(n 0.7), int(n (0.7 + 0.15)) as IEEE doubles give them; 20: 0.85 × 20 = 17 exactly, 10: 7 and 8 */
    static const int64_t wanted[][4] = {{0, 0, 0, 0},   {1, 0, 0, 1},     {2, 1, 0, 1},   {3, 2, 0, 1},
                                        {10, 7, 1, 2},  {20, 14, 3, 3},   {29, 20, 4, 5}, {232, 162, 35, 35},
                                        {39, 27, 6, 6}, {100, 70, 15, 15}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int64_t count[BMF_SPLITS];
        bmf_split_counts(wanted[i][0], usual, count);
        assert_memory_equal(count, &wanted[i][1], sizeof count);
    }
}

static void ratios_of_zero_leave_nothing(void **state)
{
    (void)state;
    static const double ratios[][BMF_SPLITS] = {{0.9, 0.1, 0}, {0.35, 0.65, 0}, {0.1, 0.9, 0}, {1, 0, 0}};
    for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r++)
        for (int64_t n = 0; n < 3000; n++) {
            int64_t count[BMF_SPLITS];
            bmf_split_counts(n, ratios[r], count);
            assert_int_equal(count[BMF_TEST], 0);
            assert_true(count[BMF_TRAIN] >= 0 && count[BMF_VAL] >= 0);
            assert_int_equal(count[BMF_TRAIN] + count[BMF_VAL], n);
            if (ratios[r][BMF_VAL] <= 0)
                assert_int_equal(count[BMF_VAL], 0);
        }
}

/* User u has u + 1 ratings, of items u, u + 7, ... modulo ITEMS − 1; the value tells where it came from. */
static bmf_grouped sample(void)
{
    bmf_grouped g = {.users = USERS};
    int64_t count = USERS * (USERS + 1) / 2;
    g.begin = bmf_alloc_zero(USERS + 1, sizeof *g.begin, "begin", NULL);
    g.kept = bmf_alloc(USERS, sizeof *g.kept, "kept", NULL);
    g.item = bmf_alloc(count, sizeof *g.item, "item", NULL);
    g.rating = bmf_alloc(count, sizeof *g.rating, "rating", NULL);
    g.timestamp = bmf_alloc(count, sizeof *g.timestamp, "timestamp", NULL);
    for (int64_t u = 0; u < USERS; u++) {
        g.kept[u] = u + 1;
        g.begin[u + 1] = g.begin[u] + g.kept[u];
        for (int64_t i = 0; i <= u; i++) {
            g.item[g.begin[u] + i] = (int32_t)((u + 7 * i) % (ITEMS - 1));
            g.rating[g.begin[u] + i] = (float)(100 * u + i);
            g.timestamp[g.begin[u] + i] = 1000 * u + i;
        }
    }
    return g;
}

/* Splits the same ratings and leaves *g alone. */
static int split_copy(const bmf_grouped *g, int64_t items, const bmf_split_rule *rule, int threads,
                      bmf_ratings out[BMF_SPLITS], bmf_error *err)
{
    bmf_grouped copy = sample();
    assert_int_equal(copy.begin[USERS], g->begin[USERS]);
    int status = bmf_split_ratings(&copy, items, rule, threads, out, err);
    bmf_grouped_clear(&copy);
    return status;
}

static void clear(bmf_ratings split[BMF_SPLITS])
{
    for (int s = 0; s < BMF_SPLITS; s++)
        bmf_ratings_clear(&split[s]);
}

/* Every rating is in exactly one split, with its own values, and each row keeps the user's order. */
static void check_partition(const bmf_grouped *g, bmf_ratings split[BMF_SPLITS])
{
    bmf_error err = BMF_ERROR_INIT;
    int64_t total = 0;
    unsigned char *seen = bmf_alloc_zero(g->begin[USERS], 1, "seen", NULL);
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_csr *m = &split[s].matrix;
        assert_ok(bmf_csr_check(m, "split", 1, &err), err);
        total += bmf_csr_count(m);
        for (int64_t u = 0; u < USERS; u++)
            for (int64_t at = m->indptr[u]; at < m->indptr[u + 1]; at++) {
                int64_t from = g->begin[u] + (split[s].timestamp[at] - 1000 * u);
                assert_int_equal(seen[from]++, 0);
                assert_int_equal(m->indices[at], g->item[from]);
                assert_true(m->data[at] == g->rating[from]);
                if (at > m->indptr[u])
                    assert_true(split[s].timestamp[at] > split[s].timestamp[at - 1]);
            }
    }
    assert_int_equal(total, g->begin[USERS]);
    bmf_free(seen);
}

static void assert_same(bmf_ratings a[BMF_SPLITS], bmf_ratings b[BMF_SPLITS])
{
    for (int s = 0; s < BMF_SPLITS; s++) {
        int64_t count = bmf_csr_count(&a[s].matrix);
        assert_memory_equal(a[s].matrix.indptr, b[s].matrix.indptr, (USERS + 1) * sizeof(int64_t));
        assert_int_equal(memcmp(a[s].matrix.indices, b[s].matrix.indices, (size_t)count * sizeof(int32_t)), 0);
        assert_int_equal(memcmp(a[s].matrix.data, b[s].matrix.data, (size_t)count * sizeof(float)), 0);
    }
}

static void temporal_cuts_by_position(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_grouped g = sample();
    bmf_ratings split[BMF_SPLITS];
    bmf_split_rule rule = {.kind = BMF_SPLIT_TEMPORAL, .ratio = {0.7, 0.15, 0.15}};
    assert_ok(split_copy(&g, ITEMS, &rule, 1, split, &err), err);
    check_partition(&g, split);
    for (int64_t u = 0; u < USERS; u++) {
        int64_t count[BMF_SPLITS], place = 0;
        bmf_split_counts(u + 1, usual, count);
        for (int s = 0; s < BMF_SPLITS; s++)
            for (int64_t i = 0; i < count[s]; i++, place++)
                assert_int_equal(split[s].timestamp[split[s].matrix.indptr[u] + i], 1000 * u + place);
    }
    clear(split);
    bmf_grouped_clear(&g);
}

static void random_is_seeded_and_keeps_the_counts(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_grouped g = sample();
    bmf_ratings one[BMF_SPLITS], again[BMF_SPLITS], other[BMF_SPLITS];
    bmf_split_rule rule = {.kind = BMF_SPLIT_RANDOM, .ratio = {0.7, 0.15, 0.15}, .seed = 5};
    assert_ok(split_copy(&g, ITEMS, &rule, 1, one, &err), err);
    assert_ok(split_copy(&g, ITEMS, &rule, 2, again, &err), err);
    rule.seed = 6;
    assert_ok(split_copy(&g, ITEMS, &rule, 2, other, &err), err);
    check_partition(&g, one);
    check_partition(&g, other);
    assert_same(one, again);
    for (int64_t u = 0; u < USERS; u++) {
        int64_t count[BMF_SPLITS];
        bmf_split_counts(u + 1, usual, count);
        for (int s = 0; s < BMF_SPLITS; s++)
            assert_int_equal(one[s].matrix.indptr[u + 1] - one[s].matrix.indptr[u], count[s]);
    }
    int64_t tests = bmf_csr_count(&one[BMF_TEST].matrix);
    assert_int_not_equal(memcmp(one[BMF_TEST].timestamp, other[BMF_TEST].timestamp, (size_t)tests * 8), 0);
    clear(one);
    clear(again);
    clear(other);
    bmf_grouped_clear(&g);
}

static void none_trains_on_everything(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_grouped g = sample();
    bmf_ratings split[BMF_SPLITS];
    bmf_split_rule rule = {.kind = BMF_SPLIT_NONE, .ratio = {0.7, 0.15, 0.15}};
    assert_ok(split_copy(&g, ITEMS, &rule, 2, split, &err), err);
    check_partition(&g, split);
    assert_int_equal(bmf_csr_count(&split[BMF_TRAIN].matrix), g.begin[USERS]);
    clear(split);
    bmf_grouped_clear(&g);
}

/* With everything else in train, the items of the test split are the cold ones. */
static void find_cold(const bmf_grouped *g, const bmf_split_rule *rule, bool cold[ITEMS])
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_ratings split[BMF_SPLITS];
    bmf_split_rule all_train = *rule;
    memcpy(all_train.ratio, (double[]){1, 0, 0}, sizeof all_train.ratio);
    assert_ok(split_copy(g, ITEMS, &all_train, 2, split, &err), err);
    memset(cold, 0, ITEMS * sizeof *cold);
    for (int64_t at = 0; at < bmf_csr_count(&split[BMF_TEST].matrix); at++)
        cold[split[BMF_TEST].matrix.indices[at]] = true;
    for (int64_t at = 0; at < bmf_csr_count(&split[BMF_TRAIN].matrix); at++)
        assert_false(cold[split[BMF_TRAIN].matrix.indices[at]]);
    clear(split);
}

static void cold_items_are_all_in_test(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_grouped g = sample();
    bmf_ratings split[BMF_SPLITS], again[BMF_SPLITS];
    bmf_split_rule rule = {.kind = BMF_SPLIT_TEMPORAL, .ratio = {0.7, 0.15, 0.15}, .cold_items = 0.2, .seed = 3};
    bool cold[ITEMS], other[ITEMS];
    int colds = 0;
    find_cold(&g, &rule, cold);
    for (int i = 0; i < ITEMS; i++)
        colds += cold[i];
    assert_int_equal(colds, 12); /* a fifth of the 59 rated items */
    assert_ok(split_copy(&g, ITEMS, &rule, 1, split, &err), err);
    assert_ok(split_copy(&g, ITEMS, &rule, 2, again, &err), err);
    assert_same(split, again);
    check_partition(&g, split);
    for (int64_t u = 0; u < USERS; u++) { /* the others are split as if there were no cold ones */
        int64_t warm = 0, count[BMF_SPLITS];
        for (int64_t at = g.begin[u]; at < g.begin[u + 1]; at++)
            warm += !cold[g.item[at]];
        bmf_split_counts(warm, usual, count);
        for (int s = 0; s < BMF_TEST; s++) {
            const bmf_csr *m = &split[s].matrix;
            assert_int_equal(m->indptr[u + 1] - m->indptr[u], count[s]);
            for (int64_t at = m->indptr[u]; at < m->indptr[u + 1]; at++)
                assert_false(cold[m->indices[at]]);
        }
    }
    rule.seed = 4;
    find_cold(&g, &rule, other);
    assert_int_not_equal(memcmp(cold, other, sizeof cold), 0);
    clear(split);
    clear(again);
    bmf_grouped_clear(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_formula), cmocka_unit_test(ratios_of_zero_leave_nothing),
        cmocka_unit_test(temporal_cuts_by_position),       cmocka_unit_test(random_is_seeded_and_keeps_the_counts),
        cmocka_unit_test(none_trains_on_everything),       cmocka_unit_test(cold_items_are_all_in_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
