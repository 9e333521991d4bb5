/* One window's merge against the formula written out plainly, for every rule. */
#include "support/mpi_cmocka.h"

#include <math.h>

#include "base/rng.h"
#include "train/merge.h"
#include "train/touched.h"

#define N 41
#define K 5
#define MERGES 400    /* of which the mean is taken */
#define SUMS_BYTES 28 /* of what rides along */

static float start_of(int i, int f)
{
    return (float)bmf_rng_uniform(1, (uint64_t)(i * (K + 1) + f)) - 0.5f;
}

/* What rank r did to value f (K: the bias) of item i, and in how many steps; some items are touched by few ranks. */
static float delta_of(int r, int i, int f)
{
    return 0.1f * ((float)bmf_rng_uniform(2, (uint64_t)((r * N + i) * (K + 1) + f)) - 0.5f);
}

static int steps_of(int r, int i)
{
    return (i + r) % 3 == 0 ? 0 : (int)bmf_rng_below(3, (uint64_t)(r * N + i), 400);
}

static bool is_touched_by_any(int i)
{
    bool touched = false;
    for (int r = 0; r < bmf_comm_size(world); r++)
        touched |= steps_of(r, i) > 0;
    return touched;
}

static double wanted_value(bmf_merge_rule rule, int ranks, int i, int f, double a)
{
    double total = 0, saturations = 0, sum = 0, weighted = 0;
    for (int r = 0; r < ranks; r++) {
        int n = steps_of(r, i);
        total += n;
        saturations += 1 - pow(1 - a, n);
        sum += n ? (double)delta_of(r, i, f) : 0;
        weighted += n * (double)delta_of(r, i, f);
    }
    if (total == 0)
        return (double)start_of(i, f);
    const double change[BMF_MERGE_RULES] = {sum * (1 - pow(1 - a, total)) / saturations, sum / ranks, weighted / total,
                                            sum};
    return (double)start_of(i, f) + (ranks > 1 ? change[rule] : sum);
}

static void set_start(bmf_model *model)
{
    for (int i = 0; i < N; i++) {
        for (int f = 0; f < K; f++)
            model->Q[i * model->stride + f] = start_of(i, f);
        model->item_bias[i] = start_of(i, K);
    }
}

/* The pull of item i where rows have rates of their own: η h + ηλ. */
static double own_pull(int i, double h)
{
    return 0.001 * (1 + i % 4) * h + 0.0005 * (i % 3);
}

/* As the merges of a test are: ranks that count as a host, and what hosts send each other. */
static bmf_merge_settings wanted = {.factors = K, .windows = 1};

static int create_merge(const bmf_item_copies *copies, bmf_merge_rule rule, const int32_t *steps, int64_t threads,
                        bmf_merge **merge)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_merge_settings settings = wanted;
    settings.rule = rule;
    settings.threads = threads;
    return bmf_merge_create(world, copies, &settings, steps, NULL, merge, &err);
}

/* A rank's model as a window leaves it, its copies and steps, and the merge that is about to be. */
typedef struct fixture {
    bmf_model model;
    bmf_item_copies copies;
    bmf_merge *merge;
    int32_t steps[N];
} fixture;

static void set_up(fixture *f, bmf_merge_rule rule)
{
    const int rank = bmf_comm_rank(world);
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_model_create(&f->model, rank, 1, N, K, NULL, &err) == BMF_OK);
    set_start(&f->model);
    for (int i = 0; i < N; i++)
        f->steps[i] = steps_of(rank, i);
    assert_all(bmf_item_copies_create(&f->model, 1, bmf_comm_size(world), &f->copies, &err) == BMF_OK);
    assert_all(create_merge(&f->copies, rule, f->steps, 1, &f->merge) == BMF_OK);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < K && f->steps[i]; k++)
            f->model.Q[i * f->model.stride + k] += delta_of(rank, i, k);
        f->model.item_bias[i] += f->steps[i] ? delta_of(rank, i, K) : 0;
    }
}

