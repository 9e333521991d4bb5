/* The training loop: it learns, repeats itself bit for bit, agrees with one rank, writes what it learned, and fails on all
 * ranks together. */
#include "planted.h"

#include <math.h>
#include <unistd.h>

#include "train/train.h"

static char directory[64], data[128], model_path[128];

static int set_up(void **state)
{
    (void)state;
    make_directory(directory);
    snprintf(data, sizeof data, "%s/data.h5", directory);
    snprintf(model_path, sizeof model_path, "%s/model.h5", directory);
    write_planted(data, 400, 150, 24000);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    remove_directory(directory);
    return 0;
}

static bmf_train_options small_options(bmf_content_mode content)
{
    bmf_train_options options = bmf_train_defaults();
    options.content = content;
    options.factors = 6;
    options.epochs = 40;
    options.learning_rate = 0.015;
    return options;
}

static bmf_train_result train_on(bmf_comm *comm, const bmf_train_options *options, const char *to)
{
    bmf_train_result result;
    bmf_error err = BMF_ERROR_INIT;
    if (bmf_train(comm, &(bmf_train_files){.dataset = data, .model = to}, options, NULL, NULL, &result, &err) !=
            BMF_OK &&
        bmf_comm_rank(comm) == 0)
        print_error("%s\n", err.text);
    assert_all(err.status == BMF_OK);
    return result;
}

static void test_learns(void **state)
{
    (void)state;
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++) {
        bmf_train_options options = small_options((bmf_content_mode)mode);
        bmf_train_result result = train_on(world, &options, NULL);
        assert_all(result.meta.val_rmse < 0.93 * result.history[0].val_rmse);
        assert_all(result.meta.best_epoch <= result.epochs_run);
        for (int64_t e = 0; e < result.epochs_run; e++)
            assert_all(result.meta.val_mse <= result.history[e].val_mse);
        bmf_train_result_clear(&result);
    }
}

static void test_same_seed_same_result(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
    options.epochs = 5;
    bmf_train_result a = train_on(world, &options, NULL), b = train_on(world, &options, NULL);
    for (int e = 0; e < 5; e++)
        assert_all(a.history[e].val_mse == b.history[e].val_mse && a.history[e].train_mse == b.history[e].train_mse);
    options.seed = 2;
    bmf_train_result c = train_on(world, &options, NULL);
    assert_all(a.history[4].val_mse != c.history[4].val_mse);
    bmf_train_result_clear(&a);
    bmf_train_result_clear(&b);
    bmf_train_result_clear(&c);
}

/* Threads with item sides of their own meet only at the merge. */
static void test_threads_repeat_to_the_bit(void **state)
{
    (void)state;
    for (int64_t windows = 1; windows <= 3; windows += 2) {
        bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
        options.epochs = 4;
        options.threads = 3;
        options.merges_per_epoch = windows;
        bmf_train_result a = train_on(world, &options, NULL), b = train_on(world, &options, NULL);
        assert_all(a.plan.copies && a.plan.merges_per_epoch == windows);
        for (int e = 0; e < 4; e++)
            assert_all(a.history[e].val_mse == b.history[e].val_mse &&
                       a.history[e].train_mse == b.history[e].train_mse);
        bmf_train_result_clear(&a);
        bmf_train_result_clear(&b);
    }
}

static void test_phases_and_merges_are_recorded(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_NONE);
    options.epochs = 3;
    options.merges_per_epoch = BMF_MERGES_AUTO;
    bmf_train_result result = train_on(world, &options, NULL);
    assert_all(result.meta.merges_per_epoch == 1 && result.plan.merges_per_epoch == 1);
    for (int e = 0; e < 3; e++) {
        double sum = 0;
        for (int p = 0; p < BMF_PHASES; p++) {
            assert_all(result.history[e].phase[p] >= 0);
            sum += result.history[e].phase[p];
        }
        assert_all(result.history[e].phase[BMF_PHASE_SWEEP] > 0);
        assert_all(sum <= result.history[e].seconds * (1 + 1e-9)); /* a mean against the slowest */
        assert_all(bmf_comm_size(world) == 1 || result.history[e].merge_share > 0);
    }
    assert_all(bmf_memory_plan_total(&result.plan.memory) > 8 * 24000 / 2 / bmf_comm_size(world));
    bmf_train_result_clear(&result);
}

