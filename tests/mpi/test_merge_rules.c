/* What the merge rule is worth on many ranks with one merge an epoch: the saturating merge learns like one rank, the average
 * lags, the sum diverges. */
#include "planted.h"

#include <math.h>

#include "train/train.h"

static char directory[64], data[128];

static int set_up(void **state)
{
    (void)state;
    make_directory(directory);
    snprintf(data, sizeof data, "%s/data.h5", directory);
    write_planted(data, 600, 200, 40000);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    remove_directory(directory);
    return 0;
}

static int train_with(bmf_comm *comm, bmf_merge_rule rule, bmf_train_result *result, bmf_error *err)
{
    bmf_train_options options = bmf_train_defaults();
    options.content = BMF_CONTENT_NONE;
    options.factors = 8;
    options.epochs = 120;
    options.patience = 12;
    options.merge = rule;
    return bmf_train(comm, &(bmf_train_files){.dataset = data}, &options, NULL, NULL, result, err);
}

static void test_rules(void **state)
{
    (void)state;
    bmf_comm *alone = NULL;
    bmf_error err = BMF_ERROR_INIT;
    bmf_train_result single, saturating, average, sum;
    assert_all(bmf_comm_split(world, bmf_comm_rank(world), &alone, &err) == BMF_OK);
    assert_all(train_with(alone, BMF_MERGE_SATURATING, &single, &err) == BMF_OK);
    assert_all(train_with(world, BMF_MERGE_SATURATING, &saturating, &err) == BMF_OK);
    assert_all(train_with(world, BMF_MERGE_AVERAGE, &average, &err) == BMF_OK);
    int summed = train_with(world, BMF_MERGE_SUM, &sum, &err);
    print_message("val_rmse: one rank %.4f at %d, saturating %.4f at %d, average %.4f at %d, sum %.4f (status %d)\n",
                  single.meta.val_rmse, (int)single.meta.best_epoch, saturating.meta.val_rmse,
                  (int)saturating.meta.best_epoch, average.meta.val_rmse, (int)average.meta.best_epoch,
                  sum.meta.val_rmse, summed);
    assert_all(fabs(saturating.meta.val_rmse - single.meta.val_rmse) < 0.003);
    assert_all(fabs((double)(saturating.meta.best_epoch - single.meta.best_epoch)) <=
               0.2 * (double)single.meta.best_epoch);
    assert_all(average.meta.val_rmse > saturating.meta.val_rmse + 0.004 ||
               (double)average.meta.best_epoch > 1.5 * (double)saturating.meta.best_epoch);
    assert_all(summed == BMF_OK && sum.rollbacks > 0); /* learns, after the learning rate was halved */
    assert_all(saturating.rollbacks == 0 && average.rollbacks == 0);
    bmf_train_result_clear(&single);
    bmf_train_result_clear(&saturating);
    bmf_train_result_clear(&average);
    bmf_train_result_clear(&sum);
    bmf_comm_release(&alone);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests_name("merge_rules", tests, set_up, clean_up);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
