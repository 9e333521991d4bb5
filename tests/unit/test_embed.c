/* Factors of features: the step at every rating against derivatives of the loss, and the division of a window's work against
 * that step to first order, its stability, and its independence of threads. */
#include "support/assert_close.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/sgd_step.h"
#include "kernels/sweep.h"
#include "train/auto_merges.h"
#include "train/embed.h"

#define K 3
#define F 4
#define N 7
#define M 9

/* Everything a step touches. */
typedef struct values {
    double P[K], Q[K], b_u, b_i, V[F * K], beta[F];
} values;

static const int32_t feature[2] = {1, 3};
static const double x[2] = {0.6, -0.8};

static double loss_of(const values *v, double r, double mean, const bmf_sgd_rates_double *rates)
{
    double e = r - mean - v->b_u - v->b_i, extra = 0;
    for (int f = 0; f < K; f++) {
        double q = v->Q[f];
        for (int j = 0; j < 2; j++)
            q += x[j] * v->V[feature[j] * K + f];
        e -= v->P[f] * q;
        extra += rates->user_lambda * v->P[f] * v->P[f] + rates->item_lambda * v->Q[f] * v->Q[f];
    }
    extra += rates->user_bias_lambda * v->b_u * v->b_u + rates->item_bias_lambda * v->b_i * v->b_i;
    for (int j = 0; j < 2; j++) {
        e -= v->beta[feature[j]] * x[j];
        extra += rates->content_lambda * v->beta[feature[j]] * v->beta[feature[j]];
        for (int f = 0; f < K; f++)
            extra += rates->content_lambda * v->V[feature[j] * K + f] * v->V[feature[j] * K + f];
    }
    return (e * e + extra) / 2;
}

/* Every parameter moves by −η times its derivative, taken numerically; those of other features stay. */
static void test_step_is_the_gradient(void **state)
{
    (void)state;
    const bmf_sgd_rates_double rates = {0.01, 0.02, 0.1, 0.15, 0.2, 0.25, 0.3, 1e9};
    values start;
    double *number = (double *)&start;
    const int count = sizeof start / sizeof *number;
    for (int i = 0; i < count; i++)
        number[i] = bmf_rng_uniform(bmf_rng_key(3, BMF_STREAM_TEST), (uint64_t)i) * 2 - 1;
    values moved = start;
    bmf_sgd_embed_step_double(&rates, 4.5, 3.5, K, moved.P, moved.Q, &moved.b_u, &moved.b_i, K, moved.V, moved.beta, 2,
                              feature, x);
    for (int i = 0; i < count; i++) {
        values up = start, down = start;
        ((double *)&up)[i] += 1e-5;
        ((double *)&down)[i] -= 1e-5;
        const double slope = (loss_of(&up, 4.5, 3.5, &rates) - loss_of(&down, 4.5, 3.5, &rates)) / 2e-5;
        const bool of_bias = &number[i] == &start.b_u || &number[i] == &start.b_i || &number[i] >= start.beta;
        assert_close(((double *)&moved)[i] - number[i], -(of_bias ? rates.bias_eta : rates.eta) * slope, 1e-9);
    }
}

/* A world small enough to be swept by hand: ratings of all users on some items, content rows of two features. */
typedef struct world {
    bmf_model model;
    bmf_csr content;
    bmf_item_copies copies;
    bmf_embed embed;
    int32_t steps[N];
    int64_t indptr[M + 1];
    int32_t item[M * N];
    float value[M * N];
} world;

static void make_ratings(world *w, int each)
{
    int64_t count = 0;
    memset(w->steps, 0, sizeof w->steps);
    for (int u = 0; u < M; u++) {
        w->indptr[u] = count;
        for (int j = 0; j < each; j++) {
            const int32_t i = (u * 5 + j * 3) % (N - 1); /* nobody rates the last item */
            w->item[count] = i;
            w->value[count++] = (float)(1 + (2 * i + u / 4) % 5);
            w->steps[i]++;
        }
    }
    w->indptr[M] = count;
}

