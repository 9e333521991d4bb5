/* The pass over a rank's ratings: the same to the bit for any number of threads, and what a plain loop finds. */
#include "support/assert_close.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/rating_pass.h"

#define USERS 700
#define ITEMS 900
#define FIRST_USER 40
#define BUSY 333 /* this user has more ratings than a block */

static const uint64_t seed = 5;

/* Users without ratings, short ones and a long one; enough ratings for threads, with values that no float sum has exactly. */
static int64_t row_length(int64_t u)
{
    if (u == BUSY)
        return 40000;
    return u % 50 == 0 ? 0 : (int64_t)bmf_rng_below(BMF_STREAM_TEST, (uint64_t)u, 900);
}

static bmf_csr make_ratings(void)
{
    bmf_csr ratings;
    bmf_error err = BMF_ERROR_INIT;
    int64_t count = 0;
    for (int64_t u = 0; u < USERS; u++)
        count += row_length(u);
    assert_int_equal(bmf_csr_create(&ratings, USERS, ITEMS, count, "ratings", &err), BMF_OK);
    for (int64_t u = 0; u < USERS; u++)
        ratings.indptr[u + 1] = ratings.indptr[u] + row_length(u);
    for (int64_t j = 0; j < count; j++) {
        ratings.indices[j] = (int32_t)bmf_rng_below(BMF_STREAM_TEST + 1, (uint64_t)j, ITEMS);
        ratings.data[j] = 1000 + 4.5f * (float)bmf_rng_uniform(BMF_STREAM_TEST + 2, (uint64_t)j);
    }
    return ratings;
}

static bmf_rating_statistics pass_over(bmf_csr *ratings, int64_t first_user, int threads, int32_t steps[ITEMS])
{
    bmf_rating_statistics out;
    bmf_error err = BMF_ERROR_INIT;
    memset(steps, 0, ITEMS * sizeof *steps);
    assert_int_equal(bmf_rating_pass(ratings, first_user, seed, threads, steps, &out, &err), BMF_OK);
    return out;
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    int32_t steps[ITEMS], steps_of_one[ITEMS];
    bmf_csr one = make_ratings();
    assert_true(bmf_csr_count(&one) > 1 << 18);
    const size_t count = (size_t)bmf_csr_count(&one);
    const bmf_rating_statistics of_one = pass_over(&one, FIRST_USER, 1, steps_of_one);
    for (int threads = 2; threads <= 5; threads++) {
        bmf_csr other = make_ratings();
        const bmf_rating_statistics of_other = pass_over(&other, FIRST_USER, threads, steps);
        assert_memory_equal(&of_one, &of_other, sizeof of_one);
        assert_memory_equal(steps_of_one, steps, sizeof steps);
        assert_memory_equal(one.indices, other.indices, count * sizeof *one.indices);
        assert_memory_equal(one.data, other.data, count * sizeof *one.data);
        bmf_csr_clear(&other);
    }
    bmf_csr_clear(&one);
}

static void test_statistics_are_those_of_a_plain_loop(void **state)
{
    (void)state;
    int32_t steps[ITEMS], wanted[ITEMS] = {0};
    bmf_csr ratings = make_ratings();
    const int64_t count = bmf_csr_count(&ratings);
    long double sum = 0, squares = 0;
    float low = HUGE_VALF, high = -HUGE_VALF;
    for (int64_t j = 0; j < count; j++) {
        sum += ratings.data[j];
        low = fminf(low, ratings.data[j]);
        high = fmaxf(high, ratings.data[j]);
        wanted[ratings.indices[j]]++;
    }
    for (int64_t j = 0; j < count; j++)
        squares += (ratings.data[j] - sum / count) * (ratings.data[j] - sum / count);
    const bmf_rating_statistics found = pass_over(&ratings, 0, 2, steps);
    assert_int_equal(found.count, count);
    assert_close(found.sum, (double)sum, 1e-12 * (double)sum);
    assert_close(found.squares, (double)squares, 1e-10 * (double)squares);
    assert_true(found.low == (double)low && found.high == (double)high);
    assert_memory_equal(steps, wanted, sizeof steps);
    bmf_csr_clear(&ratings);
}

/* Item and value of a rating in one number. */
static uint64_t key_of(const bmf_csr *ratings, int64_t j)
{
    uint32_t bits;
    memcpy(&bits, &ratings->data[j], sizeof bits);
    return (uint64_t)ratings->indices[j] << 32 | bits;
}

/* Each user's ratings are those that he had, pair by pair, in another order; the order goes with the user, not the row. */
static void test_orders_each_users_ratings(void **state)
{
    (void)state;
    int32_t steps[ITEMS];
    bmf_csr before = make_ratings(), after = make_ratings();
    int64_t moved = 0;
    (void)pass_over(&after, 0, 3, steps);
    for (int64_t u = 0; u < USERS; u++) {
        uint64_t were = 0, are = 0;
        for (int64_t j = before.indptr[u]; j < before.indptr[u + 1]; j++) {
            were += bmf_rng_mix(key_of(&before, j));
            are += bmf_rng_mix(key_of(&after, j));
            moved += key_of(&before, j) != key_of(&after, j);
        }
        assert_int_equal(were, are);
    }
    assert_true(moved > bmf_csr_count(&before) * 9 / 10);
    bmf_csr tail = before;
    tail.rows = 3;
    tail.indptr = before.indptr + BUSY - 1;
    (void)pass_over(&tail, BUSY - 1, 1, steps);
    assert_memory_equal(before.data + tail.indptr[0], after.data + tail.indptr[0],
                        (size_t)(tail.indptr[3] - tail.indptr[0]) * sizeof(float));
    bmf_csr_clear(&before);
    bmf_csr_clear(&after);
}

/* Times that say which rating they are of still do so after both were put in order. */
static void test_times_go_with_their_ratings(void **state)
{
    (void)state;
    enum { FIRST = 1000 };
    int32_t steps[ITEMS];
    bmf_csr before = make_ratings(), after = make_ratings();
    const int64_t count = bmf_csr_count(&before);
    bmf_error err = BMF_ERROR_INIT;
    int64_t *time = bmf_alloc(count, sizeof *time, "times", &err);
    assert_non_null(time);
    for (int64_t j = 0; j < count; j++)
        time[j] = j;
    (void)pass_over(&after, FIRST, 2, steps);
    bmf_rating_shuffle_times(&before, FIRST, seed, time);
    for (int64_t j = 0; j < count; j++)
        assert_int_equal(key_of(&after, j), key_of(&before, time[j]));
    bmf_free(time);
    bmf_csr_clear(&before);
    bmf_csr_clear(&after);
}

static void test_no_ratings(void **state)
{
    (void)state;
    bmf_csr none;
    bmf_error err = BMF_ERROR_INIT;
    int32_t steps[ITEMS], zero[ITEMS] = {0};
    assert_int_equal(bmf_csr_create(&none, 3, ITEMS, 0, "ratings", &err), BMF_OK);
    const bmf_rating_statistics found = pass_over(&none, 0, 2, steps);
    assert_int_equal(found.count, 0);
    assert_true(found.sum == 0 && found.squares == 0 && found.low > found.high);
    assert_memory_equal(steps, zero, sizeof steps);
    bmf_csr_clear(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_statistics_are_those_of_a_plain_loop),
        cmocka_unit_test(test_orders_each_users_ratings),
        cmocka_unit_test(test_times_go_with_their_ratings),
        cmocka_unit_test(test_no_ratings),
    };
    return cmocka_run_group_tests_name("rating_pass", tests, NULL, NULL) ? 1 : 0;
}
