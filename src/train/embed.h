/* Feature factors learned by windows, at the price of the plain sweep.
 *
 * A window sweeps the items' blended rows E_i = Q_i + Vᵀx_i as if they were plain factors. What merging makes of it, D_i, is
 * then divided between the items and their features, as SGD on Q and V at every rating would have done (biases likewise):
 *     s_i = 1 − (1 − a)^n_i        how far n_i steps of pull a = η(λ + h) brought E_i towards its optimum (train/merge.h)
 *     G_i = D_i + λ (η/a) s_i E_i  the movement without the decay, which is to pull at Q_i, not at E_i
 *     V_f += c_f (Σ_i x_if (a n_i / s_i) G_i − η λ_c N_f V_f)
 *     Q_i += G_i − λ (η/a) s_i Q_i − s_i x_iᵀΔV
 * a n_i / s_i undoes the saturation: to first order all of it is the step that a gradient at the start of the window asks of
 * V, and Q then moves in what V has left over. N_f = Σ n_i over the items with f. c_f = (1 − exp(−R_f)) / R_f with
 *     R_f = Σ_i |x_if| η h_max n_i Σ_g |x_ig| + η λ_c N_f
 * a bound of the curvature that feature f and those it shares items with have together (the sum of a row of the Hessian's
 * absolute values), so that no window overshoots whatever the content weight and the number of windows. h_max is the largest
 * eigenvalue of the mean of P_u P_uᵀ; 1 for biases.
 *
 * Where features of users learn from the same window (train/user_embed.h) both sides would take all of what is common to the ratings,
 * and together twice as much: h_max counts twice then, on either side.
 *
 * Where rows have rates of their own, η, λ and a are the item's in the equations of s_i, G_i and Q_i, and those of a feature in
 * its own, to which a n_i / s_i is brought by the ratio of the two η.
 *
 * The merged D_i and n_i are the same on every rank, and so is all that follows: features are never communicated. */
#ifndef BMF_TRAIN_EMBED_H
#define BMF_TRAIN_EMBED_H

#include "kernels/sweep.h"
#include "train/item_copies.h"

typedef struct bmf_embed {
    bmf_csr content;      /* (n × F) weighted rows, borrowed */
    bmf_csr by_feature;   /* (F × n) the same by features */
    float *row_sum;       /* (n) Σ_f |x_if| */
    float *gradient;      /* (n, stride) (a n_i / s_i) G_i */
    float *bias_gradient; /* (n) */
    float *work;          /* (threads, stride) */
    int64_t threads;
} bmf_embed;

/* What a window did, and by which rates. */
typedef struct bmf_embed_window {
    const int32_t *steps;                     /* (n) over all copies on all ranks */
    double learning_rate, bias_learning_rate; /* of the items' factors and those of features; of the biases of both */
    double regularization, bias_regularization, content_regularization;
    const bmf_row_rates *items, *features; /* (n), (F) if rows have rates of their own, else NULL */
    int sides;                             /* 2 where features of users learn from the window too, else 1 */
    double h, h_max; /* mean of the squared entries of P; largest eigenvalue of their second moments */
} bmf_embed_window;

/* content: borrowed. On failure *out is {0}. Local. */
int bmf_embed_create(const bmf_csr *content, int64_t stride, int64_t threads, bmf_embed *out, bmf_error *err);
void bmf_embed_clear(bmf_embed *embed);

/* Divides what the window did: on entry `start` has the blended item side as the window began and the model's Q and item_bias
 * as it ended; on return the model's own parts and features are moved, Q and item_bias blended from them, and `start` is the
 * same. False if something is not finite. The same for any number of threads. Local; equal on ranks that enter equal. */
bool bmf_embed_divide(const bmf_embed *embed, const bmf_embed_window *window, bmf_model *model,
                      const bmf_item_side *start);

/* Bytes held beside the model. Pure. */
int64_t bmf_embed_bytes(int64_t items, int64_t features, int64_t entries, int64_t stride);

#endif
