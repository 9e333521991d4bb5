#include "train/user_embed.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "train/progress.h"

/* Behind the gradient of the factors in a row of sums. */
enum { BIAS, OVERLAP, BIAS_OVERLAP, STEPS, SIDE };
#define PIECE_FLOATS ((int64_t)1 << 19) /* of a reduction, as in train/merge.c */

static int64_t ratings_of(const bmf_user_embed *e, int64_t user)
{
    return e->indptr[user + 1] - e->indptr[user];
}

static void fill_row(const bmf_csr *content, const bmf_csr *train, bool implicit, int64_t u, bmf_csr *out)
{
    int64_t at = out->indptr[u];
    for (int64_t j = content->indptr ? content->indptr[u] : 0; content->indptr && j < content->indptr[u + 1];
         j++, at++) {
        out->indices[at] = content->indices[j];
        out->data[at] = content->data[j];
    }
    const int64_t ratings = train->indptr[u + 1] - train->indptr[u];
    const float weight = ratings > 0 ? (float)(1 / sqrt((double)ratings)) : 0;
    for (int64_t j = train->indptr[u]; implicit && j < train->indptr[u + 1]; j++, at++) {
        out->indices[at] = (int32_t)content->columns + train->indices[j];
        out->data[at] = weight;
    }
    out->indptr[u + 1] = at;
}

int bmf_user_rows_create(const bmf_csr *content, const bmf_csr *train, bool implicit, bmf_csr *out, bmf_error *err)
{
    const int64_t entries = bmf_csr_count(content) + (implicit ? bmf_csr_count(train) : 0);
    const int64_t columns = content->columns + (implicit ? train->columns : 0);
    int status = columns > INT32_MAX
                     ? bmf_fail(err, BMF_ERR_INPUT, "users have more features and items than 32 bits can number")
                     : bmf_csr_create(out, train->rows, columns, entries, "features of users", err);
    for (int64_t u = 0; u < train->rows && status == BMF_OK; u++)
        fill_row(content, train, implicit, u, out);
    return status;
}

/* Σ |y_ug| of each user, and the most ratings one has. */
static void measure_users(bmf_user_embed *e)
{
    for (int64_t u = 0; u < e->rows.rows; u++) {
        const int64_t n = ratings_of(e, u);
        e->most_ratings = n > e->most_ratings ? (int32_t)n : e->most_ratings;
        e->norm[u] = e->own_norm[u] = 0;
        for (int64_t j = e->rows.indptr[u]; j < e->rows.indptr[u + 1]; j++) {
            const float y = fabsf(e->rows.data[j]);
            e->norm[u] += y;
            if (e->rows.indices[j] < e->features)
                e->own_norm[u] += y;
        }
    }
}

/* The users by windows, ascending in each. */
static void sort_users(bmf_user_embed *e, const int32_t *window_of, int64_t windows)
{
    int64_t *start = e->window_start;
    for (int64_t u = 0; u < e->rows.rows; u++)
        start[window_of[u] + 1]++;
    for (int64_t w = 0; w < windows; w++)
        start[w + 1] += start[w];
    for (int64_t u = 0; u < e->rows.rows; u++)
        e->user[start[window_of[u]]++] = (int32_t)u;
    for (int64_t w = windows; w > 0; w--)
        start[w] = start[w - 1];
    start[0] = 0;
}

/* Counts the entries of each feature that the window's users have: a run for each, in the order in which they are met. place (all
 * features): −1 each in, the run of those met out. Returns where the runs end. */
static int64_t count_entries(bmf_user_embed *e, int64_t window, int64_t *place)
{
    int64_t runs = e->run_start[window];
    for (int64_t i = e->window_start[window]; i < e->window_start[window + 1]; i++) {
        const int64_t u = e->user[i], last = ratings_of(e, u) > 0 ? e->rows.indptr[u + 1] : 0;
        for (int64_t j = e->rows.indptr[u]; j < last; j++) {
            int64_t *at = &place[e->rows.indices[j]];
            if (*at < 0) {
                e->run_feature[runs] = e->rows.indices[j];
                e->run_entry[runs + 1] = 0;
                *at = runs++;
            }
            e->run_entry[*at + 1]++;
        }
    }
    return runs;
}

/* place: where the entries of each feature begin in, where they end out. */
static void place_entries(bmf_user_embed *e, int64_t window, int64_t *place)
{
    for (int64_t i = e->window_start[window]; i < e->window_start[window + 1]; i++) {
        const int64_t u = e->user[i], last = ratings_of(e, u) > 0 ? e->rows.indptr[u + 1] : 0;
        for (int64_t j = e->rows.indptr[u]; j < last; j++) {
            const int64_t at = place[e->rows.indices[j]]++;
            e->entry_user[at] = (int32_t)u;
            e->entry_value[at] = e->rows.data[j];
        }
    }
}

