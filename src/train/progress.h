/* How far the steps of a window brought rows, which is what its work is divided by between rows and the factors of their features
 * (train/embed.h, train/user_embed.h). */
#ifndef BMF_TRAIN_PROGRESS_H
#define BMF_TRAIN_PROGRESS_H

#include "train/saturation.h"

/* One kind of parameter: factors, or biases. */
typedef struct bmf_pull {
    double a;             /* of a step, with the decay */
    double eta, decay;    /* η; λ η / a */
    double curvature;     /* η h_max, for each side that learns */
    double content_decay; /* η λ_c */
    bmf_saturation saturation;
} bmf_pull;

/* h, h_max: mean square and largest second moment of what multiplies the parameter; sides: 2 where features of items and of
 * users learn from the same window, each as if the other stood still: (a + b)² ≤ 2a² + 2b² bounds the curvature of both;
 * largest: steps on one row. */
void bmf_pull_describe(bmf_pull *pull, double learning_rate, double lambda, double content_lambda, double h,
                       double h_max, int sides, int64_t largest);

/* What n steps did to a row: s = 1 − (1 − a)^n, a n / s times the ratio of the common η to its own, λ η / a. */
typedef struct bmf_progress {
    double s, unsaturate, decay;
} bmf_progress;

/* By the common rates, and by the row's own η and η λ. Pure. */
bmf_progress bmf_progress_of(const bmf_pull *pull, int64_t n);
bmf_progress bmf_progress_of_row(const bmf_pull *pull, float eta, float decay, double h, int64_t n);

/* (1 − exp(−R)) / R, 1 for R = 0: the share of a step to be taken where the curvature along it is R. Pure. */
float bmf_damping(double R);

#endif
