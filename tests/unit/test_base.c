/* The foundations: reports, strict numbers, random numbers, memory, strings. */
#include "support/assert_close.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/printable.h"
#include "base/rng.h"
#include "base/strings.h"

static void test_first_report_wins_and_context_is_put_before(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    assert_int_equal(bmf_context(&err, "nothing"), BMF_OK);
    assert_int_equal(bmf_fail(&err, BMF_ERR_INPUT, "rating \"%s\" is not a number", "fife"), BMF_ERR_INPUT);
    assert_int_equal(bmf_fail(&err, BMF_ERR_IO, "later"), BMF_ERR_INPUT);
    assert_int_equal(bmf_context(&err, "ratings.csv:%d", 1042), BMF_ERR_INPUT);
    assert_string_equal(err.text, "ratings.csv:1042: rating \"fife\" is not a number");
    assert_int_equal(bmf_fail(NULL, BMF_ERR_IO, "unheard"), BMF_ERR_IO);
}

static void test_long_reports_are_cut(void **state)
{
    (void)state;
    char text[3000];
    bmf_error err = BMF_ERROR_INIT;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    bmf_fail(&err, BMF_ERR_IO, "%s", text);
    bmf_context(&err, "file");
    assert_int_equal(strlen(err.text), BMF_ERROR_TEXT - 1);
    assert_memory_equal(err.text, "file: xxx", 9);
}

static bmf_parse_result parse_int(const char *text, int64_t *out)
{
    return bmf_parse_int64(text, strlen(text), out);
}

static void test_integers(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_int_equal(parse_int("0054890", &value), BMF_PARSE_OK);
    assert_int_equal(value, 54890);
    assert_int_equal(parse_int("-9223372036854775808", &value), BMF_PARSE_OK);
    assert_true(value == INT64_MIN);
    assert_int_equal(parse_int("9223372036854775807", &value), BMF_PARSE_OK);
    assert_true(value == INT64_MAX);
    assert_int_equal(parse_int("9223372036854775808", &value), BMF_PARSE_OUT_OF_RANGE);
    assert_int_equal(parse_int("-9223372036854775809", &value), BMF_PARSE_OUT_OF_RANGE);
    assert_int_equal(parse_int("99999999999999999999999", &value), BMF_PARSE_OUT_OF_RANGE);
    assert_int_equal(parse_int("", &value), BMF_PARSE_EMPTY);
    static const char *const bad[] = {"-", "+", "1.0", " 1", "1 ", "0x10", "1e3", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_int(bad[i], &value), BMF_PARSE_NOT_A_NUMBER);
}

static void test_doubles_round_like_strtod(void **state)
{
    (void)state;
    static const char *const good[] = {"0",
                                       "-0.5",
                                       "3.5",
                                       ".5",
                                       "5.",
                                       "1e-7",
                                       "123456789012345678",
                                       "0.1",
                                       "2.675",
                                       "1e22",
                                       "-1E+2",
                                       "4.35",
                                       "1e-400",
                                       "0.3000000000000000444",
                                       "179769313486231570e291"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = -1;
        assert_int_equal(bmf_parse_double(good[i], strlen(good[i]), &value), BMF_PARSE_OK);
        assert_true(value == strtod(good[i], NULL));
    }
    for (uint64_t j = 0; j < 2000; j++) {
        char text[64];
        double value = 0;
        snprintf(text, sizeof text, "%.*f", (int)(j % 12), 1000 * bmf_rng_uniform(5, j));
        assert_int_equal(bmf_parse_double(text, strlen(text), &value), BMF_PARSE_OK);
        assert_true(value == strtod(text, NULL));
    }
}

static void test_doubles_refused(void **state)
{
    (void)state;
    double value = 0;
    static const char *const bad[] = {"nan", "inf", "-inf", "0x1p3", "1e",   "e5",
                                      ".",   "+",   "1..2", "1,5",   "3.5 ", "five"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bmf_parse_double(bad[i], strlen(bad[i]), &value), BMF_PARSE_NOT_A_NUMBER);
    assert_int_equal(bmf_parse_double("1e999", 5, &value), BMF_PARSE_OUT_OF_RANGE);
    assert_int_equal(bmf_parse_double("", 0, &value), BMF_PARSE_EMPTY);
}

