/* One SGD step, plain, on unpadded or padded rows, in float and in double: the statement of the method that every fast
 * kernel is tested against. The equations stand in kernels/sweep.h. */
#ifndef BMF_KERNELS_SGD_STEP_H
#define BMF_KERNELS_SGD_STEP_H

#include <stdint.h>

/* BMF_SGD_STEP(real, suffix) declares
 *   bmf_sgd_rates_<suffix>: η, that of the biases, λ of P, Q, b_u, b_i and W, and the bound on a delta
 *   bmf_sgd_step_<suffix>(...): one step on rating r of P_u, Q_i (k), their biases and, if F > 0, W_u (F) with the content
 *   row given as nnz features and values; W is decayed densely. Returns e.
 *   bmf_sgd_embed_step_<suffix>(...): the same where features have factors V (rows of k, `stride` apart) and biases instead
 *   of users' weights; those of the row's features move. */
#define BMF_SGD_STEP(real, suffix)                                                                                     \
    typedef struct bmf_sgd_rates_##suffix {                                                                            \
        real eta, bias_eta, user_lambda, item_lambda, user_bias_lambda, item_bias_lambda, content_lambda, clip;        \
    } bmf_sgd_rates_##suffix;                                                                                          \
    real bmf_sgd_step_##suffix(const bmf_sgd_rates_##suffix *rates, real r, real mean, int64_t k, real *P_u,           \
                               real *Q_i, real *b_u, real *b_i, int64_t F, real *W_u, int64_t nnz,                     \
                               const int32_t *feature, const real *x);                                                 \
    real bmf_sgd_embed_step_##suffix(const bmf_sgd_rates_##suffix *rates, real r, real mean, int64_t k, real *P_u,     \
                                     real *Q_i, real *b_u, real *b_i, int64_t stride, real *V, real *feature_bias,     \
                                     int64_t nnz, const int32_t *feature, const real *x);

BMF_SGD_STEP(float, float)
BMF_SGD_STEP(double, double)
#undef BMF_SGD_STEP

#endif
