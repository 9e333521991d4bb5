/* The saturating merge's coefficients against float64 values (golden/merge_coefficients.csv), and their limits. */
#include "support/assert_close.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/merge.h"

static double coefficient(const double *steps, int ranks, double a)
{
    double total = 0, saturations = 0;
    for (int r = 0; r < ranks; r++) {
        total += steps[r];
        saturations += bmf_merge_saturation(a, steps[r]);
    }
    return bmf_merge_coefficient(a, total, saturations);
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN_DIR "/merge_coefficients.csv", "r");
    assert_non_null(file);
    char line[512];
    int rows = 0;
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        double steps[64], values[4];
        int ranks = 0;
        char *at = line, *comma = strchr(line, ',');
        assert_non_null(comma);
        while (at < comma)
            steps[ranks++] = strtod(at, &at);
        for (int i = 0; i < 4; i++)
            values[i] = strtod(at + 1, &at);
        assert_close(coefficient(steps, ranks, values[0]), values[2], 1e-9);
        assert_close(coefficient(steps, ranks, values[1]), values[3], 1e-9);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 12);
}

static void test_limits(void **state)
{
    (void)state;
    const double even[4] = {7, 7, 7, 7}, lone[4] = {0, 9, 0, 0}, many[4] = {1e7, 1e7, 1e7, 1e7};
    assert_close(coefficient(even, 4, 1e-12), 1, 1e-9);   /* little done: the sum */
    assert_close(coefficient(many, 4, 0.01), 0.25, 1e-9); /* converged: the average */
    assert_close(coefficient(lone, 4, 0.3), 1, 1e-12);    /* one rank alone: its own result */
    assert_close(coefficient(even, 1, 0.3), 1, 1e-12);
    assert_close(bmf_merge_coefficient(0.1, 0, 0), 1, 0);
}

static void test_pull_stays_below_one(void **state)
{
    (void)state;
    assert_close(bmf_merge_pull(0.01, 0.04, 0.1), 0.0014, 1e-15);
    assert_true(bmf_merge_pull(10, 1, 1) < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pull_stays_below_one),
    };
    return cmocka_run_group_tests_name("merge_coefficients", tests, NULL, NULL) ? 1 : 0;
}