/* The runs of a window behind those before it. place (all features): −1 each, and again at the end. */
static void find_runs(bmf_user_embed *e, int64_t window, int64_t *place)
{
    const int64_t first = e->run_start[window], last = count_entries(e, window, place);
    for (int64_t r = first; r < last; r++) {
        place[e->run_feature[r]] = e->run_entry[r];
        e->run_entry[r + 1] += e->run_entry[r];
    }
    place_entries(e, window, place);
    for (int64_t r = first; r < last; r++)
        place[e->run_feature[r]] = -1;
    e->run_start[window + 1] = last;
}

static int find_all_runs(bmf_user_embed *e, int64_t windows, bmf_error *err)
{
    const int64_t all = e->rows.columns;
    int64_t *place = bmf_alloc(all, sizeof *place, "features of users by windows", err);
    if (!place)
        return BMF_ERR_MEMORY;
    for (int64_t f = 0; f < all; f++)
        place[f] = -1;
    for (int64_t w = 0; w < windows; w++)
        find_runs(e, w, place);
    bmf_free(place);
    return BMF_OK;
}

static int64_t most_runs(int64_t all, int64_t entries, int64_t windows)
{
    return (__int128)windows * all < entries ? windows * all : entries;
}

static int allocate(bmf_user_embed *e, int64_t windows, int64_t stride, bmf_error *err)
{
    const int64_t users = e->rows.rows, entries = bmf_csr_count(&e->rows);
    const int64_t runs = most_runs(e->rows.columns, entries, windows);
    const char *what = "features of users by windows";
    e->norm = bmf_alloc(users, sizeof *e->norm, what, err);
    e->own_norm = bmf_alloc(users, sizeof *e->own_norm, what, err);
    e->window_start = bmf_alloc_zero(windows + 1, sizeof *e->window_start, what, err);
    e->user = bmf_alloc(users, sizeof *e->user, what, err);
    e->run_start = bmf_alloc_zero(windows + 1, sizeof *e->run_start, what, err);
    e->run_feature = bmf_alloc(runs, sizeof *e->run_feature, what, err);
    e->run_entry = bmf_alloc_zero(runs + 1, sizeof *e->run_entry, what, err);
    e->entry_user = bmf_alloc(entries, sizeof *e->entry_user, what, err);
    e->entry_value = bmf_alloc(entries, sizeof *e->entry_value, what, err);
    e->sums = bmf_alloc(e->rows.columns * e->pitch + 1, sizeof *e->sums, "gradients of user features", err);
    e->work = bmf_alloc(e->threads * stride, sizeof *e->work, "gradients of user features", err);
    const bool complete = e->norm && e->own_norm && e->window_start && e->user && e->run_start && e->run_feature &&
                          e->run_entry && e->entry_user && e->entry_value && e->sums && e->work;
    return complete ? BMF_OK : BMF_ERR_MEMORY;
}

int bmf_user_embed_create(const bmf_csr *rows, int64_t features, const bmf_csr *train, const int32_t *window_of,
                          int64_t windows, int64_t stride, int64_t threads, bmf_user_embed *out, bmf_error *err)
{
    *out = (bmf_user_embed){
        .rows = *rows, .indptr = train->indptr, .features = features, .pitch = stride + SIDE, .threads = threads};
    int status = allocate(out, windows, stride, err);
    if (status == BMF_OK) {
        measure_users(out);
        sort_users(out, window_of, windows);
        status = find_all_runs(out, windows, err);
    }
    if (status != BMF_OK)
        bmf_user_embed_clear(out);
    return status;
}

void bmf_user_embed_clear(bmf_user_embed *e)
{
    bmf_free(e->norm);
    bmf_free(e->own_norm);
    bmf_free(e->window_start);
    bmf_free(e->user);
    bmf_free(e->run_start);
    bmf_free(e->run_feature);
    bmf_free(e->run_entry);
    bmf_free(e->entry_user);
    bmf_free(e->entry_value);
    bmf_free(e->sums);
    bmf_free(e->work);
    *e = (bmf_user_embed){0};
}

int64_t bmf_user_embed_bytes(int64_t users, int64_t all, int64_t entries, int64_t windows, int64_t stride)
{
    const int64_t word = (int64_t)sizeof(float), wide = (int64_t)sizeof(int64_t);
    const int64_t of_rows = entries * 2 * word + (users + 1) * wide;
    const int64_t of_runs = entries * 2 * word + most_runs(all, entries, windows) * (word + wide);
    return of_rows + of_runs + users * 3 * word + all * (stride + SIDE) * word;
}

