/* One field's text to a value, or the sentence that tells the user what is wrong with it (without file and line,
 * which the caller knows). err may be NULL where only the status matters. All Local. */
#ifndef BMF_DATA_VALUES_H
#define BMF_DATA_VALUES_H

#include "data/text_records.h"

/* A numeric id: an integer from 0 to 2^63 − 1, leading zeros allowed. `what` is "user" or "item". */
int bmf_value_id(const bmf_field *field, const char *what, int64_t *out, bmf_error *err);

/* False if the text is no integer at all: ids of the column that it begins are strings then. */
bool bmf_value_is_number(const bmf_field *field);

/* A finite decimal number within the range of a float. */
int bmf_value_rating(const bmf_field *field, float *out, bmf_error *err);

/* An integer: seconds since some beginning. */
int bmf_value_timestamp(const bmf_field *field, int64_t *out, bmf_error *err);

#endif
