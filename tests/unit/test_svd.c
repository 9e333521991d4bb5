/* Truncated SVD: planted matrices are found to the digits of a float, and what is found is what defines it. */
#include "linalg/svd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/projection.h"
#include "support/assert_close.h"

static bmf_error err;

/* rows × columns with about `density` of its entries there, values between −1 and 1. */
static bmf_csr sparse(int64_t rows, int64_t columns, double density, uint64_t seed)
{
    bmf_csr A;
    uint64_t key = bmf_rng_key(seed, BMF_STREAM_TEST);
    assert_ok(bmf_csr_create(&A, rows, columns, rows * columns, "A", &err), err);
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++)
            if (bmf_rng_uniform(key, (uint64_t)(2 * (r * columns + c))) < density) {
                A.indices[at] = (int32_t)c;
                A.data[at++] = (float)(2 * bmf_rng_uniform(key, (uint64_t)(2 * (r * columns + c) + 1)) - 1);
            }
        A.indptr[r + 1] = at;
    }
    return A;
}

/* |Aᵀ A v − σ² v| for component d. */
static double residual(const bmf_csr *A, const bmf_svd *svd, int64_t d)
{
    double *product = calloc((size_t)A->columns, sizeof *product), sum = 0;
    const double value = svd->singular_value[d];
    for (int64_t r = 0; r < A->rows; r++) {
        double dot = 0;
        for (int64_t e = A->indptr[r]; e < A->indptr[r + 1]; e++)
            dot += (double)A->data[e] * svd->components[A->indices[e] * svd->rank + d];
        for (int64_t e = A->indptr[r]; e < A->indptr[r + 1]; e++)
            product[A->indices[e]] += (double)A->data[e] * dot;
    }
    for (int64_t c = 0; c < A->columns; c++)
        sum += pow(product[c] - value * value * svd->components[c * svd->rank + d], 2);
    free(product);
    return sqrt(sum);
}

static void check_orthonormal(const bmf_svd *svd)
{
    for (int64_t a = 0; a < svd->rank; a++)
        for (int64_t b = 0; b <= a; b++) {
            double dot = 0;
            for (int64_t c = 0; c < svd->columns; c++)
                dot += (double)svd->components[c * svd->rank + a] * svd->components[c * svd->rank + b];
            assert_close(dot, a == b, 1e-5);
        }
}

static void all_directions_of_small_matrices(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {1, 7}, {9, 1}, {6, 4}, {5, 12}, {30, 11}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t rows = shapes[s][0], columns = shapes[s][1], least = rows < columns ? rows : columns;
        bmf_csr A = sparse(rows, columns, 0.8, s);
        bmf_svd svd;
        double squares = 0, values = 0;
        assert_ok(bmf_svd_truncated(&A, least, 1, &svd, &err), err);
        check_orthonormal(&svd);
        for (int64_t e = 0; e < bmf_csr_count(&A); e++)
            squares += (double)A.data[e] * A.data[e];
        for (int64_t d = 0; d < least; d++) {
            assert_true(d == 0 || svd.singular_value[d] <= svd.singular_value[d - 1]);
            assert_close(residual(&A, &svd, d), 0, 1e-5);
            values += svd.singular_value[d] * svd.singular_value[d];
        }
        assert_close(values, squares, 1e-6 * squares + 1e-12);
        bmf_svd_clear(&svd);
        bmf_csr_clear(&A);
    }
}

