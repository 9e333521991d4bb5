/* Planted data: a known low-rank truth with biases, content that carries signal, Zipf item popularity, lognormal user
 * activity, half-star ratings and increasing timestamps. */
#ifndef BMF_DATA_SYNTH_H
#define BMF_DATA_SYNTH_H

#include "data/dataset.h"

typedef struct bmf_synth_options {
    int64_t users, items,
        ratings;           /* ratings: the total wanted; met exactly unless users × items is smaller (an error) */
    int64_t factors;       /* of the truth */
    int64_t features;      /* genres and tags that the items carry; 0: no content */
    int64_t user_features; /* groups that users belong to, which their tastes follow; 0: none */
    double noise;          /* standard deviation of what no model can explain, in stars */
    double split_ratio[BMF_SPLITS];
    uint64_t seed;
} bmf_synth_options;

bmf_synth_options bmf_synth_defaults(void);

/* BMF_ERR_USAGE naming the first option out of range. Pure. */
int bmf_synth_check(const bmf_synth_options *options, bmf_error *err);

/* The planted data as a data set, split in time per user. Memory: the output's arrays and O(m + n). BMF_ERR_USAGE for
 * more than INT32_MAX users, which no data set holds. Local. */
int bmf_synth(const bmf_synth_options *options, bmf_dataset *out, bmf_error *err);

/* The same ratings as MovieLens text: DIR/ratings.csv, movies.csv, tags.csv, and users.csv if there are user features,
 * streamed. DIR is made if missing; files of these names that exist already are replaced only when all could be written.
 * Local. */
int bmf_synth_write_csv(const bmf_synth_options *options, const char *directory, bmf_error *err);

#endif
