/* Loading a rank's part of a data set: the same for any number of threads, and the ranks' parts make up the whole. */
#include "planted.h"

#include <math.h>

#include "train/shard.h"

static char directory[64], data[128];

static int set_up(void **state)
{
    (void)state;
    make_directory(directory);
    snprintf(data, sizeof data, "%s/data.h5", directory);
    write_planted(data, 2000, 1500, 1500000); /* enough for threads with three ranks */
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    remove_directory(directory);
    return 0;
}

static bmf_shard load(int threads)
{
    bmf_shard shard;
    bmf_dataset_file *file;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_dataset_file_open(data, &file, &err) == BMF_OK);
    bmf_dataset_file_use_threads(file, threads);
    int status = bmf_shard_load(world, file, true, 1, 3, 0, &shard, &err);
    if (status != BMF_OK)
        print_error("%s\n", err.text);
    assert_all(status == BMF_OK);
    bmf_dataset_file_close(&file);
    return shard;
}

static bool same_matrix(const bmf_csr *a, const bmf_csr *b)
{
    const size_t count = (size_t)bmf_csr_count(a);
    return a->rows == b->rows && a->columns == b->columns &&
           memcmp(a->indptr, b->indptr, (size_t)(a->rows + 1) * sizeof *a->indptr) == 0 &&
           memcmp(a->indices, b->indices, count * sizeof *a->indices) == 0 &&
           memcmp(a->data, b->data, count * sizeof *a->data) == 0;
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    bmf_shard one = load(1);
    assert_all(bmf_csr_count(&one.train.matrix) > 1 << 18);
    for (int threads = 2; threads <= 3; threads++) {
        bmf_shard other = load(threads);
        assert_all(other.first_user == one.first_user && other.users == one.users);
        assert_all(same_matrix(&one.train.matrix, &other.train.matrix));
        assert_all(same_matrix(&one.val.matrix, &other.val.matrix));
        assert_all(memcmp(one.item_steps, other.item_steps, (size_t)one.items * sizeof *one.item_steps) == 0);
        assert_all(one.mean == other.mean && one.variance == other.variance);
        assert_all(one.rating_min == other.rating_min && one.rating_max == other.rating_max);
        bmf_shard_clear(&other);
    }
    bmf_shard_clear(&one);
}

/* Beside the data set read by one process and looked at with plain loops. */
static void test_statistics_are_of_all_ranks(void **state)
{
    (void)state;
    bmf_shard shard = load(2);
    bmf_dataset_file *file;
    bmf_ratings all;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_dataset_file_open(data, &file, &err) == BMF_OK);
    assert_all(bmf_dataset_file_read_ratings(file, BMF_TRAIN, 0, shard.all_users, 0, &all, &err) == BMF_OK);
    bmf_dataset_file_close(&file);
    const int64_t count = bmf_csr_count(&all.matrix);
    double sum = 0, squares = 0, low = 1e9, high = -1e9;
    int64_t steps = 0;
    for (int64_t j = 0; j < count; j++)
        sum += (double)all.matrix.data[j];
    for (int64_t j = 0; j < count; j++) {
        const double value = (double)all.matrix.data[j], apart = value - sum / (double)count;
        squares += apart * apart;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    for (int64_t i = 0; i < shard.items; i++)
        steps += shard.item_steps[i];
    assert_all(steps == bmf_csr_count(&shard.train.matrix));
    bmf_comm_sum_int64(world, &steps, 1);
    assert_all(steps == count);
    assert_all((shard.user_ratings != NULL) == (bmf_comm_rank(world) == 0));
    for (int64_t u = 0; shard.user_ratings && u < shard.all_users; u++)
        assert_true(shard.user_ratings[u] == all.matrix.indptr[u + 1] - all.matrix.indptr[u]);
    for (int64_t j = 0; j < count; j++)
        shard.item_ratings[all.matrix.indices[j]]--;
    for (int64_t i = 0; i < shard.items; i++)
        assert_true(shard.item_ratings[i] == 0);
    assert_all(fabs(shard.mean - sum / (double)count) < 1e-12);
    assert_all(fabs(shard.variance - squares / (double)count) < 1e-10);
    assert_all(shard.rating_min == low && shard.rating_max == high);
    bmf_ratings_clear(&all);
    bmf_shard_clear(&shard);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_statistics_are_of_all_ranks),
    };
    return cmocka_run_group_tests_name("shard", tests, set_up, clean_up);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
