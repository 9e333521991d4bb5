/* Least squares that are held towards a given place. */
#ifndef BMF_LINALG_RIDGE_H
#define BMF_LINALG_RIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What is minimised over θ (columns):  Σ_i (target_i − Z_i·θ)² + Σ_j strength_j (θ_j − centre_j)². */
typedef struct bmf_ridge {
    int64_t rows, columns;  /* both below 46341, so that a square of them has an index */
    double *Z;              /* (rows, columns); overwritten */
    const double *target;   /* (rows) */
    const double *strength; /* (columns), above 0 */
    const double *centre;   /* (columns) */
} bmf_ridge;

/* The minimum into theta (columns), by a Cholesky factorization of the smaller of a rows × rows and a columns × columns matrix.
 * BMF_ERR_INPUT if the numbers are too large to be solved for. One thread, whatever OpenMP's settings. Local. */
int bmf_ridge_solve(const bmf_ridge *problem, double *theta, bmf_error *err);

#endif
