#include "kernels/sgd_step.h"

#define CUT(value, clip) ((value) > (clip) ? (clip) : (value) < -(clip) ? -(clip) : (value))

#define SGD_STEP(real, suffix)                                                                                         \
    real bmf_sgd_step_##suffix(const bmf_sgd_rates_##suffix *rates, real r, real mean, int64_t k, real *P_u,           \
                               real *Q_i, real *b_u, real *b_i, int64_t F, real *W_u, int64_t nnz,                     \
                               const int32_t *feature, const real *x)                                                  \
    {                                                                                                                  \
        const real eta = rates->eta, clip = rates->clip;                                                               \
        real e = r - mean - *b_u - *b_i;                                                                               \
        for (int64_t f = 0; f < k; f++)                                                                                \
            e -= P_u[f] * Q_i[f];                                                                                      \
        for (int64_t j = 0; F > 0 && j < nnz; j++)                                                                     \
            e -= W_u[feature[j]] * x[j];                                                                               \
        *b_u += CUT(rates->bias_eta * (e - rates->user_bias_lambda * *b_u), clip);                                     \
        *b_i += CUT(rates->bias_eta * (e - rates->item_bias_lambda * *b_i), clip);                                     \
        for (int64_t f = 0; f < k; f++) {                                                                              \
            real p = P_u[f], q = Q_i[f];                                                                               \
            P_u[f] = p + CUT(eta * (e * q - rates->user_lambda * p), clip);                                            \
            Q_i[f] = q + CUT(eta * (e * p - rates->item_lambda * q), clip);                                            \
        }                                                                                                              \
        for (int64_t f = 0, j = 0; f < F; f++) {                                                                       \
            real x_f = j < nnz && feature[j] == f ? x[j++] : 0;                                                        \
            W_u[f] += CUT(eta * (e * x_f - rates->content_lambda * W_u[f]), clip);                                     \
        }                                                                                                              \
        return e;                                                                                                      \
    }

#define SGD_EMBED_STEP(real, suffix)                                                                                   \
    real bmf_sgd_embed_step_##suffix(const bmf_sgd_rates_##suffix *rates, real r, real mean, int64_t k, real *P_u,     \
                                     real *Q_i, real *b_u, real *b_i, int64_t stride, real *V, real *feature_bias,     \
                                     int64_t nnz, const int32_t *feature, const real *x)                               \
    {                                                                                                                  \
        const real eta = rates->eta, clip = rates->clip;                                                               \
        real e = r - mean - *b_u - *b_i;                                                                               \
        for (int64_t j = 0; j < nnz; j++)                                                                              \
            e -= feature_bias[feature[j]] * x[j];                                                                      \
        for (int64_t f = 0; f < k; f++) {                                                                              \
            real q = Q_i[f];                                                                                           \
            for (int64_t j = 0; j < nnz; j++)                                                                          \
                q += x[j] * V[feature[j] * stride + f];                                                                \
            e -= P_u[f] * q;                                                                                           \
        }                                                                                                              \
        *b_u += CUT(rates->bias_eta * (e - rates->user_bias_lambda * *b_u), clip);                                     \
        *b_i += CUT(rates->bias_eta * (e - rates->item_bias_lambda * *b_i), clip);                                     \
        for (int64_t j = 0; j < nnz; j++) {                                                                            \
            real *b_f = &feature_bias[feature[j]];                                                                     \
            *b_f += CUT(rates->bias_eta * (e * x[j] - rates->content_lambda * *b_f), clip);                            \
        }                                                                                                              \
        for (int64_t f = 0; f < k; f++) {                                                                              \
            real p = P_u[f], q = Q_i[f], blended = q;                                                                  \
            for (int64_t j = 0; j < nnz; j++) {                                                                        \
                real *v = &V[feature[j] * stride + f];                                                                 \
                blended += x[j] * *v;                                                                                  \
                *v += CUT(eta * (e * x[j] * p - rates->content_lambda * *v), clip);                                    \
            }                                                                                                          \
            P_u[f] = p + CUT(eta * (e * blended - rates->user_lambda * p), clip);                                      \
            Q_i[f] = q + CUT(eta * (e * p - rates->item_lambda * q), clip);                                            \
        }                                                                                                              \
        return e;                                                                                                      \
    }

SGD_STEP(float, float)
SGD_STEP(double, double)
SGD_EMBED_STEP(float, float)
SGD_EMBED_STEP(double, double)
