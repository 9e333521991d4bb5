/* Something to sweep: ratings, parameters and the orders of the users, from a data set or made up to fit into a cache. */
#ifndef BENCH_PROBLEM_H
#define BENCH_PROBLEM_H

#include "kernels/sweep.h"
#include "model/model.h"
#include "train/content_weights.h"
#include "train/epoch.h"
#include "train/shard.h"

/* Reads all users of a data set; content if it has any. Collective. */
int bench_load(bmf_comm *comm, const char *path, bmf_shard *shard, bmf_error *err);

/* Ratings at random of few items by few users, as many of each as a user drawn from `like` has, so that all rows of P and Q
 * stay in the second-level cache: what remains of a sweep when no row has to be waited for. Local. */
#define BENCH_CACHED_ITEMS 400
#define BENCH_CACHED_USERS 600
int bench_cached(const bmf_shard *like, uint64_t seed, bmf_shard *shard, bmf_error *err);

/* Which content weights the users of a shard have, and the slots of their ratings; {0} if there is no content. */
typedef struct bench_weights {
    bmf_content_pattern pattern;
    bmf_content_slots slots;
} bench_weights;

int bench_find_weights(const bmf_shard *shard, int threads, bench_weights *out, bmf_error *err);
void bench_weights_clear(bench_weights *weights);

/* Start values for the shard. weights: NULL or {0} for the plain model; borrowed. */
int bench_model(const bmf_shard *shard, const bench_weights *weights, int64_t factors, bmf_model *model,
                bmf_error *err);

/* The sweep of a shard with a model of bench_model (all borrowed); weights: NULL to leave the content out. `round` makes the
 * order of the ratings. */
bmf_sweep bench_sweep(const bmf_shard *shard, const bench_weights *weights, const bmf_model *model, uint64_t round);

#endif
