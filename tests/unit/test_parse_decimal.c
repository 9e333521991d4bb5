/* Decimals as they stand in files of ratings: the short way gives the bits of strtod, on some millions of texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/rng.h"
#include "support/assert_close.h"

#define TEXTS 3000000

/* Sign, up to 17 digits, a point anywhere or nowhere: around the 15 digits where the short way ends. */
static size_t make_text(uint64_t i, char *text)
{
    uint64_t draw = bmf_rng_draw(5, 2 * i), digits = bmf_rng_draw(5, 2 * i + 1);
    int count = 1 + (int)(draw % 17), point = (int)(draw >> 8) % (count + 2); /* count + 1: no point */
    size_t length = 0;
    if (draw >> 32 & 1)
        text[length++] = draw >> 33 & 1 ? '-' : '+';
    for (int d = 0; d < count; d++) {
        if (d == point)
            text[length++] = '.';
        text[length++] = (char)('0' + digits % 10);
        digits /= 10;
    }
    if (point == count)
        text[length++] = '.';
    text[length] = '\0';
    return length;
}

static void short_decimals_are_those_of_strtod(void **state)
{
    (void)state;
    char text[64];
    for (uint64_t i = 0; i < TEXTS; i++) {
        size_t length = make_text(i, text);
        double got = 0, wanted = strtod(text, NULL);
        assert_int_equal(bmf_parse_double(text, length, &got), BMF_PARSE_OK);
        if (memcmp(&got, &wanted, sizeof got) != 0)
            fail_msg("%s: got %.17g, strtod says %.17g", text, got, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(short_decimals_are_those_of_strtod)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
