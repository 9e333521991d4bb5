/* Serving a trained model from C: predictions, recommendations, similar items, factors for users and items that training
 * has not seen. Link with -lblendmf (pkg-config blendmf, or find_package(blendmf) in CMake). No MPI is needed, nor started.
 *
 * An open model is read-only: any number of threads may call these functions on it at the same time. Every function that
 * can fail returns BMF_OK or another status of status.h; the reason goes to `error` if that is not NULL.
 *
 * Ids are text here, as in the files that were imported; those that were whole numbers there are written in decimal.
 * Indices count from 0 in the order of the model's file; −1 stands for a user or item that the model does not know. */
#ifndef BLENDMF_MODEL_H
#define BLENDMF_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "blendmf/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct blendmf_model blendmf_model;

#define BLENDMF_ERROR_ROOM 1024
typedef struct blendmf_error {
    int status;
    char text[BLENDMF_ERROR_ROOM]; /* one sentence, without a line feed */
} blendmf_error;

/* What a prediction rests on, from most to least that is known. */
typedef enum blendmf_basis {
    BLENDMF_FACTORS, /* user and item are both known from ratings */
    BLENDMF_CONTENT, /* both are known, at least one of them by content alone: an item, or a user with features */
    BLENDMF_BIAS,    /* of user or item only the bias is known */
    BLENDMF_MEAN     /* neither is known: the mean of the training ratings */
} blendmf_basis;

/* "factors", "content", "bias", "mean". */
BLENDMF_API const char *blendmf_basis_name(blendmf_basis basis);

/* Reads a model file or a checkpoint. The caller closes *out, which is NULL on failure. Calls in several threads wait for each
 * other; HDF5 must not be used otherwise meanwhile, unless it was built for threads. */
BLENDMF_API int blendmf_open(const char *path, blendmf_model **out, blendmf_error *error);
/* Frees everything; sets *model to NULL. NULL-safe. Nobody may be using it. */
BLENDMF_API void blendmf_close(blendmf_model **model);

typedef struct blendmf_info {
    int64_t users, items, features, factors;
    const char *content; /* "none", "concat", "embed" */
    double global_mean, rating_min, rating_max;
} blendmf_info;
BLENDMF_API blendmf_info blendmf_model_info(const blendmf_model *model);

/* Index of an id; −1 if the model does not know it (or it is NULL). */
BLENDMF_API int64_t blendmf_user_index(const blendmf_model *model, const char *id);
BLENDMF_API int64_t blendmf_item_index(const blendmf_model *model, const char *id);
/* The id of an index into text (cut to `room` with its 0). Returns its length as snprintf does, −1 for an index out of
 * range. */
BLENDMF_API int blendmf_user_id(const blendmf_model *model, int64_t user, char *text, size_t room);
BLENDMF_API int blendmf_item_id(const blendmf_model *model, int64_t item, char *text, size_t room);

/* Predicted rating of each pair (user[i], item[i]), −1 for unknown ones; not cut to the range of ratings, and for no
 * particular time: effects of time, if the model has them, do not enter. basis (count) may be NULL. BMF_ERR_USAGE for an index
 * out of range. */
BLENDMF_API int blendmf_predict(const blendmf_model *model, const int64_t *user, const int64_t *item, int64_t count,
                                double *rating, blendmf_basis *basis, blendmf_error *error);

typedef struct blendmf_ranked {
    int64_t item;
    double score; /* predicted rating; cosine for similar items */
    blendmf_basis basis;
} blendmf_ranked;

/* Items not to be recommended; ascending, or NULL with count 0. */
typedef struct blendmf_items {
    const int64_t *item;
    int64_t count;
} blendmf_items;

/* The `top` items of highest predicted rating for a user (−1: an unknown one), best first, equal ones by index, into out
 * (top). *found: how many there are. */
