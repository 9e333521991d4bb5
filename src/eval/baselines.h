/* What a model has to beat: predictions and rankings that know no factors.
 *
 *   global_mean  μ, the mean training rating; all items tie, so the first of the catalogue lead
 *   bias         μ + b_u + b_i by damped alternating means (Koren, "Factor in the Neighbors", ACM TKDD 4(1), 2010),
 *                with the damping of Surprise's BaselineOnly: 10 ratings an item, 15 a user, 10 sweeps
 *   popularity   items by their number of training ratings
 *   random       a number per (seed, user, item)
 *
 * Sums over an item's ratings run over all ranks. They are kept in fixed point, whose addition is associative, so that
 * the biases have the same bits for any partition of the users. */
#ifndef BMF_EVAL_BASELINES_H
#define BMF_EVAL_BASELINES_H

#include "data/csr.h"
#include "eval/evaluate.h"

#define BMF_BASELINE_ITEM_DAMPING 10.0
#define BMF_BASELINE_USER_DAMPING 15.0
#define BMF_BASELINE_SWEEPS 10

/* Baselines that rank the items the same way for every user. */
#define BMF_BASELINES_FIXED (BMF_BASELINE_POPULARITY + 1)

typedef struct bmf_baselines {
    int64_t first_user, users, items;    /* users held here, the first's global index */
    double mean;                         /* NaN without a training rating */
    double *user_bias;                   /* (users) */
    double *item_bias;                   /* (items) */
    int32_t *order[BMF_BASELINES_FIXED]; /* (items) each, best first */
    int32_t *place[BMF_BASELINES_FIXED]; /* (items) each: place of an item in order */
    uint64_t random_key;
} bmf_baselines;

/* train: the ratings of the users held here (users × items). item_count (items): training ratings over all ranks. comm
 * may be NULL for one process alone. Collective; the same status everywhere. On failure *out is {0}. */
int bmf_baselines_fit(bmf_comm *comm, const bmf_csr *train, int64_t first_user, const int64_t *item_count,
                      uint64_t seed, bmf_baselines *out, bmf_error *err);
void bmf_baselines_clear(bmf_baselines *baselines);

/* True for the baselines that predict ratings. */
bool bmf_baseline_predicts(bmf_baseline baseline);

/* r̂ of local user and item, both known; NaN if the baseline only ranks. */
double bmf_baseline_predict(const bmf_baselines *baselines, bmf_baseline baseline, int64_t user, int64_t item);

/* What the random baseline ranks by, of local user and item: in [0, 1). */
double bmf_baseline_draw(const bmf_baselines *baselines, int64_t user, int64_t item);

#endif
