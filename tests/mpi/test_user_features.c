/* Training with features of users and implicit feedback: it learns what is planted, repeats itself and goes on from checkpoints to
 * the bit, agrees with one rank in every content mode, and the file has what was learned. */
#include "planted.h"

#include <math.h>

#include "base/memory.h"
#include "train/train.h"

#define USERS 2400
#define GROUPS 8

static char directory[64], data[128], model_path[128];

static int set_up(void **state)
{
    (void)state;
    make_directory(directory);
    snprintf(data, sizeof data, "%s/data.h5", directory);
    snprintf(model_path, sizeof model_path, "%s/model.h5", directory);
    write_planted_groups(data, USERS, 150, 12000, GROUPS);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    remove_directory(directory);
    return 0;
}

static bmf_train_options small_options(bmf_content_mode content, bool implicit)
{
    bmf_train_options options = bmf_train_defaults();
    options.content = content;
    options.user_content = BMF_USER_CONTENT_EMBED;
    options.implicit_feedback = implicit;
    options.factors = 6;
    options.epochs = 40;
    options.learning_rate = 0.02;
    return options;
}

static bmf_train_result train_with(bmf_comm *comm, const bmf_train_files *files, const bmf_train_options *options,
                                   const volatile int *stop)
{
    bmf_train_result result;
    bmf_error err = BMF_ERROR_INIT;
    if (bmf_train(comm, files, options, NULL, stop, &result, &err) != BMF_OK && bmf_comm_rank(comm) == 0)
        print_error("%s\n", err.text);
    assert_all(err.status == BMF_OK);
    return result;
}

static bmf_train_result train_on(bmf_comm *comm, const bmf_train_options *options, const char *to)
{
    return train_with(comm, &(bmf_train_files){.dataset = data, .model = to}, options, NULL);
}

/* Root mean square of r − r̂ over validation and test ratings of the users with `least` to `most` training ratings, by the
 * plain prediction from the files alone; and how many ratings these are. */
static double rmse_of_file(int64_t least, int64_t most, int64_t *count, bmf_error *err)
{
    bmf_dataset dataset = {0};
    bmf_model_file *file = NULL;
    bmf_model model = {0};
    double squares = 0;
    *count = 0;
    if (bmf_dataset_read(data, &dataset, err) == BMF_OK && bmf_model_file_open(model_path, &file, err) == BMF_OK &&
        bmf_model_load(file, 0, USERS, &model, err) == BMF_OK)
        for (bmf_split split = BMF_VAL; split <= BMF_TEST; split++)
            for (int64_t u = 0; u < USERS; u++) {
                const bmf_csr *held = &dataset.split[split].matrix;
                const int64_t *train = dataset.split[BMF_TRAIN].matrix.indptr + u, n = train[1] - train[0];
                for (int64_t j = held->indptr[u]; n >= least && n <= most && j < held->indptr[u + 1]; j++, ++*count) {
                    double e = (double)held->data[j] - bmf_model_predict(&model, NULL, u, held->indices[j]);
                    squares += e * e;
                }
            }
    bmf_model_clear(&model);
    bmf_model_file_close(&file);
    bmf_dataset_clear(&dataset);
    return sqrt(squares / (double)*count);
}

/* Users of few ratings, and of none, are predicted better by what their groups say. */
static void test_planted_groups_are_found(void **state)
{
    (void)state;
    static const int64_t most[] = {0, 5};
    double rmse[2][2] = {{0}};
    for (int with = 0; with < 2; with++) {
        bmf_train_options options = small_options(BMF_CONTENT_NONE, false);
        options.user_content = with ? BMF_USER_CONTENT_EMBED : BMF_USER_CONTENT_NONE;
        bmf_train_result result = train_on(world, &options, model_path);
        bmf_error err = BMF_ERROR_INIT;
        for (int few = 0; few < 2; few++) {
            int64_t count = 1000;
            rmse[with][few] = bmf_comm_rank(world) == 0 ? rmse_of_file(0, most[few], &count, &err) : 1 - 0.5 * with;
            assert_all(err.status == BMF_OK && count > 100);
        }
        assert_all(result.meta.user_features == (with ? GROUPS : 0) && result.meta.implicit_feedback == 0);
        bmf_train_result_clear(&result);
    }
    assert_all(rmse[1][0] < 0.9 * rmse[0][0]);
    assert_all(rmse[1][1] < 0.95 * rmse[0][1]);
}