static void make_content(world *w, float weight)
{
    bmf_error err = BMF_ERROR_INIT;
    assert_int_equal(bmf_csr_create(&w->content, N, F, 2 * N, "content", &err), BMF_OK);
    for (int i = 0; i < N; i++) {
        w->content.indptr[i + 1] = 2 * (i + 1);
        w->content.indices[2 * i] = i % 2;
        w->content.indices[2 * i + 1] = 2 + i % 2 * (i % 3 > 0);
        w->content.data[2 * i] = 0.6f * weight;
        w->content.data[2 * i + 1] = (i % 3 ? 0.8f : -0.8f) * weight;
    }
}

static world *make_world(int each, float weight, int threads)
{
    bmf_error err = BMF_ERROR_INIT;
    world *w = bmf_alloc_zero(1, sizeof *w, "world", &err);
    assert_non_null(w);
    make_ratings(w, each);
    make_content(w, weight);
    assert_int_equal(bmf_model_create(&w->model, 0, M, N, K, NULL, &err), BMF_OK);
    assert_int_equal(bmf_model_add_features(&w->model, F, &err), BMF_OK);
    bmf_model_init(&w->model, 5, 0.3);
    w->model.global_mean = 3;
    for (int i = 0; i < N; i++) { /* as if trained before */
        w->model.own_bias[i] = 0.01f * (float)i;
        for (int f = 0; f < K; f++)
            w->model.own_Q[i * w->model.stride + f] = 0.02f * (float)(i - f);
    }
    bmf_model_blend(&w->model, &w->content, threads);
    assert_int_equal(bmf_item_copies_create(&w->model, 1, 1, &w->copies, &err), BMF_OK);
    assert_non_null(w->copies.start.Q);
    assert_int_equal(bmf_embed_create(&w->content, w->model.stride, threads, &w->embed, &err), BMF_OK);
    return w;
}

static void free_world(world *w)
{
    bmf_embed_clear(&w->embed);
    bmf_item_copies_clear(&w->copies);
    bmf_model_clear(&w->model);
    bmf_csr_clear(&w->content);
    bmf_free(w);
}

static bmf_sweep sweep_of(world *w, double eta)
{
    return (bmf_sweep){.indptr = w->indptr,
                       .item = w->item,
                       .value = w->value,
                       .stride = w->model.stride,
                       .P = w->model.P,
                       .user_bias = w->model.user_bias,
                       .Q = w->model.Q,
                       .item_bias = w->model.item_bias,
                       .mean = 3,
                       .learning_rate = (float)eta,
                       .bias_learning_rate = (float)eta / 2,
                       .user_regularization = 0.1f,
                       .item_regularization = 0.1f,
                       .user_bias_regularization = 0.2f,
                       .item_bias_regularization = 0.2f,
                       .content_regularization = 0.3f,
                       .clip = 1e9f,
                       .in_order = true};
}

static double mean_square_of_P(const world *w)
{
    double sum = 0;
    for (int64_t j = 0; j < M * w->model.stride; j++)
        sum += (double)w->model.P[j] * (double)w->model.P[j];
    return sum / (M * K);
}

/* A window: a sweep of all users over the blended items, and its division. Returns Σ e². */
static double run_window(world *w, double eta)
{
    static const int32_t users[M] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const bmf_sweep sweep = sweep_of(w, eta);
    const double h = mean_square_of_P(w);
    const double squares = bmf_sweep_reference(&sweep, users, M, 1);
    const bmf_embed_window did = {w->steps, eta, eta / 2, 0.1, 0.2, 0.3, NULL, NULL, 1, h, K * h};
    assert_true(bmf_embed_divide(&w->embed, &did, &w->model, &w->copies.start));
    return squares;
}

