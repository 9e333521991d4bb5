/* Top-N selection against a full sort. */
#include "support/assert_close.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "linalg/topn.h"

#define STREAM 200

static int by_rank(const void *left, const void *right)
{
    const bmf_ranked *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Scores out of `distinct` values, so that ties abound. */
static void fill(bmf_ranked *stream, uint64_t key, uint64_t distinct)
{
    for (int32_t i = 0; i < STREAM; i++)
        stream[i] = (bmf_ranked){(double)bmf_rng_below(key, (uint64_t)i, distinct) - 3.0, i};
}

static void shuffle(bmf_ranked *stream, uint64_t key)
{
    for (int32_t i = STREAM - 1; i > 0; i--) {
        int32_t j = (int32_t)bmf_rng_below(key, (uint64_t)i, (uint64_t)i + 1);
        bmf_ranked swap = stream[i];
        stream[i] = stream[j];
        stream[j] = swap;
    }
}

static void assert_top(bmf_topn *top, const bmf_ranked *offered, int32_t count)
{
    bmf_ranked sorted[STREAM];
    memcpy(sorted, offered, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_rank);
    bmf_topn_reset(top);
    for (int32_t i = 0; i < count; i++)
        bmf_topn_offer(top, offered[i].score, offered[i].index);
    bmf_topn_sort(top);
    assert_int_equal(top->count, count < top->capacity ? count : top->capacity);
    for (int64_t j = 0; j < top->count; j++) {
        assert_int_equal(top->entry[j].index, sorted[j].index);
        assert_true(top->entry[j].score == sorted[j].score);
    }
}

static void test_equals_sort(void **state)
{
    (void)state;
    static const int64_t capacity[] = {1, 2, 3, 7, 10, 40, 41, STREAM - 1, STREAM, STREAM + 5};
    static const uint64_t distinct[] = {1, 2, 5, 1000000};
    uint64_t key = bmf_rng_key(7, BMF_STREAM_TEST);
    for (size_t c = 0; c < sizeof capacity / sizeof *capacity; c++)
        for (size_t d = 0; d < sizeof distinct / sizeof *distinct; d++) {
            bmf_error err = BMF_ERROR_INIT;
            bmf_topn top;
            bmf_ranked stream[STREAM];
            assert_ok(bmf_topn_create(&top, capacity[c], &err), err);
            fill(stream, bmf_rng_subkey(key, c * 16 + d), distinct[d]);
            assert_top(&top, stream, STREAM);
            shuffle(stream, key);
            assert_top(&top, stream, STREAM);
            assert_top(&top, stream, 0);
            assert_top(&top, stream, 1);
            bmf_topn_clear(&top);
        }
}

/* Everything ties: the smallest indices win, in whatever order they come. */
static void test_ties_prefer_small_index(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_topn top;
    assert_ok(bmf_topn_create(&top, 3, &err), err);
    for (int32_t i = 9; i >= 0; i--)
        bmf_topn_offer(&top, 4.5, i);
    bmf_topn_sort(&top);
    for (int32_t j = 0; j < 3; j++)
        assert_int_equal(top.entry[j].index, j);
    bmf_topn_clear(&top);
}

static void test_not_a_number_ranks_last(void **state)
{
    (void)state;
    static const double score[] = {NAN, -1e300, NAN, INFINITY, 2, NAN, -INFINITY};
    static const int32_t wanted[] = {3, 4, 1, 0, 2};
    bmf_error err = BMF_ERROR_INIT;
    bmf_topn top;
    assert_ok(bmf_topn_create(&top, 5, &err), err);
    for (int32_t i = 0; i < 7; i++)
        bmf_topn_offer(&top, score[i], i);
    bmf_topn_sort(&top);
    for (int j = 0; j < 5; j++)
        assert_int_equal(top.entry[j].index, wanted[j]);
    bmf_topn_clear(&top);
}

#define SCORES 1500

/* All at once, in pieces of any length, equals one by one; what is no number is passed over. */
static void test_pieces_equal_one_by_one(void **state)
{
    (void)state;
    static const int64_t capacity[] = {1, 3, 14, 40, 41, 100, SCORES};
    static const int64_t piece[] = {1, 15, 64, 512, 513, SCORES};
    static float score[SCORES];
    uint64_t key = bmf_rng_key(8, BMF_STREAM_TEST);
    for (size_t c = 0; c < sizeof capacity / sizeof *capacity; c++)
        for (size_t p = 0; p < 3 * sizeof piece / sizeof *piece; p++) {
            bmf_error err = BMF_ERROR_INIT;
            bmf_topn all, each;
            assert_ok(bmf_topn_create(&all, capacity[c], &err), err);
            assert_ok(bmf_topn_create(&each, capacity[c], &err), err);
            for (int32_t i = 0; i < SCORES; i++) {
                score[i] = (float)bmf_rng_below(key + p % 3, (uint64_t)i, p % 3 == 0 ? 7 : 100000) - 3;
                if (p % 3 == 1) /* the best come last */
                    score[i] += 1e3f * (float)i;
                if (i % 97 == 5)
                    score[i] = i % 2 ? NAN : -INFINITY;
                if (!isnan(score[i]))
                    bmf_topn_offer(&each, (double)score[i], i);
            }
            for (int64_t i = 0, count; i < SCORES; i += count) {
                count = SCORES - i < piece[p / 3] ? SCORES - i : piece[p / 3];
                bmf_topn_offer_all(&all, score + i, count, (int32_t)i);
            }
            bmf_topn_sort(&all);
            bmf_topn_sort(&each);
            assert_int_equal(all.count, each.count);
            for (int64_t j = 0; j < all.count; j++) {
                assert_int_equal(all.entry[j].index, each.entry[j].index);
                assert_true(all.entry[j].score == each.entry[j].score);
            }
            bmf_topn_clear(&all);
            bmf_topn_clear(&each);
        }
}

static void test_refuses_no_room(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_topn top;
    assert_int_equal(bmf_topn_create(&top, 0, &err), BMF_ERR_INTERNAL);
    assert_null(top.entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_sort),
        cmocka_unit_test(test_ties_prefer_small_index),
        cmocka_unit_test(test_not_a_number_ranks_last),
        cmocka_unit_test(test_pieces_equal_one_by_one),
        cmocka_unit_test(test_refuses_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