static void test_agrees_with_one_rank(void **state)
{
    (void)state;
    bmf_comm *alone = NULL;
    bmf_error err = BMF_ERROR_INIT;
    bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
    assert_all(bmf_comm_split(world, bmf_comm_rank(world), &alone, &err) == BMF_OK);
    bmf_train_result together = train_on(world, &options, NULL), single = train_on(alone, &options, NULL);
    assert_all(fabs(together.meta.val_rmse - single.meta.val_rmse) < 0.006);
    options.threads = 2;
    bmf_train_result threads = train_on(world, &options, NULL);
    assert_all(fabs(threads.meta.val_rmse - single.meta.val_rmse) < 0.006);
    options.threads = 1;
    options.merges_per_epoch = 4;
    bmf_train_result often = train_on(world, &options, NULL);
    assert_all(fabs(often.meta.val_rmse - single.meta.val_rmse) < 0.006);
    bmf_train_result_clear(&together);
    bmf_train_result_clear(&single);
    bmf_train_result_clear(&threads);
    bmf_train_result_clear(&often);
    bmf_comm_release(&alone);
}

/* The root mean square of r − r̂ over a split by the plain prediction, from the files alone. */
static double rmse_of_file(bmf_split split, bmf_error *err)
{
    bmf_dataset dataset = {0};
    bmf_model_file *file = NULL;
    bmf_model model = {0};
    bmf_csr content = {0};
    double squares = 0;
    if (bmf_dataset_read(data, &dataset, err) == BMF_OK && bmf_model_file_open(model_path, &file, err) == BMF_OK &&
        bmf_model_load(file, 0, bmf_model_file_meta(file)->users, &model, err) == BMF_OK &&
        bmf_content_scaled(&dataset.content.matrix, bmf_model_file_meta(file)->content_weight, &content, err) ==
            BMF_OK) {
        const bmf_csr *val = &dataset.split[split].matrix;
        for (int64_t u = 0; u < val->rows; u++)
            for (int64_t j = val->indptr[u]; j < val->indptr[u + 1]; j++) {
                double e = (double)val->data[j] - bmf_model_predict(&model, &content, u, val->indices[j]);
                squares += e * e;
            }
        squares /= (double)bmf_csr_count(val);
    }
    bmf_csr_clear(&content);
    bmf_model_clear(&model);
    bmf_model_file_close(&file);
    bmf_dataset_clear(&dataset);
    return sqrt(squares);
}

static void test_file_holds_the_best_epoch(void **state)
{
    (void)state;
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++) {
        bmf_train_options options = small_options((bmf_content_mode)mode);
        bmf_train_result result = train_on(world, &options, model_path);
        bmf_error err = BMF_ERROR_INIT;
        double rmse = bmf_comm_rank(world) == 0 ? rmse_of_file(BMF_VAL, &err) : result.meta.val_rmse;
        assert_all(err.status == BMF_OK);
        assert_all(fabs(rmse - result.meta.val_rmse) < 1e-5);
        bmf_train_result_clear(&result);
    }
}

/* The loss of the parameters that were written, and nothing else changed by asking for it. */
static void test_exact_train_loss(void **state)
{
    (void)state;
    for (int64_t threads = 1; threads <= 2; threads++) {
        bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
        bmf_error err = BMF_ERROR_INIT;
        options.epochs = 3;
        options.threads = threads;
        bmf_train_result plain = train_on(world, &options, NULL);
        options.exact_train_loss = true;
        bmf_train_result exact = train_on(world, &options, model_path);
        assert_all(exact.meta.best_epoch == 3 && exact.history[2].val_mse == plain.history[2].val_mse);
        assert_all(exact.history[2].train_rmse < plain.history[2].train_rmse);
        double rmse = bmf_comm_rank(world) == 0 ? rmse_of_file(BMF_TRAIN, &err) : exact.history[2].train_rmse;
        assert_all(err.status == BMF_OK && fabs(rmse - exact.history[2].train_rmse) < 1e-5);
        bmf_train_result_clear(&plain);
        bmf_train_result_clear(&exact);
    }
}

static void test_more_ranks_than_users(void **state)
{
    (void)state;
    char tiny[128];
    bmf_train_result result;
    bmf_error err = BMF_ERROR_INIT;
    bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
    options.epochs = 3;
    snprintf(tiny, sizeof tiny, "%s/tiny.h5", directory);
    write_planted(tiny, 1, 30, 20);
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = tiny, .model = model_path}, &options, NULL, NULL, &result,
                         &err) == BMF_OK);
    assert_all(isfinite(result.history[2].train_mse));
    bmf_train_result_clear(&result);
}