/* The same at every rating. */
static void run_steps(world *w, double eta)
{
    static const int32_t users[M] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    bmf_content_rows rows;
    bmf_error err = BMF_ERROR_INIT;
    assert_int_equal(bmf_content_rows_create(N, F, w->content.indptr, w->content.indices, w->content.data, &rows, &err),
                     BMF_OK);
    bmf_sweep sweep = sweep_of(w, eta);
    sweep.content = &rows;
    sweep.V = w->model.V;
    sweep.feature_bias = w->model.feature_bias;
    sweep.Q = w->model.own_Q;
    sweep.item_bias = w->model.own_bias;
    bmf_sweep_reference(&sweep, users, M, 1);
    bmf_model_blend(&w->model, &w->content, 1);
    bmf_content_rows_clear(&rows);
}

/* Largest |a − b| between two arrays that began as `start`, over the largest movement. */
static double difference(const float *a, const float *b, const float *start, int64_t count)
{
    double most = 0, moved = 0;
    for (int64_t j = 0; j < count; j++) {
        most = fmax(most, fabs((double)(a[j] - b[j])));
        moved = fmax(moved, fabs((double)(b[j] - start[j])));
    }
    assert_true(moved > 0);
    return most / moved;
}

/* Rates of items and features that are all different. */
static void own_rates(double eta, bmf_row_rates *items, bmf_row_rates *features)
{
    for (int i = 0; i < N; i++)
        items[i] = (bmf_row_rates){(float)eta * (float)(1 + i % 3), (float)eta * 0.1f * (float)(1 + i % 2), (float)eta,
                                   (float)eta * 0.2f};
    for (int f = 0; f < F; f++)
        features[f] = (bmf_row_rates){(float)eta * (float)(F - f), 0, (float)eta, (float)eta * 0.3f};
}

/* A window with these rates, and the same at every rating, written out plainly. */
static void run_own_window(world *w, double eta)
{
    static const int32_t users[M] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    bmf_row_rates of_users[M], items[N], features[F];
    own_rates(eta, items, features);
    for (int u = 0; u < M; u++)
        of_users[u] = (bmf_row_rates){(float)eta, 0, (float)eta, 0};
    bmf_sweep sweep = sweep_of(w, eta);
    sweep.user_rates = of_users;
    sweep.item_rates = items;
    const double h = mean_square_of_P(w);
    bmf_sweep_reference(&sweep, users, M, 1);
    const bmf_embed_window did = {w->steps, eta, eta, 0.1, 0.2, 0.3, items, features, 1, h, K * h};
    assert_true(bmf_embed_divide(&w->embed, &did, &w->model, &w->copies.start));
}

static void run_own_steps(world *w, double eta)
{
    bmf_row_rates items[N], features[F];
    bmf_model *m = &w->model;
    own_rates(eta, items, features);
    for (int64_t j = 0, u = 0; u < M; u++)
        for (; j < w->indptr[u + 1]; j++) {
            const int32_t i = w->item[j];
            float E[64] = {0}, e = w->value[j] - 3 - m->user_bias[u] - m->own_bias[i];
            float *P = m->P + u * m->stride, *Q = m->own_Q + i * m->stride;
            e -= bmf_model_add_embedding(m, &w->content, i, E);
            for (int f = 0; f < K; f++)
                e -= P[f] * (E[f] += Q[f]);
            m->user_bias[u] += (float)eta * e;
            m->own_bias[i] += items[i].bias_eta * e - items[i].bias_decay * m->own_bias[i];
            for (int64_t c = w->content.indptr[i]; c < w->content.indptr[i + 1]; c++) {
                const int32_t g = w->content.indices[c];
                const float x_g = w->content.data[c];
                m->feature_bias[g] += features[g].bias_eta * (e * x_g - 0.3f * m->feature_bias[g]);
                for (int f = 0; f < K; f++)
                    m->V[g * m->stride + f] += features[g].eta * (e * x_g * P[f] - 0.3f * m->V[g * m->stride + f]);
            }
            for (int f = 0; f < K; f++) {
                const float p = P[f];
                P[f] += (float)eta * e * E[f];
                Q[f] += items[i].eta * e * p - items[i].decay * Q[f];
            }
        }
    bmf_model_blend(m, &w->content, 1);
}

