/* Rates of rows that have their own: their equations, and that users and items on any rank get the same. */
#include "support/mpi_cmocka.h"

#include <math.h>

#include "train/rates.h"

#define USERS 3 /* of a rank */
#define ITEMS 4

static const int64_t indptr[USERS + 1] = {0, 1, 5, 5}; /* with 1, 4 and 0 ratings */
static const int64_t x_indptr[ITEMS + 1] = {0, 1, 2, 3, 3};
static const int32_t feature[3] = {0, 0, 1};
static const float x[3] = {0.5f, 1, 2};

/* Every rank holds the like: so there are `ranks` times as many ratings of an item. */
static bmf_shard make_shard(int32_t *item_ratings, int32_t *item_steps)
{
    const int32_t steps[ITEMS] = {1, 2, 2, 0};
    for (int i = 0; i < ITEMS; i++) {
        item_steps[i] = steps[i];
        item_ratings[i] = steps[i] * bmf_comm_size(world);
    }
    return (bmf_shard){.users = USERS,
                       .items = ITEMS,
                       .all_train = 5 * bmf_comm_size(world),
                       .train.matrix = {USERS, ITEMS, (int64_t *)indptr, NULL, NULL},
                       .rows = {.items = ITEMS,
                                .features = 2,
                                .indptr = (int64_t *)x_indptr,
                                .feature = (int32_t *)feature,
                                .value = (float *)x},
                       .item_ratings = item_ratings,
                       .item_steps = item_steps};
}

static bmf_train_options make_options(void)
{
    bmf_train_options options = bmf_train_defaults();
    options.regularization = 0.1;
    options.bias_regularization = 0.01;
    options.item_regularization = 0.2;
    return bmf_train_resolved(&options);
}

static bool close_to(float got, double wanted)
{
    return fabs((double)got - wanted) <= 1e-5 * fabs(wanted);
}

/* n^−A over its mean over the ratings. */
static void test_scaled_regularization(void **state)
{
    (void)state;
    int32_t ratings[ITEMS], steps[ITEMS];
    const bmf_shard shard = make_shard(ratings, steps);
    const bmf_train_options options = make_options();
    bmf_error err = BMF_ERROR_INIT;
    for (int half = 0; half <= 2; half++) {
        const double A = half / 2.0;
        bmf_rates rates;
        assert_all(bmf_rates_create(world, &shard, A, false, &(bmf_csr){0}, &rates, &err) == BMF_OK);
        bmf_rates_set(&rates, &shard, &options, 0.5, 0.25, 0, 0);
        const double mean = (1 + 4 * pow(4, -A)) / 5;
        assert_all(rates.user[0].eta == 0.5f && rates.user[0].bias_eta == 0.25f && !rates.feature);
        assert_all(close_to(rates.user[0].decay, 0.5 * 0.1 / mean));
        assert_all(close_to(rates.user[1].decay, 0.5 * 0.1 * pow(4, -A) / mean));
        assert_all(close_to(rates.user[1].bias_decay, 0.25 * 0.01 * pow(4, -A) / mean));
        const double of_items = (1 + 4 * pow(2, -A)) / 5; /* whatever the ranks */
        assert_all(close_to(rates.item[0].decay, 0.5 * 0.2 / of_items));
        assert_all(close_to(rates.item[1].decay, 0.5 * 0.2 * pow(2, -A) / of_items));
        bmf_rates_clear(&rates);
    }
}

static void test_adagrad(void **state)
{
    (void)state;
    int32_t ratings[ITEMS], steps[ITEMS];
    const int ranks = bmf_comm_size(world);
    const bmf_shard shard = make_shard(ratings, steps);
    const bmf_train_options options = make_options();
    bmf_rates rates;
    bmf_error err = BMF_ERROR_INIT;
    /* Users with 1, 4 and 0 ratings have the features 0, 0 and 1, and 1. */
    bmf_csr rows = {USERS, 2, (int64_t[]){0, 1, 3, 4}, (int32_t[]){0, 0, 1, 1}, (float[]){1, 0.5f, 2, 3}};
    assert_all(bmf_rates_create(world, &shard, 0, true, &rows, &rates, &err) == BMF_OK);
    bmf_rates_set(&rates, &shard, &options, 0.5, 0.25, 2, 3);
    assert_all(close_to(rates.user[1].eta, 0.5 / sqrt(1 + 4 * 2)) && close_to(rates.user[2].eta, 0.5));
    const double of_feature[2] = {(1 + 0.25 * 4) * ranks, 4 * 4 * ranks};
    for (int g = 0; g < 2; g++) {
        assert_all(close_to(rates.user_feature[g].eta, 0.5 / sqrt(1 + of_feature[g] * 2)));
        assert_all(
            close_to(rates.user_feature[g].decay, options.content_regularization * (double)rates.user_feature[g].eta));
    }
    assert_all(close_to(rates.user[1].decay, 0.1 * 0.5 / 3));
    assert_all(close_to(rates.item[2].eta, 0.5 / sqrt(1 + 2 * ranks * 3)) && rates.item[2].bias_eta == 0.25f);
    assert_all(close_to(rates.feature[0].eta, 0.5 / sqrt(1 + ranks * (0.25 * 1 + 2) * 3)));
    assert_all(close_to(rates.feature[1].eta, 0.5 / sqrt(1 + ranks * 4 * 2 * 3)));
    assert_all(close_to(rates.feature[1].decay, options.content_regularization * (double)rates.feature[1].eta));
    bmf_rates_clear(&rates);
}

/* λ of a row with few ratings may be so large that a step would take it past zero. */
static void test_decays_are_bounded(void **state)
{
    (void)state;
    int32_t ratings[ITEMS], steps[ITEMS];
    const bmf_shard shard = make_shard(ratings, steps);
    bmf_train_options options = make_options();
    options.user_regularization = 5;
    bmf_rates rates;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_rates_create(world, &shard, 1, false, &(bmf_csr){0}, &rates, &err) == BMF_OK);
    bmf_rates_set(&rates, &shard, &options, 0.1, 0.1, 0, 0);
    assert_all(rates.user[0].decay == 0.5f && rates.user[1].decay < 0.5f);
    bmf_rates_clear(&rates);
}

static void test_mean_squares_are_over_ratings(void **state)
{
    (void)state;
    int32_t ratings[ITEMS], steps[ITEMS];
    const bmf_shard shard = make_shard(ratings, steps);
    bmf_model model;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_model_create(&model, 0, USERS, ITEMS, 2, NULL, &err) == BMF_OK);
    for (int u = 0; u < USERS; u++)
        model.P[u * model.stride] = (float)(u + 1);
    for (int i = 0; i < ITEMS; i++)
        model.Q[i * model.stride + 1] = (float)(i + 1);
    double of_P = 0, of_Q = 0;
    bmf_rates_mean_squares(world, &model, &shard, &of_P, &of_Q);
    assert_all(fabs(of_P - (1 + 4 * 4) / 10.0) < 1e-12 && fabs(of_Q - (1 + 2 * 4 + 2 * 9) / 10.0) < 1e-12);
    bmf_model_clear(&model);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaled_regularization),
        cmocka_unit_test(test_adagrad),
        cmocka_unit_test(test_decays_are_bounded),
        cmocka_unit_test(test_mean_squares_are_over_ratings),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
