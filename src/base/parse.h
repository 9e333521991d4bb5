/* Strict numbers from text: the whole text is the number, or it is an error. */
#ifndef BMF_BASE_PARSE_H
#define BMF_BASE_PARSE_H

#include <stddef.h>
#include <stdint.h>

typedef enum bmf_parse_result {
    BMF_PARSE_OK,
    BMF_PARSE_EMPTY,
    BMF_PARSE_NOT_A_NUMBER,
    BMF_PARSE_OUT_OF_RANGE /* a number, but not one the type can hold */
} bmf_parse_result;

/* "is empty", "is not a number", "is out of range": to be put behind the value in a message. */
const char *bmf_parse_reason(bmf_parse_result result);

/* [+-]digits into *out; text need not end in NUL. */
bmf_parse_result bmf_parse_int64(const char *text, size_t length, int64_t *out);

/* A decimal number, correctly rounded, '.' whatever the locale; "inf", "nan" and hexadecimal are not numbers, and
 * magnitudes above DBL_MAX are out of range. */
bmf_parse_result bmf_parse_double(const char *text, size_t length, double *out);

#endif