static void test_failures_reach_all_ranks(void **state)
{
    (void)state;
    bmf_train_result result;
    bmf_train_options options = small_options(BMF_CONTENT_CONCAT);
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = "/nowhere/data.h5", .model = NULL}, &options, NULL, NULL,
                         &result, &err) == BMF_ERR_IO);
    assert_all(strstr(err.text, "/nowhere/data.h5") != NULL);
    bmf_error_clear(&err);
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = data, .model = "/nowhere/model.h5"}, &options, NULL, NULL,
                         &result, &err) == BMF_ERR_IO);
    bmf_train_result_clear(&result);
    bmf_error_clear(&err);
    options.factors = 0;
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = data, .model = NULL}, &options, NULL, NULL, &result,
                         &err) == BMF_ERR_USAGE);
    assert_all(strcmp(err.text, "--factors: 0 is out of range (allowed: 1 to 4096)") == 0);
}

/* Steps that overshoot are noticed on all ranks; half the learning rate, or a half of that, learns. */
static void test_divergence_is_recovered_from(void **state)
{
    (void)state;
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++) {
        bmf_train_options options = small_options((bmf_content_mode)mode);
        bmf_error err = BMF_ERROR_INIT;
        options.learning_rate = 3;
        bmf_train_result result = train_on(world, &options, model_path);
        assert_all(result.rollbacks > 0 && result.rollbacks <= BMF_ROLLBACKS);
        assert_all(result.history[result.epochs_run - 1].learning_rate == ldexp(3, -(int)result.rollbacks));
        for (int64_t e = 0; e < result.epochs_run; e++)
            assert_all(result.history[e].epoch == e + 1 && isfinite(result.history[e].val_mse) &&
                       result.history[e].merge_bytes == result.history[0].merge_bytes); /* its own alone */
        double rmse = bmf_comm_rank(world) == 0 ? rmse_of_file(BMF_VAL, &err) : result.meta.val_rmse;
        assert_all(err.status == BMF_OK && fabs(rmse - result.meta.val_rmse) < 1e-5);
        bmf_train_result_clear(&result);
    }
}

static void test_divergence_is_reported(void **state)
{
    (void)state;
    bmf_train_result result;
    bmf_train_options options = small_options(BMF_CONTENT_NONE);
    bmf_error err = BMF_ERROR_INIT;
    options.learning_rate = 10;
    options.regularization = options.bias_regularization = 0;
    options.factors = 200; /* |Q|^2 is 50, and steps of 0.3 times that overshoot */
    options.init_std = 0.5;
    bmf_comm_barrier(world);
    remove(model_path);
    bmf_comm_barrier(world);
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = data, .model = model_path}, &options, NULL, NULL, &result,
                         &err) == BMF_ERR_DIVERGED);
    assert_all(strstr(err.text, "training diverged in epoch 1: ") == err.text);
    assert_all(strstr(err.text, "learning rate 0.3125 after halving it 5 times") != NULL);
    assert_all(strstr(err.text, "try --learning-rate 0.15625") != NULL);
    assert_all(result.rollbacks == BMF_ROLLBACKS && access(model_path, F_OK) != 0);
    bmf_train_result_clear(&result);
}

static void test_stops_when_any_rank_wants_to(void **state)
{
    (void)state;
    const int stop = bmf_comm_rank(world) == bmf_comm_size(world) - 1;
    bmf_train_result result;
    bmf_train_options options = small_options(BMF_CONTENT_NONE);
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = data, .model = NULL}, &options, NULL, &stop, &result,
                         &err) == BMF_OK);
    assert_all(result.stopped == BMF_STOP_SIGNAL && result.epochs_run == 1);
    bmf_train_result_clear(&result);
    options.merges_per_epoch = 3;
    assert_all(bmf_train(world, &(bmf_train_files){.dataset = data, .model = model_path}, &options, NULL, &stop,
                         &result, &err) == BMF_OK);
    assert_all(result.stopped == BMF_STOP_SIGNAL && result.epochs_run == 0 && result.windows_run == 1);
    assert_all(result.meta.best_epoch == 0 && isfinite(rmse_of_file(BMF_VAL, &err)));
    bmf_train_result_clear(&result);
}

