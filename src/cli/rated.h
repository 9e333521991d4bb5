/* What users have rated, in all splits of a data set: not to be recommended to them. */
#ifndef BMF_CLI_RATED_H
#define BMF_CLI_RATED_H

#include "cli/audience.h"
#include "store/dataset_file.h"

typedef struct bmf_rated {
    bmf_dataset_file *file; /* NULL: nothing is left out */
    int32_t *item_in_model; /* (items of the data set), −1 */
    int64_t *indptr[BMF_SPLITS];
    int64_t *row;        /* (users of the audience) in the data set, −1 */
    blendmf_items *list; /* of the block that was read: one per user, ascending */
    int64_t *item;       /* what they point to */
    int64_t list_capacity, item_capacity;
} bmf_rated;

/* Opens the data set and finds the users in it. BMF_ERR_INPUT if its ids are of another kind than the model's. On failure
 * *out is {0}. Local. */
int bmf_rated_open(const char *path, const bmf_audience *audience, const bmf_ids *items, int threads, bmf_rated *out,
                   bmf_error *err);
void bmf_rated_close(bmf_rated *rated);

/* Ratings of a user of the audience; 0 where nothing is left out. */
int64_t bmf_rated_count(const bmf_rated *rated, int64_t user);

/* Fills `list` for users [first, last) of the audience. Local. */
int bmf_rated_read(bmf_rated *rated, int64_t first, int64_t last, bmf_error *err);

#endif
