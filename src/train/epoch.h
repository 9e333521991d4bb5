/* One epoch on one rank: the order of the users, the windows, and the threads that sweep them. */
#ifndef BMF_TRAIN_EPOCH_H
#define BMF_TRAIN_EPOCH_H

#include "kernels/sweep.h"
#include "train/shard.h"

typedef struct bmf_epoch bmf_epoch;

/* Workspace for the shard (borrowed). windows ≥ 1 per epoch, threads ≥ 1. Local. */
int bmf_epoch_create(const bmf_shard *shard, int64_t windows, int64_t threads, bmf_epoch **out, bmf_error *err);
void bmf_epoch_destroy(bmf_epoch **epoch);

/* Puts the users in a new random order, a function of (key, global user), and cuts the windows: consecutive users with an
 * even share of the ratings each. */
void bmf_epoch_begin(bmf_epoch *epoch, uint64_t key);

/* Sweeps a window with the kernel: chunks of users of about equal work, taken by the threads as they become free. One thread
 * makes all steps in one order, so its result is reproducible bit for bit. Returns Σ e². */
double bmf_epoch_sweep(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep, int64_t window);

/* (items) steps of this rank on each item in the window; valid until the next call. */
const int32_t *bmf_epoch_steps(bmf_epoch *epoch, int64_t window);

#endif
