/* Every stamped kernel against the plain one in the same order of steps, and the properties of that order. */
#include "support/assert_close.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/sweep.h"
#include "train/content_weights.h"

#define M 37
#define N 29
#define F 50
#define LONGEST 60

typedef struct world {
    bmf_sweep sweep;
    int64_t indptr[M + 1], x_indptr[N + 1];
    int32_t item[M * LONGEST], x_feature[N * F], user[M];
    float value[M * LONGEST], x_value[N * F], b_u[M], b_i[N], *W;
    bmf_content_rows rows;
    bmf_content_pattern pattern;
    bmf_content_slots slots;
    double scale[M], norm2[M];
    bmf_row_rates user_rates[M], item_rates[N];
    float *P, *Q;
} world;

static void fill_content(world *w)
{
    int64_t nnz = 0;
    for (int i = 0; i < N; i++) {
        w->x_indptr[i] = nnz;
        for (int32_t f = 0; f < F; f++)
            if (i % 5 && bmf_rng_uniform(11, (uint64_t)(i * F + f)) < 0.1) {
                w->x_feature[nnz] = f;
                w->x_value[nnz++] = (float)bmf_rng_uniform(12, (uint64_t)(i * F + f));
            }
    }
    w->x_indptr[N] = nnz;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_content_rows_create(N, F, w->x_indptr, w->x_feature, w->x_value, &w->rows, &err), err);
}

/* Weights of the features that a user meets, and where his ratings meet them. */
static void fill_weights(world *w)
{
    bmf_error err = BMF_ERROR_INIT;
    const bmf_csr ratings = {M, N, w->indptr, w->item, w->value};
    assert_ok(bmf_content_pattern_create(&ratings, &w->rows, 1000, 2, &w->pattern, &err), err);
    assert_ok(bmf_content_slots_create(&ratings, &w->rows, &w->pattern, 1000, 2, &w->slots, &err), err);
    assert_true(w->slots.rest_start[M] > 0); /* some items have more features than a record has slots */
    w->W = bmf_alloc_zero(w->pattern.indptr[M], sizeof *w->W, "W", &err);
    for (int u = 0; u < M; u++) {
        const int64_t first = w->pattern.indptr[u], count = w->pattern.indptr[u + 1] - first - 1;
        bmf_rng_normal(bmf_rng_subkey(5, (uint64_t)u), 0, 0.3, w->W + first, count);
        w->scale[u] = 1;
        for (int64_t j = first; j < first + count; j++)
            w->norm2[u] += (double)w->W[j] * (double)w->W[j];
    }
}

/* Some users have no ratings, one has one, and one only items without features. */
static void fill_ratings(world *w)
{
    int64_t count = 0;
    for (int u = 0; u < M; u++) {
        int64_t n = u == 1 ? 1 : (int64_t)bmf_rng_below(1, (uint64_t)u, LONGEST);
        for (int64_t j = 0; j < n; j++, count++) {
            w->item[count] = (int32_t)bmf_rng_below(2, (uint64_t)count, N);
            if (u == 2)
                w->item[count] -= w->item[count] % 5;
            w->value[count] = (float)(1 + bmf_rng_below(3, (uint64_t)count, 5));
        }
        w->indptr[u + 1] = count;
        w->user[u] = (u * 7 + 3) % M;
    }
    assert_true(w->indptr[3] > w->indptr[2]);
}

/* Rates that differ by powers of ten. */
static void fill_rates(bmf_row_rates *rates, int64_t rows, uint64_t key)
{
    for (int64_t r = 0; r < rows; r++) {
        float *number = &rates[r].eta;
        for (int j = 0; j < 4; j++)
            number[j] = (j % 2 ? 1e-3f : 0.02f) * powf(10, (float)bmf_rng_uniform(key, (uint64_t)(4 * r + j)) - 0.7f);
    }
}

