/* Measures of a prediction and of a ranking, one user at a time, and their sums. Pure.
 *
 * Relevance is binary. With K places, h(j) = 1 if the item at place j = 1 .. K is relevant, and R relevant items:
 *   Precision@K  Σ h(j) / K, also for lists shorter than K
 *   Recall@K     Σ h(j) / R
 *   NDCG@K       Σ h(j) / log2(j + 1), over the same sum for a list that starts with min(K, R) relevant items
 *   MAP@K        Σ h(j) (Σ_{l ≤ j} h(l)) / j, over min(K, R)
 * A user without a relevant item counts 0 in all four. */
#ifndef BMF_EVAL_METRICS_H
#define BMF_EVAL_METRICS_H

#include <stdbool.h>

#include "eval/evaluate.h"

typedef struct bmf_ranking_quality {
    double precision, recall, ndcg, map;
} bmf_ranking_quality;

/* Sums over users and ratings, from which the means follow; zeroed, it is the sum over nothing. */
typedef struct bmf_metric_sums {
    int64_t ratings, users;
    double squared, absolute; /* Σ e², Σ |e| over ratings */
    bmf_ranking_quality ranking;
} bmf_metric_sums;

/* One user's list: hit[j] says whether the item at place j (from 0) is relevant, for the `listed` ≤ `top` places that
 * are filled; `relevant` is how many relevant items the user has, listed or not. */
bmf_ranking_quality bmf_ranking_quality_of(const bool *hit, int64_t listed, int64_t top, int64_t relevant);

/* One rating's error; one user's ranking. */
void bmf_metric_sums_add_error(bmf_metric_sums *sums, double error);
void bmf_metric_sums_add_user(bmf_metric_sums *sums, bmf_ranking_quality quality);

/* sums += other. Floating sums depend on the order of the calls: keep it fixed. */
void bmf_metric_sums_merge(bmf_metric_sums *sums, const bmf_metric_sums *other);

/* The means. `covered` of `items` catalogue items appeared in some list. A mean over nothing is NaN. */
bmf_metrics bmf_metrics_of(const bmf_metric_sums *sums, int64_t covered, int64_t items);

#endif