static void tear_down(fixture *f)
{
    bmf_merge_destroy(&f->merge);
    bmf_item_copies_clear(&f->copies);
    bmf_model_clear(&f->model);
}

/* rows: items have rates of their own. */
static void check_rule(bmf_merge_rule rule, bool rows)
{
    const double h = 2, a = 0.003, a_bias = 0.02;
    bmf_row_rates rates[N];
    for (int i = 0; i < N; i++)
        rates[i] = (bmf_row_rates){0.001f * (float)(1 + i % 4), 0.0005f * (float)(i % 3), 0.001f * (float)(1 + i % 4),
                                   0.0005f * (float)(i % 3)};
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    fixture f;
    set_up(&f, rule);
    bmf_window_sums sums = {.squares = 1e6 + rank, .P_squares = 0.25, .failed = rank == 0};
    bmf_merge_window(f.merge, f.steps, &(bmf_merge_pulls){a, a_bias, rows ? rates : NULL, h}, 7, &sums);
    bool right = true;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < K; k++)
            right &= fabs((double)f.model.Q[i * f.model.stride + k] -
                          wanted_value(rule, size, i, k, rows ? own_pull(i, h) : a)) < 1e-6;
        right &=
            fabs((double)f.model.item_bias[i] - wanted_value(rule, size, i, K, rows ? own_pull(i, 1) : a_bias)) < 1e-6;
    }
    assert_all(right);
    assert_all(fabs(sums.squares - (size * 1e6 + size * (size - 1) / 2)) < 1e-6 * size * 1e6);
    assert_all(sums.failed == 1 && fabs(sums.P_squares - 0.25 * size) < 1e-6);
    tear_down(&f);
}

static void test_every_rule(void **state)
{
    (void)state;
    for (int rule = 0; rule < BMF_MERGE_RULES; rule++)
        check_rule((bmf_merge_rule)rule, false);
    check_rule(BMF_MERGE_SATURATING, true);
}

/* Two threads with copies on every rank merge as twice as many ranks would: the copies of rank r act as ranks 2r and 2r + 1. */
static void test_copies_of_threads_count_as_ranks(void **state)
{
    (void)state;
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    bmf_error err = BMF_ERROR_INIT;
    for (int rule = 0; rule < BMF_MERGE_RULES; rule++) {
        bmf_model model;
        bmf_item_copies copies;
        bmf_merge *merge = NULL;
        int32_t steps[2 * N], all[N];
        assert_all(bmf_model_create(&model, rank, 1, N, K, NULL, &err) == BMF_OK);
        set_start(&model);
        for (int i = 0; i < N; i++) {
            steps[i] = steps_of(2 * rank, i);
            steps[N + i] = steps_of(2 * rank + 1, i);
            all[i] = steps[i] + steps[N + i];
        }
        assert_all(bmf_item_copies_create(&model, 2, size, &copies, &err) == BMF_OK);
        assert_all(create_merge(&copies, (bmf_merge_rule)rule, all, 2, &merge) == BMF_OK);
        for (int c = 0; c < 2; c++)
            for (int i = 0; i < N; i++) {
                for (int f = 0; f < K && steps[c * N + i]; f++)
                    copies.copy[c].Q[i * model.stride + f] += delta_of(2 * rank + c, i, f);
                copies.copy[c].bias[i] += steps[c * N + i] ? delta_of(2 * rank + c, i, K) : 0;
            }
        bmf_window_sums sums = {.squares = 1};
        bmf_merge_window(merge, steps, &(bmf_merge_pulls){.factor = 0.003, .bias = 0.02}, 7, &sums);
        bmf_item_copies_begin(&copies, 1);
        bool right = sums.squares == size && sums.failed == 0;
        for (int c = 0; c < 2; c++)
            for (int i = 0; i < N; i++) {
                for (int f = 0; f < K; f++)
                    right &= fabs((double)copies.copy[c].Q[i * model.stride + f] -
                                  wanted_value((bmf_merge_rule)rule, 2 * size, i, f, 0.003)) < 1e-6;
                right &= fabs((double)copies.copy[c].bias[i] -
                              wanted_value((bmf_merge_rule)rule, 2 * size, i, K, 0.02)) < 1e-6;
            }
        assert_all(right);
        bmf_merge_destroy(&merge);
        bmf_item_copies_clear(&copies);
        bmf_model_clear(&model);
    }
}