static world *make_world(int64_t stride, bmf_sweep_kind kind, float clip)
{
    bmf_error err = BMF_ERROR_INIT;
    world *w = bmf_alloc_zero(1, sizeof *w, "world", &err);
    w->P = bmf_alloc_zero(M * stride, sizeof(float), "P", &err);
    w->Q = bmf_alloc_zero(N * stride, sizeof(float), "Q", &err);
    int64_t k = stride - 3;
    for (int u = 0; u < M; u++)
        bmf_rng_normal(bmf_rng_subkey(4, (uint64_t)u), 0, 0.3, w->P + u * stride, k);
    for (int i = 0; i < N; i++)
        bmf_rng_normal(bmf_rng_subkey(6, (uint64_t)i), 0, 0.3, w->Q + i * stride, k);
    fill_ratings(w);
    fill_content(w);
    fill_weights(w);
    fill_rates(w->user_rates, M, 21);
    fill_rates(w->item_rates, N, 22);
    w->sweep = (bmf_sweep){.first_user = 1000,
                           .indptr = w->indptr,
                           .item = w->item,
                           .value = w->value,
                           .stride = stride,
                           .P = w->P,
                           .Q = w->Q,
                           .user_bias = w->b_u,
                           .item_bias = w->b_i,
                           .content = kind == BMF_SWEEP_CONCAT ? &w->rows : NULL,
                           .slots = &w->slots,
                           .W_indptr = w->pattern.indptr,
                           .W = w->W,
                           .W_scale = w->scale,
                           .W_norm2 = w->norm2,
                           .mean = 3,
                           .learning_rate = 0.02f,
                           .bias_learning_rate = 0.013f,
                           .user_regularization = 0.05f,
                           .item_regularization = 0.08f,
                           .user_bias_regularization = 0.01f,
                           .item_bias_regularization = 0.03f,
                           .content_regularization = 0.03f,
                           .clip = clip,
                           .order_key = 99};
    if (kind == BMF_SWEEP_RATED) {
        w->sweep.user_rates = w->user_rates;
        w->sweep.item_rates = w->item_rates;
    }
    return w;
}

static void free_world(world *w)
{
    bmf_content_rows_clear(&w->rows);
    bmf_content_pattern_clear(&w->pattern);
    bmf_content_slots_clear(&w->slots);
    bmf_free(w->W);
    bmf_free(w->P);
    bmf_free(w->Q);
    bmf_free(w);
}

static void assert_same(const world *a, const world *b, int64_t stride, bmf_sweep_kind kind)
{
    const bool concat = kind == BMF_SWEEP_CONCAT;
    for (int64_t j = 0; j < M * stride; j++)
        assert_close((double)a->P[j], (double)b->P[j], 2e-4);
    for (int64_t j = 0; j < N * stride; j++)
        assert_close((double)a->Q[j], (double)b->Q[j], 2e-4);
    for (int u = 0; u < M; u++)
        assert_close((double)a->b_u[u], (double)b->b_u[u], 2e-4);
    for (int i = 0; i < N; i++)
        assert_close((double)a->b_i[i], (double)b->b_i[i], 2e-4);
    for (int u = 0; concat && u < M; u++) {
        const int64_t none = a->pattern.indptr[u + 1] - 1;
        for (int64_t j = a->pattern.indptr[u]; j < none; j++)
            assert_close(a->scale[u] * (double)a->W[j], b->scale[u] * (double)b->W[j], 2e-4);
        assert_true(a->W[none] == 0 && b->W[none] == 0);
    }
    for (int u = 0; concat && u < M; u++)
        assert_close(a->scale[u] * a->scale[u] * a->norm2[u], b->scale[u] * b->scale[u] * b->norm2[u], 1e-3);
}

