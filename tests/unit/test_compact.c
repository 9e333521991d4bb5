/* Rows in few bytes: near what they were, right in the mean, and never finite where they were not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/compact.h"

#define K 33 /* odd: the last half byte of int4 has no partner */
#define SIDES 2
#define WIDTH (K + SIDES)
#define KEYS 4000

static const int most[BMF_PRECISIONS] = {[BMF_PRECISION_INT8] = 127, [BMF_PRECISION_INT4] = 7};

static void make_row(float row[WIDTH])
{
    for (int f = 0; f < WIDTH; f++)
        row[f] = (float)bmf_rng_gauss(5, (uint64_t)f);
    row[7] = 0;
    row[K + 1] = 300; /* steps */
}

static void through(bmf_merge_precision precision, const float *row, uint64_t key, float *back)
{
    unsigned char bytes[WIDTH * sizeof(float)];
    const int64_t length = bmf_compact_bytes(precision, K, SIDES);
    assert_true(length <= (int64_t)sizeof bytes);
    memset(bytes, 0xa5, sizeof bytes);
    bmf_compact_encode(precision, row, K, SIDES, key, bytes);
    for (size_t b = (size_t)length; b < sizeof bytes; b++)
        assert_int_equal(bytes[b], 0xa5);
    bmf_compact_decode(precision, bytes, K, SIDES, back);
}

/* The step between neighbours that value f of a row may be rounded to; a scale is up to 1/128 larger than need be. */
static double step_of(bmf_merge_precision precision, const float *row, int f)
{
    double largest = 0;
    for (int j = 0; j < K; j++)
        largest = fmax(largest, fabs((double)row[j]));
    if (precision == BMF_PRECISION_FLOAT32)
        return 0;
    return f < K && most[precision] ? largest / most[precision] * 1.01 : fabs((double)row[f]) / 128;
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(bmf_compact_bytes(BMF_PRECISION_FLOAT32, 32, 4), 144);
    assert_int_equal(bmf_compact_bytes(BMF_PRECISION_BFLOAT16, 32, 4), 72);
    assert_int_equal(bmf_compact_bytes(BMF_PRECISION_INT8, 32, 4), 42);
    assert_int_equal(bmf_compact_bytes(BMF_PRECISION_INT4, 32, 4), 26);
    assert_int_equal(bmf_compact_bytes(BMF_PRECISION_INT4, 33, 0), 19);
}

static void test_near_and_right_in_the_mean(void **state)
{
    (void)state;
    float row[WIDTH], back[WIDTH];
    make_row(row);
    for (int p = 0; p < BMF_PRECISIONS; p++) {
        double sum[WIDTH] = {0};
        for (uint64_t key = 0; key < KEYS; key++) {
            through((bmf_merge_precision)p, row, bmf_rng_mix(key), back);
            for (int f = 0; f < WIDTH; f++) {
                assert_true(fabs((double)back[f] - (double)row[f]) <= step_of((bmf_merge_precision)p, row, f));
                sum[f] += (double)back[f];
            }
        }
        assert_true(sum[7] == 0);
        /* a value between two neighbours varies by half a step at most: 5 standard deviations of the mean */
        for (int f = 0; f < WIDTH; f++)
            assert_true(fabs(sum[f] / KEYS - (double)row[f]) <=
                        5 * 0.5 * step_of((bmf_merge_precision)p, row, f) / sqrt(KEYS) + 1e-6 * fabs((double)row[f]));
    }
}

static void test_rows_that_are_not_finite(void **state)
{
    (void)state;
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int p = 0; p < BMF_PRECISIONS; p++)
        for (int b = 0; b < 4; b++)
            for (int at = 0; at < WIDTH; at += 11) { /* a value, a side */
                float row[WIDTH], back[WIDTH], change = 0;
                make_row(row);
                row[at] = bad[b];
                through((bmf_merge_precision)p, row, 3, back);
                for (int f = 0; f < WIDTH; f++)
                    change += back[f] * 0;
                assert_true(!isfinite(change));
            }
}

static void test_rows_at_the_ends_of_the_range(void **state)
{
    (void)state;
    const float size[] = {0, 1e-44f, 1e-38f, 3.4e37f};
    for (int p = 0; p < BMF_PRECISIONS; p++)
        for (int s = 0; s < 4; s++) {
            float row[WIDTH], back[WIDTH];
            for (int f = 0; f < WIDTH; f++)
                row[f] = f % 2 ? size[s] : -size[s];
            through((bmf_merge_precision)p, row, 9, back);
            for (int f = 0; f < WIDTH; f++)
                assert_true(fabs((double)back[f] - (double)row[f]) <= 0.02 * (double)size[s] + 1e-36);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_near_and_right_in_the_mean),
        cmocka_unit_test(test_rows_that_are_not_finite),
        cmocka_unit_test(test_rows_at_the_ends_of_the_range),
    };
    return cmocka_run_group_tests_name("compact", tests, NULL, NULL) ? 1 : 0;
}