static void test_random_numbers(void **state)
{
    (void)state;
    uint64_t key = bmf_rng_key(1, BMF_STREAM_TEST);
    double sum = 0, squares = 0, uniform = 0;
    float row[7], part[4];
    for (uint64_t j = 0; j < 100000; j++) {
        double x = bmf_rng_gauss(key, j), u = bmf_rng_uniform(key, j);
        assert_true(u >= 0 && u < 1);
        sum += x;
        squares += x * x;
        uniform += u;
        assert_true(bmf_rng_below(key, j, 6) < 6);
    }
    assert_close(sum / 1e5, 0, 0.015);
    assert_close(squares / 1e5, 1, 0.02);
    assert_close(uniform / 1e5, 0.5, 0.005);
    bmf_rng_normal(key, 0, 2, row, 7);
    bmf_rng_normal(key, 0, 2, part, 4);
    assert_memory_equal(row, part, sizeof part); /* a value depends on its place only */
    assert_true(bmf_rng_key(1, 1) != bmf_rng_key(2, 1) && bmf_rng_key(1, 1) != bmf_rng_key(1, 2));
}

static void test_allocation(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    assert_null(bmf_alloc(INT64_MAX, 8, "ratings", &err));
    assert_int_equal(err.status, BMF_ERR_MEMORY);
    assert_string_equal(err.text, "ratings: 9223372036854775807 elements of 8 bytes cannot be addressed");
    bmf_error_clear(&err);
    assert_null(bmf_alloc(-1, 8, "ratings", &err));
    char *big = bmf_alloc(3 << 20, 1, "big", NULL), *empty = bmf_alloc(0, 8, "empty", NULL);
    assert_non_null(big);
    assert_non_null(empty);
    assert_int_equal((uintptr_t)big % (2 << 20), 0);
    bmf_free(big);
    bmf_free(empty);
}

static void test_strings(void **state)
{
    (void)state;
    bmf_strings list = {0};
    bmf_error err = BMF_ERROR_INIT;
    char text[16];
    for (int i = 0; i < 1000; i++) {
        int length = snprintf(text, sizeof text, "%d", i * i);
        assert_ok(bmf_strings_add(&list, text, length, &err), err);
    }
    assert_int_equal(list.count, 1000);
    assert_string_equal(bmf_strings_get(&list, 0), "0");
    assert_string_equal(bmf_strings_get(&list, 999), "998001");
    assert_int_equal(bmf_strings_length(&list, 10), 3);
    bmf_strings_clear(&list);
}

static void test_text_is_made_printable(void **state)
{
    static const struct {
        const char *text, *keep, *shown;
    } cases[] = {{"plain \xc3\xa9 \xf0\x9f\x8e\xac", NULL, "plain \xc3\xa9 \xf0\x9f\x8e\xac"},
                 {"\x1b[2Ja\nb\x7f", NULL, "\\x1b[2Ja\\x0ab\\x7f"},
                 {"a\n\rb", "\n", "a\n\\x0db"},
                 {"\xc2\x9b"
                  "2J",
                  NULL, "\\xc2\\x9b2J"},
                 {"\xe2\x80\xaez", NULL, "\\xe2\\x80\\xaez"},
                 {"\xff\xc3", NULL, "\\xff\\xc3"},
                 {"\xed\xa0\x80", NULL, "\\xed\\xa0\\x80"},
                 {"\xc0\x8a", NULL, "\\xc0\\x8a"},
                 {"again \\x1b", NULL, "again \\x1b"}};
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bmf_printable(cases[i].text, cases[i].keep, out, sizeof out);
        assert_string_equal(out, cases[i].shown);
    }
    bmf_printable("ab\xc3\xa9", NULL, out, 4);
    assert_string_equal(out, "ab");
    bmf_printable("a\n", NULL, out, 5);
    assert_string_equal(out, "a");
    bmf_error err = BMF_ERROR_INIT;
    bmf_fail(&err, BMF_ERR_INPUT, "item \"%s\"", "\x1b]0;x\x07");
    bmf_context(&err, "%s", "a\nb.csv");
    assert_string_equal(err.text, "a\\x0ab.csv: item \"\\x1b]0;x\\x07\"");
}

static void test_base_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"ratings.csv", "ratings.csv"}, {"/a/b/c.h5", "c.h5"}, {"./x", "x"}, {"a/", ""}, {"", ""}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_string_equal(bmf_base_name(cases[c][0]), cases[c][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_report_wins_and_context_is_put_before),
        cmocka_unit_test(test_long_reports_are_cut),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles_round_like_strtod),
        cmocka_unit_test(test_doubles_refused),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_text_is_made_printable),
        cmocka_unit_test(test_base_names),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL) ? 1 : 0;
}