static void test_rows_may_have_their_own_rates(void **state)
{
    (void)state;
    const double eta = 0.0005;
    world *start = make_world(4, 1, 1), *window = make_world(4, 1, 1), *steps = make_world(4, 1, 1);
    const int64_t stride = start->model.stride;
    run_own_window(window, eta);
    run_own_steps(steps, eta);
    assert_true(difference(window->model.V, steps->model.V, start->model.V, F * stride) < 0.03);
    assert_true(difference(window->model.own_Q, steps->model.own_Q, start->model.own_Q, N * stride) < 0.03);
    assert_true(difference(window->model.own_bias, steps->model.own_bias, start->model.own_bias, N) < 0.03);
    assert_true(difference(window->model.feature_bias, steps->model.feature_bias, start->model.feature_bias, F) < 0.03);
    free_world(start);
    free_world(window);
    free_world(steps);
}

/* Half the step length, half the difference between the two forms: they are the same to first order. */
static void test_a_window_is_the_steps_to_first_order(void **state)
{
    (void)state;
    double last[4] = {0};
    for (int halved = 0; halved < 2; halved++) {
        const double eta = halved ? 0.0005 : 0.001;
        world *start = make_world(4, 1, 1), *window = make_world(4, 1, 1), *steps = make_world(4, 1, 1);
        run_window(window, eta);
        run_steps(steps, eta);
        const int64_t stride = start->model.stride;
        const double now[4] = {
            difference(window->model.V, steps->model.V, start->model.V, F * stride),
            difference(window->model.own_Q, steps->model.own_Q, start->model.own_Q, N * stride),
            difference(window->model.feature_bias, steps->model.feature_bias, start->model.feature_bias, F),
            difference(window->model.item_bias, steps->model.item_bias, start->model.item_bias, N),
        };
        for (int part = 0; part < 4; part++) {
            assert_true(now[part] < 0.05);
            if (halved)
                assert_true(now[part] < 0.6 * last[part]);
            last[part] = now[part];
        }
        free_world(start);
        free_world(window);
        free_world(steps);
    }
}

/* What predictions use is exactly the sum of what is stored, of items that nobody rates too. */
static void test_blended_is_what_the_parts_give(void **state)
{
    (void)state;
    world *w = make_world(5, 2, 2);
    for (int window = 0; window < 3; window++)
        run_window(w, 0.02);
    world *copy = make_world(5, 2, 1);
    memcpy(copy->model.own_Q, w->model.own_Q, (size_t)(N * w->model.stride) * sizeof(float));
    memcpy(copy->model.own_bias, w->model.own_bias, sizeof(float) * N);
    memcpy(copy->model.V, w->model.V, (size_t)(F * w->model.stride) * sizeof(float));
    memcpy(copy->model.feature_bias, w->model.feature_bias, sizeof(float) * F);
    bmf_model_blend(&copy->model, &copy->content, 1);
    assert_memory_equal(copy->model.Q, w->model.Q, (size_t)(N * w->model.stride) * sizeof(float));
    assert_memory_equal(copy->model.item_bias, w->model.item_bias, sizeof(float) * N);
    assert_memory_equal(w->copies.start.Q, w->model.Q, (size_t)(N * w->model.stride) * sizeof(float));
    for (int f = 0; f < K; f++) /* unrated: its own part stays, its content moves it */
        assert_close(w->model.own_Q[(N - 1) * w->model.stride + f], 0.02 * (N - 1 - f), 1e-7);
    free_world(w);
    free_world(copy);
}

