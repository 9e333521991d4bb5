/* Merging the item parameters at the end of a window: those of the ranks, and of threads that have copies of their own, which
 * count as ranks do here.
 *
 * All ranks start a window from the same Q0, rank r makes n_r steps on an item and ends at Q_r. A step pulls a parameter
 * towards its local optimum by a fraction a, so that n steps cover 1 − (1 − a)^n of the way; sequential SGD would have
 * covered 1 − (1 − a)^N with N = Σ n_r. The saturating merge restores that:
 *     Q = Q0 + c Σ_r (Q_r − Q0),   c = (1 − (1 − a)^N) / Σ_r (1 − (1 − a)^n_r)
 * c goes to 1 (the sum) when little was done and to 1/ranks (the average) when every rank has converged. */
#ifndef BMF_TRAIN_MERGE_H
#define BMF_TRAIN_MERGE_H

#include "comm/comm.h"
#include "kernels/sweep.h"
#include "train/item_copies.h"
#include "train/merge_settings.h"

/* 1 − (1 − a)^n for 0 ≤ a < 1 and n ≥ 0 steps, exact to rounding for small a. Pure. */
double bmf_merge_saturation(double a, double n);

/* c for N steps in all and the sum of the ranks' saturations; 1 where nothing was done. Pure. */
double bmf_merge_coefficient(double a, double total_steps, double sum_of_saturations);

/* The pull of one step: η(λ + h), cut to below 1. h is the mean of the squared values that multiply the parameter in the
 * prediction: of P for Q, 1 for a bias. Pure. */
double bmf_merge_pull(double learning_rate, double regularization, double h);

/* Bytes that the merge holds beside the copies of the item side, at most. Pure. */
int64_t bmf_merge_bytes(const bmf_merge_settings *settings, int64_t items, int64_t hosts);

/* The pulls of a window's steps, of factors and biases. */
typedef struct bmf_merge_pulls {
    double factor, bias;
    const bmf_row_rates *rows; /* (items) if rows have rates of their own, else NULL */
    double h;                  /* for the pulls of these rows */
} bmf_merge_pulls;

/* The pull of a step on a row with rates of its own: η h + ηλ, cut to below 1. Pure. */
double bmf_merge_row_pull(float eta, float decay, double h);

typedef struct bmf_merge bmf_merge;

/* Merges the copies of all threads of all ranks. copies (borrowed): of this rank, with the start of the first window; steps
 * (items): this rank's in a whole epoch; the settings' threads share the work. totals (items, borrowed): if not NULL, each
 * window's steps on an item over all copies are put there (to the precision), and the start of the window stays as it was,
 * for the caller to move. Collective, one status for all. */
int bmf_merge_create(bmf_comm *comm, const bmf_item_copies *copies, const bmf_merge_settings *settings,
                     const int32_t *steps, int32_t *totals, bmf_merge **out, bmf_error *err);
void bmf_merge_destroy(bmf_merge **merge);

/* False if there is one copy on one rank: bmf_merge_window has nothing to do. */
bool bmf_merge_is_needed(const bmf_merge *merge);

/* What a window did on this rank, in; over all ranks, out. */
typedef struct bmf_window_sums {
    double squares;   /* Σ e² */
    double P_squares; /* Σ P², for the pull of the next window */
    double failed;    /* how many ranks met a value that is not finite */
    double signals;   /* how many were told to stop */
    double late;      /* not 0: the time is over */
    double save;      /* not 0: a checkpoint is due */
} bmf_window_sums;

/* Merges the item side of all copies on all ranks into the start of the next window and the first copy, which is the
 * model's; the others take it when they begin. steps (copies × items): what the window did to each copy. Deltas, steps,
 * saturations and the sums (to float precision) travel together (train/exchange.h), cut in pieces; rows that no rank touched
 * are not among them. key: for rounding, the same on all ranks and another in each window. Collective; every rank ends with
 * the same values. */
void bmf_merge_window(bmf_merge *merge, const int32_t *steps, const bmf_merge_pulls *pulls, uint64_t key,
                      bmf_window_sums *sums);

/* Rows of the last merge, or of the first. */
int64_t bmf_merge_rows(const bmf_merge *merge);

/* Groups of ranks that sum up in full before they send to others; bytes that this rank has sent since it was last asked. */
int bmf_merge_hosts(const bmf_merge *merge);
int64_t bmf_merge_take_bytes(bmf_merge *merge);

#endif
