/* What a title says: "Toy Story (1995)" has a release year, a decade, and words. */
#ifndef BMF_DATA_TITLES_H
#define BMF_DATA_TITLES_H

#include <stdbool.h>

#include "data/terms.h"

/* Which features a title becomes. */
typedef struct bmf_title_features {
    bool year;   /* "year:1995" */
    bool decade; /* "decade:1990" */
    bool words;  /* "title:toy", "title:story": those before the year, without English stop words */
} bmf_title_features;

/* A list as a user types it: "none", or of year, decade and words with commas between them; NULL is "none". BMF_ERR_USAGE
 * naming --title-features and the word. Pure. */
int bmf_title_features_parse(const char *list, bmf_title_features *out, bmf_error *err);

/* The list again, in one fixed order. */
#define BMF_TITLE_FEATURES 32
void bmf_title_features_print(const bmf_title_features *features, char text[BMF_TITLE_FEATURES]);

/* The year in parentheses that ends a title, 1800 to 2199, the first one of "(2006–2007)" or "(2009– )"; 0 if there is none.
 * *name is the length of what stands before it, or of the whole title. Pure. */
int bmf_title_year(const char *title, int64_t length, int64_t *name);

/* Adds the year and the decade, as asked for, to the current row. */
int bmf_title_add_terms(const bmf_title_features *features, const char *title, int64_t length, bmf_terms *terms,
                        bmf_error *err);

#endif
