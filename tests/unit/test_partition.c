/* Users over ranks: every user once, ratings as even as whole users allow. */
#include "support/assert_close.h"

#include "base/rng.h"
#include "train/shard.h"

#define USERS 500

static void test_covers_every_user_once(void **state)
{
    (void)state;
    int64_t indptr[USERS + 1] = {0}, bounds[65];
    int64_t largest = 0;
    for (int u = 0; u < USERS; u++) {
        int64_t n = (int64_t)bmf_rng_below(BMF_STREAM_TEST, (uint64_t)u, 100);
        largest = n > largest ? n : largest;
        indptr[u + 1] = indptr[u] + n;
    }
    for (int parts = 1; parts <= 64; parts++) {
        bmf_partition_users(indptr, USERS, parts, bounds);
        assert_int_equal(bounds[0], 0);
        assert_int_equal(bounds[parts], USERS);
        for (int p = 0; p < parts; p++) {
            assert_true(bounds[p] <= bounds[p + 1]);
            int64_t ratings = indptr[bounds[p + 1]] - indptr[bounds[p]];
            assert_true(ratings <= indptr[USERS] / parts + largest + 1);
        }
    }
}

static void test_more_parts_than_users(void **state)
{
    (void)state;
    const int64_t indptr[3] = {0, 5, 9};
    int64_t bounds[8];
    bmf_partition_users(indptr, 2, 7, bounds);
    int64_t users = 0;
    for (int p = 0; p < 7; p++)
        users += bounds[p + 1] - bounds[p];
    assert_int_equal(users, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers_every_user_once),
        cmocka_unit_test(test_more_parts_than_users),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL) ? 1 : 0;
}
