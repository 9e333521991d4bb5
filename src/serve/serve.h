/* What the files of this folder share: an open model, a user as predictions see him, errors for the caller. Internal. */
#ifndef BMF_SERVE_SERVE_H
#define BMF_SERVE_SERVE_H

#include <stdbool.h>

#include "blendmf/model.h"
#include "model/model.h"

struct blendmf_model {
    bmf_model_meta meta;
    bmf_ids users, items;
    bmf_model model; /* all users; Q and the item biases with the content's part, where that is shared by all users */
    bmf_csr content; /* concat: (items × F), weighted; else {0} */
    bmf_csr by_feature;    /* concat: the same transposed (F × items) */
    bmf_strings feature;   /* (F) names; empty without content */
    int32_t *feature_rank; /* (F) features in ascending order of their names */
    bool *user_known;      /* (users) has training ratings */
    uint8_t *item_basis;   /* (items) what a known user's prediction rests on: a blendmf_basis */
    /* For folding in: */
    double training_time; /* Σ of the learning rates of the epochs behind the parameters */
    double mean_user_bias;
    double *mean_P; /* (factors); both over the known users */
    /* Of the vectors [Q_i, s x_i] by which items are similar: */
    double content_share; /* s²; 0 where content has no part in them */
    float *inverse_norm;  /* (items); 0 for a vector of zeros */
};

/* A user as predictions see him, borrowed from the model or a folded-in user. */
typedef struct bmf_serve_user {
    bool known;      /* else everything below is 0 */
    bool by_content; /* by his features alone, which are in bias and P */
    double bias;
    const float *P;         /* (stride); NULL: 0 */
    const int32_t *feature; /* (weights) ascending */
    const float *W;         /* (weights) times W_scale */
    int64_t weights;
    double W_scale;
} bmf_serve_user;

/* A user of the model; −1: one it does not know. */
bmf_serve_user bmf_serve_user_of(const blendmf_model *model, int64_t user);

/* r̂ of a user and an item (−1: unknown), in double precision. The one formula of all answers. */
double bmf_serve_score(const blendmf_model *model, const bmf_serve_user *user, int64_t item);

/* r̂ of a user and an item that was folded in, and what it rests on if the item came without ratings. */
double bmf_serve_item_score(const blendmf_item *item, const bmf_serve_user *user);
blendmf_basis bmf_serve_item_basis(const blendmf_item *item, bool user_known);

/* A folded-in user, borrowed. */
const bmf_serve_user *bmf_serve_user_folded(const blendmf_user *user);

/* a·b of two padded rows, in double precision. */
double bmf_serve_dot(const float *a, const float *b, int64_t stride);

/* W_u·x of row `item` of a content matrix. */
double bmf_serve_content_term(const bmf_csr *content, const bmf_serve_user *user, int64_t item);

/* Fills content_share and inverse_norm. */
int bmf_serve_measure_items(blendmf_model *model, bmf_error *err);

/* What a prediction rests on. */
blendmf_basis bmf_serve_basis(const blendmf_model *model, const bmf_serve_user *user, int64_t item);

/* r̂ and bases of one user and items that were checked; basis may be NULL. */
void bmf_serve_predict(const blendmf_model *model, const bmf_serve_user *user, const int64_t *item, int64_t count,
                       double *rating, blendmf_basis *basis);

/* Users whose lists are wanted. */
typedef struct bmf_serve_request {
    const int64_t *user;          /* (users) of the model, −1: unknown; or NULL: */
    const bmf_serve_user *single; /* the only one */
    const blendmf_items *exclude; /* (users), or NULL */
    int64_t users, top;
} bmf_serve_request;

/* The lists of all users of a request into out (users × top) and found (users), by `threads` threads in at most `memory`
 * bytes. What is excluded was checked. */
int bmf_serve_recommend(const blendmf_model *model, const bmf_serve_request *request, int threads, int64_t memory,
                        blendmf_ranked *out, int64_t *found, bmf_error *err);

/* BMF_ERR_USAGE for an index that is neither −1 nor of the model; allow_unknown false: nor −1. what: "user", "item". */
int bmf_serve_check(const int64_t *index, int64_t count, int64_t limit, bool allow_unknown, const char *what,
                    bmf_error *err);
int bmf_serve_check_exclude(const blendmf_model *model, blendmf_items exclude, bmf_error *err);
int bmf_serve_check_top(int64_t top, bmf_error *err);

/* Hands the report to the caller (who may not want it) and returns its status. */
int bmf_serve_finish(int status, const bmf_error *err, blendmf_error *out);

#endif
