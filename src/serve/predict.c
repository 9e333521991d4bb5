#include <inttypes.h>
#include <string.h>

#include "serve/serve.h"

#define LANES 8

const char *blendmf_basis_name(blendmf_basis basis)
{
    static const char *const names[] = {"factors", "content", "bias", "mean"};
    return (unsigned)basis < sizeof names / sizeof names[0] ? names[basis] : "unknown";
}

int bmf_serve_finish(int status, const bmf_error *err, blendmf_error *out)
{
    _Static_assert(BLENDMF_ERROR_ROOM == BMF_ERROR_TEXT, "texts are copied whole");
    if (out) {
        out->status = status;
        memcpy(out->text, err->text, sizeof out->text);
    }
    return status;
}

int bmf_serve_check(const int64_t *index, int64_t count, int64_t limit, bool allow_unknown, const char *what,
                    bmf_error *err)
{
    if (count < 0)
        return bmf_fail(err, BMF_ERR_USAGE, "a count of %" PRId64 " %ss is not allowed", count, what);
    for (int64_t j = 0; j < count; j++)
        if (index[j] >= limit || index[j] < (allow_unknown ? -1 : 0))
            return bmf_fail(err, BMF_ERR_USAGE,
                            "%s index %" PRId64 " at position %" PRId64 " is not allowed; the model has %" PRId64 "%s",
                            what, index[j], j, limit, allow_unknown ? ", and -1 stands for others" : "");
    return BMF_OK;
}

/* Whether a user without training ratings has features that say something of him. */
static bool has_features(const blendmf_model *model, int64_t user)
{
    const bmf_model *m = &model->model;
    bool any = m->user_bias[user] != 0;
    for (int64_t f = 0; f < m->factors; f++)
        any |= m->P[user * m->stride + f] != 0;
    return bmf_model_meta_has_user_parts(&model->meta) && any;
}

bmf_serve_user bmf_serve_user_of(const blendmf_model *model, int64_t user)
{
    const bmf_model *m = &model->model;
    const bool trained = user >= 0 && model->user_known[user];
    if (user < 0 || (!trained && !has_features(model, user)))
        return (bmf_serve_user){.known = false};
    bmf_serve_user out = {
        .known = true, .by_content = !trained, .bias = (double)m->user_bias[user], .P = m->P + user * m->stride};
    if (m->W) {
        const int64_t first = m->pattern->indptr[user];
        out.feature = m->pattern->index + first;
        out.W = m->W + first;
        out.weights = m->pattern->indptr[user + 1] - 1 - first;
        out.W_scale = m->W_scale[user];
    }
    return out;
}

/* In partial sums that may run in vectors. */
double bmf_serve_dot(const float *a, const float *b, int64_t stride)
{
    double sum[LANES] = {0};
    for (int64_t f = 0; f < stride; f += LANES)
        for (int j = 0; j < LANES; j++)
            sum[j] += (double)a[f + j] * (double)b[f + j];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static double weight_of(const bmf_serve_user *user, int32_t feature)
{
    int64_t low = 0, high = user->weights;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (user->feature[middle] < feature)
            low = middle + 1;
        else
            high = middle;
    }
    return low < user->weights && user->feature[low] == feature ? (double)user->W[low] : 0;
}

double bmf_serve_content_term(const bmf_csr *content, const bmf_serve_user *user, int64_t item)
{
    double sum = 0;
    for (int64_t j = content->indptr[item]; j < content->indptr[item + 1]; j++)
        sum += weight_of(user, content->indices[j]) * (double)content->data[j];
    return user->W_scale * sum;
}

double bmf_serve_score(const blendmf_model *model, const bmf_serve_user *user, int64_t item)
{
    const bmf_model *m = &model->model;
    double r = model->meta.global_mean + user->bias;
    if (item < 0)
        return r;
    r += (double)m->item_bias[item];
    if (user->P)
        r += bmf_serve_dot(user->P, m->Q + item * m->stride, m->stride);
    if (user->weights > 0)
        r += bmf_serve_content_term(&model->content, user, item);
    return r;
}

blendmf_basis bmf_serve_basis(const blendmf_model *model, const bmf_serve_user *user, int64_t item)
{
    const blendmf_basis of_item = item < 0 ? BLENDMF_BIAS : (blendmf_basis)model->item_basis[item];
    if (user->known)
        return user->by_content && of_item == BLENDMF_FACTORS ? BLENDMF_CONTENT : of_item;
    const bool has_bias = of_item == BLENDMF_FACTORS || (of_item == BLENDMF_CONTENT && !model->model.W);
    return has_bias ? BLENDMF_BIAS : BLENDMF_MEAN;
}

void bmf_serve_predict(const blendmf_model *model, const bmf_serve_user *user, const int64_t *item, int64_t count,
                       double *rating, blendmf_basis *basis)
{
    for (int64_t j = 0; j < count; j++) {
        rating[j] = bmf_serve_score(model, user, item[j]);
        if (basis)
            basis[j] = bmf_serve_basis(model, user, item[j]);
    }
}

int blendmf_predict(const blendmf_model *model, const int64_t *user, const int64_t *item, int64_t count, double *rating,
                    blendmf_basis *basis, blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = bmf_serve_check(user, count, model->meta.users, true, "user", &err);
    if (status == BMF_OK)
        status = bmf_serve_check(item, count, model->meta.items, true, "item", &err);
    for (int64_t j = 0; j < count && status == BMF_OK; j++) {
        const bmf_serve_user of = bmf_serve_user_of(model, user[j]);
        bmf_serve_predict(model, &of, &item[j], 1, &rating[j], basis ? &basis[j] : NULL);
    }
    return bmf_serve_finish(status, &err, error);
}
