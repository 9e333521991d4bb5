/* Parameters of a model in memory: the users this process holds, and all items. Rows of P and Q are padded with zeros to
 * whole 64-byte lines; the padding stays zero. */
#ifndef BMF_MODEL_MODEL_H
#define BMF_MODEL_MODEL_H

#include "kernels/content.h"
#include "store/model_file.h"

typedef struct bmf_model {
    int64_t first_user; /* global index of local user 0 */
    int64_t users;      /* held here */
    int64_t items, features;
    int64_t factors, stride; /* stride: floats from row to row of P and Q, a multiple of 16, ≥ factors */
    bmf_content_mode content;
    double global_mean;
    float *P;         /* (users, stride) */
    float *Q;         /* (items, stride) */
    float *user_bias; /* (users) */
    float *item_bias; /* (items) */
    float *W;         /* concat: (users, features), times W_scale[u]; else NULL */
    double *W_scale;  /* concat: (users) */
    double *W_norm2;  /* concat: (users) squared norm of the stored row, without the scale */
} bmf_model;

/* Floats from row to row for k factors. */
int64_t bmf_model_stride(int64_t factors);

/* Allocates the arrays (zeroed). On failure *model is {0}. Local. */
int bmf_model_create(bmf_model *model, int64_t first_user, int64_t users, int64_t items, int64_t factors,
                     bmf_content_mode content, int64_t features, bmf_error *err);
void bmf_model_clear(bmf_model *model);

/* P, Q, W from N(0, init_std²), each row a function of (seed, global row) only; biases 0; W_scale 1. */
void bmf_model_init(bmf_model *model, uint64_t seed, double init_std);

/* r̂ of local user u (−1: unknown) and item i (−1: unknown), content row x_i = row i of `content` (already weighted; may
 * be NULL). What is unknown contributes nothing. The plain form; see bmf_model_predict_user for many items. */
double bmf_model_predict(const bmf_model *model, const bmf_csr *content, int64_t user, int64_t item);

/* r̂ of one local user for `count` items (each in 0 .. items − 1) into out (count). */
void bmf_model_predict_user(const bmf_model *model, const bmf_content_rows *content, int64_t user, const int32_t *item,
                            int64_t count, float *out);

/* A content matrix times content_weight, as training and scoring use it. */
int bmf_content_scaled(const bmf_csr *content, double weight, bmf_csr *out, bmf_error *err);

/* Reads users [first, last) and all items of a model file (clear when done). Local. */
int bmf_model_load(bmf_model_file *file, int64_t first, int64_t last, bmf_model *out, bmf_error *err);

#endif
