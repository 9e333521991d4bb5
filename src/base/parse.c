#include "base/parse.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NUMBER 400 /* longer decimal texts are refused as not numbers */

const char *bmf_parse_reason(bmf_parse_result result)
{
    static const char *const reasons[] = {"is fine", "is empty", "is not a number", "is out of range"};
    return reasons[result];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bmf_parse_result bmf_parse_int64(const char *text, size_t length, int64_t *out)
{
    if (length == 0)
        return BMF_PARSE_EMPTY;
    bool negative = text[0] == '-';
    size_t at = negative || text[0] == '+';
    if (at == length)
        return BMF_PARSE_NOT_A_NUMBER;
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    bool overflow = false;
    for (; at < length; at++) {
        if (!is_digit(text[at]))
            return BMF_PARSE_NOT_A_NUMBER;
        uint64_t digit = (uint64_t)(text[at] - '0');
        overflow = overflow || value > (limit - digit) / 10;
        value = value * 10 + digit;
    }
    if (overflow)
        return BMF_PARSE_OUT_OF_RANGE;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return BMF_PARSE_OK;
}

/* Up to 15 significant digits and 22 decimals: the digits and the power of ten are both exact in a double, so one
 * division rounds correctly (Clinger 1990, the fast path). Returns false for anything else. */
static bool parse_short_decimal(const char *text, size_t length, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = text[0] == '-';
    size_t at = negative || text[0] == '+';
    int digits = 0, decimals = 0;
    bool point = false;
    int64_t value = 0;
    for (; at < length; at++) {
        if (text[at] == '.' && !point) {
            point = true;
        } else if (is_digit(text[at]) && digits < 15) {
            value = value * 10 + (text[at] - '0');
            digits++;
            decimals += point;
        } else {
            return false;
        }
    }
    if (digits == 0)
        return false;
    double magnitude = (double)value / power[decimals];
    *out = negative ? -magnitude : magnitude;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits] with at least one digit in the mantissa. */
static bool is_decimal(const char *text, size_t length)
{
    size_t at = text[0] == '-' || text[0] == '+', digits = 0;
    for (; at < length && is_digit(text[at]); at++)
        digits++;
    if (at < length && text[at] == '.')
        for (at++; at < length && is_digit(text[at]); at++)
            digits++;
    if (digits == 0)
        return false;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < length && (text[at] == '-' || text[at] == '+');
        if (at == length)
            return false;
        while (at < length && is_digit(text[at]))
            at++;
    }
    return at == length;
}

bmf_parse_result bmf_parse_double(const char *text, size_t length, double *out)
{
    if (length == 0)
        return BMF_PARSE_EMPTY;
    if (parse_short_decimal(text, length, out))
        return BMF_PARSE_OK;
    if (length > LONGEST_NUMBER || !is_decimal(text, length))
        return BMF_PARSE_NOT_A_NUMBER;
    char copy[LONGEST_NUMBER + 1];
    memcpy(copy, text, length);
    copy[length] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return BMF_PARSE_NOT_A_NUMBER;
    double value = strtod_l(copy, NULL, c);
    freelocale(c);
    if (isinf(value))
        return BMF_PARSE_OUT_OF_RANGE;
    *out = value;
    return BMF_PARSE_OK;
}
