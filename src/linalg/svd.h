/* Truncated singular value decomposition of a sparse matrix: the directions along which its rows differ most. */
#ifndef BMF_LINALG_SVD_H
#define BMF_LINALG_SVD_H

#include "data/csr.h"

#define BMF_SVD_OVERSAMPLING 10 /* directions kept beside those asked for while they are found */
#define BMF_SVD_POWERS 6        /* power iterations; each makes the found directions sharper */

/* {0} is none. */
typedef struct bmf_svd {
    int64_t columns, rank;
    float *components; /* (columns × rank) right singular vectors as columns, orthonormal; the largest entry of each is
                             * positive */
    double *singular_value; /* (rank) descending */
} bmf_svd;

/* The leading `rank` (1 to the smaller of rows and columns) right singular vectors of A and their values, by a random
 * projection (Halko, Martinsson and Tropp 2011). The result depends on A and rank only, not on `threads`. Memory: (rows +
 * columns) × (rank + 10) doubles and A once more. *out is {0} on failure. Local. */
int bmf_svd_truncated(const bmf_csr *A, int64_t rank, int threads, bmf_svd *out, bmf_error *err);
void bmf_svd_clear(bmf_svd *svd);

#endif