static void compare(const char *name, int64_t stride, bmf_sweep_kind kind, float clip)
{
    bmf_kernel kernel;
    bmf_error err = BMF_ERROR_INIT;
    if (bmf_kernel_choose(stride, kind, name, &kernel, &err) != BMF_OK) {
        print_message("skipped: %s\n", err.text);
        return;
    }
    world *fast = make_world(stride, kind, clip), *plain = make_world(stride, kind, clip);
    for (int epoch = 0; epoch < 5; epoch++) {
        fast->sweep.order_key = plain->sweep.order_key = (uint64_t)epoch;
        double got = kernel.sweep(&fast->sweep, fast->user, M);
        double wanted = bmf_sweep_reference(&plain->sweep, plain->user, M, kernel.lanes);
        assert_close(got, wanted, 1e-3 * wanted);
    }
    assert_same(fast, plain, stride, kind);
    for (int64_t j = 0; j < M; j++)
        for (int64_t pad = stride - 3; pad < stride; pad++)
            assert_true(fast->P[j * stride + pad] == 0);
    free_world(fast);
    free_world(plain);
}

static void test_kernels_match_reference(void **state)
{
    (void)state;
    static const char *const names[] = {"v4", "v3", "baseline", "generic"};
    static const int64_t strides[] = {16, 32, 48, 64, 80, 128, 208};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
            for (bmf_sweep_kind kind = 0; kind < BMF_SWEEP_KINDS; kind++)
                compare(names[n], strides[s], kind, 5);
}

static void test_clip_binds(void **state)
{
    (void)state;
    compare(NULL, 32, BMF_SWEEP_PLAIN, 0.01f);
    compare(NULL, 32, BMF_SWEEP_CONCAT, 0.01f);
    compare(NULL, 32, BMF_SWEEP_RATED, 0.01f);
    compare("v3", 16, BMF_SWEEP_RATED, 0.003f);
    compare("generic", 16, BMF_SWEEP_CONCAT, 0.003f);
}

/* Elements of 2 and more: the clip binds although no error is large. */
static void test_clip_binds_on_large_rows(void **state)
{
    (void)state;
    static const char *const names[] = {"v4", "v3", "baseline"};
    const int64_t stride = 32;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        bmf_kernel kernel;
        bmf_error err = BMF_ERROR_INIT;
        if (bmf_kernel_choose(stride, BMF_SWEEP_PLAIN, names[n], &kernel, &err) != BMF_OK)
            continue;
        world *both[] = {make_world(stride, BMF_SWEEP_PLAIN, 0.1f), make_world(stride, BMF_SWEEP_PLAIN, 0.1f)};
        for (int w = 0; w < 2; w++)
            for (int u = 0; u < M; u += 3) {
                memset(both[w]->P + u * stride, 0, (size_t)stride * sizeof(float));
                both[w]->P[u * stride + u % 7] = u % 2 ? 7.0f : -7.0f;
            }
        for (int i = 0; i < N; i++)
            for (int w = 0; w < 2; w++)
                memset(both[w]->Q + i * stride, 0, 7 * sizeof(float)); /* the errors stay small at first */
        kernel.sweep(&both[0]->sweep, both[0]->user, M);
        bmf_sweep_reference(&both[1]->sweep, both[1]->user, M, kernel.lanes);
        assert_same(both[0], both[1], stride, BMF_SWEEP_PLAIN);
        free_world(both[0]);
        free_world(both[1]);
    }
}

/* So strong a decay that the scale of W would run out within a block. */
static void test_strong_decay(void **state)
{
    (void)state;
    bmf_kernel kernel;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_kernel_choose(16, BMF_SWEEP_CONCAT, NULL, &kernel, &err), err);
    const float strength[] = {18, 30, 45}; /* times the learning rate of 0.02 */
    for (int j = 0; j < 3; j++) {
        world *fast = make_world(16, BMF_SWEEP_CONCAT, 500), *plain = make_world(16, BMF_SWEEP_CONCAT, 500);
        fast->sweep.content_regularization = plain->sweep.content_regularization = strength[j];
        for (int epoch = 0; epoch < 3; epoch++) {
            kernel.sweep(&fast->sweep, fast->user, M);
            bmf_sweep_reference(&plain->sweep, plain->user, M, kernel.lanes);
        }
        for (int u = 0; u < M; u++)
            assert_true(isfinite(fast->norm2[u]));
        assert_same(fast, plain, 16, BMF_SWEEP_CONCAT);
        free_world(fast);
        free_world(plain);
    }
}

