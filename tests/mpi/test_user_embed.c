/* Factors of features of users: the division of a window's work against the step at every rating to first order, its stability,
 * its independence of threads and ranks, and what it says of users without ratings. */
#include "support/mpi_cmocka.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/merge.h"
#include "train/user_embed.h"

#define K 3
#define G 5 /* features of users */
#define N 7
#define M 10 /* users, the last of whom has no ratings */
#define WINDOWS 3
#define LAMBDA 0.1f
#define BIAS_LAMBDA 0.2f
#define CONTENT_LAMBDA 0.3f

static bmf_comm *self; /* a communicator of this rank alone */

/* Users [first, first + users) of a world small enough to be swept by hand. */
typedef struct part {
    bmf_model model;
    bmf_csr train, content, rows;
    bmf_user_embed embed;
    int64_t first, users;
    int32_t window_of[M];
} part;

static bmf_csr ratings_of(int64_t first, int64_t users, int each)
{
    bmf_csr train;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_csr_create(&train, users, N, users * each, "ratings", &err), err);
    int64_t at = 0;
    for (int64_t u = 0; u < users; u++) {
        for (int64_t j = 0; j < each && first + u < M - 1; j++, at++) {
            train.indices[at] = (int32_t)(((first + u) * 5 + j * 3) % N);
            train.data[at] = (float)(1 + (2 * train.indices[at] + (first + u) / 4) % 5);
        }
        train.indptr[u + 1] = at;
    }
    return train;
}

/* Three features each: two of G − 1 by the user's number, and one that all have. */
static bmf_csr content_of(int64_t first, int64_t users, float weight)
{
    bmf_csr content;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_csr_create(&content, users, G, 3 * users, "content", &err), err);
    for (int64_t u = 0; u < users; u++) {
        const int32_t a = (int32_t)(first + u) % 2, b = 2 + (int32_t)(first + u) % 3 / 2;
        memcpy(content.indices + 3 * u, (int32_t[]){a, b, G - 1}, 3 * sizeof(int32_t));
        memcpy(content.data + 3 * u, (float[]){0.6f * weight, -0.64f * weight, 0.48f * weight}, 3 * sizeof(float));
        content.indptr[u + 1] = 3 * (u + 1);
    }
    return content;
}

static part *make_part(int64_t first, int64_t users, int each, float weight, bool implicit, int64_t windows,
                       int64_t threads)
{
    bmf_error err = BMF_ERROR_INIT;
    part *p = bmf_alloc_zero(1, sizeof *p, "part", &err);
    assert_non_null(p);
    p->first = first;
    p->users = users;
    p->train = ratings_of(first, users, each);
    p->content = content_of(first, users, weight);
    assert_ok(bmf_user_rows_create(&p->content, &p->train, implicit, &p->rows, &err), err);
    assert_ok(bmf_model_create(&p->model, first, users, N, K, NULL, &err), err);
    assert_ok(bmf_model_add_user_features(&p->model, G, implicit, &err), err);
    bmf_model_init(&p->model, 5, 0.3);
    p->model.global_mean = 3;
    for (int64_t u = 0; u < users && first + u < M - 1; u++) { /* as if trained before */
        p->model.own_user_bias[u] = 0.01f * (float)(first + u);
        for (int f = 0; f < K; f++)
            p->model.own_P[u * p->model.stride + f] = 0.02f * (float)(first + u - f);
    }
    for (int64_t u = 0; u < users; u++)
        p->window_of[u] = (int32_t)((first + u) % windows);
    assert_ok(
        bmf_user_embed_create(&p->rows, G, &p->train, p->window_of, windows, p->model.stride, threads, &p->embed, &err),
        err);
    bmf_model_blend_users(&p->model, &p->rows, NULL, users, 1);
    return p;
}

static void free_part(part *p)
{
    bmf_user_embed_clear(&p->embed);
    bmf_model_clear(&p->model);
    bmf_csr_clear(&p->rows);
    bmf_csr_clear(&p->content);
    bmf_csr_clear(&p->train);
    bmf_free(p);
}

