/* Ratings grouped by user and put in order of time, one rating a (user, item) pair. */
#ifndef BMF_DATA_GROUPED_H
#define BMF_DATA_GROUPED_H

#include "data/import.h"
#include "data/ratings_reader.h"

/* User u's ratings are entries begin[u] .. begin[u] + kept[u], by time and by file order where times are equal. */
typedef struct bmf_grouped {
    int64_t users;
    int64_t *begin;     /* (users + 1) */
    int64_t *kept;      /* (users), ≤ begin[u + 1] − begin[u] */
    int32_t *item;      /* (begin[users]) */
    float *rating;      /* (begin[users]) */
    int64_t *timestamp; /* (begin[users]), or NULL */
    int64_t duplicates; /* ratings dropped, or merged into another, as repeats of a pair */
} bmf_grouped;

/* First user of the part-th of `parts` stretches of users with about equal ratings; users for part = parts. Pure. */
int64_t bmf_grouped_stretch(const bmf_grouped *grouped, int part, int parts);

/* Groups raw ratings; item i of `raw` becomes item_map[i]. Repeated pairs: last and first keep one by (time, file
 * order), mean gives the last one the mean of all values; under error they are counted and one is kept, the caller
 * refuses. `raw` loses its arrays of items, values and times on the way, so that each is there twice for as short as can be
 * (not under error, where the caller needs them for its message); ratings that stand in order of users already, as files of
 * MovieLens do, are grouped in place. The result does not depend on `threads`. *out is {0} on failure. Local. */
int bmf_group_ratings(bmf_raw_ratings *raw, const int32_t *item_map, bmf_duplicates duplicates, int threads,
                      bmf_grouped *out, bmf_error *err);
void bmf_grouped_clear(bmf_grouped *grouped);

/* Rows of the first repeated pair in file order: row[1] is the first row that repeats an earlier one, row[0]. Returns
 * false through *found if there is none. Local. */
int bmf_first_duplicate(const bmf_raw_ratings *raw, int64_t row[2], bool *found, bmf_error *err);

#endif