/* The scale of W shrinks at each step; over many epochs it passes the point where it is folded into the row. */
static void test_scale_is_renewed(void **state)
{
    (void)state;
    bmf_kernel kernel;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_kernel_choose(16, BMF_SWEEP_CONCAT, NULL, &kernel, &err), err);
    world *fast = make_world(16, BMF_SWEEP_CONCAT, 5), *plain = make_world(16, BMF_SWEEP_CONCAT, 5);
    fast->sweep.content_regularization = plain->sweep.content_regularization = 3;
    for (int epoch = 0; epoch < 10; epoch++) {
        kernel.sweep(&fast->sweep, fast->user, M);
        bmf_sweep_reference(&plain->sweep, plain->user, M, kernel.lanes);
        for (int u = 0; u < M; u++)
            assert_true(fast->scale[u] >= 1e-5 && fast->scale[u] <= 1);
    }
    assert_same(fast, plain, 16, BMF_SWEEP_CONCAT);
    free_world(fast);
    free_world(plain);
}

typedef struct seen {
    int count[M * LONGEST];
    int64_t visits;
} seen;

static void note_visit(void *context, int32_t user, int64_t entry)
{
    (void)user;
    seen *s = context;
    s->count[entry]++;
    s->visits++;
}

static void test_order_covers_each_rating_once(void **state)
{
    (void)state;
    world *w = make_world(16, BMF_SWEEP_PLAIN, 5);
    for (int lanes = 1; lanes <= 4; lanes++) {
        seen s = {{0}, 0};
        w->sweep.order_key = (uint64_t)lanes;
        bmf_sweep_visit(&w->sweep, w->user, M, lanes, note_visit, &s);
        assert_int_equal(s.visits, w->indptr[M]);
        for (int64_t j = 0; j < s.visits; j++)
            assert_int_equal(s.count[j], 1);
    }
    free_world(w);
}

static void test_order_depends_on_global_user_and_epoch(void **state)
{
    (void)state;
    bmf_sweep a = {.first_user = 0, .order_key = 5}, b = {.first_user = 10, .order_key = 5}, c = a;
    c.order_key = 6;
    int same = 0;
    for (int64_t u = 10; u < 200; u++) {
        bmf_rating_order x = bmf_rating_order_of(&a, u, 1000), y = bmf_rating_order_of(&b, u - 10, 1000);
        bmf_rating_order z = bmf_rating_order_of(&c, u, 1000);
        assert_int_equal(x.start, y.start);
        assert_int_equal(x.step, y.step);
        same += x.start == z.start && x.step == z.step;
    }
    assert_true(same < 5);
}

static void test_unknown_kernel(void **state)
{
    (void)state;
    bmf_kernel kernel;
    bmf_error err = BMF_ERROR_INIT;
    assert_int_equal(bmf_kernel_choose(16, BMF_SWEEP_PLAIN, "sse9", &kernel, &err), BMF_ERR_USAGE);
    assert_string_equal(err.text, "BMF_KERNEL=sse9: no such kernel (allowed: ref, generic, baseline, v3, v4)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_match_reference),
        cmocka_unit_test(test_clip_binds),
        cmocka_unit_test(test_clip_binds_on_large_rows),
        cmocka_unit_test(test_scale_is_renewed),
        cmocka_unit_test(test_strong_decay),
        cmocka_unit_test(test_order_covers_each_rating_once),
        cmocka_unit_test(test_order_depends_on_global_user_and_epoch),
        cmocka_unit_test(test_unknown_kernel),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL) ? 1 : 0;
}