/* Long windows, heavy content: the error does not grow. */
static void test_no_window_overshoots(void **state)
{
    (void)state;
    static const float weights[] = {0.1f, 1, 10, 100};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        world *w = make_world(N, weights[i], 1);
        w->model.own_bias[0] = 0;
        memset(w->model.V, 0, (size_t)(F * w->model.stride) * sizeof(float)); /* a weight of 100 times V is no start */
        bmf_model_blend(&w->model, &w->content, 1);
        bmf_item_copies_restart(&w->copies);
        double first = 0, last = 0;
        for (int window = 0; window < 60; window++) {
            last = run_window(w, 0.05);
            if (window == 0)
                first = last;
            assert_true(isfinite(last) && last < 1.5 * first);
        }
        assert_true(last < 0.8 * first);
        free_world(w);
    }
}

static void test_threads_make_no_difference(void **state)
{
    (void)state;
    world *one = make_world(5, 1, 1), *three = make_world(5, 1, 3);
    for (int window = 0; window < 4; window++) {
        run_window(one, 0.03);
        run_window(three, 0.03);
    }
    const size_t stride = (size_t)one->model.stride * sizeof(float);
    assert_memory_equal(one->model.V, three->model.V, F * stride);
    assert_memory_equal(one->model.own_Q, three->model.own_Q, N * stride);
    assert_memory_equal(one->model.Q, three->model.Q, N * stride);
    assert_memory_equal(one->model.item_bias, three->model.item_bias, N * sizeof(float));
    free_world(one);
    free_world(three);
}

/* Where features of users learn from the same window, those of items take half of what they would take alone, once that is all. */
static void test_two_sides_share(void **state)
{
    (void)state;
    world *before = make_world(5, 1, 1), *one = make_world(5, 1, 1), *two = make_world(5, 1, 1);
    for (int sides = 1; sides <= 2; sides++) {
        world *w = sides == 1 ? one : two;
        for (int i = 0; i < N; i++)
            w->model.Q[i * w->model.stride] += 0.1f;
        const bmf_embed_window did = {w->steps, 0.01, 0.01, 0, 0, 0, NULL, NULL, sides, 0.1, 1e4};
        assert_true(bmf_embed_divide(&w->embed, &did, &w->model, &w->copies.start));
    }
    const int64_t at = 1 * one->model.stride;
    const double alone = (double)(one->model.V[at] - before->model.V[at]),
                 both = (double)(two->model.V[at] - before->model.V[at]);
    assert_true(fabs(alone) > 1e-6);
    assert_close(both / alone, 0.5, 0.01);
    free_world(before);
    free_world(one);
    free_world(two);
}

static void test_what_is_not_finite_is_noticed(void **state)
{
    (void)state;
    world *w = make_world(5, 1, 2);
    w->model.Q[2 * w->model.stride] = INFINITY;
    const bmf_embed_window did = {w->steps, 0.01, 0.01, 0.1, 0.2, 0.3, NULL, NULL, 1, 0.1, 0.1};
    assert_false(bmf_embed_divide(&w->embed, &did, &w->model, &w->copies.start));
    free_world(w);
}

static void test_windows_nobody_asked_for(void **state)
{
    (void)state;
    assert_int_equal(bmf_auto_merges(1, 10700, 9000000, 0), 1);
    assert_int_equal(bmf_auto_merges(1, 10700, 9000000, 1), 4);
    assert_int_equal(bmf_auto_merges(1, 9742, 70312, 1), 4);
    assert_int_equal(bmf_auto_merges(1, 9742, 70312, 2), 8);
    assert_int_equal(bmf_auto_merges(64, 10700, 10000000000, 1), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_is_the_gradient),
        cmocka_unit_test(test_a_window_is_the_steps_to_first_order),
        cmocka_unit_test(test_rows_may_have_their_own_rates),
        cmocka_unit_test(test_blended_is_what_the_parts_give),
        cmocka_unit_test(test_no_window_overshoots),
        cmocka_unit_test(test_threads_make_no_difference),
        cmocka_unit_test(test_two_sides_share),
        cmocka_unit_test(test_what_is_not_finite_is_noticed),
        cmocka_unit_test(test_windows_nobody_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
