/* The steps of kernels/sweep.h against values computed in float64 by NumPy (golden/sgd_small.json): the double form of the
 * plain step to 1e-10, every float kernel that keeps one user at a time to 1e-4. */
#include "support/assert_close.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/sgd_step.h"
#include "kernels/sweep.h"
#include "train/content_weights.h"

#define M 12
#define N 15
#define K 4
#define F 6
#define STRIDE 16

static json_t *golden;

static double number(const char *key)
{
    return json_number_value(json_object_get(golden, key));
}

/* rows × columns of a list of lists (or of a list, columns 1) into out. */
static void read_matrix(json_t *list, int rows, int columns, double *out)
{
    assert_int_equal(json_array_size(list), (size_t)rows);
    for (int r = 0; r < rows; r++) {
        json_t *row = json_array_get(list, (size_t)r);
        for (int c = 0; c < columns; c++)
            out[r * columns + c] = json_number_value(json_is_array(row) ? json_array_get(row, (size_t)c) : row);
    }
}

static int load(void **state)
{
    (void)state;
    json_error_t error;
    golden = json_load_file(GOLDEN_DIR "/sgd_small.json", 0, &error);
    return golden ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

/* Content rows in compressed form, and the ratings. */
typedef struct problem {
    int64_t x_indptr[N + 1];
    int32_t x_feature[N * F];
    double x[N * F];
    int64_t count;
    int32_t user[256], item[256];
    double rating[256];
} problem;

static void read_problem(problem *p)
{
    double dense[N * F];
    read_matrix(json_object_get(golden, "content"), N, F, dense);
    int64_t nnz = 0;
    for (int i = 0; i < N; i++) {
        p->x_indptr[i] = nnz;
        for (int f = 0; f < F; f++)
            if (dense[i * F + f] != 0) {
                p->x_feature[nnz] = f;
                p->x[nnz++] = dense[i * F + f];
            }
    }
    p->x_indptr[N] = nnz;
    json_t *ratings = json_object_get(golden, "ratings");
    p->count = (int64_t)json_array_size(ratings);
    assert_true(p->count > 0 && p->count <= 256);
    for (int64_t j = 0; j < p->count; j++) {
        json_t *row = json_array_get(ratings, (size_t)j);
        p->user[j] = (int32_t)json_integer_value(json_array_get(row, 0));
        p->item[j] = (int32_t)json_integer_value(json_array_get(row, 1));
        p->rating[j] = json_number_value(json_array_get(row, 2));
    }
}

static void assert_matrix(const double *got, json_t *wanted, int rows, int columns, double tolerance)
{
    double values[N * STRIDE];
    read_matrix(wanted, rows, columns, values);
    for (int i = 0; i < rows * columns; i++)
        assert_close(got[i], values[i], tolerance);
}

static void double_reference(bool concat)
{
    problem p;
    double P[M * K], Q[N * K], W[M * F], b_u[M] = {0}, b_i[N] = {0};
    read_problem(&p);
    read_matrix(json_object_get(golden, "P0"), M, K, P);
    read_matrix(json_object_get(golden, "Q0"), N, K, Q);
    read_matrix(json_object_get(golden, "W0"), M, F, W);
    const double lambda = number("regularization");
    const bmf_sgd_rates_double rates = {
        number("learning_rate"), number("learning_rate"), lambda, lambda, lambda, lambda, lambda, number("clip")};
    json_t *wanted = json_object_get(golden, concat ? "concat" : "plain");
    const double mean = json_number_value(json_object_get(wanted, "global_mean"));
    for (int epoch = 0; epoch < (int)number("epochs"); epoch++)
        for (int64_t j = 0; j < p.count; j++) {
            int u = p.user[j], i = p.item[j];
            int64_t x = p.x_indptr[i];
            bmf_sgd_step_double(&rates, p.rating[j], mean, K, P + u * K, Q + i * K, &b_u[u], &b_i[i], concat ? F : 0,
                                W + u * F, p.x_indptr[i + 1] - x, p.x_feature + x, p.x + x);
        }
    assert_matrix(P, json_object_get(wanted, "P"), M, K, 1e-10);
    assert_matrix(Q, json_object_get(wanted, "Q"), N, K, 1e-10);
    assert_matrix(b_u, json_object_get(wanted, "user_bias"), M, 1, 1e-10);
    assert_matrix(b_i, json_object_get(wanted, "item_bias"), N, 1, 1e-10);
    if (concat)
        assert_matrix(W, json_object_get(wanted, "W"), M, F, 1e-10);
}

static void test_double_plain(void **state)
{
    (void)state;
    double_reference(false);
}

static void test_double_concat(void **state)
{
    (void)state;
    double_reference(true);
}

/* Padded float rows, 64-byte aligned. */
typedef struct arrays {
    float P[M * STRIDE], Q[N * STRIDE], W[M * (F + 1)], b_u[M], b_i[N], x[N * F], value[256];
    bmf_content_rows rows;
    double scale[M], norm2[M];
    int64_t indptr[M + 1], W_indptr[M + 1];
    int32_t W_index[M * (F + 1)];
    bmf_content_slots slots;
} arrays;

static void fill(arrays *a, const problem *p)
{
    double P[M * K], Q[N * K], W[M * F];
    memset(a, 0, sizeof *a);
    read_matrix(json_object_get(golden, "P0"), M, K, P);
    read_matrix(json_object_get(golden, "Q0"), N, K, Q);
    read_matrix(json_object_get(golden, "W0"), M, F, W);
    for (int r = 0; r < M * K; r++)
        a->P[r / K * STRIDE + r % K] = (float)P[r];
    for (int r = 0; r < N * K; r++)
        a->Q[r / K * STRIDE + r % K] = (float)Q[r];
    for (int r = 0; r < M * F; r++) {
        const float weight = a->W[r / F * (F + 1) + r % F] = (float)W[r];
        a->norm2[r / F] += (double)weight * (double)weight;
    }
    for (int u = 0; u < M; u++) {
        a->scale[u] = 1;
        a->W_indptr[u + 1] = (u + 1) * (F + 1);
        for (int32_t f = 0; f <= F; f++)
            a->W_index[u * (F + 1) + f] = f;
    }
    for (int64_t j = 0; j < p->x_indptr[N]; j++)
        a->x[j] = (float)p->x[j];
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_content_rows_create(N, F, p->x_indptr, p->x_feature, a->x, &a->rows, &err), err);
    for (int64_t j = 0; j < p->count; j++) {
        a->indptr[p->user[j] + 1] = j + 1; /* the ratings come user by user */
        a->value[j] = (float)p->rating[j];
    }
}

