/* Train, validation and test: which of a user's ratings go where. */
#ifndef BMF_DATA_SPLIT_H
#define BMF_DATA_SPLIT_H

#include "data/grouped.h"

/* Ratings per split of a user with `count` of them: the first ⌊count · train⌋ train, up to ⌊count · (train + val)⌋
 * val, the rest test, in double arithmetic as written. A last ratio of 0 leaves nothing to test by rounding. Pure. */
void bmf_split_counts(int64_t count, const double ratio[BMF_SPLITS], int64_t out[BMF_SPLITS]);

/* BMF_ERR_USAGE naming --split-ratios and the value unless each is 0 to 1 and the sum is 1 within 1e-9. Pure. */
int bmf_split_check_ratios(const double ratio[BMF_SPLITS], bmf_error *err);

typedef struct bmf_split_rule {
    bmf_split_kind kind; /* temporal: by position in the user's order; random: by a seeded shuffle; none: all train */
    double ratio[BMF_SPLITS];
    double cold_items; /* this fraction of the rated items, chosen by seed, goes to test with all ratings */
    uint64_t seed;
} bmf_split_rule;

/* Deals the grouped ratings out to three matrices, users × items, each user's ratings in the given order. The training
 * matrix takes over the arrays of `grouped`, compacted in place (fresh memory is dear), which is for clearing only after.
 * The result depends on the rule and the ratings only, not on `threads`. out[] is cleared on failure. Local. */
int bmf_split_ratings(bmf_grouped *grouped, int64_t items, const bmf_split_rule *rule, int threads,
                      bmf_ratings out[BMF_SPLITS], bmf_error *err);

#endif
