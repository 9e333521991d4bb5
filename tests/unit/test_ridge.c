/* Regularized least squares: at the minimum the gradient is zero, in both forms. */
#include "support/assert_close.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "linalg/ridge.h"

#define MOST 60

static bmf_error err;

static void fill(double *out, int64_t count, uint64_t stream, double sd)
{
    float value[MOST * MOST];
    bmf_rng_normal(bmf_rng_subkey(7, stream), 0, sd, value, count);
    for (int64_t j = 0; j < count; j++)
        out[j] = (double)value[j];
}

/* Half the gradient: −Zᵀ(target − Zθ) + strength (θ − centre). */
static double largest_gradient(const bmf_ridge *p, const double *Z, const double *theta)
{
    double gradient[MOST], largest = 0;
    for (int64_t j = 0; j < p->columns; j++)
        gradient[j] = p->strength[j] * (theta[j] - p->centre[j]);
    for (int64_t i = 0; i < p->rows; i++) {
        double error = p->target[i];
        for (int64_t j = 0; j < p->columns; j++)
            error -= Z[i * p->columns + j] * theta[j];
        for (int64_t j = 0; j < p->columns; j++)
            gradient[j] -= error * Z[i * p->columns + j];
    }
    for (int64_t j = 0; j < p->columns; j++)
        largest = fmax(largest, fabs(gradient[j]));
    return largest;
}

static void the_gradient_is_zero(void **state)
{
    (void)state;
    static double Z[MOST * MOST], kept[MOST * MOST], target[MOST], strength[MOST], centre[MOST], theta[MOST];
    static const int64_t shape[][2] = {{1, 1}, {1, 40}, {40, 1}, {5, 33}, {33, 5}, {20, 20}, {60, 60}, {59, 60}};
    for (size_t s = 0; s < sizeof shape / sizeof shape[0]; s++) {
        const int64_t rows = shape[s][0], columns = shape[s][1];
        fill(Z, rows * columns, 1 + s, 1);
        fill(target, rows, 100 + s, 2);
        fill(centre, columns, 200 + s, 1);
        for (int64_t j = 0; j < columns; j++)
            strength[j] = j % 3 ? 0.001 : 20;
        memcpy(kept, Z, sizeof Z);
        const bmf_ridge problem = {rows, columns, Z, target, strength, centre};
        const int threads = omp_get_max_threads();
        assert_ok(bmf_ridge_solve(&problem, theta, &err), err);
        assert_int_equal(omp_get_max_threads(), threads);
        assert_true(largest_gradient(&problem, kept, theta) < 1e-8);
    }
}

static void without_values_it_is_the_centre(void **state)
{
    (void)state;
    double strength[2] = {1, 2}, centre[2] = {3, 4}, theta[2] = {0, 0};
    const bmf_ridge problem = {0, 2, NULL, NULL, strength, centre};
    assert_ok(bmf_ridge_solve(&problem, theta, &err), err);
    assert_true(theta[0] == 3 && theta[1] == 4);
}

static void what_cannot_be_solved_is_an_error(void **state)
{
    (void)state;
    double Z[2] = {1e200, 1e200}, target[1] = {1}, strength[2] = {1, 1}, centre[2] = {0, 0}, theta[2];
    bmf_ridge problem = {1, 2, Z, target, strength, centre};
    assert_int_equal(bmf_ridge_solve(&problem, theta, &err), BMF_ERR_INPUT);
    bmf_error_clear(&err);
    problem.rows = 46341;
    assert_int_equal(bmf_ridge_solve(&problem, theta, &err), BMF_ERR_INPUT);
    assert_string_equal(err.text, "46341 values for 2 unknowns; at most 46340 of each are allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_zero),
        cmocka_unit_test(without_values_it_is_the_centre),
        cmocka_unit_test(what_cannot_be_solved_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
