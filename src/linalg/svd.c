#include "linalg/svd.h"

#include <cblas.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "linalg/scores.h"

/* Of LAPACK, which OpenBLAS brings along without a header for C. Behind the arguments Fortran wants the length of each text. */
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorglq_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
             size_t jobz_length);

/* Matrices with `width` numbers a row, row by row: to LAPACK, which goes by columns, they are their own transposes. */
typedef struct finder {
    const bmf_csr *A;
    bmf_csr At;      /* its transpose */
    double *rows;    /* (rows × width) */
    double *columns; /* (columns × width) */
    double *small;   /* (width × width) */
    double *U, *Vt;  /* (width × width) */
    double *value;   /* (width) singular values */
    double *tau, *work;
    int *pivots; /* (8 × width) */
    int width, work_size;
    int threads;
} finder;

static void clear(finder *f)
{
    bmf_csr_clear(&f->At);
    double *const blocks[] = {f->rows, f->columns, f->small, f->U, f->Vt, f->value, f->tau, f->work};
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        bmf_free(blocks[b]);
    bmf_free(f->pivots);
}

static int prepare(const bmf_csr *A, int64_t rank, int threads, finder *f, bmf_error *err)
{
    int64_t least = A->rows < A->columns ? A->rows : A->columns;
    if (rank < 1 || rank > least || least > INT32_MAX / 2)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "%" PRId64 " directions of a matrix of %" PRId64 " x %" PRId64 " cannot be found; 1 to %" PRId64
                        " can",
                        rank, A->rows, A->columns, least);
    int64_t width = rank + BMF_SVD_OVERSAMPLING < least ? rank + BMF_SVD_OVERSAMPLING : least;
    *f = (finder){.A = A, .width = (int)width, .threads = threads};
    int64_t work = width * (5 * width + 64); /* more than dgesdd asks for, and blocks of 64 for the others */
    f->work_size = work < INT32_MAX ? (int)work : INT32_MAX;
    f->rows = bmf_alloc(A->rows * width, sizeof(double), "directions of items", err);
    f->columns = bmf_alloc(A->columns * width, sizeof(double), "directions of features", err);
    f->small = bmf_alloc(width * width, sizeof(double), "singular values", err);
    f->U = bmf_alloc(width * width, sizeof(double), "singular values", err);
    f->Vt = bmf_alloc(width * width, sizeof(double), "singular values", err);
    f->value = bmf_alloc(width, sizeof(double), "singular values", err);
    f->tau = bmf_alloc(width, sizeof(double), "singular values", err);
    f->work = bmf_alloc(f->work_size, sizeof(double), "singular values", err);
    f->pivots = bmf_alloc(8 * width, sizeof(int), "singular values", err);
    if (!f->rows || !f->columns || !f->small || !f->U || !f->Vt || !f->value || !f->tau || !f->work || !f->pivots)
        return BMF_ERR_MEMORY;
    return bmf_csr_transpose(A, &f->At, "transposed content", err);
}

/* out (rows of A × width) = A X. Each row is one thread's: the sums do not depend on their number. */
static void multiply(const bmf_csr *A, const double *X, int width, int threads, double *out)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t r = 0; r < A->rows; r++) {
        double *row = out + r * width;
        memset(row, 0, (size_t)width * sizeof *row);
        for (int64_t e = A->indptr[r]; e < A->indptr[r + 1]; e++) {
            const double *x = X + (int64_t)A->indices[e] * width;
            const double a = (double)A->data[e];
            for (int j = 0; j < width; j++)
                row[j] += a * x[j];
        }
    }
}

/* The columns of X (rows × width) made orthonormal. With `lower` not NULL it becomes L with X = (new X) Lᵀ. */
static int orthonormalise(finder *f, double *X, int64_t rows, double *lower, bmf_error *err)
{
    const int width = f->width, n = (int)rows;
    int info = 0;
    dgelqf_(&width, &n, X, &width, f->tau, f->work, &f->work_size, &info);
    for (int j = 0; lower && j < width; j++)
        for (int i = 0; i < width; i++)
            lower[i + (int64_t)j * width] = i >= j ? X[i + (int64_t)j * width] : 0;
    if (info == 0)
        dorglq_(&width, &n, &width, X, &width, f->tau, f->work, &f->work_size, &info);
    return info == 0 ? BMF_OK : bmf_fail(err, BMF_ERR_INTERNAL, "LAPACK's LQ factorization failed with %d", info);
}

