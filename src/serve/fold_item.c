#include <math.h>

#include "base/memory.h"
#include "serve/fold.h"

struct blendmf_item {
    const blendmf_model *model;
    double bias;
    float *Q;        /* (stride) */
    bmf_csr content; /* (1 × F) its features, weighted */
};

static int take_features(const int64_t *feature, const double *value, int64_t features, blendmf_item *item,
                         bmf_error *err)
{
    const bmf_model_meta *meta = &item->model->meta;
    int status = bmf_csr_create(&item->content, 1, meta->features, features, "features of an item", err);
    if (status != BMF_OK)
        return status;
    item->content.indptr[1] = features;
    for (int64_t j = 0; j < features; j++) {
        item->content.indices[j] = (int32_t)feature[j];
        item->content.data[j] = (float)(meta->content_weight * value[j]);
    }
    return BMF_OK;
}

/* Its rating by a user as far as it does not depend on the item's own bias and factors. */
static double given_part(const blendmf_item *item, const bmf_serve_user *user)
{
    double r = item->model->meta.global_mean + user->bias;
    if (user->weights > 0)
        r += bmf_serve_content_term(&item->content, user, 0);
    return r;
}

/* Row i is 1, P_u; all is held at what the content says. */
static void fill_problem(const blendmf_item *item, const int64_t *user, const double *rating, const bmf_ridge *problem,
                         double *target, double *strength, double *centre)
{
    const int64_t k = item->model->model.factors;
    const bmf_serve_strengths s = bmf_serve_strengths_of(item->model, BMF_SERVE_AN_ITEM, problem->rows);
    for (int64_t i = 0; i < problem->rows; i++) {
        const bmf_serve_user of = bmf_serve_user_of(item->model, user[i]);
        double *row = problem->Z + i * problem->columns;
        row[0] = 1;
        for (int64_t f = 0; f < k; f++)
            row[1 + f] = of.P ? (double)of.P[f] : 0;
        target[i] = rating[i] - given_part(item, &of);
    }
    strength[0] = s.bias;
    centre[0] = item->bias;
    for (int64_t f = 0; f < k; f++) {
        strength[1 + f] = s.factors;
        centre[1 + f] = (double)item->Q[f];
    }
}

static int fit(const int64_t *user, const double *rating, int64_t ratings, blendmf_item *item, bmf_error *err)
{
    const int64_t k = item->model->model.factors, unknowns = 1 + k;
    double *Z = bmf_alloc(ratings * unknowns, sizeof *Z, "ratings of an item", err);
    double *target = bmf_alloc(ratings, sizeof *target, "ratings of an item", err);
    double *vectors = bmf_alloc(3 * unknowns, sizeof *vectors, "parameters of an item", err);
    int status = Z && target && vectors ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        double *strength = vectors, *centre = vectors + unknowns, *theta = vectors + 2 * unknowns;
        const bmf_ridge problem = {ratings, unknowns, Z, target, strength, centre};
        fill_problem(item, user, rating, &problem, target, strength, centre);
        status = bmf_serve_fit(&problem, theta, err);
        for (int64_t f = 0; f < k && status == BMF_OK; f++)
            item->Q[f] = (float)theta[1 + f];
        if (status == BMF_OK)
            item->bias = theta[0];
    }
    bmf_free(Z);
    bmf_free(target);
    bmf_free(vectors);
    return status;
}

static int check_features(const blendmf_model *model, const int64_t *feature, const double *value, int64_t features,
                          bmf_error *err)
{
    int status = bmf_serve_check(feature, features, model->meta.features, false, "feature", err);
    if (status == BMF_OK)
        status = bmf_serve_check_finite(value, features, "feature value", err);
    return status;
}

static int check_ratings(const blendmf_model *model, const int64_t *user, const double *rating, int64_t ratings,
                         bmf_error *err)
{
    int status = bmf_serve_check(user, ratings, model->meta.users, false, "user", err);
    if (status == BMF_OK)
        status = bmf_serve_check_finite(rating, ratings, "rating", err);
    return status;
}

static int fold_in(const int64_t *feature, const double *value, int64_t features, const int64_t *user,
                   const double *rating, int64_t ratings, blendmf_item *item, bmf_error *err)
{
    const bmf_model *m = &item->model->model;
    item->Q = bmf_alloc_zero(m->stride, sizeof *item->Q, "factors of an item", err);
    int status = item->Q ? take_features(feature, value, features, item, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK && m->V)
        item->bias = (double)bmf_model_add_embedding(m, &item->content, 0, item->Q);
    if (status == BMF_OK && ratings > 0)
        status = fit(user, rating, ratings, item, err);
    return status;
}

int blendmf_fold_in_item(const blendmf_model *model, const int64_t *feature, const double *value, int64_t features,
                         const int64_t *user, const double *rating, int64_t ratings, blendmf_item **out,
                         blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    blendmf_item *item = NULL;
    *out = NULL;
    int status = check_features(model, feature, value, features, &err);
    if (status == BMF_OK)
        status = check_ratings(model, user, rating, ratings, &err);
    if (status == BMF_OK) {
        item = bmf_alloc_zero(1, sizeof *item, "item", &err);
        status = item ? BMF_OK : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK) {
        item->model = model;
        status = fold_in(feature, value, features, user, rating, ratings, item, &err);
    }
    if (status != BMF_OK)
        blendmf_item_free(&item);
    *out = item;
    return bmf_serve_finish(status, &err, error);
}

void blendmf_item_free(blendmf_item **item_at)
{
    blendmf_item *item = *item_at;
    if (!item)
        return;
    bmf_free(item->Q);
    bmf_csr_clear(&item->content);
    bmf_free(item);
    *item_at = NULL;
}

double bmf_serve_item_score(const blendmf_item *item, const bmf_serve_user *user)
{
    double r = given_part(item, user) + item->bias;
    if (user->P)
        r += bmf_serve_dot(user->P, item->Q, item->model->model.stride);
    return r;
}

blendmf_basis bmf_serve_item_basis(const blendmf_item *item, bool user_known)
{
    const bool content = item->model->meta.content_weight != 0 && item->content.indptr[1] > 0;
    if (user_known)
        return content ? BLENDMF_CONTENT : BLENDMF_BIAS;
    return content && item->model->model.V ? BLENDMF_BIAS : BLENDMF_MEAN;
}

int blendmf_item_predict(const blendmf_item *item, const int64_t *user, int64_t count, double *rating,
                         blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = bmf_serve_check(user, count, item->model->meta.users, true, "user", &err);
    for (int64_t j = 0; j < count && status == BMF_OK; j++) {
        const bmf_serve_user of = bmf_serve_user_of(item->model, user[j]);
        rating[j] = bmf_serve_item_score(item, &of);
    }
    return bmf_serve_finish(status, &err, error);
}