void bmf_user_embed_begin(const bmf_user_embed *e, int64_t window, bmf_model *model)
{
    const int64_t *start = e->window_start + window;
    bmf_model_blend_users(model, &e->rows, e->user + start[0], start[1] - start[0], (int)e->threads);
}

typedef struct division {
    const bmf_user_embed *embed;
    const bmf_user_window *window;
    bmf_model *model;
    bmf_pull factor, bias;
} division;

static bmf_progress factor_progress(const division *d, int64_t u)
{
    const bmf_row_rates *own = d->window->users;
    const int64_t n = ratings_of(d->embed, u);
    return own ? bmf_progress_of_row(&d->factor, own[u].eta, own[u].decay, d->window->h, n)
               : bmf_progress_of(&d->factor, n);
}

static bmf_progress bias_progress(const division *d, int64_t u)
{
    const bmf_row_rates *own = d->window->users;
    const int64_t n = ratings_of(d->embed, u);
    return own ? bmf_progress_of_row(&d->bias, own[u].bias_eta, own[u].bias_decay, 1, n) : bmf_progress_of(&d->bias, n);
}

/* Moves the user's own part as if his features stood still, and leaves (a n / s) G_u where E_u was. y: (stride) to work in.
 * 0 unless something is not finite. */
static float take_user(const division *d, int64_t u, float *y)
{
    bmf_model *model = d->model;
    const int64_t stride = model->stride;
    float *E = model->P + u * stride, *own = model->own_P + u * stride, change = 0;
    memset(y, 0, (size_t)stride * sizeof *y);
    const float y_bias = bmf_model_add_user_embedding(model, &d->embed->rows, u, y);
    const bmf_progress of_factor = factor_progress(d, u), of_bias = bias_progress(d, u);
    const float unsaturate = (float)of_factor.unsaturate, decay = (float)(of_factor.decay * of_factor.s);
    for (int64_t f = 0; f < stride; f++) {
        const float began = own[f] + y[f], moved = E[f] - began;
        own[f] += moved + decay * y[f];
        E[f] = unsaturate * (moved + decay * began);
        change += own[f] * 0;
    }
    float *bias = &model->user_bias[u], *own_bias = &model->own_user_bias[u];
    const float bias_decay = (float)(of_bias.decay * of_bias.s), began = *own_bias + y_bias, moved = *bias - began;
    *own_bias += moved + bias_decay * y_bias;
    *bias = (float)of_bias.unsaturate * (moved + bias_decay * began);
    return change + *own_bias * 0;
}

/* Sums over the window's users who have a feature. */
static void sum_feature(const division *d, int64_t run)
{
    const bmf_user_embed *e = d->embed;
    const int64_t stride = d->model->stride, feature = e->run_feature[run];
    float *sum = e->sums + feature * e->pitch, *side = sum + stride;
    const int64_t first = e->run_entry[run], last = e->run_entry[run + 1];
    double overlap = 0, bias_overlap = 0, bias = 0, steps = 0;
    bmf_model_add_rows(d->model->P, stride, e->entry_user + first, e->entry_value + first, last - first, stride, sum);
    for (int64_t j = first; j < last; j++) {
        const int64_t u = e->entry_user[j];
        const float y = e->entry_value[j];
        const double weight = fabs((double)y) * (double)ratings_of(e, u);
        bias += (double)(y * d->model->user_bias[u]);
        overlap += weight * (double)e->norm[u];
        bias_overlap += weight * (double)e->own_norm[u];
        steps += (double)ratings_of(e, u);
    }
    side[BIAS] = (float)bias;
    side[OVERLAP] = (float)overlap;
    side[BIAS_OVERLAP] = (float)bias_overlap;
    side[STEPS] = (float)steps;
}

/* From the sums over all ranks to ΔU_g, in their place. */
static void find_step(const division *d, int64_t feature)
{
    const bmf_user_embed *e = d->embed;
    const int64_t stride = d->model->stride;
    float *sum = e->sums + feature * e->pitch, *side = sum + stride;
    const double steps = (double)side[STEPS];
    if (steps == 0)
        return; /* all 0 */
    const bmf_row_rates *own = d->window->features;
    const double ratio = own ? (double)own[feature].eta / d->factor.eta : 1; /* of its η to the common one */
    const double decay = ratio * d->factor.content_decay * steps, bias_decay = d->bias.content_decay * steps;
    const float c = bmf_damping(ratio * d->factor.curvature * (double)side[OVERLAP] + decay);
    const float gain = c * (float)ratio, shrink = c * (float)decay, *U = d->model->U + feature * stride;
    for (int64_t f = 0; f < stride; f++)
        sum[f] = gain * sum[f] - shrink * U[f];
    if (feature < e->features)
        side[BIAS] = bmf_damping(d->bias.curvature * (double)side[BIAS_OVERLAP] + bias_decay) *
                     (side[BIAS] - (float)bias_decay * d->model->user_feature_bias[feature]);
}

