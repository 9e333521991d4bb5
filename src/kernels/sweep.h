/* The SGD sweep: stochastic gradient steps over whole users. No threads and no MPI in here; a caller may run it on disjoint
 * sets of users in several threads, which then share Q and the item biases without locks (Hogwild!, Niu et al. 2011).
 *
 * One step on rating r of user u and item i, all deltas from the values before the step, each cut to ±clip:
 *     e    = r − (mean + b_u + b_i + P_u·Q_i [+ W_u·x_i])
 *     b_u += η_b(e − λ_bu b_u)     P_u += η(e Q_i − λ_P P_u)      [W_u += η(e x_i − λ_c W_u)]
 *     b_i += η_b(e − λ_bi b_i)     Q_i += η(e P_u − λ_Q Q_i)
 * Where features have factors V_f and biases β_f (the plain kernel alone does that), Q_i and b_i are Q_i + Vᵀx_i and b_i + β·x_i
 * in the prediction and in the step of P_u, and
 *     V_f += η(e x_if P_u − λ_c V_f)    β_f += η_b(e x_if − λ_c β_f)    for the features of i
 *
 * W_u is kept as W_scale[u] times the stored row, so that the decay of the whole row is one multiplication and a step costs
 * the non-zeros of x_i, exactly (the scaled representation of Pegasos, Shalev-Shwartz et al. 2007, section 2.3). */
#ifndef BMF_KERNELS_SWEEP_H
#define BMF_KERNELS_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/content_slots.h"

/* What a row has instead of the η and λ of all: η and ηλ of its factors, and those of its bias. */
typedef struct bmf_row_rates {
    float eta, decay, bias_eta, bias_decay;
} bmf_row_rates;

/* Everything borrowed. Rows of P and Q start at multiples of 64 bytes and are zero from k on. */
typedef struct bmf_sweep {
    int64_t first_user;    /* global index of local user 0: orders are functions of the global index */
    const int64_t *indptr; /* (m + 1) of the local users' ratings */
    const int32_t *item;   /* ratings by user */
    const float *value;
    int64_t stride;                  /* floats from row to row of P and Q: k rounded up to a multiple of 16 */
    float *P, *user_bias;            /* (m, stride), (m) */
    float *Q, *item_bias;            /* (n, stride), (n) */
    const bmf_content_rows *content; /* rows x_i of the items, already weighted; NULL for the plain model */
    float *V, *feature_bias;         /* (F, stride), (F); NULL unless features learn at every rating */
    const bmf_content_slots *slots;  /* of the ratings; NULL with V, which needs none */
    const int64_t *W_indptr;         /* (m + 1) where the stored rows begin */
    float *W;                        /* (W_indptr[m]) stored rows; the last of a row stays 0 */
    double *W_scale, *W_norm2;       /* (m): W_u = W_scale[u] · W[u]; W_norm2[u] = ‖W[u]‖² of the stored row */
    float mean;
    float learning_rate, bias_learning_rate, clip;            /* η, η_b, the bound */
    float user_regularization, item_regularization;           /* λ_P, λ_Q */
    float user_bias_regularization, item_bias_regularization; /* λ_bu, λ_bi */
    float content_regularization;                             /* λ_c */
    const bmf_row_rates *user_rates, *item_rates; /* (m), (n), each row's own; NULL both: one rate for all */
    uint64_t order_key; /* of this epoch; the order within a user is a function of it and the global user */
    bool in_order;      /* take each user's ratings as they stand instead */
} bmf_sweep;

/* One pass over the ratings of user[0 .. count) (local indices). Returns the sum of e², the errors before each step. */
typedef double (*bmf_sweep_kernel)(const bmf_sweep *sweep, const int32_t *user, int64_t count);

typedef struct bmf_kernel {
    bmf_sweep_kernel sweep;
    int lanes;     /* users interleaved: the kernel visits ratings in the order of bmf_sweep_visit with this many */
    char name[32]; /* "v4-k32", "ref", ... */
} bmf_kernel;

/* What a kernel is made for. Rows with rates of their own: without content. */
typedef enum bmf_sweep_kind { BMF_SWEEP_PLAIN, BMF_SWEEP_CONCAT, BMF_SWEEP_RATED, BMF_SWEEP_KINDS } bmf_sweep_kind;

/* Chooses the kernel for a stride and kind, for this processor. `want` forces a family: "ref" (the plain
 * loop), "generic" (any k, one user at a time), "baseline", "v3", "v4" (that instruction set; baseline is what the
 * compiler assumes); NULL or "" is the best.
 * BMF_ERR_USAGE for a name that is not known or cannot run here. Local. */
int bmf_kernel_choose(int64_t stride, bmf_sweep_kind kind, const char *want, bmf_kernel *out, bmf_error *err);

/* Calls visit(context, user, entry) for every rating in the order in which a kernel of `lanes` lanes makes its steps: lane
 * by lane in turn, a lane that is done takes the next user that has ratings. The plain statement of the order. */
void bmf_sweep_visit(const bmf_sweep *sweep, const int32_t *user, int64_t count, int lanes,
                     void (*visit)(void *context, int32_t user, int64_t entry), void *context);

/* The order of a user's n ratings in an epoch: position j is entry (start + j · step) mod n with gcd(step, n) = 1, so each
 * entry comes once. Ratings should be shuffled once when they are loaded; then this gives each epoch another order without
 * moving them. */
typedef struct bmf_rating_order {
    int32_t start, step;
} bmf_rating_order;
bmf_rating_order bmf_rating_order_of(const bmf_sweep *sweep, int64_t local_user, int32_t n);

/* The plain kernel (float), the oracle of the fast ones: every weight of a user decays in each step, one rating after the
 * other in the order of bmf_sweep_visit. */
double bmf_sweep_reference(const bmf_sweep *sweep, const int32_t *user, int64_t count, int lanes);

#endif
