/* Effects of time: which range a time is in, how far from a user's mean it counts, and what is added for whom. */
#include "support/assert_close.h"

#include <math.h>

#include "model/time_effects.h"

#define DAY 86400

static bmf_time_effects make(bmf_time_mode mode)
{
    bmf_time_effects e;
    bmf_error err = BMF_ERROR_INIT;
    static const double begin[] = {100, 200, 200, 350};
    assert_int_equal(bmf_time_effects_create(mode, 2, 3, 4, &e, &err), BMF_OK);
    for (int b = 0; e.begin && b < 4; b++)
        e.begin[b] = begin[b];
    for (int c = 0; e.item_effect && c < 12; c++)
        e.item_effect[c] = (float)(c + 1);
    if (e.user_slope) {
        e.user_slope[1] = 0.5F;
        e.user_first[1] = 10 * DAY;
        e.user_mean[1] = 20 * DAY;
        e.user_last[1] = 52 * DAY;
    }
    return e;
}

static void test_ranges(void **state)
{
    (void)state;
    bmf_time_effects e = make(BMF_TIME_ITEMS);
    static const int64_t time[] = {INT64_MIN, 99, 100, 199, 200, 349, 350, INT64_MAX};
    static const int64_t bin[] = {0, 0, 0, 0, 2, 2, 3, 3}; /* nothing is in the empty range */
    for (int i = 0; i < 8; i++)
        assert_int_equal(bmf_time_bin(&e, time[i]), bin[i]);
    e.bins = 1;
    assert_int_equal(bmf_time_bin(&e, 1000), 0);
    bmf_time_effects_clear(&e);
}

static void test_deviations(void **state)
{
    (void)state;
    bmf_time_effects e = make(BMF_TIME_USERS);
    const double most = pow(32, 0.4), least = -pow(10, 0.4); /* 32^0.4 is 4 */
    assert_true(fabs(most - 4) < 1e-12);
    assert_true(bmf_time_deviation(&e, 1, 20 * DAY) == 0);
    assert_true(fabs(bmf_time_deviation(&e, 1, 21 * DAY) - 1) < 1e-12);
    assert_true(fabs(bmf_time_deviation(&e, 1, 19 * DAY) + 1) < 1e-12);
    assert_true(bmf_time_deviation(&e, 1, 52 * DAY) == most && bmf_time_deviation(&e, 1, 900 * DAY) == most);
    assert_true(bmf_time_deviation(&e, 1, 10 * DAY) == least && bmf_time_deviation(&e, 1, INT64_MIN) == least);
    assert_true(bmf_time_deviation(&e, 0, 900 * DAY) == 0); /* who has no training ratings */
    bmf_time_effects_clear(&e);
}

static void test_effects(void **state)
{
    (void)state;
    static const double item[] = {0, 12, 0, 12}, user[] = {0, 0, 2, 2};
    const int64_t t = 52 * DAY;
    for (int mode = 0; mode < BMF_TIME_MODES; mode++) {
        bmf_time_effects e = make((bmf_time_mode)mode);
        assert_true(fabs(bmf_time_effect(&e, 1, 2, t) - item[mode] - user[mode]) < 1e-12);
        assert_true(bmf_time_effect(&e, -1, 2, t) == item[mode]);
        assert_true(fabs(bmf_time_effect(&e, 1, -1, t) - user[mode]) < 1e-12);
        assert_true(bmf_time_effect(&e, -1, -1, t) == 0);
        assert_int_equal(bmf_time_effects_bytes((bmf_time_mode)mode, 2, 3, 4),
                         (item[mode] > 0 ? 4 * 8 + 12 * 4 : 0) + (user[mode] > 0 ? 2 * (4 + 24) : 0));
        bmf_time_effects_clear(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_deviations),
        cmocka_unit_test(test_effects),
    };
    return cmocka_run_group_tests_name("time_effects", tests, NULL, NULL) ? 1 : 0;
}
