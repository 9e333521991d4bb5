/* The one pass over a rank's ratings after they are read: each user's ratings in a random order, and what is to be known
 * of all of them. */
#ifndef BMF_TRAIN_RATING_PASS_H
#define BMF_TRAIN_RATING_PASS_H

#include "data/csr.h"

typedef struct bmf_rating_statistics {
    int64_t count;
    double sum;
    double squares;   /* Σ (rating − mean)² around the mean of these ratings */
    double low, high; /* +∞ and −∞ where there are no ratings */
} bmf_rating_statistics;

/* Puts each user's ratings in a random order, a function of (seed, first_user + row), and adds to steps (columns) how many
 * ratings each item has. The statistics are those of the ratings as they came. `threads` ≥ 1 take a part of the users each;
 * nothing depends on their number, to the bit. Fails for want of memory only. Local. */
int bmf_rating_pass(bmf_csr *ratings, int64_t first_user, uint64_t seed, int threads, int32_t *steps,
                    bmf_rating_statistics *out, bmf_error *err);

/* Puts the times of these ratings, given in the order that they came in, in the order that bmf_rating_pass gives the ratings.
 * ratings: before or after that. Local. */
void bmf_rating_shuffle_times(const bmf_csr *ratings, int64_t first_user, uint64_t seed, int64_t *timestamp);

#endif
