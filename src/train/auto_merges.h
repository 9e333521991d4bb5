/* How often to merge when nobody says. */
#ifndef BMF_TRAIN_AUTO_MERGES_H
#define BMF_TRAIN_AUTO_MERGES_H

#include <stdint.h>

/* Merges per epoch for `copies` copies of the item side (over all ranks), of `items` rows each, and `ratings` training ratings
 * in all; sides: how many of items and users have features that learn by windows. Two bounds, both from counts alone, so that
 * every rank and every run takes the same number:
 *   wanted      one window for every 8 copies, 8 at most: up to 8 copies one merge an epoch learns as one thread does, 64
 *               copies lose .003 RMSE by one merge and nothing by eight (measured on a million ratings);
 *   affordable  merging a row of k 32 takes as long as 8 steps of the sweep (measured), so that S merges of n rows stay
 *               within 4 % of the R / copies steps of a copy while S · 8 n ≤ 0.04 R / copies.
 * The smaller one, 1 at least; 4 for each side whose features learn by windows, which one window an epoch makes slower and costs
 * .002 RMSE on a hundred thousand ratings (of items; of users .018 where they have five ratings each). Implicit feedback, where a
 * user has many features, is learned as well with one. Pure. */
int64_t bmf_auto_merges(int64_t copies, int64_t items, int64_t ratings, int sides);

#endif
