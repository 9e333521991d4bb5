#include "data/values.h"

#include <float.h>

#include "base/parse.h"

#define SHOWN 60 /* bytes of a value that a message repeats */

static int shown(const bmf_field *field)
{
    return field->length < SHOWN ? (int)field->length : SHOWN;
}

/* Up to 18 digits, which cannot overflow: nearly every id and time. Returns false for anything else. */
static inline bool short_integer(const bmf_field *field, int64_t *out)
{
    if (field->length < 1 || field->length > 18)
        return false;
    int64_t value = 0;
    for (int64_t i = 0; i < field->length; i++) {
        unsigned digit = (unsigned)(unsigned char)field->text[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + (int64_t)digit;
    }
    *out = value;
    return true;
}

static bool begins_with_minus(const bmf_field *field)
{
    return field->length > 1 && field->text[0] == '-';
}

#define ID_RANGE "ids are integers from 0 to 9223372036854775807"

int bmf_value_id(const bmf_field *field, const char *what, int64_t *out, bmf_error *err)
{
    if (short_integer(field, out))
        return BMF_OK;
    bmf_parse_result result = bmf_parse_int64(field->text, (size_t)field->length, out);
    if (result == BMF_PARSE_OK && *out >= 0)
        return BMF_OK;
    if (result == BMF_PARSE_EMPTY)
        return bmf_fail(err, BMF_ERR_INPUT, "%s id is empty; " ID_RANGE, what);
    if (result == BMF_PARSE_NOT_A_NUMBER)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "%s id \"%.*s\" is not a number, but the first one in the ratings is; " ID_RANGE, what,
                        shown(field), field->text);
    return bmf_fail(err, BMF_ERR_INPUT, "%s id \"%.*s\" is %s; " ID_RANGE, what, shown(field), field->text,
                    begins_with_minus(field) ? "negative" : "out of range");
}

bool bmf_value_is_number(const bmf_field *field)
{
    int64_t value;
    return bmf_parse_int64(field->text, (size_t)field->length, &value) != BMF_PARSE_NOT_A_NUMBER;
}

int bmf_value_rating(const bmf_field *field, float *out, bmf_error *err)
{
    double value = 0;
    bmf_parse_result result = bmf_parse_double(field->text, (size_t)field->length, &value);
    if (result == BMF_PARSE_OK && value >= -(double)FLT_MAX && value <= (double)FLT_MAX) {
        *out = (float)value;
        return BMF_OK;
    }
    if (result == BMF_PARSE_EMPTY)
        return bmf_fail(err, BMF_ERR_INPUT, "rating is empty; a finite decimal number such as 3.5 is expected");
    if (result == BMF_PARSE_NOT_A_NUMBER)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "rating \"%.*s\" is not a number; a finite decimal number such as 3.5 is expected",
                        shown(field), field->text);
    return bmf_fail(err, BMF_ERR_INPUT,
                    "rating \"%.*s\" is out of range; numbers from %.9g to %.9g (float) are allowed", shown(field),
                    field->text, -(double)FLT_MAX, (double)FLT_MAX);
}

int bmf_value_timestamp(const bmf_field *field, int64_t *out, bmf_error *err)
{
    if (short_integer(field, out))
        return BMF_OK;
    bmf_parse_result result = bmf_parse_int64(field->text, (size_t)field->length, out);
    if (result == BMF_PARSE_OK)
        return BMF_OK;
    if (result == BMF_PARSE_EMPTY)
        return bmf_fail(err, BMF_ERR_INPUT, "timestamp is empty; an integer (seconds) is expected");
    return bmf_fail(err, BMF_ERR_INPUT, "timestamp \"%.*s\" %s; an integer (seconds) is expected", shown(field),
                    field->text, bmf_parse_reason(result));
}