/* Leaves to the user's own part what his features have left over. y: (stride) to work in. */
static void leave_rest(const division *d, int64_t u, float *y)
{
    const bmf_user_embed *e = d->embed;
    const int64_t stride = d->model->stride;
    float *own = d->model->own_P + u * stride, y_bias = 0;
    const int64_t first = e->rows.indptr[u], last = e->rows.indptr[u + 1];
    const int32_t *feature = e->rows.indices;
    memset(y, 0, (size_t)stride * sizeof *y);
    bmf_model_add_rows(e->sums, e->pitch, feature + first, e->rows.data + first, last - first, stride, y);
    for (int64_t j = first; j < last && feature[j] < e->features; j++)
        y_bias += e->rows.data[j] * e->sums[feature[j] * e->pitch + stride + BIAS];
    const float s = (float)factor_progress(d, u).s;
    for (int64_t f = 0; f < stride; f++)
        own[f] -= s * y[f];
    d->model->own_user_bias[u] -= (float)bias_progress(d, u).s * y_bias;
}

/* 0 unless something is not finite. */
static float move_feature(const division *d, int64_t feature)
{
    const bmf_user_embed *e = d->embed;
    const int64_t stride = d->model->stride;
    const float *step = e->sums + feature * e->pitch;
    float *U = d->model->U + feature * stride, change = 0;
    for (int64_t f = 0; f < stride; f++) {
        U[f] += step[f];
        change += U[f] * 0;
    }
    if (feature >= e->features)
        return change;
    d->model->user_feature_bias[feature] += step[stride + BIAS];
    return change + d->model->user_feature_bias[feature] * 0;
}

static division describe(const bmf_user_embed *e, const bmf_user_window *did, bmf_model *model)
{
    division d = {.embed = e, .window = did, .model = model};
    bmf_pull_describe(&d.factor, did->learning_rate, did->regularization, did->content_regularization, did->h,
                      did->h_max, did->sides, e->most_ratings);
    bmf_pull_describe(&d.bias, did->bias_learning_rate, did->bias_regularization, did->content_regularization, 1, 1,
                      did->sides, e->most_ratings);
    return d;
}

/* Floats of the reduction. */
static int64_t sums_of(const bmf_user_embed *e)
{
    return e->rows.columns * e->pitch + 1;
}

int64_t bmf_user_embed_sum_bytes(const bmf_user_embed *e)
{
    return e->sums ? sums_of(e) * (int64_t)sizeof *e->sums : 0;
}

bool bmf_user_embed_divide(const bmf_user_embed *e, bmf_comm *comm, const bmf_user_window *did, bmf_model *model)
{
    const division d = describe(e, did, model);
    const int64_t stride = model->stride, all = e->rows.columns, floats = sums_of(e);
    const int64_t *users = e->window_start + did->window, *runs = e->run_start + did->window;
    float change = 0;
    memset(e->sums, 0, (size_t)floats * sizeof *e->sums);
#pragma omp parallel reduction(+ : change) num_threads((int)e->threads) if (e->threads > 1)
    {
        float *y = e->work + omp_get_thread_num() * stride;
#pragma omp for schedule(static)
        for (int64_t i = users[0]; i < users[1]; i++)
            if (ratings_of(e, e->user[i]) > 0)
                change += take_user(&d, e->user[i], y);
#pragma omp for schedule(dynamic, 4)
        for (int64_t r = runs[0]; r < runs[1]; r++)
            sum_feature(&d, r);
    }
    e->sums[floats - 1] = change;
    for (int64_t at = 0; at < floats; at += PIECE_FLOATS)
        bmf_comm_sum_float(comm, e->sums + at, floats - at < PIECE_FLOATS ? floats - at : PIECE_FLOATS);
    change = e->sums[floats - 1];
#pragma omp parallel reduction(+ : change) num_threads((int)e->threads) if (e->threads > 1)
    {
        float *y = e->work + omp_get_thread_num() * stride;
#pragma omp for schedule(static)
        for (int64_t g = 0; g < all; g++)
            find_step(&d, g);
#pragma omp for schedule(static) nowait
        for (int64_t i = users[0]; i < users[1]; i++)
            if (ratings_of(e, e->user[i]) > 0)
                leave_rest(&d, e->user[i], y);
#pragma omp for schedule(static)
        for (int64_t g = 0; g < all; g++)
            change += move_feature(&d, g);
    }
    return isfinite(change);
}
