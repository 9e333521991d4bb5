/* One epoch on one rank: the order of the users, the windows, and the threads that sweep them.
 *
 * A thread has a part of the rank's users, a contiguous range with its share of the ratings, in an order of its own. With a
 * copy of the item side for each thread (train/item_copies.h) it sweeps its part alone, and an epoch is the same to the bit
 * each time; where the threads share one, they take chunks of all parts as they become free. */
#ifndef BMF_TRAIN_EPOCH_H
#define BMF_TRAIN_EPOCH_H

#include "kernels/sweep.h"
#include "train/item_copies.h"
#include "train/shard.h"

typedef struct bmf_epoch bmf_epoch;

/* Workspace for the shard (borrowed). windows ≥ 1 per epoch, threads ≥ 1; copies: those of the item side, 1 or threads. Deals
 * the users of each part out to the windows, each with an even share of the ratings, at random, a function of (key, global
 * user); they stay there, so that the steps of a window are the same in every epoch. Local. */
int bmf_epoch_create(const bmf_shard *shard, int64_t windows, int64_t threads, int64_t copies, uint64_t key,
                     bmf_epoch **out, bmf_error *err);

/* True if the steps of all windows are counted once and kept: while the counts are small beside the ratings. Pure. */
bool bmf_epoch_keeps_steps(int64_t windows, int64_t threads, int64_t items, int64_t ratings);

void bmf_epoch_destroy(bmf_epoch **epoch);

/* In which window each user (of the shard) is swept, in every epoch. Pure. */
void bmf_epoch_window_of(const bmf_epoch *epoch, int32_t *window_of);

/* Puts the users of each window of each part in a new random order, a function of (key, global user): in runs of neighbours
 * where there are many users. */
void bmf_epoch_begin(bmf_epoch *epoch, uint64_t key);

/* Sweeps a window with the kernel; the copies begin it at their start. Returns Σ e². */
double bmf_epoch_sweep(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep,
                       const bmf_item_copies *copies, int64_t window);

/* (copies × items) steps on each item in the window, a row for each copy; valid until the next call. */
const int32_t *bmf_epoch_steps(bmf_epoch *epoch, int64_t window);

#endif
