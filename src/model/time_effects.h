/* Biases that drift with time, beside what the model predicts of a user u and an item i at the time t:
 *
 *     d_i,bin(t) + s_u dev_u(t),    dev_u(t) = sign(t − t_u) |t − t_u|^0.4 in days, t_u the mean time of u's training ratings
 *
 * after Koren, "Collaborative Filtering with Temporal Dynamics", KDD 2009. The B ranges of time that bin(t) tells apart have
 * about as many training ratings each; what is earlier or later belongs to the first or last. A time before a user's first or
 * after his last training rating counts as that one: his line goes no further than he was seen. train/time_effects.h fits. */
#ifndef BMF_MODEL_TIME_EFFECTS_H
#define BMF_MODEL_TIME_EFFECTS_H

#include "data/csr.h"
#include "store/model_file.h"

typedef struct bmf_time_effects {
    bmf_time_mode mode; /* BMF_TIME_NONE: nothing below */
    int64_t users;      /* held here */
    int64_t items, bins;
    int64_t first, last; /* of all training ratings */
    double
        *begin; /* (bins) where each range of time begins, not descending; NULL where items do not drift, as the next */
    float *item_effect;                         /* (items, bins) */
    float *user_slope;                          /* (users); NULL where users do not drift, as the rest */
    double *user_first, *user_mean, *user_last; /* (users) of each user's training ratings; 0 for those without any */
} bmf_time_effects;

/* Allocates the arrays of the mode, zeroed. On failure *out is {0}. Local. */
int bmf_time_effects_create(bmf_time_mode mode, int64_t users, int64_t items, int64_t bins, bmf_time_effects *out,
                            bmf_error *err);
void bmf_time_effects_clear(bmf_time_effects *effects);

/* Bytes held by such arrays. Pure. */
int64_t bmf_time_effects_bytes(bmf_time_mode mode, int64_t users, int64_t items, int64_t bins);

/* Reads those of users [first, last) and of all items; {0} for a model without. Local. */
int bmf_time_effects_read(bmf_model_file *file, int64_t first, int64_t last, bmf_time_effects *out, bmf_error *err);

/* The range that t is in; and how far t is from a local user's mean time. Pure. */
int64_t bmf_time_bin(const bmf_time_effects *effects, int64_t t);
double bmf_time_deviation(const bmf_time_effects *effects, int64_t user, int64_t t);

/* What time adds to the prediction for a local user (−1: unknown) and an item (−1: unknown): 0 for what is unknown, and
 * without effects. Pure. */
double bmf_time_effect(const bmf_time_effects *effects, int64_t user, int64_t item, int64_t t);

#endif
