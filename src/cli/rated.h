/* What users have rated, in all splits of a data set: not to be recommended to them. */
#ifndef BMF_CLI_RATED_H
#define BMF_CLI_RATED_H

#include "cli/audience.h"
#include "cli/new_items.h"
#include "store/dataset_file.h"

typedef struct bmf_rated {
    bmf_dataset_file *file; /* NULL: nothing is left out */
    int64_t known;          /* items of the model; new ones are numbered from here on */
    int32_t *item_in_lists; /* (items of the data set) number in the lists, −1 */
    int64_t *indptr[BMF_SPLITS];
    int64_t *row;         /* (users of the audience) in the data set, −1 */
    blendmf_items *list;  /* of the block that was read: the model's items that each user has rated, ascending */
    blendmf_items *fresh; /* the same of new items */
    int64_t *item;        /* what they point to */
    int64_t list_capacity, item_capacity;
} bmf_rated;

/* Opens the data set and finds the users in it, and the items of the model and the new ones (borrowed for the call).
 * BMF_ERR_INPUT if its ids are of another kind than the model's. On failure *out is {0}. Local. */
int bmf_rated_open(const char *path, const bmf_audience *audience, const bmf_ids *items, const bmf_new_items *fresh,
                   int threads, bmf_rated *out, bmf_error *err);
void bmf_rated_close(bmf_rated *rated);

/* Ratings of a user of the audience; 0 where nothing is left out. */
int64_t bmf_rated_count(const bmf_rated *rated, int64_t user);

/* Fills `list` and `fresh` for users [first, last) of the audience. Local. */
int bmf_rated_read(bmf_rated *rated, int64_t first, int64_t last, bmf_error *err);

#endif
