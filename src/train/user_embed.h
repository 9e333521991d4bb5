/* Factors of features of users, learned by windows as those of items are (train/embed.h); implicit feedback is features too.
 *
 * The features y_u of a user are his own (age, occupation) and, with implicit feedback, the items j that he has training ratings
 * of, each with 1/√|N(u)| (SVD++: Koren, Factorization meets the neighborhood, 2008). As a window begins its users get
 * E_u = P_u + Uᵀy_u, and the biases likewise; the sweep moves E_u as if it were plain. Each user is swept in one window of an
 * epoch by one thread, so that his movement D_u = E_u − (P_u + Uᵀy_u) is known without a copy of how he began. It is divided
 * as that of an item is: with a = η(λ + h) and s_u = 1 − (1 − a)^n_u for his n_u ratings,
 *     G_u = D_u + λ (η/a) s_u E⁰_u
 *     U_g += c_g (Σ_u y_ug (a n_u / s_u) G_u − η λ_c N_g U_g)     N_g = Σ n_u over the window's users with g
 *     P_u += G_u − λ (η/a) s_u P_u − s_u y_uᵀΔU
 * c_g damps as in train/embed.h by R_g = Σ_u |y_ug| η h_max n_u Σ_f |y_uf| + η λ_c N_g. h and h_max are the mean square and the
 * largest eigenvalue of the second moments of Q over the training ratings, as the window ends, since Q grows from almost nothing.
 * Where features of items learn from the same window, both sides would take all of what is common to all ratings, and together
 * twice as much: h_max counts twice then, on either side. The sums over users go through one reduction over the ranks in each
 * window; P_u and the users' biases stay with their rank. */
#ifndef BMF_TRAIN_USER_EMBED_H
#define BMF_TRAIN_USER_EMBED_H

#include "comm/comm.h"
#include "kernels/sweep.h"
#include "model/model.h"

typedef struct bmf_user_embed {
    bmf_csr rows;          /* (users × (G + implicit)) weighted features, borrowed */
    const int64_t *indptr; /* (users + 1) of the training ratings, borrowed */
    int64_t features;      /* G: the first ones, which have biases */
    int64_t pitch, threads;
    int32_t most_ratings;   /* of a user */
    float *norm, *own_norm; /* (users) Σ_g |y_ug|, and of the first G alone */
    /* The users of each window, and what features they have: */
    int64_t *window_start; /* (windows + 1) */
    int32_t *user;         /* (users) */
    int64_t *run_start;    /* (windows + 1) into the next two: */
    int32_t *run_feature;  /* (runs) a feature that someone in the window has */
    int64_t *run_entry;    /* (runs + 1) where its users are in the next two */
    int32_t *entry_user;   /* (entries) of users with ratings */
    float *entry_value;    /* (entries) */
    float *sums; /* (G + implicit, pitch) of a window: gradient, of the bias, overlaps, steps; then one value more */
    float *work; /* (threads, stride) */
} bmf_user_embed;

/* What a window did, and by which rates. */
typedef struct bmf_user_window {
    int64_t window;
    double learning_rate, bias_learning_rate;
    double regularization, bias_regularization, content_regularization;
    const bmf_row_rates *users, *features; /* (users), (G + implicit) if rows have rates of their own, else NULL */
    int sides;                             /* 2 where features of items learn from the window too, else 1 */
    double h, h_max; /* of Q: mean of the squared entries, largest eigenvalue of their second moments */
} bmf_user_window;

/* Rows of features of the users of `train`: content (users × G, weighted) and, with implicit feedback, its items. Local. */
int bmf_user_rows_create(const bmf_csr *content, const bmf_csr *train, bool implicit, bmf_csr *out, bmf_error *err);

/* rows: (users × all features), the first `features` of which have biases; train: the ratings; both borrowed. window_of (users):
 * in which of the windows each user is swept. On failure *out is {0}. Local. */
int bmf_user_embed_create(const bmf_csr *rows, int64_t features, const bmf_csr *train, const int32_t *window_of,
                          int64_t windows, int64_t stride, int64_t threads, bmf_user_embed *out, bmf_error *err);
void bmf_user_embed_clear(bmf_user_embed *embed);

/* P and the user biases of the users of a window, as it begins. Local. */
void bmf_user_embed_begin(const bmf_user_embed *embed, int64_t window, bmf_model *model);

/* Divides what the window did to its users, whose P and user_bias then hold nothing until they are blended anew. False on every
 * rank if something is not finite on any. The same for any number of threads. Collective. */
bool bmf_user_embed_divide(const bmf_user_embed *embed, bmf_comm *comm, const bmf_user_window *did, bmf_model *model);

/* Bytes that the reduction of a window is about; 0 for {0}. Pure. */
int64_t bmf_user_embed_sum_bytes(const bmf_user_embed *embed);

/* Bytes held, at most, rows included: of `entries` entries in rows of `users` users with `all` features. Pure. */
int64_t bmf_user_embed_bytes(int64_t users, int64_t all, int64_t entries, int64_t windows, int64_t stride);

#endif
