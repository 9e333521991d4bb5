/* Effects of time (model/time_effects.h) for training: fitted once, before the first epoch, and taken out of the ratings, which
 * the sweep and the losses then meet as any others: r − d − s dev less the model's prediction is the error of both together.
 *
 * They are fitted as parts of a model of biases alone, r ≈ μ + b_i + d_i,bin + b_u + s_u dev, by damped least squares: the items'
 * side and the users' in turn, each exactly (Bell and Koren, "Scalable Collaborative Filtering with Jointly Derived Neighborhood
 * Interpolation Weights", ICDM 2007, have such shrunken effects one after the other). Only the effects of time are kept; the
 * biases are left to training. A damping is the number of ratings that it takes to believe half of what they say: of d in one
 * range, and of s in units of Σ dev² along one user. Sums over ranks are in fixed point, so that the effects are the same for
 * any number of ranks and threads: whoever goes on from a checkpoint fits the same ones again. */
#ifndef BMF_TRAIN_TIME_EFFECTS_H
#define BMF_TRAIN_TIME_EFFECTS_H

#include "model/time_effects.h"
#include "train/shard.h"
#include "train/train.h"

#define BMF_TIME_BINS_MOST 10000

/* Dampings of b_i and b_u in the fit, and how often the two sides take turns. */
#define BMF_TIME_ITEM_BIAS_DAMPING 10.0
#define BMF_TIME_USER_BIAS_DAMPING 15.0
#define BMF_TIME_SWEEPS 10

/* Fits the effects that the options ask for to the training ratings, and takes them out of the training and validation ratings
 * of the shard; {0} if they ask for none. Takes bmf_time_fit_bytes while it works.
 * BMF_ERR_USAGE naming the file if it has no times, or one for all ratings. Collective, one status for all; on failure *out
 * is {0}. */
int bmf_time_effects_fit(bmf_comm *comm, bmf_dataset_file *file, const bmf_train_options *options, bmf_shard *shard,
                         bmf_time_effects *out, bmf_error *err);

/* Bytes that fitting these took on a rank with so many training ratings, beside the effects. Pure. */
int64_t bmf_time_fit_bytes(const bmf_time_effects *effects, int64_t ratings);

#endif
