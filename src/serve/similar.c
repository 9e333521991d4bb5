#include <math.h>

#include "base/memory.h"
#include "linalg/scores.h"
#include "linalg/topn.h"
#include "serve/serve.h"

#define SPARE 4 /* as for lists of users */

static double content_norm2(const blendmf_model *model, int64_t item)
{
    const bmf_csr *x = &model->content;
    double sum = 0;
    for (int64_t j = x->indptr ? x->indptr[item] : 0; x->indptr && j < x->indptr[item + 1]; j++)
        sum += (double)x->data[j] * (double)x->data[j];
    return sum;
}

static double content_product(const blendmf_model *model, int64_t a, int64_t b)
{
    const bmf_csr *x = &model->content;
    double sum = 0;
    for (int64_t i = x->indptr[a], j = x->indptr[b]; i < x->indptr[a + 1] && j < x->indptr[b + 1];) {
        if (x->indices[i] == x->indices[j])
            sum += (double)x->data[i++] * (double)x->data[j++];
        else if (x->indices[i] < x->indices[j])
            i++;
        else
            j++;
    }
    return sum;
}

/* a·b of the items' vectors [Q_i, s x_i], in double precision. */
static double product(const blendmf_model *model, int64_t a, int64_t b)
{
    const bmf_model *m = &model->model;
    double sum = bmf_serve_dot(m->Q + a * m->stride, m->Q + b * m->stride, m->stride);
    if (model->content_share > 0)
        sum += model->content_share * content_product(model, a, b);
    return sum;
}

/* Both parts get the same mean square over the trained items, or the part with the larger numbers alone would decide. */
static double share_of_content(const blendmf_model *model)
{
    const bmf_model *m = &model->model;
    double factors = 0, content = 0;
    for (int64_t i = 0; i < m->items && model->content.indptr; i++) {
        if (model->item_basis[i] != BLENDMF_FACTORS)
            continue;
        factors += bmf_serve_dot(m->Q + i * m->stride, m->Q + i * m->stride, m->stride);
        content += content_norm2(model, i);
    }
    return content > 0 ? factors / content : 0;
}

int bmf_serve_measure_items(blendmf_model *model, bmf_error *err)
{
    model->inverse_norm = bmf_alloc(model->meta.items, sizeof *model->inverse_norm, "norms of items", err);
    if (!model->inverse_norm)
        return BMF_ERR_MEMORY;
    model->content_share = share_of_content(model);
    for (int64_t i = 0; i < model->meta.items; i++) {
        const double norm2 = product(model, i, i);
        model->inverse_norm[i] = norm2 > 0 ? (float)(1 / sqrt(norm2)) : 0;
    }
    return BMF_OK;
}

/* Products with every item in single precision. */
static int score_items(const blendmf_model *model, int64_t item, float *score, bmf_error *err)
{
    const bmf_model *m = &model->model;
    const bmf_item_side items = {m->Q, NULL, m->items, m->factors, m->stride};
    bmf_scores_tile(&items, 0, m->items, m->Q + item * m->stride, 1, score);
    if (!(model->content_share > 0))
        return BMF_OK;
    float *weights = bmf_alloc_zero(model->meta.features, sizeof *weights, "content of an item", err);
    if (!weights)
        return BMF_ERR_MEMORY;
    for (int64_t j = model->content.indptr[item]; j < model->content.indptr[item + 1]; j++)
        weights[model->content.indices[j]] = model->content.data[j];
    bmf_scores_add_content(&model->content, weights, model->content_share, score);
    bmf_free(weights);
    return BMF_OK;
}

static double cosine(const blendmf_model *model, int64_t a, int64_t b)
{
    const double value = product(model, a, b) / sqrt(product(model, a, a) * product(model, b, b));
    return value > 1 ? 1 : value < -1 ? -1 : value;
}

static void keep_best(const blendmf_model *model, int64_t item, const float *score, bmf_topn *list)
{
    for (int64_t i = 0; i < model->meta.items; i++)
        if (i != item && model->inverse_norm[i] > 0)
            bmf_topn_offer(list, (double)(score[i] * model->inverse_norm[i]), (int32_t)i);
    const int64_t kept = list->count;
    bmf_topn_reset(list);
    for (int64_t j = 0; j < kept; j++) { /* in place: an entry goes to where one was read before */
        const int32_t other = list->entry[j].index;
        bmf_topn_keep(list, cosine(model, item, other), other);
    }
    bmf_topn_sort(list);
}

static int find_similar(const blendmf_model *model, int64_t item, int64_t top, blendmf_ranked *out, int64_t *found,
                        bmf_error *err)
{
    const int64_t items = model->meta.items;
    bmf_topn list = {0};
    float *score = bmf_alloc(items, sizeof *score, "scores of items", err);
    int status = score ? bmf_topn_create(&list, (top < items ? top : items) + SPARE, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = score_items(model, item, score, err);
    if (status == BMF_OK && model->inverse_norm[item] > 0)
        keep_best(model, item, score, &list);
    *found = list.count < top ? list.count : top;
    for (int64_t j = 0; j < *found && status == BMF_OK; j++) {
        const bmf_ranked entry = list.entry[j];
        const blendmf_basis basis = (blendmf_basis)model->item_basis[entry.index];
        out[j] = (blendmf_ranked){entry.index, entry.score,
                                  model->item_basis[item] == BLENDMF_FACTORS ? basis : BLENDMF_CONTENT};
    }
    bmf_free(score);
    bmf_topn_clear(&list);
    return status;
}

int blendmf_similar(const blendmf_model *model, int64_t item, int64_t top, blendmf_ranked *out, int64_t *found,
                    blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    *found = 0;
    int status = bmf_serve_check(&item, 1, model->meta.items, false, "item", &err);
    if (status == BMF_OK)
        status = bmf_serve_check_top(top, &err);
    if (status == BMF_OK)
        status = find_similar(model, item, top, out, found, &err);
    return bmf_serve_finish(status, &err, error);
}
