/* Titles of a model's items, from a data set. */
#ifndef BMF_CLI_TITLES_H
#define BMF_CLI_TITLES_H

#include "data/ids.h"

typedef struct bmf_titles {
    bmf_strings text; /* of the data set's items */
    int64_t *of_item; /* (items of the model) index into text, −1; NULL: no titles are wanted */
} bmf_titles;

/* BMF_ERR_INPUT if the data set has none. On failure *out is {0}. Local. */
int bmf_titles_read(const char *path, const bmf_ids *items, bmf_titles *out, bmf_error *err);
void bmf_titles_clear(bmf_titles *titles);

/* Title of an item of the model; "" where there is none. Borrowed. */
const char *bmf_titles_get(const bmf_titles *titles, int64_t item);

#endif
