#include "linalg/ridge.h"

#include <cblas.h>
#include <f77blas.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>

#include "base/memory.h"

#define MOST 46340

/* With Z = U S (S: diagonal, √strength), r = target − Z·centre and t = S (θ − centre) the problem is |r − U t|² + |t|²:
 *   t = (UᵀU + I)⁻¹ Uᵀ r = Uᵀ (U Uᵀ + I)⁻¹ r. */
static void scale(const bmf_ridge *p, double *residual)
{
    for (int64_t i = 0; i < p->rows; i++) {
        double *row = p->Z + i * p->columns, expected = 0;
        for (int64_t j = 0; j < p->columns; j++) {
            expected += row[j] * p->centre[j];
            row[j] /= sqrt(p->strength[j]);
        }
        residual[i] = p->target[i] - expected;
    }
}

/* x ← (A + I)⁻¹ x, A (size × size) with its upper triangle by rows, which is LAPACK's lower one. */
static int solve(double *A, int64_t size, double *x, bmf_error *err)
{
    char triangle = 'L';
    blasint n = (blasint)size, one = 1, failed = 0;
    for (int64_t j = 0; j < size; j++) {
        A[j * size + j] += 1;
        failed |= !isfinite(A[j * size + j]);
    }
    if (failed == 0)
        dpotrf_(&triangle, &n, A, &n, &failed);
    if (failed == 0)
        dpotrs_(&triangle, &n, &one, A, &n, x, &n, &failed);
    for (int64_t j = 0; j < size && failed == 0; j++)
        failed = !isfinite(x[j]);
    return failed == 0 ? BMF_OK : bmf_fail(err, BMF_ERR_INPUT, "the values are too large to be fitted");
}

/* Both forms: by_rows has the matrix U Uᵀ, else UᵀU. t goes to theta. */
static int solve_scaled(const bmf_ridge *p, bool by_rows, double *residual, double *A, double *theta, bmf_error *err)
{
    const int rows = (int)p->rows, columns = (int)p->columns, size = by_rows ? rows : columns;
    cblas_dsyrk(CblasRowMajor, CblasUpper, by_rows ? CblasNoTrans : CblasTrans, size, by_rows ? columns : rows, 1, p->Z,
                columns, 0, A, size);
    if (by_rows) {
        int status = solve(A, size, residual, err);
        if (status == BMF_OK)
            cblas_dgemv(CblasRowMajor, CblasTrans, rows, columns, 1, p->Z, columns, residual, 1, 0, theta, 1);
        return status;
    }
    cblas_dgemv(CblasRowMajor, CblasTrans, rows, columns, 1, p->Z, columns, residual, 1, 0, theta, 1);
    return solve(A, size, theta, err);
}

int bmf_ridge_solve(const bmf_ridge *p, double *theta, bmf_error *err)
{
    const bool by_rows = p->rows < p->columns;
    const int64_t size = by_rows ? p->rows : p->columns;
    for (int64_t j = 0; j < p->columns; j++)
        theta[j] = p->centre[j];
    if (p->rows == 0 || p->columns == 0)
        return BMF_OK;
    if (p->rows > MOST || p->columns > MOST)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "%" PRId64 " values for %" PRId64 " unknowns; at most %d of each are allowed", p->rows,
                        p->columns, MOST);
    double *residual = bmf_alloc(p->rows, sizeof *residual, "residuals", err);
    double *A = bmf_alloc(size * size, sizeof *A, "normal equations", err);
    double *t = bmf_alloc(p->columns, sizeof *t, "solution", err);
    int status = residual && A && t ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        const int threads = omp_get_max_threads();
        scale(p, residual);
        omp_set_num_threads(1);
        status = solve_scaled(p, by_rows, residual, A, t, err);
        omp_set_num_threads(threads);
    }
    for (int64_t j = 0; j < p->columns && status == BMF_OK; j++)
        theta[j] += t[j] / sqrt(p->strength[j]);
    bmf_free(residual);
    bmf_free(A);
    bmf_free(t);
    return status;
}
