/* bmf_evaluate on any number of ranks: equal to a plain checker, and to itself in one process, bit for bit. */
#include "support/mpi_cmocka.h"

#include <string.h>

#include "evaluate_world.h"

static char directory[256];
static char dataset_path[300], other_path[300], model_path[300];

/* The call returned BMF_OK on every rank; prints the report where it did not. */
#define assert_all_ok(call, err)                                                                                       \
    do {                                                                                                               \
        int got_status = (call);                                                                                       \
        if (got_status != BMF_OK)                                                                                      \
            print_error("%s\n", (err).text);                                                                           \
        assert_all(got_status == BMF_OK);                                                                              \
    } while (0)

static bool close_to(double got, double wanted)
{
    return fabs(got - wanted) <= 1e-11 || (isnan(got) && isnan(wanted));
}

static bool metrics_close(const bmf_metrics *a, const bmf_metrics *b)
{
    return a->ratings == b->ratings && a->users == b->users && close_to(a->rmse, b->rmse) && close_to(a->mae, b->mae) &&
           close_to(a->precision, b->precision) && close_to(a->recall, b->recall) && close_to(a->ndcg, b->ndcg) &&
           close_to(a->map, b->map) && close_to(a->coverage, b->coverage);
}

/* Same bits in every number of the results (options and padding aside). */
static bool metrics_same(const bmf_metrics *a, const bmf_metrics *b)
{
    return a->ratings == b->ratings && a->users == b->users &&
           memcmp(&a->rmse, &b->rmse, sizeof *a - offsetof(bmf_metrics, rmse)) == 0;
}

static bool evaluations_same(const bmf_evaluation *a, const bmf_evaluation *b)
{
    bool same = metrics_same(&a->model, &b->model) && memcmp(&a->sparsity, &b->sparsity, sizeof a->sparsity) == 0;
    for (int s = 0; s < BMF_SEGMENTS; s++)
        same = same && memcmp(&a->segment[s], &b->segment[s], sizeof a->segment[s]) == 0;
    for (int j = 0; j < BMF_BASELINES; j++)
        same = same && metrics_same(&a->baseline[j], &b->baseline[j]);
    return same;
}

static void world_share(test_world *fixture, int64_t users, int64_t items, bmf_content_mode mode)
{
    bmf_error err = BMF_ERROR_INIT;
    world_create(fixture, users, items, mode);
    int status = bmf_comm_rank(world) == 0 ? world_write(fixture, dataset_path, model_path, &err) : BMF_OK;
    status = bmf_comm_agree(world, status, &err);
    assert_all_ok(status, err);
}

static void assert_evaluation(const test_world *fixture, const bmf_evaluate_options *options)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_evaluation got, alone, wanted;
    bmf_evaluate_options one_thread = *options;
    one_thread.threads = 1;
    world_check(fixture, options, &wanted);
    assert_all_ok(bmf_evaluate(world, model_path, dataset_path, options, &got, &err), err);
    assert_all_ok(bmf_evaluate(NULL, model_path, dataset_path, &one_thread, &alone, &err), err);
    assert_all(evaluations_same(&got, &alone));
    assert_all(metrics_close(&got.model, &wanted.model));
    for (int b = 0; b < BMF_BASELINES; b++)
        assert_all(metrics_close(&got.baseline[b], &wanted.baseline[b]));
    for (int s = 0; s < BMF_SEGMENTS; s++) {
        assert_all(got.segment[s].count == wanted.segment[s].count);
        assert_all(close_to(got.segment[s].rmse, wanted.segment[s].rmse));
    }
    assert_all(close_to(got.sparsity, wanted.sparsity));
}

static bmf_evaluate_options usual_options(void)
{
    return (bmf_evaluate_options){.split = BMF_TEST,
                                  .top = 5,
                                  .threshold = 3.5,
                                  .candidates = BMF_CANDIDATES_RATED,
                                  .baselines = true,
                                  .seed = 9,
                                  .threads = 1};
}

static void assert_all_protocols(bmf_content_mode mode)
{
    test_world fixture;
    world_share(&fixture, 300, 40, mode);
    for (int split = 0; split < BMF_SPLITS; split++)
        for (int candidates = 0; candidates < 2; candidates++) {
            bmf_evaluate_options options = usual_options();
            options.split = (bmf_split)split;
            options.candidates = (bmf_candidates)candidates;
            options.threads = 1 + split;
            assert_evaluation(&fixture, &options);
        }
    world_clear(&fixture);
}

static void test_plain_model(void **state)
{
    (void)state;
    assert_all_protocols(BMF_CONTENT_NONE);
}

static void test_blended_model(void **state)
{
    (void)state;
    assert_all_protocols(BMF_CONTENT_CONCAT);
}

/* The world really has what the segments and fall-backs are about. */
static void test_world_is_varied(void **state)
{
    (void)state;
    test_world fixture;
    bmf_evaluation wanted;
    bmf_evaluate_options options = usual_options();
    world_share(&fixture, 300, 40, BMF_CONTENT_NONE);
    world_check(&fixture, &options, &wanted);
    for (int s = 0; s < BMF_SEGMENTS; s++)
        assert_all(wanted.segment[s].count > 20);
    assert_all(wanted.model.users > 200 && wanted.model.users < 300);
    world_clear(&fixture);
}

static void test_lists_longer_than_the_catalogue(void **state)
{
    (void)state;
    test_world fixture;
    bmf_evaluate_options options = usual_options();
    world_share(&fixture, 130, 9, BMF_CONTENT_CONCAT);
    options.top = 1000;
    options.threads = 64;
    options.candidates = BMF_CANDIDATES_ALL;
    assert_evaluation(&fixture, &options);
    options.top = 1;
    options.threshold = 6; /* nothing is relevant */
    options.candidates = BMF_CANDIDATES_RATED;
    assert_evaluation(&fixture, &options);
    world_clear(&fixture);
}

