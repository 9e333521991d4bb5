#include "train/rates.h"

#include <math.h>

#include "base/memory.h"
#include "train/sums.h"

#define MOST_DECAY 0.5f /* of a row in one step: rows with few ratings may have a large λ */

bool bmf_rates_are_wanted(const bmf_train_options *options)
{
    return options->regularization_scaling > 0 || options->schedule == BMF_SCHEDULE_ADAGRAD;
}

static int64_t ratings_of(const bmf_shard *shard, int64_t user)
{
    return shard->train.matrix.indptr[user + 1] - shard->train.matrix.indptr[user];
}

static double scaled(int64_t ratings, double scaling)
{
    return pow((double)(ratings > 0 ? ratings : 1), -scaling);
}

static void scale_lambdas(bmf_comm *comm, const bmf_shard *shard, double scaling, bmf_rates *rates)
{
    double of_users = 0, of_items = 0;
    for (int64_t u = 0; u < shard->users; u++)
        of_users += (double)ratings_of(shard, u) * scaled(ratings_of(shard, u), scaling);
    for (int64_t i = 0; i < shard->items; i++)
        of_items += (double)shard->item_ratings[i] * scaled(shard->item_ratings[i], scaling);
    bmf_comm_sum_double(comm, &of_users, 1);
    const double all = (double)shard->all_train;
    for (int64_t u = 0; u < shard->users; u++)
        rates->user_lambda[u] = (float)(scaled(ratings_of(shard, u), scaling) * all / of_users);
    for (int64_t i = 0; i < shard->items; i++)
        rates->item_lambda[i] = (float)(scaled(shard->item_ratings[i], scaling) * all / of_items);
}

static void count_features(const bmf_shard *shard, float *ratings)
{
    const bmf_content_rows *rows = &shard->rows;
    for (int64_t i = 0; i < rows->items; i++)
        for (int64_t j = rows->indptr[i]; j < rows->indptr[i + 1]; j++)
            ratings[rows->feature[j]] += rows->value[j] * rows->value[j] * (float)shard->item_ratings[i];
}

/* Collective. */
static void count_user_features(bmf_comm *comm, const bmf_shard *shard, const bmf_csr *rows, bmf_rates *rates)
{
    for (int64_t u = 0; u < rows->rows; u++)
        for (int64_t j = rows->indptr[u]; j < rows->indptr[u + 1]; j++)
            rates->user_feature_ratings[rows->indices[j]] +=
                rows->data[j] * rows->data[j] * (float)ratings_of(shard, u);
    bmf_comm_sum_float(comm, rates->user_feature_ratings, rates->user_features);
}

static int allocate_user_features(int64_t features, bmf_rates *out, bmf_error *err)
{
    if (features == 0)
        return BMF_OK;
    out->user_features = features;
    out->user_feature = bmf_alloc_zero(features, sizeof *out->user_feature, "rates of user features", err);
    out->user_feature_ratings =
        bmf_alloc_zero(features, sizeof *out->user_feature_ratings, "ratings of user features", err);
    return out->user_feature && out->user_feature_ratings ? BMF_OK : BMF_ERR_MEMORY;
}

static int allocate(const bmf_shard *shard, bool with_features, bmf_rates *out, bmf_error *err)
{
    out->user = bmf_alloc_zero(shard->users, sizeof *out->user, "rates of the users", err);
    out->item = bmf_alloc_zero(shard->items, sizeof *out->item, "rates of the items", err);
    out->user_lambda = bmf_alloc(shard->users, sizeof *out->user_lambda, "regularization of the users", err);
    out->item_lambda = bmf_alloc(shard->items, sizeof *out->item_lambda, "regularization of the items", err);
    if (!out->user || !out->item || !out->user_lambda || !out->item_lambda)
        return BMF_ERR_MEMORY;
    if (!with_features)
        return BMF_OK;
    const int64_t features = shard->rows.features;
    out->feature = bmf_alloc_zero(features, sizeof *out->feature, "rates of the features", err);
    out->feature_ratings = bmf_alloc_zero(features, sizeof *out->feature_ratings, "ratings of the features", err);
    return out->feature && out->feature_ratings ? BMF_OK : BMF_ERR_MEMORY;
}