/* The leading few of many: the values are as a search for all of them has them. */
static void the_leading_ones_of_many(void **state)
{
    (void)state;
    bmf_csr A = sparse(300, 120, 0.1, 7);
    bmf_svd few, all;
    for (int64_t r = 0; r < A.rows; r++) /* some directions stand out */
        for (int64_t e = A.indptr[r]; e < A.indptr[r + 1]; e++)
            A.data[e] = A.indices[e] < 6 ? 4 * fabsf(A.data[e]) : A.data[e];
    assert_ok(bmf_svd_truncated(&A, 6, 1, &few, &err), err);
    assert_ok(bmf_svd_truncated(&A, 120, 1, &all, &err), err);
    check_orthonormal(&few);
    for (int64_t d = 0; d < 6; d++) {
        double largest = 0;
        assert_close(few.singular_value[d], all.singular_value[d], 1e-4 * all.singular_value[d]);
        for (int64_t c = 0; c < 120; c++)
            if (fabs((double)few.components[c * 6 + d]) > fabs(largest))
                largest = few.components[c * 6 + d];
        assert_true(largest > 0);
    }
    bmf_svd_clear(&few);
    bmf_svd_clear(&all);
    bmf_csr_clear(&A);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    bmf_csr A = sparse(500, 90, 0.2, 11);
    bmf_svd one, three;
    assert_ok(bmf_svd_truncated(&A, 8, 1, &one, &err), err);
    assert_ok(bmf_svd_truncated(&A, 8, 3, &three, &err), err);
    assert_memory_equal(one.components, three.components, 90 * 8 * sizeof(float));
    assert_memory_equal(one.singular_value, three.singular_value, 8 * sizeof(double));
    bmf_svd_clear(&one);
    bmf_svd_clear(&three);
    bmf_csr_clear(&A);
}

/* A row of A becomes A V, scaled to length 1; one that lies across all directions becomes nothing. */
static void projections_are_products_of_length_1(void **state)
{
    (void)state;
    bmf_csr A = sparse(40, 25, 0.3, 5);
    bmf_svd svd;
    float row[5];
    assert_ok(bmf_svd_truncated(&A, 5, 1, &svd, &err), err);
    bmf_projection projection = {.rank = 5, .components = svd.components};
    for (int64_t r = 0; r < A.rows; r++) {
        int64_t first = A.indptr[r], count = A.indptr[r + 1] - first;
        double product[5] = {0}, squares = 0;
        for (int64_t e = first; e < first + count; e++)
            for (int d = 0; d < 5; d++)
                product[d] += (double)A.data[e] * svd.components[A.indices[e] * 5 + d];
        for (int d = 0; d < 5; d++)
            squares += product[d] * product[d];
        assert_true(bmf_projection_apply(&projection, A.indices + first, A.data + first, count, row));
        for (int d = 0; d < 5; d++)
            assert_close(row[d], product[d] / sqrt(squares), 1e-6);
    }
    for (int d = 0; d < 5; d++)
        svd.components[7 * 5 + d] = d ? 0 : 1e-4f;
    assert_false(bmf_projection_apply(&projection, (int32_t[]){7}, (float[]){1}, 1, row));
    for (int d = 0; d < 5; d++)
        assert_true(row[d] == 0);
    assert_false(bmf_projection_apply(&projection, NULL, NULL, 0, row));
    bmf_svd_clear(&svd);
    bmf_csr_clear(&A);
}

static void empty_and_impossible(void **state)
{
    (void)state;
    bmf_csr A;
    bmf_svd svd;
    assert_ok(bmf_csr_create(&A, 8, 5, 0, "A", &err), err);
    assert_ok(bmf_svd_truncated(&A, 2, 1, &svd, &err), err);
    assert_close(svd.singular_value[0], 0, 0);
    check_orthonormal(&svd);
    bmf_svd_clear(&svd);
    for (int64_t rank = 0; rank <= 6; rank += 6) {
        bmf_error_clear(&err);
        assert_int_equal(bmf_svd_truncated(&A, rank, 1, &svd, &err), BMF_ERR_USAGE);
        assert_null(svd.components);
        assert_non_null(strstr(err.text, "of a matrix of 8 x 5 cannot be found; 1 to 5 can"));
    }
    bmf_error_clear(&err);
    bmf_csr_clear(&A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_directions_of_small_matrices),
        cmocka_unit_test(the_leading_ones_of_many),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(projections_are_products_of_length_1),
        cmocka_unit_test(empty_and_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