/* More ranks than blocks, an empty training split, a model that knows neither the user nor the item. */
static void test_one_user_one_item(void **state)
{
    (void)state;
    test_world fixture;
    bmf_error err = BMF_ERROR_INIT;
    bmf_evaluation got;
    bmf_evaluate_options options = usual_options();
    world_share(&fixture, 1, 1, BMF_CONTENT_NONE);
    for (int candidates = 0; candidates < 2; candidates++) {
        options.candidates = (bmf_candidates)candidates;
        assert_evaluation(&fixture, &options);
    }
    options.split = BMF_VAL;
    assert_evaluation(&fixture, &options);
    assert_all_ok(bmf_evaluate(world, model_path, dataset_path, &options, &got, &err), err);
    assert_all(got.model.ratings == 0 && got.model.users == 0 && isnan(got.model.rmse) && isnan(got.model.map));
    assert_all(got.segment[BMF_SEGMENT_WARM].count == 0 && isnan(got.segment[BMF_SEGMENT_WARM].rmse));
    world_clear(&fixture);
}

static void test_without_baselines(void **state)
{
    (void)state;
    test_world fixture;
    bmf_error err = BMF_ERROR_INIT;
    bmf_evaluation with, without;
    bmf_evaluate_options options = usual_options();
    world_share(&fixture, 300, 40, BMF_CONTENT_NONE);
    assert_all_ok(bmf_evaluate(world, model_path, dataset_path, &options, &with, &err), err);
    options.baselines = false;
    assert_all_ok(bmf_evaluate(world, model_path, dataset_path, &options, &without, &err), err);
    assert_all(metrics_same(&with.model, &without.model));
    assert_all(without.baseline[BMF_BASELINE_BIAS].ratings == 0);
    world_clear(&fixture);
}

/* A failure of the last rank alone is everybody's. */
static void test_failures_are_agreed(void **state)
{
    (void)state;
    test_world fixture;
    bmf_error err = BMF_ERROR_INIT;
    bmf_evaluation got;
    bmf_evaluate_options options = usual_options();
    char missing[320];
    bool last = bmf_comm_rank(world) == bmf_comm_size(world) - 1;
    world_share(&fixture, 300, 40, BMF_CONTENT_NONE);
    snprintf(missing, sizeof missing, "%s.missing", model_path);
    int status = bmf_evaluate(world, last ? missing : model_path, dataset_path, &options, &got, &err);
    assert_all(status == BMF_ERR_IO && err.status == BMF_ERR_IO && strstr(err.text, missing));
    bmf_error_clear(&err);
    status = bmf_evaluate(world, model_path, last ? model_path : dataset_path, &options, &got, &err);
    assert_all(status == BMF_ERR_INPUT && err.status == BMF_ERR_INPUT);
    bmf_error_clear(&err);
    options.top = 0;
    status = bmf_evaluate(world, model_path, dataset_path, &options, &got, &err);
    assert_all(status == BMF_ERR_USAGE && strstr(err.text, "top 0"));
    world_clear(&fixture);
}

/* One rank met another file under the same name. */
static void test_different_files_are_noticed(void **state)
{
    (void)state;
    test_world fixture, other;
    bmf_error err = BMF_ERROR_INIT;
    bmf_evaluation got;
    bmf_evaluate_options options = usual_options();
    bool last = bmf_comm_rank(world) == bmf_comm_size(world) - 1;
    world_share(&fixture, 300, 40, BMF_CONTENT_NONE);
    world_create(&other, 290, 39, BMF_CONTENT_NONE);
    int status = bmf_comm_rank(world) == 0 ? bmf_dataset_write(other_path, &other.dataset, &err) : BMF_OK;
    status = bmf_comm_agree(world, status, &err);
    assert_all_ok(status, err);
    status = bmf_evaluate(world, model_path, last ? other_path : dataset_path, &options, &got, &err);
    if (bmf_comm_size(world) > 1)
        assert_all(status == BMF_ERR_INPUT && strstr(err.text, "290 users"));
    else
        assert_all_ok(status, err);
    world_clear(&fixture);
    world_clear(&other);
}

/* Collective: a directory made by rank 0. */
static int make_directory(void)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = BMF_OK;
    const char *parent = getenv("TMPDIR");
    if (bmf_comm_rank(world) == 0) {
        snprintf(directory, sizeof directory, "%s/bmf_evaluate_XXXXXX", parent ? parent : P_tmpdir);
        if (!mkdtemp(directory))
            status = bmf_fail(&err, BMF_ERR_IO, "cannot make %s", directory);
    }
    status = bmf_comm_agree(world, status, &err);
    bmf_comm_broadcast(world, directory, (int64_t)sizeof directory, 0);
    snprintf(dataset_path, sizeof dataset_path, "%s/data.h5", directory);
    snprintf(other_path, sizeof other_path, "%s/other.h5", directory);
    snprintf(model_path, sizeof model_path, "%s/model.h5", directory);
    return status;
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_world_is_varied),     cmocka_unit_test(test_plain_model),
        cmocka_unit_test(test_blended_model),       cmocka_unit_test(test_lists_longer_than_the_catalogue),
        cmocka_unit_test(test_one_user_one_item),   cmocka_unit_test(test_without_baselines),
        cmocka_unit_test(test_failures_are_agreed), cmocka_unit_test(test_different_files_are_noticed),
    };
    if (make_directory() != BMF_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bmf_comm_barrier(world);
    if (bmf_comm_rank(world) == 0) {
        unlink(dataset_path);
        unlink(other_path);
        unlink(model_path);
        rmdir(directory);
    }
    return failed;
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