int bmf_rates_create(bmf_comm *comm, const bmf_shard *shard, double scaling, bool with_features,
                     const bmf_csr *user_rows, bmf_rates *out, bmf_error *err)
{
    *out = (bmf_rates){0};
    int status = allocate(shard, with_features, out, err);
    if (status == BMF_OK)
        status = allocate_user_features(user_rows->columns, out, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK) {
        bmf_rates_clear(out);
        return status;
    }
    scale_lambdas(comm, shard, scaling, out);
    if (with_features)
        count_features(shard, out->feature_ratings);
    if (out->user_feature)
        count_user_features(comm, shard, user_rows, out);
    return BMF_OK;
}

void bmf_rates_clear(bmf_rates *rates)
{
    bmf_free(rates->user);
    bmf_free(rates->item);
    bmf_free(rates->feature);
    bmf_free(rates->user_lambda);
    bmf_free(rates->item_lambda);
    bmf_free(rates->feature_ratings);
    bmf_free(rates->user_feature);
    bmf_free(rates->user_feature_ratings);
    *rates = (bmf_rates){0};
}

static bmf_row_rates rates_of(double eta, double bias_eta, double lambda, double bias_lambda)
{
    return (bmf_row_rates){.eta = (float)eta,
                           .decay = fminf((float)(eta * lambda), MOST_DECAY),
                           .bias_eta = (float)bias_eta,
                           .bias_decay = fminf((float)(bias_eta * bias_lambda), MOST_DECAY)};
}

void bmf_rates_set(const bmf_rates *rates, const bmf_shard *shard, const bmf_train_options *options,
                   double learning_rate, double bias_learning_rate, double P_energy, double Q_energy)
{
    const bmf_train_options *o = options;
    for (int64_t u = 0; u < shard->users; u++) {
        const double scale = (double)rates->user_lambda[u];
        rates->user[u] = rates_of(learning_rate / sqrt(1 + (double)ratings_of(shard, u) * P_energy), bias_learning_rate,
                                  scale * o->user_regularization, scale * o->user_bias_regularization);
    }
    for (int64_t i = 0; i < shard->items; i++) {
        const double scale = (double)rates->item_lambda[i];
        rates->item[i] =
            rates_of(learning_rate / sqrt(1 + (double)shard->item_ratings[i] * Q_energy), bias_learning_rate,
                     scale * o->item_regularization, scale * o->item_bias_regularization);
    }
    for (int64_t f = 0; rates->feature && f < shard->rows.features; f++)
        rates->feature[f] = rates_of(learning_rate / sqrt(1 + (double)rates->feature_ratings[f] * Q_energy),
                                     bias_learning_rate, o->content_regularization, o->content_regularization);
    for (int64_t g = 0; g < rates->user_features; g++)
        rates->user_feature[g] = rates_of(learning_rate / sqrt(1 + (double)rates->user_feature_ratings[g] * P_energy),
                                          bias_learning_rate, o->content_regularization, o->content_regularization);
}

void bmf_rates_mean_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, double *of_P, double *of_Q)
{
    double sum[2] = {0};
    for (int64_t u = 0; u < model->users; u++)
        sum[0] += (double)ratings_of(shard, u) * bmf_squares_of(model->P + u * model->stride, model->stride, 1);
    for (int64_t i = 0; i < model->items; i++)
        if (shard->item_steps[i] > 0)
            sum[1] += (double)shard->item_steps[i] * bmf_squares_of(model->Q + i * model->stride, model->stride, 1);
    bmf_comm_sum_double(comm, sum, 2);
    const double entries = (double)shard->all_train * (double)model->factors;
    *of_P = sum[0] / entries;
    *of_Q = sum[1] / entries;
}

int64_t bmf_rates_bytes(int64_t users, int64_t items, int64_t features)
{
    return (users + items + features) * (int64_t)(sizeof(bmf_row_rates) + sizeof(float));
}
