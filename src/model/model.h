/* Parameters of a model in memory: the users this process holds, and all items. Rows of P and Q are padded with zeros to
 * whole 64-byte lines; the padding stays zero. */
#ifndef BMF_MODEL_MODEL_H
#define BMF_MODEL_MODEL_H

#include "kernels/content_slots.h"
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
    /* embed, else NULL. Q and item_bias above are then what predictions use: Q_i = own_Q_i + Vᵀx_i and likewise the bias. */
    float *own_Q, *own_bias; /* (items, stride), (items): what an item has beside its content */
    float *V, *feature_bias; /* (features, stride), (features) */
    /* Features of users, else NULL. P and user_bias above are then P_u = own_P_u + Uᵀy_u and likewise the bias. y_u has the
     * user's own features first and then, with implicit feedback, the items that he has training ratings of, which have no
     * biases. */
    float *own_P, *own_user_bias;    /* (users, stride), (users) */
    float *U, *user_feature_bias;    /* (user_features + implicit, stride), (user_features) */
    int64_t user_features, implicit; /* G, which may be 0; the items, or 0 without implicit feedback */
    /* concat, else NULL: */
    const bmf_content_pattern *pattern; /* which weights each user has */
    bmf_content_pattern *own_pattern;   /* the same if the model is from a file and has to free it; else NULL */
    float *W;                           /* (pattern->indptr[users]), those of user u times W_scale[u] */
    double *W_scale;                    /* (users) */
    double *W_norm2;                    /* (users) squared norm of the stored row, without the scale */
} bmf_model;

/* Floats from row to row for k factors. */
int64_t bmf_model_stride(int64_t factors);

/* Allocates the arrays (zeroed). pattern: of the users' content weights, borrowed while the model lives; NULL for the plain
 * model. On failure *model is {0}. Local. */
int bmf_model_create(bmf_model *model, int64_t first_user, int64_t users, int64_t items, int64_t factors,
                     const bmf_content_pattern *pattern, bmf_error *err);
void bmf_model_clear(bmf_model *model);

/* Adds Σ_j value[j] · row index[j] of `rows`, which start `pitch` floats apart, to `to`: `stride` floats, a multiple of 16, of
 * each. Every float of `to` gets its terms in the order of j. Pure. */
void bmf_model_add_rows(const float *rows, int64_t pitch, const int32_t *index, const float *value, int64_t count,
                        int64_t stride, float *to);

/* Makes a plain model one whose features have factors and biases of their own (zeroed). On failure the model is as it was.
 * Local. */
int bmf_model_add_features(bmf_model *model, int64_t features, bmf_error *err);

/* Adds Vᵀx_i of content row i to `to` (stride) and returns β·x_i. Pure. */
float bmf_model_add_embedding(const bmf_model *model, const bmf_csr *content, int64_t i, float *to);

/* Makes a model one whose users have `user_features` features and, with implicit feedback, items as features too (zeroed). At
 * least one of the two. On failure the model is as it was. Local. */
int bmf_model_add_user_features(bmf_model *model, int64_t user_features, bool implicit, bmf_error *err);

/* Adds Uᵀy_u of row u of `rows` (users × (G + implicit), weighted) to `to` (stride) and returns γ·y_u. Pure. */
float bmf_model_add_user_embedding(const bmf_model *model, const bmf_csr *rows, int64_t u, float *to);

/* P and the user biases of `count` users (NULL: the first ones) from their own parts and those of their features. The same
 * for any number of threads. Local. */
void bmf_model_blend_users(bmf_model *model, const bmf_csr *rows, const int32_t *users, int64_t count, int threads);

/* Q and the item biases from the items' own parts and those of their features. content: weighted rows (items × F). The same
 * for any number of threads. Local. */
void bmf_model_blend(bmf_model *model, const bmf_csr *content, int threads);

/* P, Q, W, V from N(0, init_std²), each row a function of (seed, global row) only, that of W of the number of its weights too;
 * biases 0; W_scale 1. With V the items' own factors start from 0: all that is known of an item that nobody has rated is its
 * content. Q and item_bias are then for bmf_model_blend to set. With U likewise: the users' own factors start from 0, those of
 * features from N(0, init_std²), and P and user_bias are for bmf_model_blend_users to set. */
void bmf_model_init(bmf_model *model, uint64_t seed, double init_std);

/* r̂ of local user u (−1: unknown) and item i (−1: unknown), content row x_i = row i of `content` (already weighted; may
 * be NULL). What is unknown contributes nothing. The plain form; see bmf_model_predict_user for many items. */
double bmf_model_predict(const bmf_model *model, const bmf_csr *content, int64_t user, int64_t item);

/* r̂ of one local user for `count` items (each in 0 .. items − 1) into out (count). With content, the items are entries
 * first .. first + count − 1 of the ratings that the slots are of. */
void bmf_model_predict_user(const bmf_model *model, const bmf_content_rows *content, const bmf_content_slots *slots,
                            int64_t first, int64_t user, const int32_t *item, int64_t count, float *out);

/* The stored weights of a local user, without the scale, into a row (F + 1) that is 0 elsewhere; and that row to 0 again. */
void bmf_model_spread_weights(const bmf_model *model, int64_t user, float *row);
void bmf_model_wipe_weights(const bmf_model *model, int64_t user, float *row);

/* A content matrix times content_weight, as training and scoring use it. */
int bmf_content_scaled(const bmf_csr *content, double weight, bmf_csr *out, bmf_error *err);

/* Reads the model's users, all items and all features into the arrays of factors and biases that these roles have in the file:
 * Q and item_bias are the items' own where features have theirs. Local. */
typedef struct bmf_model_roles {
    bmf_role P, Q, user_bias, item_bias, V, feature_bias, own_P, own_user_bias, user_V, user_feature_bias, implicit_V;
} bmf_model_roles;
extern const bmf_model_roles bmf_model_roles_now, bmf_model_roles_best; /* at the root; in /state/best */
int bmf_model_read(bmf_model_file *file, const bmf_model_roles *roles, bmf_model *model, bmf_error *err);

/* Reads users [first, last) and all items of a model file (clear when done). Factors of users and items without a training
 * rating are still what they started from: they are read as 0, where the file tells whose they are; but for users who have
 * features, which say something of them. Users' own parts and U are not read: P and user_bias have them in. Local. */
int bmf_model_load(bmf_model_file *file, int64_t first, int64_t last, bmf_model *out, bmf_error *err);

#endif