/* Items that no rank touches in a window stay out of it, whichever windows they come in. */
static void test_rows_agreed_on_for_each_window(void **state)
{
    (void)state;
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    bmf_error err = BMF_ERROR_INIT;
    bmf_touched touched;
    int32_t steps[N];
    for (int i = 0; i < N; i++)
        steps[i] = i % 5 != 0; /* one rating on each rank */
    assert_all(bmf_touched_create(world, steps, N, 100, &touched, &err) == BMF_OK);
    assert_all(touched.each_window && touched.count == N - (N + 4) / 5 && touched.most_steps == size);
    assert_all(bmf_touched_bytes(&touched, 4) == 12 &&
               bmf_touched_bytes(&touched, 1) == 0); /* of a word: 2 · 8 · 3/4 */
    for (int i = 0; i < N; i++)
        steps[i] = i == rank || i == 30 + rank;
    bmf_touched_agree(&touched, world, steps, 1);
    bool right = touched.count == 2 * size;
    for (int r = 0; r < size && right; r++)
        right = touched.row[r] == r && touched.row[size + r] == 30 + r;
    assert_all(right);
    bmf_touched_clear(&touched);
    assert_all(bmf_touched_create(world, steps, N, 1, &touched, &err) == BMF_OK);
    bmf_touched_agree(&touched, world, NULL, 1); /* one window: the rows of the epoch, and no message */
    assert_all(!touched.each_window && touched.count == 2 * size && bmf_touched_bytes(&touched, 4) == 0);
    bmf_touched_clear(&touched);
}

/* The same rules where every rank is a host, and where two are one: what is sent between hosts is float32. */
static void test_every_rule_across_hosts(void **state)
{
    for (wanted.group = 1; wanted.group <= 2; wanted.group++) {
        test_every_rule(state);
        test_copies_of_threads_count_as_ranks(state);
    }
    wanted.group = 0;
}

/* Bytes that this rank sends where every rank is a host: rows it has touched to those that merge them, merged ones to all. */
static int64_t wanted_bytes(bmf_merge_precision precision)
{
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    const int64_t up = bmf_compact_bytes(precision, K, 4), down = bmf_compact_bytes(precision, K, 2);
    int64_t bytes = 0;
    int row = 0, rows = 0;
    for (int i = 0; i < N; i++)
        rows += is_touched_by_any(i);
    for (int h = 0; h < size; h++) {
        const int64_t part = (int64_t)rows * (h + 1) / size - (int64_t)rows * h / size;
        bytes += h == rank ? (size - 1) * ((part + 7) / 8) : (part + 7) / 8 + SUMS_BYTES;
    }
    for (int i = 0, r = 0; i < N; i++, r = row) {
        if (!is_touched_by_any(i))
            continue;
        row++;
        const bool mine = r >= (int64_t)rows * rank / size && r < (int64_t)rows * (rank + 1) / size;
        bytes += mine ? (size - 1) * down : steps_of(rank, i) > 0 ? up : 0;
    }
    return bytes;
}

