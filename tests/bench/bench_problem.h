/* Something to sweep: ratings, parameters and the orders of the users, from a data set or made up to fit into a cache. */
#ifndef BENCH_PROBLEM_H
#define BENCH_PROBLEM_H

#include "kernels/sweep.h"
#include "model/model.h"
#include "train/epoch.h"
#include "train/shard.h"

/* Reads all users of a data set; content if it has any. Collective. */
int bench_load(bmf_comm *comm, const char *path, bmf_shard *shard, bmf_error *err);

/* Ratings at random of few items by few users, as many of each as a user drawn from `like` has, so that all rows of P and Q
 * stay in the second-level cache: what remains of a sweep when no row has to be waited for. Local. */
#define BENCH_CACHED_ITEMS 400
#define BENCH_CACHED_USERS 600
int bench_cached(const bmf_shard *like, uint64_t seed, bmf_shard *shard, bmf_error *err);

/* Start values for the shard; with weights of the content if the shard has any. */
int bench_model(const bmf_shard *shard, int64_t factors, bmf_model *model, bmf_error *err);

/* The sweep of a shard with a model of bench_model (both borrowed). `round` makes the order of the ratings. */
bmf_sweep bench_sweep(const bmf_shard *shard, const bmf_model *model, bool content, uint64_t round);

#endif
