/* The communicator: reductions in pieces, gathering, agreement on failures, and what the launcher says. */
#include "support/mpi_cmocka.h"

#include <string.h>

#include "comm/launcher.h"

static void test_sums_in_pieces(void **state)
{
    (void)state;
    float data[50];
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    bmf_comm_set_cut(world, 7);
    for (int j = 0; j < 50; j++)
        data[j] = (float)(rank + j);
    bmf_comm_sum_float(world, data, 50);
    bmf_comm_set_cut(world, 1 << 20);
    bool right = true;
    for (int j = 0; j < 50; j++)
        right &= data[j] == (float)(size * (size - 1) / 2 + size * j);
    assert_all(right);
}

static void test_extremes_and_counts(void **state)
{
    (void)state;
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    double low = rank, high = rank;
    int64_t count = (int64_t)1 << 40;
    bmf_comm_min_double(world, &low, 1);
    bmf_comm_max_double(world, &high, 1);
    bmf_comm_sum_int64(world, &count, 1);
    assert_all(low == 0 && high == size - 1);
    assert_all(count == size * ((int64_t)1 << 40));
}

static void test_broadcast_and_gather(void **state)
{
    (void)state;
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    char text[40] = {0}, all[256] = {0}, mine[8];
    int64_t count[64];
    bmf_comm_set_cut(world, 3);
    if (rank == size - 1)
        strncpy(text, "from the last rank to all of them", sizeof text - 1);
    bmf_comm_broadcast(world, text, sizeof text, size - 1);
    assert_all(strcmp(text, "from the last rank to all of them") == 0);
    for (int r = 0; r < size; r++)
        count[r] = r + 1; /* each rank another length */
    memset(mine, 'a' + rank, sizeof mine);
    bmf_comm_gather(world, mine, rank + 1, all, count);
    bmf_comm_set_cut(world, 1 << 20);
    assert_all(rank != 0 || strncmp(all, "abbcccdddd", (size_t)(size * (size + 1) / 2)) == 0);
}

static void test_agree_when_all_is_well(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_comm_agree(world, BMF_OK, &err) == BMF_OK && err.status == BMF_OK);
}

static void test_agree_on_one_failure(void **state)
{
    (void)state;
    const int last = bmf_comm_size(world) - 1;
    bmf_error err = BMF_ERROR_INIT;
    int status = BMF_OK;
    if (bmf_comm_rank(world) == last)
        status = bmf_fail(&err, BMF_ERR_IO, "shard: cannot read");
    char wanted[64];
    snprintf(wanted, sizeof wanted, last > 0 ? "rank %d: shard: cannot read" : "shard: cannot read", last);
    status = bmf_comm_agree(world, status, &err);
    assert_all(status == BMF_ERR_IO && err.status == BMF_ERR_IO);
    assert_all(strcmp(err.text, wanted) == 0);
}

static void test_agree_when_all_fail(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    int status = bmf_comm_agree(world, bmf_fail(&err, BMF_ERR_INPUT, "x.h5: not ours"), &err);
    assert_all(status == BMF_ERR_INPUT && strcmp(err.text, "x.h5: not ours") == 0);
}

static void test_split(void **state)
{
    (void)state;
    bmf_comm *part = NULL;
    bmf_error err = BMF_ERROR_INIT;
    const int rank = bmf_comm_rank(world), size = bmf_comm_size(world);
    assert_all(bmf_comm_split(world, rank % 2, &part, &err) == BMF_OK);
    double members = 1;
    bmf_comm_sum_double(part, &members, 1);
    assert_all((int)members == (size + 1 - rank % 2) / 2);
    assert_all(bmf_comm_rank(part) == rank / 2);
    bmf_comm_release(&part);
}

/* A pretended environment: NAME=VALUE pairs. */
static const char *const *pretended;

static char *get_pretended(const char *name)
{
    for (const char *const *entry = pretended; *entry; entry += 2)
        if (strcmp(entry[0], name) == 0)
            return (char *)(uintptr_t)entry[1];
    return NULL;
}

static bmf_launcher launcher_of(const char *const *environment)
{
    pretended = environment;
    return bmf_launcher_read(get_pretended);
}

static void test_launcher(void **state)
{
    (void)state;
    const char *const nothing[] = {NULL}, *const batch[] = {"SLURM_STEP_NUM_TASKS", "4", NULL};
    const char *const step[] = {"SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "0", NULL};
    const char *const both[] = {"SLURM_STEP_NUM_TASKS", "2", "SLURM_PROCID", "0", "OMPI_COMM_WORLD_SIZE", "8", NULL};
    bmf_error err = BMF_ERROR_INIT;
    bmf_launcher launcher = launcher_of(nothing);
    assert_all(launcher.size == 1 && bmf_launcher_check(&launcher, 1, &err) == BMF_OK);
    launcher = launcher_of(batch);
    assert_all(launcher.size == 1);
    launcher = launcher_of(both);
    assert_all(launcher.size == 8 && bmf_launcher_check(&launcher, 8, &err) == BMF_OK);
    launcher = launcher_of(step);
    assert_all(launcher.size == 4 && bmf_launcher_check(&launcher, 1, &err) == BMF_ERR_USAGE);
    assert_all(strstr(err.text, "srun --mpi=pmix") != NULL);
}

#ifdef WATCHED
static void no_stall(const char *text, void *context)
{
    (void)context;
    fail_msg("%s", text);
}
#endif

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_in_pieces),
        cmocka_unit_test(test_extremes_and_counts),
        cmocka_unit_test(test_broadcast_and_gather),
        cmocka_unit_test(test_agree_when_all_is_well),
        cmocka_unit_test(test_agree_on_one_failure),
        cmocka_unit_test(test_agree_when_all_fail),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_launcher),
    };
#ifdef WATCHED /* the same, where every wait is a polling one */
    bmf_error err = BMF_ERROR_INIT;
    assert_all(bmf_comm_watch_stalls(world, 60, no_stall, NULL, &err) == BMF_OK);
#endif
    return cmocka_run_group_tests_name("comm", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return run_on_all_ranks(argc, argv, run);
}
