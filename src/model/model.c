#include "model/model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define ROW_FLOATS 16 /* 64 bytes */
#define AHEAD 4       /* items from the one that is scored to the one that is fetched */

int64_t bmf_model_stride(int64_t factors)
{
    return (factors + ROW_FLOATS - 1) / ROW_FLOATS * ROW_FLOATS;
}

static bool add_weights(bmf_model *model, const bmf_content_pattern *pattern, bmf_error *err)
{
    const int64_t users = model->users;
    model->content = BMF_CONTENT_CONCAT;
    model->features = pattern->features;
    model->pattern = pattern;
    model->W = bmf_alloc_zero(pattern->indptr[users], sizeof(float), "user content weights", err);
    model->W_scale = bmf_alloc_zero(users, sizeof(double), "content weight scales", err);
    model->W_norm2 = bmf_alloc_zero(users, sizeof(double), "content weight norms", err);
    if (!model->W || !model->W_scale || !model->W_norm2)
        return false;
    for (int64_t u = 0; u < users; u++)
        model->W_scale[u] = 1;
    return true;
}

int bmf_model_create(bmf_model *model, int64_t first_user, int64_t users, int64_t items, int64_t factors,
                     const bmf_content_pattern *pattern, bmf_error *err)
{
    int64_t stride = bmf_model_stride(factors);
    *model =
        (bmf_model){.first_user = first_user, .users = users, .items = items, .factors = factors, .stride = stride};
    model->P = bmf_alloc_zero(users * stride, sizeof(float), "user factors", err);
    model->Q = bmf_alloc_zero(items * stride, sizeof(float), "item factors", err);
    model->user_bias = bmf_alloc_zero(users, sizeof(float), "user biases", err);
    model->item_bias = bmf_alloc_zero(items, sizeof(float), "item biases", err);
    bool complete = model->P && model->Q && model->user_bias && model->item_bias;
    if (complete && pattern)
        complete = add_weights(model, pattern, err);
    if (complete)
        return BMF_OK;
    bmf_model_clear(model);
    return BMF_ERR_MEMORY;
}

void bmf_model_clear(bmf_model *model)
{
    bmf_free(model->P);
    bmf_free(model->Q);
    bmf_free(model->user_bias);
    bmf_free(model->item_bias);
    bmf_free(model->own_Q);
    bmf_free(model->own_bias);
    bmf_free(model->V);
    bmf_free(model->feature_bias);
    bmf_free(model->own_P);
    bmf_free(model->own_user_bias);
    bmf_free(model->U);
    bmf_free(model->user_feature_bias);
    bmf_free(model->W);
    bmf_free(model->W_scale);
    bmf_free(model->W_norm2);
    if (model->own_pattern)
        bmf_content_pattern_clear(model->own_pattern);
    bmf_free(model->own_pattern);
    *model = (bmf_model){0};
}

int bmf_model_add_features(bmf_model *model, int64_t features, bmf_error *err)
{
    const int64_t stride = model->stride;
    float *own_Q = bmf_alloc_zero(model->items * stride, sizeof(float), "items' own factors", err);
    float *own_bias = bmf_alloc_zero(model->items, sizeof(float), "items' own biases", err);
    float *V = bmf_alloc_zero(features * stride, sizeof(float), "feature factors", err);
    float *feature_bias = bmf_alloc_zero(features, sizeof(float), "feature biases", err);
    if (!own_Q || !own_bias || !V || !feature_bias) {
        bmf_free(own_Q);
        bmf_free(own_bias);
        bmf_free(V);
        bmf_free(feature_bias);
        return BMF_ERR_MEMORY;
    }
    model->content = BMF_CONTENT_EMBED;
    model->features = features;
    model->own_Q = own_Q;
    model->own_bias = own_bias;
    model->V = V;
    model->feature_bias = feature_bias;
    return BMF_OK;
}