static bmf_sweep sweep_of(part *p, double eta)
{
    return (bmf_sweep){.indptr = p->train.indptr,
                       .item = p->train.indices,
                       .value = p->train.data,
                       .stride = p->model.stride,
                       .P = p->model.P,
                       .user_bias = p->model.user_bias,
                       .Q = p->model.Q,
                       .item_bias = p->model.item_bias,
                       .mean = 3,
                       .learning_rate = (float)eta,
                       .bias_learning_rate = (float)eta / 2,
                       .user_regularization = LAMBDA,
                       .item_regularization = LAMBDA,
                       .user_bias_regularization = BIAS_LAMBDA,
                       .item_bias_regularization = BIAS_LAMBDA,
                       .clip = 1e9f,
                       .in_order = true};
}

static double mean_square_of_Q(const part *p)
{
    double sum = 0;
    for (int64_t j = 0; j < N * p->model.stride; j++)
        sum += (double)p->model.Q[j] * (double)p->model.Q[j];
    return sum / (N * K);
}

static bmf_user_window window_of(const part *p, int64_t window, double eta)
{
    const double h = mean_square_of_Q(p);
    return (bmf_user_window){.window = window,
                             .learning_rate = eta,
                             .bias_learning_rate = eta / 2,
                             .regularization = (double)LAMBDA,
                             .bias_regularization = (double)BIAS_LAMBDA,
                             .content_regularization = (double)CONTENT_LAMBDA,
                             .sides = 1,
                             .h = h,
                             .h_max = K * h};
}

/* Sweeps the users of a window and divides what that did. own: rates of users and features, or NULL. Returns Σ e². */
static double run_window(part *p, int64_t window, double eta, const bmf_row_rates *own)
{
    bmf_sweep sweep = sweep_of(p, eta);
    bmf_user_window did = window_of(p, window, eta);
    bmf_row_rates of_items[N];
    for (int i = 0; i < N; i++)
        of_items[i] = (bmf_row_rates){(float)eta, (float)eta * LAMBDA, (float)eta, (float)eta * BIAS_LAMBDA};
    if (own) {
        sweep.user_rates = did.users = own;
        sweep.item_rates = of_items;
        did.features = own + M;
        did.bias_learning_rate = eta;
    }
    bmf_user_embed_begin(&p->embed, window, &p->model);
    const int64_t *start = p->embed.window_start + window;
    const double squares = bmf_sweep_reference(&sweep, p->embed.user + start[0], start[1] - start[0], 1);
    assert_true(bmf_user_embed_divide(&p->embed, self, &did, &p->model));
    return squares;
}

/* The step at every rating, plainly. eta_b: of biases; users and features NULL, or their own rates. */
static void step(part *p, int64_t u, int64_t j, double eta, const bmf_row_rates *own)
{
    bmf_model *m = &p->model;
    const int64_t i = p->train.indices[j], stride = m->stride;
    const bmf_row_rates of_user =
        own ? own[u] : (bmf_row_rates){(float)eta, (float)eta * LAMBDA, (float)eta / 2, (float)eta / 2 * BIAS_LAMBDA};
    const float of_items_bias = own ? (float)eta : (float)eta / 2;
    float E[64] = {0}, *P = m->own_P + u * stride, *Q = m->Q + i * stride;
    float e = p->train.data[j] - 3 - m->item_bias[i] - m->own_user_bias[u];
    e -= bmf_model_add_user_embedding(m, &p->rows, u, E);
    for (int f = 0; f < K; f++)
        e -= Q[f] * (E[f] += P[f]);
    m->item_bias[i] += of_items_bias * (e - BIAS_LAMBDA * m->item_bias[i]);
    m->own_user_bias[u] += of_user.bias_eta * e - of_user.bias_decay * m->own_user_bias[u];
    for (int64_t r = p->rows.indptr[u]; r < p->rows.indptr[u + 1]; r++) {
        const int64_t g = p->rows.indices[r];
        const float y = p->rows.data[r], rate = own ? own[M + g].eta : (float)eta,
                    bias_rate = own ? own[M + g].bias_eta : (float)eta / 2;
        for (int f = 0; f < K; f++)
            m->U[g * stride + f] += rate * (e * y * Q[f] - CONTENT_LAMBDA * m->U[g * stride + f]);
        if (g < G)
            m->user_feature_bias[g] += bias_rate * (e * y - CONTENT_LAMBDA * m->user_feature_bias[g]);
    }
    for (int f = 0; f < K; f++) {
        P[f] += of_user.eta * e * Q[f] - of_user.decay * P[f];
        Q[f] += (float)eta * (e * E[f] - LAMBDA * Q[f]);
    }
}