/* One merge where every rank is a host, added to sum (N, K + 1). True if it sent what it should. */
static bool merge_once(bmf_merge_precision precision, uint64_t key, double *sum)
{
    const int size = bmf_comm_size(world);
    fixture f;
    set_up(&f, BMF_MERGE_SATURATING);
    bmf_window_sums sums = {.squares = 1.5};
    bmf_merge_window(f.merge, f.steps, &(bmf_merge_pulls){.factor = 0.003, .bias = 0.02}, key, &sums);
    double same[2] = {0, 0};
    for (int i = 0; i < N; i++)
        for (int k = 0; k <= K; k++) {
            const double value = k < K ? (double)f.model.Q[i * f.model.stride + k] : (double)f.model.item_bias[i];
            sum[i * (K + 1) + k] += value;
            same[0] += value * (i * (K + 1) + k + 1);
        }
    same[1] = -same[0];
    bmf_comm_max_double(world, same, 2);
    const bool right = same[0] == -same[1] && sums.squares == 1.5 * size && sums.failed == 0 &&
                       bmf_merge_hosts(f.merge) == size &&
                       (size == 1 || bmf_merge_take_bytes(f.merge) == wanted_bytes(precision));
    tear_down(&f);
    return right;
}

/* What hosts send each other in few bytes is the same on all of them and right in the mean. */
static void test_few_bytes_between_hosts(void **state)
{
    (void)state;
    wanted.group = 1;
    for (int p = BMF_PRECISION_FLOAT32; p < BMF_PRECISIONS; p++) {
        double sum[N * (K + 1)] = {0};
        bool right = true;
        wanted.precision = (bmf_merge_precision)p;
        for (uint64_t key = 0; key < MERGES; key++)
            right &= merge_once((bmf_merge_precision)p, key, sum);
        assert_all(right);
        for (int i = 0; i < N; i++)
            for (int f = 0; f <= K; f++)
                right &= fabs(sum[i * (K + 1) + f] / MERGES - wanted_value(BMF_MERGE_SATURATING, bmf_comm_size(world),
                                                                           i, f, f < K ? 0.003 : 0.02)) < 0.004;
        assert_all(right);
    }
    wanted = (bmf_merge_settings){.factors = K, .windows = 1};
}

static void test_rules_in_small_messages(void **state)
{
    (void)state;
    bmf_comm_set_cut(world, 5);
    check_rule(BMF_MERGE_SATURATING, false);
    bmf_comm_set_cut(world, 1 << 20);
}

static void check_not_finite(void)
{
    const int last = bmf_comm_size(world) - 1;
    bmf_error err = BMF_ERROR_INIT;
    bmf_model model;
    bmf_merge *merge = NULL;
    bmf_item_copies copies;
    int32_t steps[N];
    assert_all(bmf_model_create(&model, 0, 1, N, K, NULL, &err) == BMF_OK);
    for (int i = 0; i < N; i++)
        steps[i] = 1;
    assert_all(bmf_item_copies_create(&model, 1, last + 1, &copies, &err) == BMF_OK);
    assert_all(create_merge(&copies, BMF_MERGE_SATURATING, steps, 1, &merge) == BMF_OK);
    if (bmf_comm_rank(world) == last)
        model.Q[7 * model.stride] = NAN;
    bmf_window_sums sums = {.squares = 1};
    bmf_merge_window(merge, steps, &(bmf_merge_pulls){.factor = 0.003, .bias = 0.02}, 7, &sums);
    assert_all(last == 0 || sums.failed > 0); /* one rank sees it in its own sum of squares */
    bmf_merge_destroy(&merge);
    bmf_item_copies_clear(&copies);
    bmf_model_clear(&model);
}

static void test_a_value_that_is_not_finite_is_seen_by_all(void **state)
{
    (void)state;
    for (wanted.group = 0; wanted.group <= 2; wanted.group++)
        for (int p = 0; p < BMF_PRECISIONS; p++) {
            wanted.precision = (bmf_merge_precision)p;
            check_not_finite();
        }
    wanted = (bmf_merge_settings){.factors = K, .windows = 1};
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule),
        cmocka_unit_test(test_copies_of_threads_count_as_ranks),
        cmocka_unit_test(test_every_rule_across_hosts),
        cmocka_unit_test(test_few_bytes_between_hosts),
        cmocka_unit_test(test_rows_agreed_on_for_each_window),
        cmocka_unit_test(test_rules_in_small_messages),
        cmocka_unit_test(test_a_value_that_is_not_finite_is_seen_by_all),
    };
    return cmocka_run_group_tests_name("merge_window", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
