#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "serve/fold.h"

struct blendmf_user {
    const blendmf_model *model;
    float *P;         /* (stride) */
    int32_t *feature; /* (weights) of the rated items, ascending; NULL without content */
    float *W;         /* (weights) */
    int64_t weights;
    bmf_serve_user view;
};

bmf_serve_strengths bmf_serve_strengths_of(const blendmf_model *model, bmf_serve_role role, int64_t ratings)
{
    const bmf_model_meta *meta = &model->meta;
    const double n = (double)ratings, start = 1 / model->training_time;
    const double of_biases = meta->learning_rate > 0 ? meta->bias_learning_rate / meta->learning_rate : 1;
    const bool item = role == BMF_SERVE_AN_ITEM;
    return (bmf_serve_strengths){
        .bias = n * (item ? meta->item_bias_regularization : meta->user_bias_regularization) +
                (of_biases > 0 ? start / of_biases : start),
        .factors = n * (item ? meta->item_regularization : meta->user_regularization) + start,
        .content = n * meta->content_regularization + start,
    };
}

int bmf_serve_check_finite(const double *value, int64_t count, const char *what, bmf_error *err)
{
    for (int64_t j = 0; j < count; j++)
        if (!isfinite(value[j]))
            return bmf_fail(err, BMF_ERR_USAGE, "%s %g at position %" PRId64 " is not a finite number", what, value[j],
                            j);
    return BMF_OK;
}

int bmf_serve_fit(const bmf_ridge *problem, double *theta, bmf_error *err)
{
    int status = bmf_ridge_solve(problem, theta, err);
    for (int64_t j = 0; j < problem->columns && status == BMF_OK; j++)
        if (fabs(theta[j]) > FLT_MAX)
            status = bmf_fail(err, BMF_ERR_INPUT, "the ratings are too large to be fitted");
    return status;
}

/* The features of the rated items: their numbers ascending into *feature, and slot[f] for each, −1 for all others. */
static int find_features(const bmf_csr *content, const int64_t *item, int64_t count, int32_t *slot, blendmf_user *user,
                         bmf_error *err)
{
    int64_t found = 0;
    for (int64_t f = 0; f < content->columns; f++)
        slot[f] = -1;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = content->indptr[item[i]]; j < content->indptr[item[i] + 1]; j++) {
            found += slot[content->indices[j]] < 0;
            slot[content->indices[j]] = 0;
        }
    user->feature = bmf_alloc(found, sizeof *user->feature, "features of a user", err);
    user->W = bmf_alloc_zero(found, sizeof *user->W, "content weights of a user", err);
    if (!user->feature || !user->W)
        return BMF_ERR_MEMORY;
    for (int64_t f = 0; f < content->columns; f++)
        if (slot[f] == 0) {
            user->feature[user->weights] = (int32_t)f;
            slot[f] = (int32_t)user->weights++;
        }
    return BMF_OK;
}

/* Row i is 1, Q_i, x_i over the features found; its target the rating without mean and item bias. */
static void fill_rows(const blendmf_model *model, const int64_t *item, const double *rating, int64_t count,
                      const int32_t *slot, const bmf_ridge *problem, double *target)
{
    const bmf_model *m = &model->model;
    for (int64_t i = 0; i < count; i++) {
        double *row = problem->Z + i * problem->columns;
        row[0] = 1;
        for (int64_t f = 0; f < m->factors; f++)
            row[1 + f] = (double)m->Q[item[i] * m->stride + f];
        for (int64_t j = slot ? model->content.indptr[item[i]] : 0; slot && j < model->content.indptr[item[i] + 1]; j++)
            row[1 + m->factors + slot[model->content.indices[j]]] = (double)model->content.data[j];
        target[i] = rating[i] - model->meta.global_mean - (double)m->item_bias[item[i]];
    }
}

/* Where every unknown is held, and how strongly: the mean user, and no weights. */
static void fill_prior(const blendmf_model *model, int64_t ratings, int64_t unknowns, double *strength, double *centre)
{
    const bmf_serve_strengths s = bmf_serve_strengths_of(model, BMF_SERVE_A_USER, ratings);
    const int64_t k = model->model.factors;
    for (int64_t j = 0; j < unknowns; j++) {
        strength[j] = j == 0 ? s.bias : j <= k ? s.factors : s.content;
        centre[j] = j == 0 ? model->mean_user_bias : j <= k ? model->mean_P[j - 1] : 0;
    }
}

