/* Learning rates and decays of each row's own: regularization scaled by how often a row is met (--regularization-scaling), and
 * learning rates that fall with the work done on it (--schedule adagrad).
 *
 * λ of a row with n ratings is λ (1/n)^A / mean, where the mean over the ratings of (1/n)^A makes λ the mean over all ratings.
 * A = 0 is one λ for all, so that a row with n ratings feels nλ an epoch (the weighted-λ regularization of Zhou et al. 2008);
 * with A = 1 all rows feel the same, as ridge regression has it.
 *
 * AdaGrad for rows (Duchi, Hazan, Singer 2011; by rows, Chin et al. 2015) divides η by √(1 + G), G the sum over the steps on
 * the row of the mean squared entry of its gradients, e² |Q|²/k for P. Here G is what that sum is expected to be: n times the
 * sum over the epochs of the mean of e² times the mean square of the other side's entries, one number for all rows of a side.
 * So rates stay as they are within an epoch, nothing is summed in the sweep, and there is nothing to merge or to save but two
 * numbers. (On ml-latest-small the two are the same to a few ten-thousandths of RMSE.) Biases keep their rate. */
#ifndef BMF_TRAIN_RATES_H
#define BMF_TRAIN_RATES_H

#include "kernels/sweep.h"
#include "train/shard.h"
#include "train/train.h"

typedef struct bmf_rates {
    bmf_row_rates *user, *item;       /* (users), (items) of this epoch; NULL where all rows have the same */
    bmf_row_rates *feature;           /* (features) of V, where features learn by windows, else NULL; decays by λ_c */
    bmf_row_rates *user_feature;      /* (user features) the same of U */
    float *user_lambda, *item_lambda; /* (users), (items) what λ of the role is multiplied by */
    float *feature_ratings;           /* (features) Σ x_if² over the ratings */
    float *user_feature_ratings;      /* (user features) Σ y_ug² over the ratings of all ranks */
    int64_t user_features;
} bmf_rates;

/* Whether the options ask for them. Pure. */
bool bmf_rates_are_wanted(const bmf_train_options *options);

/* with_features: those of the shard's content too; user_rows: of the users of the shard, whose features get rates too unless it
 * is {0}. On failure *out is {0}. Collective, one status for all. */
int bmf_rates_create(bmf_comm *comm, const bmf_shard *shard, double scaling, bool with_features,
                     const bmf_csr *user_rows, bmf_rates *out, bmf_error *err);
void bmf_rates_clear(bmf_rates *rates);

/* The rates of an epoch. learning_rate, bias_learning_rate: now; P_energy, Q_energy: G of one rating, of P and of Q (0: rows
 * are not told apart by it). */
void bmf_rates_set(const bmf_rates *rates, const bmf_shard *shard, const bmf_train_options *options,
                   double learning_rate, double bias_learning_rate, double P_energy, double Q_energy);

/* Mean squares of the entries of P and of Q over all ratings. Collective. */
void bmf_rates_mean_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, double *of_P, double *of_Q);

/* Bytes held. Pure. */
int64_t bmf_rates_bytes(int64_t users, int64_t items, int64_t features);

#endif
