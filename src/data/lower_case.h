/* Text in lower case, as Python's str.lower makes it. */
#ifndef BMF_DATA_LOWER_CASE_H
#define BMF_DATA_LOWER_CASE_H

#include <stdint.h>

#include "base/error.h"

/* One text as code points, and room for the next. {0} is an empty one. */
typedef struct bmf_lower {
    int64_t count;
    int32_t *point; /* (count) in lower case */
    int64_t capacity;
    int32_t *given; /* scratch: as they were */
    int64_t given_capacity;
} bmf_lower;

/* UTF-8 to lower case: İ becomes two code points, a capital sigma that ends a word becomes ς. Bytes that are not valid
 * become U+FFFD, which is no word character. Local. */
int bmf_lower_case(bmf_lower *lower, const char *text, int64_t length, bmf_error *err);

/* Code points [first, last) as UTF-8 into out (4 bytes each at most); returns the bytes. */
int64_t bmf_lower_encode(const bmf_lower *lower, int64_t first, int64_t last, char *out);

void bmf_lower_clear(bmf_lower *lower);

/* Code points of UTF-8 text into point (room for `length` of them); returns how many. A byte that is no UTF-8 is U+FFFD. Pure. */
int64_t bmf_code_points(const char *text, int64_t length, int32_t *point);

#endif