/* Makes the columns of f->columns span the leading directions; Vt turns them into the singular vectors. */
static int find(finder *f, bmf_error *err)
{
    const int64_t rows = f->A->rows, columns = f->A->columns;
    const int width = f->width;
    int info = 0, status = BMF_OK;
    uint64_t key = bmf_rng_key(0, BMF_STREAM_SVD);
    for (int64_t i = 0; i < columns * width; i++)
        f->columns[i] = bmf_rng_gauss(key, (uint64_t)i);
    for (int power = 0; power <= BMF_SVD_POWERS && status == BMF_OK; power++) {
        multiply(f->A, f->columns, width, f->threads, f->rows);
        status = orthonormalise(f, f->rows, rows, NULL, err);
        multiply(&f->At, f->rows, width, f->threads, f->columns);
        if (status == BMF_OK)
            status = orthonormalise(f, f->columns, columns, f->small, err);
    }
    if (status == BMF_OK)
        dgesdd_("A", &width, &width, f->small, &width, f->value, f->U, &width, f->Vt, &width, f->work, &f->work_size,
                f->pivots, &info, 1);
    if (info != 0)
        return bmf_fail(err, BMF_ERR_INTERNAL, "LAPACK's singular values did not converge (%d)", info);
    return status;
}

/* The first `rank` of the turned directions, each with its largest entry positive. `turned` (columns × rank). */
static void take(const finder *f, int64_t rank, double *turned, bmf_svd *out)
{
    const int64_t columns = f->A->columns;
    /* row-major: columns × width times width × rank; Vt by columns is V by rows, whose first entries are wanted */
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)columns, (int)rank, f->width, 1, f->columns, f->width,
                f->Vt, f->width, 0, turned, (int)rank);
    for (int64_t d = 0; d < rank; d++) {
        double largest = 0;
        for (int64_t c = 0; c < columns; c++)
            if (fabs(turned[c * rank + d]) > fabs(largest))
                largest = turned[c * rank + d];
        for (int64_t c = 0; c < columns; c++)
            out->components[c * rank + d] = (float)(largest < 0 ? -turned[c * rank + d] : turned[c * rank + d]);
        out->singular_value[d] = f->value[d];
    }
}

int bmf_svd_truncated(const bmf_csr *A, int64_t rank, int threads, bmf_svd *out, bmf_error *err)
{
    finder f = {0};
    double *turned = NULL;
    int outer = omp_get_max_threads();
    *out = (bmf_svd){.columns = A->columns, .rank = rank};
    int status = prepare(A, rank, threads, &f, err);
    if (status == BMF_OK) {
        out->components = bmf_alloc(A->columns * rank, sizeof *out->components, "components", err);
        out->singular_value = bmf_alloc(rank, sizeof *out->singular_value, "singular values", err);
        turned = bmf_alloc(A->columns * rank, sizeof *turned, "components", err);
        status = out->components && out->singular_value && turned ? BMF_OK : BMF_ERR_MEMORY;
    }
    bmf_linalg_begin_threads();
    omp_set_num_threads(1); /* for BLAS: how it cuts sums follows the number of threads */
    if (status == BMF_OK)
        status = find(&f, err);
    if (status == BMF_OK)
        take(&f, rank, turned, out);
    omp_set_num_threads(outer);
    clear(&f);
    bmf_free(turned);
    if (status != BMF_OK)
        bmf_svd_clear(out);
    return status;
}

void bmf_svd_clear(bmf_svd *svd)
{
    bmf_free(svd->components);
    bmf_free(svd->singular_value);
    *svd = (bmf_svd){0};
}