static void take_solution(const double *theta, blendmf_user *user)
{
    const int64_t k = user->model->model.factors;
    for (int64_t f = 0; f < k; f++)
        user->P[f] = (float)theta[1 + f];
    for (int64_t j = 0; j < user->weights; j++)
        user->W[j] = (float)theta[1 + k + j];
    user->view.bias = theta[0];
}

static int fit(const int64_t *item, const double *rating, int64_t count, const int32_t *slot, blendmf_user *user,
               bmf_error *err)
{
    const int64_t unknowns = 1 + user->model->model.factors + user->weights;
    double *Z = bmf_alloc_zero(count * unknowns, sizeof *Z, "ratings of a user", err);
    double *target = bmf_alloc(count, sizeof *target, "ratings of a user", err);
    double *vectors = bmf_alloc(3 * unknowns, sizeof *vectors, "parameters of a user", err);
    int status = Z && target && vectors ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        double *strength = vectors, *centre = vectors + unknowns, *theta = vectors + 2 * unknowns;
        const bmf_ridge problem = {count, unknowns, Z, target, strength, centre};
        fill_rows(user->model, item, rating, count, slot, &problem, target);
        fill_prior(user->model, count, unknowns, strength, centre);
        status = bmf_serve_fit(&problem, theta, err);
        if (status == BMF_OK)
            take_solution(theta, user);
    }
    bmf_free(Z);
    bmf_free(target);
    bmf_free(vectors);
    return status;
}

static int fold_in(const int64_t *item, const double *rating, int64_t count, blendmf_user *user, bmf_error *err)
{
    const blendmf_model *model = user->model;
    int32_t *slot = NULL;
    int status = BMF_OK;
    user->P = bmf_alloc_zero(model->model.stride, sizeof *user->P, "factors of a user", err);
    if (!user->P)
        return BMF_ERR_MEMORY;
    if (model->model.W) {
        slot = bmf_alloc(model->meta.features, sizeof *slot, "slots of features", err);
        status = slot ? find_features(&model->content, item, count, slot, user, err) : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK)
        status = fit(item, rating, count, slot, user, err);
    bmf_free(slot);
    user->view.known = count > 0;
    user->view.P = user->P;
    user->view.feature = user->feature;
    user->view.W = user->W;
    user->view.weights = user->weights;
    user->view.W_scale = 1;
    return status;
}

int blendmf_fold_in_user(const blendmf_model *model, const int64_t *item, const double *rating, int64_t count,
                         blendmf_user **out, blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    blendmf_user *user = NULL;
    *out = NULL;
    int status = bmf_serve_check(item, count, model->meta.items, false, "item", &err);
    if (status == BMF_OK)
        status = bmf_serve_check_finite(rating, count, "rating", &err);
    if (status == BMF_OK) {
        user = bmf_alloc_zero(1, sizeof *user, "user", &err);
        status = user ? BMF_OK : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK) {
        user->model = model;
        status = fold_in(item, rating, count, user, &err);
    }
    if (status != BMF_OK)
        blendmf_user_free(&user);
    *out = user;
    return bmf_serve_finish(status, &err, error);
}

void blendmf_user_free(blendmf_user **user_at)
{
    blendmf_user *user = *user_at;
    if (!user)
        return;
    bmf_free(user->P);
    bmf_free(user->feature);
    bmf_free(user->W);
    bmf_free(user);
    *user_at = NULL;
}

const bmf_serve_user *bmf_serve_user_folded(const blendmf_user *user)
{
    return &user->view;
}

int blendmf_user_predict(const blendmf_user *user, const int64_t *item, int64_t count, double *rating,
                         blendmf_basis *basis, blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = bmf_serve_check(item, count, user->model->meta.items, true, "item", &err);
    if (status == BMF_OK)
        bmf_serve_predict(user->model, &user->view, item, count, rating, basis);
    return bmf_serve_finish(status, &err, error);
}

int blendmf_user_recommend(const blendmf_user *user, blendmf_items exclude, int64_t top, blendmf_ranked *out,
                           int64_t *found, blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    const bmf_serve_request request = {.single = &user->view, .exclude = &exclude, .users = 1, .top = top};
    int status = bmf_serve_check_top(top, &err);
    if (status == BMF_OK)
        status = bmf_serve_check_exclude(user->model, exclude, &err);
    if (status == BMF_OK)
        status = bmf_serve_recommend(user->model, &request, 1, 0, out, found, &err);
    return bmf_serve_finish(status, &err, error);
}