/* Every content mode, with and without implicit feedback, threads too. */
static void test_agrees_with_one_rank(void **state)
{
    (void)state;
    bmf_comm *alone = NULL;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_comm_split(world, bmf_comm_rank(world), &alone, &err) == BMF_OK);
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++)
        for (int implicit = 0; implicit < 2; implicit++) {
            bmf_train_options options = small_options((bmf_content_mode)mode, implicit);
            bmf_train_result together = train_on(world, &options, NULL), single = train_on(alone, &options, NULL);
            assert_all(together.meta.val_rmse < 0.93 * together.history[0].val_rmse);
            assert_all(fabs(together.meta.val_rmse - single.meta.val_rmse) < 0.003);
            options.threads = 2;
            bmf_train_result threads = train_on(world, &options, NULL), again = train_on(world, &options, NULL);
            assert_all(fabs(threads.meta.val_rmse - single.meta.val_rmse) < 0.003);
            assert_all(threads.meta.val_mse == again.meta.val_mse && threads.epochs_run == again.epochs_run);
            bmf_train_result_clear(&together);
            bmf_train_result_clear(&single);
            bmf_train_result_clear(&threads);
            bmf_train_result_clear(&again);
        }
    bmf_comm_release(&alone);
}

static void test_rows_with_their_own_rates(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_EMBED, true);
    options.schedule = BMF_SCHEDULE_ADAGRAD;
    options.learning_rate = 0.08;
    options.bias_learning_rate = 0.02;
    options.regularization_scaling = 0.5;
    bmf_train_result result = train_on(world, &options, NULL);
    options.user_content = BMF_USER_CONTENT_NONE;
    options.implicit_feedback = false;
    bmf_train_result without = train_on(world, &options, NULL);
    assert_all(result.meta.val_rmse < 0.98 * without.meta.val_rmse);
    bmf_train_result_clear(&result);
    bmf_train_result_clear(&without);
}

static void test_file_holds_the_best_epoch(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_NONE, true);
    options.learning_rate = 0.1; /* so that the best is not the last */
    bmf_train_result result = train_on(world, &options, model_path);
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset = {0};
    bmf_model_file *file = NULL;
    bmf_model model = {0};
    double squares = 0, count = 1;
    assert_all(result.meta.best_epoch < result.epochs_run);
    if (bmf_comm_rank(world) == 0 && bmf_dataset_read(data, &dataset, &err) == BMF_OK &&
        bmf_model_file_open(model_path, &file, &err) == BMF_OK &&
        bmf_model_load(file, 0, USERS, &model, &err) == BMF_OK) {
        const bmf_csr *val = &dataset.split[BMF_VAL].matrix;
        for (int64_t u = 0; u < USERS; u++)
            for (int64_t j = val->indptr[u]; j < val->indptr[u + 1]; j++)
                squares += pow((double)val->data[j] - bmf_model_predict(&model, NULL, u, val->indices[j]), 2);
        count = (double)bmf_csr_count(val);
    }
    assert_all(err.status == BMF_OK);
    assert_all(bmf_comm_rank(world) > 0 || fabs(sqrt(squares / count) - result.meta.val_rmse) < 1e-5);
    bmf_model_clear(&model);
    bmf_model_file_close(&file);
    bmf_dataset_clear(&dataset);
    bmf_train_result_clear(&result);
}

/* Stops after each merge, and goes on. */
static void test_resumes_to_the_bit(void **state)
{
    (void)state;
    char checkpoint[128];
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++) {
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-%d.h5", directory, mode);
        const bmf_train_files files = {.dataset = data, .model = model_path, .checkpoint = checkpoint, .resume = true};
        bmf_train_options options = small_options((bmf_content_mode)mode, mode != BMF_CONTENT_CONCAT);
        const int stop = 1;
        options.epochs = 4;
        options.merges_per_epoch = 3;
        if (mode == BMF_CONTENT_EMBED)
            options.schedule = BMF_SCHEDULE_ADAGRAD;
        bmf_train_result whole = train_on(world, &options, NULL), part;
        for (int window = 1; window < 12; window++) { /* one window at a time */
            part = train_with(world, &files, &options, &stop);
            assert_all(part.epochs_run == window / 3 && part.windows_run == window % 3);
            bmf_train_result_clear(&part);
        }
        part = train_with(world, &files, &options, NULL);
        for (int e = 0; e < 4; e++)
            assert_all(part.history[e].val_mse == whole.history[e].val_mse &&
                       part.history[e].train_mse == whole.history[e].train_mse);
        bmf_train_result_clear(&part);
        bmf_train_result_clear(&whole);
    }
}

/* Steps that overshoot: back to the best epoch or the start, with the users' own parts. */
static void test_divergence_is_recovered_from(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_NONE, true);
    options.learning_rate = 3;
    bmf_train_result result = train_on(world, &options, NULL);
    assert_all(result.rollbacks > 0 && result.rollbacks <= BMF_ROLLBACKS);
    for (int64_t e = 0; e < result.epochs_run; e++)
        assert_all(result.history[e].epoch == e + 1 && isfinite(result.history[e].val_mse));
    bmf_train_result_clear(&result);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_groups_are_found),  cmocka_unit_test(test_agrees_with_one_rank),
        cmocka_unit_test(test_rows_with_their_own_rates), cmocka_unit_test(test_file_holds_the_best_epoch),
        cmocka_unit_test(test_resumes_to_the_bit),        cmocka_unit_test(test_divergence_is_recovered_from),
    };
    return cmocka_run_group_tests_name("user_features", tests, set_up, clean_up);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
