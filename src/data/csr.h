/* Compressed sparse rows, as scipy names its parts: row r holds the entries indptr[r] .. indptr[r+1]. */
#ifndef BMF_DATA_CSR_H
#define BMF_DATA_CSR_H

#include <stdint.h>

#include "base/error.h"

typedef struct bmf_csr {
    int64_t rows, columns;
    int64_t *indptr; /* (rows + 1), from 0, not descending */
    int32_t
        *indices; /* (indptr[rows]), each in 0 .. columns − 1; strictly ascending within a row of a content matrix */
    float *data;  /* (indptr[rows]) */
} bmf_csr;

/* Entries stored: indptr[rows]; 0 for {0}. */
int64_t bmf_csr_count(const bmf_csr *matrix);

/* Allocates all three arrays, indptr zeroed. On failure *matrix is {0}. */
int bmf_csr_create(bmf_csr *matrix, int64_t rows, int64_t columns, int64_t count, const char *what, bmf_error *err);
void bmf_csr_clear(bmf_csr *matrix);

/* The transpose: its rows are in the order of the matrix's. On failure *out is {0}. Local. */
int bmf_csr_transpose(const bmf_csr *matrix, bmf_csr *out, const char *what, bmf_error *err);

/* First row whose entries begin at `entry` or beyond; `rows` if none does. Pure. */
int64_t bmf_csr_row_from(const int64_t *indptr, int64_t rows, int64_t entry);

/* BMF_ERR_INPUT naming the first violation of the rules above (indptr, index range, value not finite). Call it on
 * whatever came from a file before using it. The result does not depend on `threads`. Local. */
int bmf_csr_check(const bmf_csr *matrix, const char *what, int threads, bmf_error *err);

/* Ratings: a CSR matrix users × items in which the order of a row's entries carries meaning (by time), with times. */
typedef struct bmf_ratings {
    bmf_csr matrix;
    int64_t *timestamp; /* (count) seconds, or NULL if the source had none */
} bmf_ratings;

int bmf_ratings_create(bmf_ratings *ratings, int64_t users, int64_t items, int64_t count, int with_timestamp,
                       bmf_error *err);
void bmf_ratings_clear(bmf_ratings *ratings);

#endif