/* Stops after `windows` merges, and goes on. */
static void test_resumes_to_the_bit(void **state)
{
    (void)state;
    char checkpoint[128];
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode++) {
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-%d.h5", directory, mode);
        const bmf_train_files files = {.dataset = data, .model = model_path, .checkpoint = checkpoint, .resume = true};
        bmf_train_options options = small_options((bmf_content_mode)mode);
        bmf_error err = BMF_ERROR_INIT;
        const int stop = 1;
        options.epochs = 4;
        options.merges_per_epoch = 3;
        bmf_train_result whole = train_on(world, &options, NULL), part;
        for (int window = 1; window < 12; window++) { /* one window at a time */
            if (bmf_train(world, &files, &options, NULL, &stop, &part, &err) != BMF_OK && bmf_comm_rank(world) == 0)
                print_error("%s\n", err.text);
            assert_all(err.status == BMF_OK);
            assert_all(part.epochs_run == window / 3 && part.windows_run == window % 3);
            bmf_train_result_clear(&part);
        }
        assert_all(bmf_train(world, &files, &options, NULL, NULL, &part, &err) == BMF_OK);
        for (int e = 0; e < 4; e++)
            assert_all(part.history[e].val_mse == whole.history[e].val_mse &&
                       part.history[e].train_mse == whole.history[e].train_mse);
        bmf_train_result_clear(&part);
        bmf_train_result_clear(&whole);
    }
}

/* They learn, repeat, and on several ranks come to what one comes to. */
static void test_rows_with_their_own_rates(void **state)
{
    (void)state;
    bmf_comm *self = NULL;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_comm_split(world, bmf_comm_rank(world), &self, &err) == BMF_OK);
    for (int mode = BMF_CONTENT_NONE; mode <= BMF_CONTENT_EMBED; mode += 2) {
        bmf_train_options options = small_options((bmf_content_mode)mode);
        options.schedule = BMF_SCHEDULE_ADAGRAD;
        options.learning_rate = 0.06;
        options.bias_learning_rate = 0.01;
        options.regularization_scaling = 0.5;
        options.epochs = 15;
        bmf_train_result all = train_on(world, &options, NULL), again = train_on(world, &options, NULL);
        bmf_train_result alone = train_on(self, &options, NULL);
        assert_all(all.meta.val_rmse < 0.93 * all.history[0].val_rmse);
        assert_all(all.meta.val_rmse == again.meta.val_rmse);
        assert_all(fabs(all.meta.val_rmse - alone.meta.val_rmse) < 0.006);
        options.schedule = BMF_SCHEDULE_DECAY;
        bmf_train_result constant = train_on(world, &options, NULL);
        assert_all(constant.history[1].val_rmse != all.history[1].val_rmse);
        bmf_train_result_clear(&all);
        bmf_train_result_clear(&again);
        bmf_train_result_clear(&alone);
        bmf_train_result_clear(&constant);
    }
    bmf_comm_release(&self);
}

static void test_bold_driver(void **state)
{
    (void)state;
    bmf_train_options options = small_options(BMF_CONTENT_NONE);
    options.schedule = BMF_SCHEDULE_BOLD_DRIVER;
    options.learning_rate = 0.1;
    options.epochs = 25;
    options.patience = 0;
    bmf_train_result result = train_on(world, &options, NULL);
    assert_all(result.history[1].learning_rate == 0.1);
    int worse = 0;
    for (int e = 2; e < 25; e++) {
        const bool better = result.history[e - 1].train_mse < result.history[e - 2].train_mse;
        const double wanted = result.history[e - 1].learning_rate * (better ? 1.05 : 0.5);
        assert_all(fabs(result.history[e].learning_rate - wanted) < 1e-12);
        worse += !better;
    }
    assert_all(worse > 0);
    bmf_train_result_clear(&result);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_same_seed_same_result),
        cmocka_unit_test(test_threads_repeat_to_the_bit),
        cmocka_unit_test(test_phases_and_merges_are_recorded),
        cmocka_unit_test(test_rows_with_their_own_rates),
        cmocka_unit_test(test_bold_driver),
        cmocka_unit_test(test_exact_train_loss),
        cmocka_unit_test(test_agrees_with_one_rank),
        cmocka_unit_test(test_file_holds_the_best_epoch),
        cmocka_unit_test(test_more_ranks_than_users),
        cmocka_unit_test(test_failures_reach_all_ranks),
        cmocka_unit_test(test_divergence_is_recovered_from),
        cmocka_unit_test(test_divergence_is_reported),
        cmocka_unit_test(test_stops_when_any_rank_wants_to),
        cmocka_unit_test(test_resumes_to_the_bit),
    };
    return cmocka_run_group_tests_name("train", tests, set_up, clean_up);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