static void run_steps(part *p, double eta, const bmf_row_rates *own)
{
    for (int64_t u = 0; u < p->users; u++)
        for (int64_t j = p->train.indptr[u]; j < p->train.indptr[u + 1]; j++)
            step(p, u, j, eta, own);
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

#define PARTS 4
static void differences(const part *window, const part *steps, const part *start, double out[PARTS])
{
    const bmf_model *a = &window->model, *b = &steps->model, *from = &start->model;
    out[0] = difference(a->U, b->U, from->U, (from->user_features + from->implicit) * from->stride);
    out[1] = difference(a->own_P, b->own_P, from->own_P, M * from->stride);
    out[2] = difference(a->user_feature_bias, b->user_feature_bias, from->user_feature_bias, G);
    out[3] = difference(a->own_user_bias, b->own_user_bias, from->own_user_bias, M);
}

/* Half the step length, half the difference between the two forms: they are the same to first order. */
static void test_a_window_is_the_steps_to_first_order(void **state)
{
    (void)state;
    for (int implicit = 0; implicit < 2; implicit++) {
        double last[PARTS] = {0};
        for (int halved = 0; halved < 2; halved++) {
            const double eta = halved ? 0.0005 : 0.001;
            part *start = make_part(0, M, 4, 1, implicit, 1, 1), *window = make_part(0, M, 4, 1, implicit, 1, 1),
                 *steps = make_part(0, M, 4, 1, implicit, 1, 1);
            double now[PARTS];
            run_window(window, 0, eta, NULL);
            run_steps(steps, eta, NULL);
            differences(window, steps, start, now);
            for (int k = 0; k < PARTS; k++) {
                assert_true(now[k] < 0.05);
                if (halved)
                    assert_true(now[k] < 0.6 * last[k]);
                last[k] = now[k];
            }
            free_part(start);
            free_part(window);
            free_part(steps);
        }
    }
}

static void test_rows_may_have_their_own_rates(void **state)
{
    (void)state;
    const float eta = 0.0005f;
    bmf_row_rates own[M + G + N];
    double apart[PARTS];
    for (int u = 0; u < M; u++)
        own[u] = (bmf_row_rates){eta * (float)(1 + u % 3), eta * LAMBDA * (float)(1 + u % 2), eta, eta * BIAS_LAMBDA};
    for (int g = 0; g < G + N; g++)
        own[M + g] = (bmf_row_rates){eta * (float)(1 + g % 4), 0, eta, eta * CONTENT_LAMBDA};
    part *start = make_part(0, M, 4, 1, true, 1, 1), *window = make_part(0, M, 4, 1, true, 1, 1),
         *steps = make_part(0, M, 4, 1, true, 1, 1);
    run_window(window, 0, (double)eta, own);
    run_steps(steps, (double)eta, own);
    differences(window, steps, start, apart);
    for (int k = 0; k < PARTS; k++)
        assert_true(apart[k] < 0.04);
    free_part(start);
    free_part(window);
    free_part(steps);
}

/* A user who is near his optimum stays where the sweep left him; one who is not follows his features too. */
static void test_the_users_own_part_takes_the_rest(void **state)
{
    (void)state;
    static const double h[] = {0.2, 500};
    for (int saturated = 0; saturated < 2; saturated++) {
        part *p = make_part(0, M, 5, 1, true, 1, 1);
        const int64_t stride = p->model.stride;
        const bmf_user_window did = {
            .learning_rate = 0.01, .bias_learning_rate = 0.01, .sides = 1, .h = h[saturated], .h_max = 0.2};
        const double s = bmf_merge_saturation(bmf_merge_pull(0.01, 0, h[saturated]), 5);
        float left[M * 64], began[M * 64] = {0}, now[64];
        assert_true(M * stride <= M * 64 && (saturated ? s > 0.99 : s < 0.02));
        bmf_user_embed_begin(&p->embed, 0, &p->model);
        for (int64_t u = 0; u < M - 1; u++) {
            for (int f = 0; f < K; f++)
                left[u * stride + f] = p->model.P[u * stride + f] += 0.05f * (float)(u % 4 - f);
            bmf_model_add_user_embedding(&p->model, &p->rows, u, began + u * stride);
        }
        assert_true(bmf_user_embed_divide(&p->embed, self, &did, &p->model));
        for (int64_t u = 0; u < M - 1; u++) {
            memset(now, 0, sizeof now);
            bmf_model_add_user_embedding(&p->model, &p->rows, u, now);
            for (int f = 0; f < K; f++) {
                const double moved = (double)(now[f] - began[u * stride + f]);
                const double row = (double)(p->model.own_P[u * stride + f] + now[f]);
                assert_close(row, (double)left[u * stride + f] + (1 - s) * moved, 1e-6);
                assert_true(fabs(moved) > 1e-4);
            }
        }
        free_part(p);
    }
}

/* Where features of items learn from the same window, those of users take half of what they would take alone, once that is all. */
static void test_two_sides_share(void **state)
{
    (void)state;
    double moved[2];
    for (int sides = 1; sides <= 2; sides++) {
        part *before = make_part(0, M, 5, 1, false, 1, 1), *p = make_part(0, M, 5, 1, false, 1, 1);
        bmf_user_window did = window_of(p, 0, 0.01);
        did.regularization = did.bias_regularization = did.content_regularization = 0;
        did.sides = sides;
        did.h_max = 1e4;
        for (int64_t u = 0; u < M; u++)
            p->model.P[u * p->model.stride] += 0.1f;
        assert_true(bmf_user_embed_divide(&p->embed, self, &did, &p->model));
        moved[sides - 1] = (double)(p->model.U[0] - before->model.U[0]);
        free_part(before);
        free_part(p);
    }
    assert_true(fabs(moved[0]) > 1e-6);
    assert_close(moved[1] / moved[0], 0.5, 0.01);
}

/* Long windows, heavy content: the error does not grow. */
static void test_no_window_overshoots(void **state)
{
    (void)state;
    static const float weights[] = {0.1f, 1, 10, 100};
    for (size_t i = 0; i < 2 * sizeof weights / sizeof *weights; i++) {
        part *p = make_part(0, M, N, weights[i / 2], i % 2, WINDOWS, 1);
        memset(p->model.U, 0,
               (size_t)(p->embed.rows.columns * p->model.stride) * sizeof(float)); /* 100 U is no start */
        double first = 0, last = 0;
        for (int epoch = 0; epoch < 40; epoch++) {
            last = 0;
            for (int window = 0; window < WINDOWS; window++)
                last += run_window(p, window, 0.05, NULL);
            if (epoch == 0)
                first = last;
            assert_true(isfinite(last) && last < 1.5 * first);
        }
        assert_true(last < 0.8 * first);
        free_part(p);
    }
}

static void test_threads_make_no_difference(void **state)
{
    (void)state;
    part *one = make_part(0, M, 5, 1, true, WINDOWS, 1), *three = make_part(0, M, 5, 1, true, WINDOWS, 3);
    for (int window = 0; window < 2 * WINDOWS; window++) {
        run_window(one, window % WINDOWS, 0.03, NULL);
        run_window(three, window % WINDOWS, 0.03, NULL);
    }
    const size_t row = (size_t)one->model.stride * sizeof(float);
    assert_memory_equal(one->model.U, three->model.U, (G + N) * row);
    assert_memory_equal(one->model.own_P, three->model.own_P, M * row);
    assert_memory_equal(one->model.user_feature_bias, three->model.user_feature_bias, G * sizeof(float));
    assert_memory_equal(one->model.own_user_bias, three->model.own_user_bias, M * sizeof(float));
    free_part(one);
    free_part(three);
}

/* All that is said of somebody without ratings is what his features say; the others are the sum of both parts. */
static void test_users_without_ratings(void **state)
{
    (void)state;
    part *p = make_part(0, M, 5, 1, true, WINDOWS, 2);
    for (int window = 0; window < 2 * WINDOWS; window++)
        run_window(p, window % WINDOWS, 0.05, NULL);
    bmf_model_blend_users(&p->model, &p->rows, NULL, M, 2);
    for (int64_t u = 0; u < M; u++) {
        float said[64] = {0}, bias = bmf_model_add_user_embedding(&p->model, &p->rows, u, said);
        const float *own = p->model.own_P + u * p->model.stride, *P = p->model.P + u * p->model.stride;
        for (int f = 0; f < K; f++) {
            assert_close(P[f], own[f] + said[f], 1e-6);
            assert_true(u < M - 1 || (own[f] == 0 && P[f] != 0));
        }
        assert_close(p->model.user_bias[u], p->model.own_user_bias[u] + bias, 1e-6);
        assert_true(u < M - 1 || (p->model.own_user_bias[u] == 0 && bias != 0));
    }
    free_part(p);
}

static void test_a_window_begins_with_its_users_alone(void **state)
{
    (void)state;
    part *p = make_part(0, M, 5, 1, false, WINDOWS, 1);
    for (int64_t j = 0; j < M * p->model.stride; j++)
        p->model.P[j] = -7;
    bmf_user_embed_begin(&p->embed, 1, &p->model);
    for (int64_t u = 0; u < M; u++)
        assert_true((p->model.P[u * p->model.stride] == -7) == (u % WINDOWS != 1));
    free_part(p);
}

/* What a sweep would do to the users of a window, without one: so that it is the same on any number of ranks. */
static void move_users(part *p, int64_t window)
{
    bmf_user_embed_begin(&p->embed, window, &p->model);
    for (int64_t u = 0; u < p->users; u++)
        if ((p->first + u) % WINDOWS == window && p->first + u < M - 1) {
            p->model.user_bias[u] += 0.01f * (float)(p->first + u - 3);
            for (int f = 0; f < K; f++)
                p->model.P[u * p->model.stride + f] += 0.02f * (float)((p->first + u) % 4 - f);
        }
}

/* Users dealt out to the ranks: the features move as on one rank, and the users do. */
static void test_ranks_make_no_difference(void **state)
{
    (void)state;
    const int64_t rank = bmf_comm_rank(world), size = bmf_comm_size(world), first = M * rank / size,
                  users = M * (rank + 1) / size - first;
    part *all = make_part(0, M, 5, 1, true, WINDOWS, 1), *own = make_part(first, users, 5, 1, true, WINDOWS, 2);
    const int64_t stride = all->model.stride;
    for (int window = 0; window < 2 * WINDOWS; window++) {
        const bmf_user_window did = window_of(all, window % WINDOWS, 0.02);
        move_users(all, window % WINDOWS);
        move_users(own, window % WINDOWS);
        assert_all(bmf_user_embed_divide(&all->embed, self, &did, &all->model));
        assert_all(bmf_user_embed_divide(&own->embed, world, &did, &own->model));
    }
    double apart = 0;
    for (int64_t j = 0; j < (G + N) * stride; j++)
        apart = fmax(apart, fabs((double)(all->model.U[j] - own->model.U[j])));
    for (int64_t j = 0; j < users * stride; j++)
        apart = fmax(apart, fabs((double)(all->model.own_P[first * stride + j] - own->model.own_P[j])));
    for (int64_t g = 0; g < G; g++)
        apart = fmax(apart, fabs((double)(all->model.user_feature_bias[g] - own->model.user_feature_bias[g])));
    assert_all(apart < 1e-5);
    free_part(all);
    free_part(own);
}

static void test_what_is_not_finite_anywhere_is_noticed_everywhere(void **state)
{
    (void)state;
    const int rank = bmf_comm_rank(world), last = bmf_comm_size(world) - 1;
    for (int where = 0; where < 3; where++) {
        part *p = make_part(0, M, 5, 1, false, 1, 2);
        const bmf_user_window did = window_of(p, 0, 0.01);
        if (rank == last && where == 0)
            p->model.P[2 * p->model.stride] = INFINITY;
        if (rank == last && where == 1)
            p->model.user_bias[3] = NAN;
        assert_all(bmf_user_embed_divide(&p->embed, world, &did, &p->model) == (where == 2));
        free_part(p);
    }
}

static int make_self(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    return bmf_comm_split(world, bmf_comm_rank(world), &self, &err);
}

static int release_self(void **state)
{
    (void)state;
    bmf_comm_release(&self);
    return 0;
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_is_the_steps_to_first_order),
        cmocka_unit_test(test_rows_may_have_their_own_rates),
        cmocka_unit_test(test_the_users_own_part_takes_the_rest),
        cmocka_unit_test(test_two_sides_share),
        cmocka_unit_test(test_no_window_overshoots),
        cmocka_unit_test(test_threads_make_no_difference),
        cmocka_unit_test(test_users_without_ratings),
        cmocka_unit_test(test_a_window_begins_with_its_users_alone),
        cmocka_unit_test(test_ranks_make_no_difference),
        cmocka_unit_test(test_what_is_not_finite_anywhere_is_noticed_everywhere),
    };
    return cmocka_run_group_tests_name("user_embed", tests, make_self, release_self);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