BLENDMF_API int blendmf_recommend(const blendmf_model *model, int64_t user, blendmf_items exclude, int64_t top,
                                  blendmf_ranked *out, int64_t *found, blendmf_error *error);

/* The same for many users at once, by matrix products: out (count × top), found (count). exclude (count) may be NULL.
 * threads ≥ 1. memory: bytes that the call may take beside the model, 0 for 256 MiB; less than one user needs is
 * BMF_ERR_USAGE. */
BLENDMF_API int blendmf_recommend_many(const blendmf_model *model, const int64_t *user, int64_t count,
                                       const blendmf_items *exclude, int64_t top, int threads, int64_t memory,
                                       blendmf_ranked *out, int64_t *found, blendmf_error *error);

/* The `top` items most like `item`, which is not among them, by the cosine of their vectors: the items' factors, followed for
 * "concat" by the content row scaled to the same mean square. Items of which nothing is known are in no list; for such an
 * item *found is 0. basis: BLENDMF_FACTORS where both items have ratings, else BLENDMF_CONTENT. */
BLENDMF_API int blendmf_similar(const blendmf_model *model, int64_t item, int64_t top, blendmf_ranked *out,
                                int64_t *found, blendmf_error *error);

/* Someone whom training has not seen, known by ratings. Owned by the caller, who frees it; it lives no longer than the
 * model. */
typedef struct blendmf_user blendmf_user;

/* The user's bias b, factors P and, for "concat", weights W of the features of the rated items, that minimise
 *     Σ_i (r_i − mean − b_i − b − P·Q_i − W·x_i)² + s_b (b − b̄)² + s |P − P̄|² + s_c |W|²
 * over the n ratings, with the items as they are. (b̄, P̄) is the mean user of training. The strengths are n λ + 1/T each, λ the
 * regularization of the role and T the sum of its learning rates in the epochs that led to the model: SGD that stops after the
 * time T is held to its start about as strongly. No ratings: the mean user. The order of the ratings does not matter. Costs
 * about n² d for n < d unknowns, else n d². BMF_ERR_USAGE for an item or a rating that cannot be, BMF_ERR_INPUT for ratings too large to
 * be fitted. */
BLENDMF_API int blendmf_fold_in_user(const blendmf_model *model, const int64_t *item, const double *rating,
                                     int64_t count, blendmf_user **out, blendmf_error *error);
BLENDMF_API void blendmf_user_free(blendmf_user **user);
BLENDMF_API int blendmf_user_predict(const blendmf_user *user, const int64_t *item, int64_t count, double *rating,
                                     blendmf_basis *basis, blendmf_error *error);
BLENDMF_API int blendmf_user_recommend(const blendmf_user *user, blendmf_items exclude, int64_t top,
                                       blendmf_ranked *out, int64_t *found, blendmf_error *error);

/* An item that training has not seen, known by features (indices with values as the model's own content rows have them,
 * before the content weight; values of the same feature add up) and perhaps by a few ratings of known users. Its bias and
 * factors are those of its content for "embed", else 0 as for an item of the model without ratings; where there are ratings,
 * they are fitted as those of a user are, held to these values. */
typedef struct blendmf_item blendmf_item;
BLENDMF_API int blendmf_fold_in_item(const blendmf_model *model, const int64_t *feature, const double *value,
                                     int64_t features, const int64_t *user, const double *rating, int64_t ratings,
                                     blendmf_item **out, blendmf_error *error);
BLENDMF_API void blendmf_item_free(blendmf_item **item);
/* Predicted rating of the item by each user (−1: unknown). */
BLENDMF_API int blendmf_item_predict(const blendmf_item *item, const int64_t *user, int64_t count, double *rating,
                                     blendmf_error *error);

/* Index of a feature by its name in the model's content; −1 if there is none. */
BLENDMF_API int64_t blendmf_feature_index(const blendmf_model *model, const char *name);

#ifdef __cplusplus
}
#endif

#endif