int bmf_model_add_user_features(bmf_model *model, int64_t user_features, bool implicit, bmf_error *err)
{
    const int64_t stride = model->stride, rows = user_features + (implicit ? model->items : 0);
    float *own_P = bmf_alloc_zero(model->users * stride, sizeof(float), "users' own factors", err);
    float *own_bias = bmf_alloc_zero(model->users, sizeof(float), "users' own biases", err);
    float *U = bmf_alloc_zero(rows * stride, sizeof(float), "factors of user features", err);
    float *feature_bias = bmf_alloc_zero(user_features, sizeof(float), "biases of user features", err);
    if (!own_P || !own_bias || !U || !feature_bias) {
        bmf_free(own_P);
        bmf_free(own_bias);
        bmf_free(U);
        bmf_free(feature_bias);
        return BMF_ERR_MEMORY;
    }
    model->own_P = own_P;
    model->own_user_bias = own_bias;
    model->U = U;
    model->user_feature_bias = feature_bias;
    model->user_features = user_features;
    model->implicit = rows - user_features;
    return BMF_OK;
}

float bmf_model_add_user_embedding(const bmf_model *model, const bmf_csr *rows, int64_t u, float *to)
{
    const int64_t first = rows->indptr[u], last = rows->indptr[u + 1];
    float bias = 0;
    bmf_model_add_rows(model->U, model->stride, rows->indices + first, rows->data + first, last - first, model->stride,
                       to);
    for (int64_t j = first; j < last && rows->indices[j] < model->user_features; j++) /* these come first */
        bias += rows->data[j] * model->user_feature_bias[rows->indices[j]];
    return bias;
}

void bmf_model_blend_users(bmf_model *model, const bmf_csr *rows, const int32_t *users, int64_t count, int threads)
{
    const int64_t stride = model->stride;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t j = 0; j < count; j++) {
        const int64_t u = users ? users[j] : j;
        float *P = model->P + u * stride;
        const float *own = model->own_P + u * stride;
        memset(P, 0, (size_t)stride * sizeof *P);
        model->user_bias[u] = model->own_user_bias[u] + bmf_model_add_user_embedding(model, rows, u, P);
        for (int64_t f = 0; f < stride; f++)
            P[f] += own[f];
    }
}

void bmf_model_add_rows(const float *rows, int64_t pitch, const int32_t *index, const float *value, int64_t count,
                        int64_t stride, float *to)
{
    for (int64_t first = 0; first < stride; first += ROW_FLOATS) {
        float sum[ROW_FLOATS]; /* stays in registers */
        memcpy(sum, to + first, sizeof sum);
        for (int64_t j = 0; j < count; j++) {
            const float *row = rows + index[j] * pitch + first;
            for (int l = 0; l < ROW_FLOATS; l++)
                sum[l] += value[j] * row[l];
        }
        memcpy(to + first, sum, sizeof sum);
    }
}

float bmf_model_add_embedding(const bmf_model *model, const bmf_csr *content, int64_t i, float *to)
{
    const int64_t stride = model->stride;
    float bias = 0;
    for (int64_t j = content->indptr[i]; j < content->indptr[i + 1]; j++) {
        const float x = content->data[j], *V = model->V + content->indices[j] * stride;
        bias += x * model->feature_bias[content->indices[j]];
        for (int64_t f = 0; f < stride; f++)
            to[f] += x * V[f];
    }
    return bias;
}

void bmf_model_blend(bmf_model *model, const bmf_csr *content, int threads)
{
    const int64_t stride = model->stride;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < model->items; i++) {
        float *Q = model->Q + i * stride;
        const float *own = model->own_Q + i * stride;
        memset(Q, 0, (size_t)stride * sizeof *Q);
        model->item_bias[i] = model->own_bias[i] + bmf_model_add_embedding(model, content, i, Q);
        for (int64_t f = 0; f < stride; f++)
            Q[f] += own[f];
    }
}

static double norm2_of(const float *row, int64_t count)
{
    double sum = 0;
    for (int64_t j = 0; j < count; j++)
        sum += (double)row[j] * (double)row[j];
    return sum;
}

static void init_rows(float *data, int64_t first, int64_t rows, int64_t columns, int64_t stride, uint64_t key,
                      double sd)
{
    for (int64_t r = 0; r < rows; r++)
        bmf_rng_normal(bmf_rng_subkey(key, (uint64_t)(first + r)), 0, sd, data + r * stride, columns);
}