/* Every user has a weight of every feature. */
static void find_slots(arrays *a, problem *p)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_csr ratings = {M, N, a->indptr, p->item, a->value};
    bmf_content_pattern pattern = {M, F, a->W_indptr, a->W_index};
    assert_ok(bmf_content_slots_create(&ratings, &a->rows, &pattern, 0, 1, &a->slots, &err), err);
}

static void float_kernel(const char *name, bool concat)
{
    problem p;
    bmf_kernel kernel;
    bmf_error err = BMF_ERROR_INIT;
    if (bmf_kernel_choose(STRIDE, concat, name, &kernel, &err) != BMF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(kernel.lanes, 1);
    read_problem(&p);
    arrays *a = bmf_alloc(1, sizeof *a, "arrays", &err);
    fill(a, &p);
    find_slots(a, &p);
    json_t *wanted = json_object_get(golden, concat ? "concat" : "plain");
    const float lambda = (float)number("regularization");
    bmf_sweep sweep = {.indptr = a->indptr,
                       .item = p.item,
                       .value = a->value,
                       .stride = STRIDE,
                       .P = a->P,
                       .Q = a->Q,
                       .user_bias = a->b_u,
                       .item_bias = a->b_i,
                       .content = concat ? &a->rows : NULL,
                       .slots = &a->slots,
                       .W_indptr = a->W_indptr,
                       .W = a->W,
                       .W_scale = a->scale,
                       .W_norm2 = a->norm2,
                       .mean = (float)json_number_value(json_object_get(wanted, "global_mean")),
                       .learning_rate = (float)number("learning_rate"),
                       .bias_learning_rate = (float)number("learning_rate"),
                       .user_regularization = lambda,
                       .item_regularization = lambda,
                       .user_bias_regularization = lambda,
                       .item_bias_regularization = lambda,
                       .content_regularization = lambda,
                       .clip = (float)number("clip"),
                       .in_order = true};
    int32_t users[M];
    for (int u = 0; u < M; u++)
        users[u] = u;
    for (int epoch = 0; epoch < (int)number("epochs"); epoch++)
        kernel.sweep(&sweep, users, M);
    double values[N * STRIDE];
    for (int r = 0; r < M * K; r++)
        values[r] = (double)a->P[r / K * STRIDE + r % K];
    assert_matrix(values, json_object_get(wanted, "P"), M, K, 1e-4);
    for (int r = 0; r < N * K; r++)
        values[r] = (double)a->Q[r / K * STRIDE + r % K];
    assert_matrix(values, json_object_get(wanted, "Q"), N, K, 1e-4);
    for (int u = 0; u < M; u++)
        values[u] = (double)a->b_u[u];
    assert_matrix(values, json_object_get(wanted, "user_bias"), M, 1, 1e-4);
    for (int i = 0; i < N; i++)
        values[i] = (double)a->b_i[i];
    assert_matrix(values, json_object_get(wanted, "item_bias"), N, 1, 1e-4);
    for (int r = 0; r < M * F; r++)
        values[r] = a->scale[r / F] * (double)a->W[r / F * (F + 1) + r % F];
    if (concat)
        assert_matrix(values, json_object_get(wanted, "W"), M, F, 1e-4);
    bmf_content_rows_clear(&a->rows);
    bmf_content_slots_clear(&a->slots);
    bmf_free(a);
}

static void test_float_kernels(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "generic"};
    for (int i = 0; i < 4; i++)
        float_kernel(names[i / 2], i % 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double_plain),
        cmocka_unit_test(test_double_concat),
        cmocka_unit_test(test_float_kernels),
    };
    return cmocka_run_group_tests_name("sgd_golden", tests, load, unload) ? 1 : 0;
}
