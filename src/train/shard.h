/* The part of a data set that one rank trains on: a contiguous range of users, balanced by training ratings. */
#ifndef BMF_TRAIN_SHARD_H
#define BMF_TRAIN_SHARD_H

#include "comm/comm.h"
#include "kernels/content.h"
#include "store/dataset_file.h"

/* bounds (parts + 1): part p has users [bounds[p], bounds[p+1]); ratings are as even as whole users allow, in the sense
 * that each bound is where the running count first reaches p/parts of all. indptr is (users + 1). Pure. */
void bmf_partition_users(const int64_t *indptr, int64_t users, int parts, int64_t *bounds);

typedef struct bmf_shard {
    int64_t first_user, users; /* held here */
    int64_t all_users, items;
    bmf_ratings train;     /* (users × items), each user's ratings in a random order, a function of (seed, user) */
    bmf_ratings val;       /* (users × items) */
    bmf_content_rows rows; /* (items × F) content scaled by content_weight; F = 0 when not wanted */
    int64_t all_train, all_val;
    double mean;     /* of all training ratings */
    double variance; /* of all training ratings around it */
    double rating_min, rating_max;
    int32_t *user_ratings; /* (all_users) training ratings of each user; on rank 0, else NULL */
    int32_t *item_ratings; /* (items) training ratings of each item, of all ranks together */
    int32_t *item_steps;   /* (items) training ratings of each item held here: its steps in an epoch */
} bmf_shard;

/* Reads this rank's users, with the threads that the file is read by; content only if wanted. `planned`: if above the number
 * of ranks, the part with the most users of so many, in a process that is alone; all else is then of that part. The result
 * does not depend on the threads. Collective, one status for all. */
int bmf_shard_load(bmf_comm *comm, bmf_dataset_file *file, bool want_content, double content_weight, uint64_t seed,
                   int64_t planned, bmf_shard *out, bmf_error *err);
/* Takes other rows (items × F) than the data set's as content, scaled. Local. */
int bmf_shard_take_content(bmf_shard *shard, const bmf_csr *content, double weight, bmf_error *err);
void bmf_shard_clear(bmf_shard *shard);

#endif