/* The users' own parts and what their features have; those of an item do not depend on how many features there are. */
static void init_user_features(bmf_model *model, uint64_t seed, double sd)
{
    const int64_t k = model->factors, stride = model->stride, G = model->user_features;
    memset(model->own_P, 0, (size_t)(model->users * stride) * sizeof(float));
    memset(model->own_user_bias, 0, (size_t)model->users * sizeof(float));
    memset(model->user_feature_bias, 0, (size_t)G * sizeof(float));
    init_rows(model->U, 0, G, k, stride, bmf_rng_key(seed, BMF_STREAM_INIT_U), sd);
    init_rows(model->U + G * stride, 0, model->implicit, k, stride, bmf_rng_key(seed, BMF_STREAM_INIT_Y), sd);
}

void bmf_model_init(bmf_model *model, uint64_t seed, double init_std)
{
    int64_t k = model->factors;
    init_rows(model->P, model->first_user, model->users, k, model->stride, bmf_rng_key(seed, BMF_STREAM_INIT_P),
              init_std);
    memset(model->user_bias, 0, (size_t)model->users * sizeof(float));
    if (model->U)
        init_user_features(model, seed, init_std);
    if (model->V) {
        init_rows(model->V, 0, model->features, k, model->stride, bmf_rng_key(seed, BMF_STREAM_INIT_V), init_std);
        memset(model->own_Q, 0, (size_t)(model->items * model->stride) * sizeof(float));
        memset(model->own_bias, 0, (size_t)model->items * sizeof(float));
        memset(model->feature_bias, 0, (size_t)model->features * sizeof(float));
        return;
    }
    init_rows(model->Q, 0, model->items, k, model->stride, bmf_rng_key(seed, BMF_STREAM_INIT_Q), init_std);
    memset(model->item_bias, 0, (size_t)model->items * sizeof(float));
    if (!model->W)
        return;
    const uint64_t key = bmf_rng_key(seed, BMF_STREAM_INIT_W);
    for (int64_t u = 0; u < model->users; u++) {
        float *W = model->W + model->pattern->indptr[u];
        const int64_t weights = model->pattern->indptr[u + 1] - model->pattern->indptr[u] - 1;
        bmf_rng_normal(bmf_rng_subkey(key, (uint64_t)(model->first_user + u)), 0, init_std, W, weights);
        model->W_scale[u] = 1;
        model->W_norm2[u] = norm2_of(W, weights);
    }
}

/* The stored weight of a feature; 0 if the user has none. */
static double weight_of(const bmf_model *model, int64_t user, int32_t feature)
{
    int64_t low = model->pattern->indptr[user], high = model->pattern->indptr[user + 1] - 1;
    while (low < high) { /* the first that is not below; the last of the row is above all */
        const int64_t middle = low + (high - low) / 2;
        if (model->pattern->index[middle] < feature)
            low = middle + 1;
        else
            high = middle;
    }
    return model->pattern->index[low] == feature ? (double)model->W[low] : 0;
}

static double content_term(const bmf_model *model, const bmf_csr *content, int64_t user, int64_t item)
{
    double dot = 0;
    for (int64_t j = content->indptr[item]; j < content->indptr[item + 1]; j++)
        dot += weight_of(model, user, content->indices[j]) * (double)content->data[j];
    return model->W_scale[user] * dot;
}

double bmf_model_predict(const bmf_model *model, const bmf_csr *content, int64_t user, int64_t item)
{
    double r = model->global_mean;
    if (user >= 0)
        r += (double)model->user_bias[user];
    if (item >= 0)
        r += (double)model->item_bias[item];
    if (user < 0 || item < 0)
        return r;
    const float *P = model->P + user * model->stride, *Q = model->Q + item * model->stride;
    for (int64_t f = 0; f < model->factors; f++)
        r += (double)P[f] * (double)Q[f];
    if (model->W && content)
        r += content_term(model, content, user, item);
    return r;
}

