/* What folding in users and folding in items have in common: how strongly a parameter is held where it started. Internal.
 *
 * Training takes E epochs of SGD steps of length η_e from the start values and stops. One epoch over the n ratings of a user
 * whose items stay as they are is a step down  Σ_i e_i² / 2 + n (λ_b b² + λ |P|² + λ_c |W|²) / 2. To stop after the time
 * T = Σ_e η_e has nearly the effect of a penalty 1/T on the distance from the start (Ali, Kolter, Tibshirani, "A
 * continuous-time view of early stopping for least squares", 2019: the risks differ by a factor below 1.69). So the strength
 * of role r is  n λ_r + 1/T.  Without the second term W fits a few ratings as training never does. */
#ifndef BMF_SERVE_FOLD_H
#define BMF_SERVE_FOLD_H

#include "linalg/ridge.h"
#include "serve/serve.h"

/* How strongly the unknowns of one user or one item with so many ratings are held at their start. */
typedef enum bmf_serve_role { BMF_SERVE_A_USER, BMF_SERVE_AN_ITEM } bmf_serve_role;
typedef struct bmf_serve_strengths {
    double bias, factors, content;
} bmf_serve_strengths;

bmf_serve_strengths bmf_serve_strengths_of(const blendmf_model *model, bmf_serve_role role, int64_t ratings);

/* BMF_ERR_USAGE for the first value that is not finite; what: "rating". */
int bmf_serve_check_finite(const double *value, int64_t count, const char *what, bmf_error *err);

/* bmf_ridge_solve; BMF_ERR_INPUT too if a parameter is too large for single precision. */
int bmf_serve_fit(const bmf_ridge *problem, double *theta, bmf_error *err);

#endif
