/* Named features of rows: for each row a list of names, as "year:1995". */
#ifndef BMF_DATA_TERMS_H
#define BMF_DATA_TERMS_H

#include "base/strings.h"
#include "data/lower_case.h"

typedef struct bmf_terms {
    int64_t rows;     /* finished */
    bmf_strings name; /* of all rows, row by row */
    int64_t *end;     /* (rows): names of row r are end[r − 1] .. end[r], from 0 for the first row */
    int64_t end_capacity;
    bmf_lower lower; /* scratch: one name */
    char *text;
    int64_t text_capacity;
} bmf_terms;

/* Adds "prefix:name" to the row that is being made; name is trimmed and put into lower case, and an empty one is left out. */
int bmf_terms_add(bmf_terms *terms, const char *prefix, const char *name, int64_t length, bmf_error *err);

/* Ends the row; the next name begins another. */
int bmf_terms_end_row(bmf_terms *terms, bmf_error *err);
void bmf_terms_clear(bmf_terms *terms);

#endif