/* P_u·Q_i over a padded row: sixteen partial sums, so that the loop may run in vectors without reordering anything. */
static float row_dot(const float *P, const float *Q, int64_t stride)
{
    float sum[ROW_FLOATS] = {0}, total = 0;
    for (int64_t f = 0; f < stride; f += ROW_FLOATS)
        for (int j = 0; j < ROW_FLOATS; j++)
            sum[j] += P[f + j] * Q[f + j];
    for (int j = 0; j < ROW_FLOATS; j++)
        total += sum[j];
    return total;
}

static void prefetch_row(const float *row, int64_t stride)
{
    for (int64_t f = 0; f < stride; f += ROW_FLOATS)
        __builtin_prefetch(row + f);
}

/* W_u·x_i without the scale, in float, over the start of a row: for many items at a time, where content_term would cost. */
static float start_dot(const float *W, const bmf_content_row *row, const uint16_t *slot)
{
    float part[BMF_CONTENT_FIRST];
    for (int j = 0; j < BMF_CONTENT_FIRST; j++)
        part[j] = W[slot[j]] * row->value[j];
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

static void add_content(const bmf_model *model, const bmf_content_rows *content, const bmf_content_slots *slots,
                        int64_t first, int64_t user, const int32_t *item, int64_t count, float *out)
{
    const float *W = model->W + model->pattern->indptr[user], scale = (float)model->W_scale[user];
    const uint16_t *rest = slots->rest + slots->rest_start[user];
    for (int64_t j = 0; j < count; j++) {
        const bmf_content_row *row = &content->row[item[j]];
        float dot = start_dot(W, row, slots->rating[first + j].slot);
        if (bmf_content_row_is_long(row))
            dot += bmf_content_rest_dot(W, rest + slots->rest_at[first + j], content, item[j]);
        out[j] += scale * dot;
    }
}

void bmf_model_predict_user(const bmf_model *model, const bmf_content_rows *content, const bmf_content_slots *slots,
                            int64_t first, int64_t user, const int32_t *item, int64_t count, float *out)
{
    const float *P = model->P + user * model->stride;
    const float base = (float)model->global_mean + model->user_bias[user];
    for (int64_t j = 0; j < count; j++) {
        prefetch_row(model->Q + item[j + AHEAD < count ? j + AHEAD : j] * model->stride, model->stride);
        if (model->W && content)
            __builtin_prefetch(&content->row[item[j]]);
        out[j] = base + model->item_bias[item[j]] + row_dot(P, model->Q + item[j] * model->stride, model->stride);
    }
    if (model->W && content)
        add_content(model, content, slots, first, user, item, count, out);
}

void bmf_model_spread_weights(const bmf_model *model, int64_t user, float *row)
{
    for (int64_t j = model->pattern->indptr[user]; j < model->pattern->indptr[user + 1]; j++)
        row[model->pattern->index[j]] = model->W[j];
}

void bmf_model_wipe_weights(const bmf_model *model, int64_t user, float *row)
{
    for (int64_t j = model->pattern->indptr[user]; j < model->pattern->indptr[user + 1]; j++)
        row[model->pattern->index[j]] = 0;
}

int bmf_content_scaled(const bmf_csr *content, double weight, bmf_csr *out, bmf_error *err)
{
    int64_t count = bmf_csr_count(content);
    int status = bmf_csr_create(out, content->rows, content->columns, count, "content", err);
    if (status != BMF_OK)
        return status;
    if (content->indptr)
        memcpy(out->indptr, content->indptr, (size_t)(content->rows + 1) * sizeof *out->indptr);
    for (int64_t j = 0; j < count; j++) {
        out->indices[j] = content->indices[j];
        out->data[j] = (float)(weight * (double)content->data[j]);
    }
    return BMF_OK;
}

/* Spreads `rows` packed rows of k floats in place to rows of `stride`, padding with zeros; last row first, since a row's
 * new place is never before its old one. */
static void spread_rows(float *data, int64_t rows, int64_t k, int64_t stride)
{
    for (int64_t r = rows - 1; r >= 0; r--) {
        memmove(data + r * stride, data + r * k, (size_t)k * sizeof *data);
        memset(data + r * stride + k, 0, (size_t)(stride - k) * sizeof *data);
    }
}

/* The pattern of weights as a file has them: each row gets its weight of no feature. */
static int pattern_of(const bmf_csr *weights, bmf_content_pattern *out, bmf_error *err)
{
    const int64_t users = weights->rows;
    *out = (bmf_content_pattern){.users = users, .features = weights->columns};
    out->indptr = bmf_alloc(users + 1, sizeof *out->indptr, "content weights", err);
    out->index = bmf_alloc(bmf_csr_count(weights) + users, sizeof *out->index, "content weights", err);
    if (!out->indptr || !out->index)
        return BMF_ERR_MEMORY;
    for (int64_t u = 0; u <= users; u++)
        out->indptr[u] = weights->indptr[u] + u;
    for (int64_t u = 0; u < users; u++) {
        const int64_t count = weights->indptr[u + 1] - weights->indptr[u];
        memcpy(out->index + out->indptr[u], weights->indices + weights->indptr[u], (size_t)count * sizeof *out->index);
        out->index[out->indptr[u] + count] = (int32_t)weights->columns;
    }
    return BMF_OK;
}

static void fill_weights(bmf_model *model, const bmf_csr *weights)
{
    for (int64_t u = 0; u < model->users; u++) {
        const float *from = weights->data + weights->indptr[u];
        const int64_t count = weights->indptr[u + 1] - weights->indptr[u];
        memcpy(model->W + model->pattern->indptr[u], from, (size_t)count * sizeof *from);
        model->W_norm2[u] = norm2_of(from, count);
    }
}

/* A model with the shapes of users [first, last) of the file; its content weights too. */
static int create_for(bmf_model_file *file, int64_t first, int64_t last, bmf_model *out, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    const bool blended = bmf_model_meta_has_weights(meta);
    bmf_csr weights = {0};
    bmf_content_pattern *pattern = NULL;
    int status = BMF_OK;
    if (blended) {
        pattern = bmf_alloc_zero(1, sizeof *pattern, "content weights", err);
        status = pattern ? bmf_model_file_read_weights(file, first, last, &weights, err) : BMF_ERR_MEMORY;
        if (status == BMF_OK)
            status = pattern_of(&weights, pattern, err);
    }
    if (status == BMF_OK)
        status = bmf_model_create(out, first, last - first, meta->items, meta->factors, pattern, err);
    if (status == BMF_OK && blended) {
        fill_weights(out, &weights);
        out->own_pattern = pattern;
        pattern = NULL;
    }
    if (pattern)
        bmf_content_pattern_clear(pattern);
    bmf_free(pattern);
    bmf_csr_clear(&weights);
    return status;
}

const bmf_model_roles bmf_model_roles_now = {
    .P = BMF_ROLE_P,
    .Q = BMF_ROLE_Q,
    .user_bias = BMF_ROLE_USER_BIAS,
    .item_bias = BMF_ROLE_ITEM_BIAS,
    .V = BMF_ROLE_V,
    .feature_bias = BMF_ROLE_FEATURE_BIAS,
    .own_P = BMF_ROLE_OWN_P,
    .own_user_bias = BMF_ROLE_OWN_USER_BIAS,
    .user_V = BMF_ROLE_USER_V,
    .user_feature_bias = BMF_ROLE_USER_FEATURE_BIAS,
    .implicit_V = BMF_ROLE_IMPLICIT_V,
};
const bmf_model_roles bmf_model_roles_best = {
    .P = BMF_ROLE_BEST_P,
    .Q = BMF_ROLE_BEST_Q,
    .user_bias = BMF_ROLE_BEST_USER_BIAS,
    .item_bias = BMF_ROLE_BEST_ITEM_BIAS,
    .V = BMF_ROLE_BEST_V,
    .feature_bias = BMF_ROLE_BEST_FEATURE_BIAS,
    .own_P = BMF_ROLE_BEST_OWN_P,
    .own_user_bias = BMF_ROLE_BEST_OWN_USER_BIAS,
    .user_V = BMF_ROLE_BEST_USER_V,
    .user_feature_bias = BMF_ROLE_BEST_USER_FEATURE_BIAS,
    .implicit_V = BMF_ROLE_BEST_IMPLICIT_V,
};

int bmf_model_read(bmf_model_file *file, const bmf_model_roles *roles, bmf_model *model, bmf_error *err)
{
    const int64_t first = model->first_user, m = model->users, n = model->items, F = model->features;
    const int64_t G = model->user_features;
    const struct {
        bmf_role role;
        int64_t first, rows;
        float *to;
        bool matrix;
    } part[] = {
        {roles->P, first, m, model->P, true},
        {roles->Q, 0, n, model->V ? model->own_Q : model->Q, true},
        {roles->user_bias, first, m, model->user_bias, false},
        {roles->item_bias, 0, n, model->V ? model->own_bias : model->item_bias, false},
        {roles->V, 0, F, model->V, true},
        {roles->feature_bias, 0, F, model->feature_bias, false},
        {roles->own_P, first, m, model->own_P, true},
        {roles->own_user_bias, first, m, model->own_user_bias, false},
        {roles->user_V, 0, G, G > 0 ? model->U : NULL, true},
        {roles->user_feature_bias, 0, G, G > 0 ? model->user_feature_bias : NULL, false},
        {roles->implicit_V, 0, model->implicit, model->implicit > 0 ? model->U + G * model->stride : NULL, true},
    };
    int status = BMF_OK;
    for (size_t p = 0; p < sizeof part / sizeof *part && status == BMF_OK; p++) {
        if (!part[p].to)
            continue;
        status = bmf_model_file_read_rows(file, part[p].role, part[p].first, part[p].rows, part[p].to, err);
        if (status == BMF_OK && part[p].matrix)
            spread_rows(part[p].to, part[p].rows, model->factors, model->stride);
    }
    return status;
}

/* What predictions of an embed model use, from its own content. */
static int blend_from_file(bmf_model_file *file, bmf_model *model, bmf_error *err)
{
    bmf_content content = {0};
    bmf_csr scaled = {0};
    int status = bmf_model_file_read_content(file, &content, err);
    if (status == BMF_OK)
        status = bmf_content_scaled(&content.matrix, bmf_model_file_meta(file)->content_weight, &scaled, err);
    if (status == BMF_OK)
        bmf_model_blend(model, &scaled, 1);
    bmf_csr_clear(&scaled);
    bmf_content_clear(&content);
    return status;
}

/* Rows of a count of 0 to 0. */
static void forget_rows(float *rows, const int32_t *count, int64_t number, int64_t stride)
{
    for (int64_t r = 0; r < number; r++)
        if (count[r] == 0)
            memset(rows + r * stride, 0, (size_t)stride * sizeof *rows);
}

static int forget_untrained(bmf_model_file *file, bmf_model *model, bmf_error *err)
{
    const int64_t most = model->users > model->items ? model->users : model->items;
    int32_t *count = bmf_alloc(most, sizeof *count, "counts of ratings", err);
    int status = count ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_model_file_read_user_counts(file, model->first_user, model->users, count, err);
    if (status == BMF_OK) {
        if (!bmf_model_meta_has_user_parts(bmf_model_file_meta(file)))
            forget_rows(model->P, count, model->users, model->stride);
        status = bmf_model_file_read_item_counts(file, 0, model->items, count, err);
    }
    if (status == BMF_OK)
        forget_rows(model->V ? model->own_Q : model->Q, count, model->items, model->stride);
    bmf_free(count);
    return status;
}

int bmf_model_load(bmf_model_file *file, int64_t first, int64_t last, bmf_model *out, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    const bool embeds = meta->content == BMF_CONTENT_EMBED && meta->features > 0;
    *out = (bmf_model){0};
    int status = create_for(file, first, last, out, err);
    if (status == BMF_OK && embeds)
        status = bmf_model_add_features(out, meta->features, err);
    if (status == BMF_OK) {
        out->global_mean = meta->global_mean;
        status = bmf_model_read(file, &bmf_model_roles_now, out, err);
    }
    if (status == BMF_OK)
        status = forget_untrained(file, out, err);
    if (status == BMF_OK && embeds)
        status = blend_from_file(file, out, err);
    if (status != BMF_OK)
        bmf_model_clear(out);
    return status;
}
