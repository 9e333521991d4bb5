/* Merging the item parameters of the ranks at the end of a window.
 *
 * All ranks start a window from the same Q0, rank r makes n_r steps on an item and ends at Q_r. A step pulls a parameter
 * towards its local optimum by a fraction a, so that n steps cover 1 − (1 − a)^n of the way; sequential SGD would have
 * covered 1 − (1 − a)^N with N = Σ n_r. The saturating merge restores that:
 *     Q = Q0 + c Σ_r (Q_r − Q0),   c = (1 − (1 − a)^N) / Σ_r (1 − (1 − a)^n_r)
 * c goes to 1 (the sum) when little was done and to 1/ranks (the average) when every rank has converged. */
#ifndef BMF_TRAIN_MERGE_H
#define BMF_TRAIN_MERGE_H

#include "comm/comm.h"
#include "model/model.h"
#include "train/train.h"

/* 1 − (1 − a)^n for 0 ≤ a < 1 and n ≥ 0 steps, exact to rounding for small a. Pure. */
double bmf_merge_saturation(double a, double n);

/* c for N steps in all and the sum of the ranks' saturations; 1 where nothing was done. Pure. */
double bmf_merge_coefficient(double a, double total_steps, double sum_of_saturations);

/* The pull of one step: η(λ + h), cut to below 1. h is the mean of the squared values that multiply the parameter in the
 * prediction: of P for Q, 1 for a bias. Pure. */
double bmf_merge_pull(double learning_rate, double regularization, double h);

typedef struct bmf_merge bmf_merge;

/* Keeps the window's start of Q and of the item biases, and a buffer for the reduction. Local. */
int bmf_merge_create(bmf_comm *comm, const bmf_model *model, bmf_merge_rule rule, bmf_merge **out, bmf_error *err);
void bmf_merge_destroy(bmf_merge **merge);

/* What a window did on this rank, in; over all ranks, out. */
typedef struct bmf_window_sums {
    double squares;   /* Σ e² */
    double P_squares; /* Σ P², for the pull of the next window */
    double failed;    /* how many ranks met a value that is not finite */
} bmf_window_sums;

/* Merges Q and item_bias of all ranks in place and begins the next window. steps (n): how often this rank stepped on each
 * item in the window. One reduction carries deltas, steps, saturations and the sums (to float precision), cut in pieces. a_factor and a_bias
 * from bmf_merge_pull. Collective; every rank ends with the same values. */
void bmf_merge_window(bmf_merge *merge, bmf_model *model, const int32_t *steps, double a_factor, double a_bias,
                      bmf_window_sums *sums);

#endif
