/* Blocked scoring against plain loops in double, and its independence of threads. */
#include "support/assert_close.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "linalg/scores.h"

typedef struct problem {
    bmf_item_side items;
    int64_t users;
    float *Q, *bias, *P, *base, *score;
} problem;

static float *random_floats(int64_t count, uint64_t key)
{
    float *values = bmf_alloc(count, sizeof *values, "test", NULL);
    assert_non_null(values);
    bmf_rng_normal(key, 0, 0.5, values, count);
    return values;
}

/* The padding of the rows holds garbage on purpose: it must not count. */
static problem problem_create(int64_t users, int64_t items, int64_t factors, int64_t stride)
{
    uint64_t key = bmf_rng_key(3, BMF_STREAM_TEST);
    problem p = {.users = users};
    p.Q = random_floats(items * stride, bmf_rng_subkey(key, 0));
    p.bias = random_floats(items, bmf_rng_subkey(key, 1));
    p.P = random_floats(users * stride, bmf_rng_subkey(key, 2));
    p.base = random_floats(users, bmf_rng_subkey(key, 3));
    p.score = random_floats(users * items, bmf_rng_subkey(key, 4));
    p.items = (bmf_item_side){p.Q, p.bias, items, factors, stride};
    return p;
}

static void problem_clear(problem *p)
{
    bmf_free(p->Q);
    bmf_free(p->bias);
    bmf_free(p->P);
    bmf_free(p->base);
    bmf_free(p->score);
}

static double plain_score(const problem *p, int64_t u, int64_t i)
{
    double sum = (double)p->base[u] + (double)p->bias[i];
    for (int64_t f = 0; f < p->items.factors; f++)
        sum += (double)p->P[u * p->items.stride + f] * (double)p->Q[i * p->items.stride + f];
    return sum;
}

static void assert_scores(problem *p)
{
    bmf_scores_block(&p->items, p->P, p->base, p->users, p->score);
    for (int64_t u = 0; u < p->users; u++)
        for (int64_t i = 0; i < p->items.items; i++)
            assert_close((double)p->score[u * p->items.items + i], plain_score(p, u, i), 2e-5);
}

static void test_equals_plain(void **state)
{
    (void)state;
    static const int64_t shape[][4] = {{1, 1, 1, 16},   {1, 300, 32, 32}, {7, 1, 8, 16}, {128, 257, 42, 48},
                                       {64, 63, 1, 16}, {3, 5, 0, 16},    {0, 9, 4, 16}, {33, 1025, 129, 144}};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        problem p = problem_create(shape[s][0], shape[s][1], shape[s][2], shape[s][3]);
        assert_scores(&p);
        problem_clear(&p);
    }
}

/* Same bits from one thread, from each of four, and under a setting that would let BLAS take four. */
static void test_threads_change_nothing(void **state)
{
    (void)state;
    problem p = problem_create(100, 700, 42, 48);
    int64_t count = p.users * p.items.items;
    size_t bytes = (size_t)count * sizeof(float);
    float *got[4];
    omp_set_num_threads(1);
    bmf_scores_block(&p.items, p.P, p.base, p.users, p.score);
    for (int t = 0; t < 4; t++)
        got[t] = random_floats(count, 1);
    omp_set_num_threads(4);
    bmf_scores_block(&p.items, p.P, p.base, p.users, got[0]);
    assert_int_equal(omp_get_max_threads(), 4);
    assert_memory_equal(got[0], p.score, bytes);
    bmf_linalg_begin_threads();
#pragma omp parallel for num_threads(4)
    for (int t = 0; t < 4; t++)
        bmf_scores_block(&p.items, p.P, p.base, p.users, got[t]);
    for (int t = 0; t < 4; t++) {
        assert_memory_equal(got[t], p.score, bytes);
        bmf_free(got[t]);
    }
    problem_clear(&p);
}

static void test_content(void **state)
{
    (void)state;
    /* Rows: {x_0 = 2, x_3 = 1}, {}, {x_1 = -4}. */
    int64_t indptr[] = {0, 2, 2, 3};
    int32_t indices[] = {0, 3, 1};
    float data[] = {2, 1, -4}, weights[] = {0.5f, 0.25f, 100, -3}, score[] = {1, 2, 3};
    bmf_csr content = {3, 4, indptr, indices, data};
    bmf_scores_add_content(&content, weights, 0.5, score);
    assert_close((double)score[0], 1 + 0.5 * (2 * 0.5 - 3), 1e-6);
    assert_close((double)score[1], 2, 0);
    assert_close((double)score[2], 3 + 0.5 * -1, 1e-6);
}

static void test_batch_is_bounded(void **state)
{
    (void)state;
    static const int64_t items[] = {0, 1, 9742, 65536, 65537, 1000000, 8388608, 8388609, 2000000000};
    for (size_t j = 0; j < sizeof items / sizeof *items; j++) {
        int64_t batch = bmf_scores_batch(items[j]);
        assert_true(batch >= 1 && batch <= 128);
        assert_true(batch == 1 || batch * items[j] * 4 <= (int64_t)32 << 20);
        assert_true(batch == 128 || (batch + 1) * items[j] * 4 > (int64_t)32 << 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_plain),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_batch_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
