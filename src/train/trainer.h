/* What the parts of the training loop share: everything a rank holds while it trains. Internal to this folder. */
#ifndef BMF_TRAIN_TRAINER_H
#define BMF_TRAIN_TRAINER_H

#include "store/run_lock.h"
#include "train/content_svd.h"
#include "train/content_weights.h"
#include "train/embed.h"
#include "train/epoch.h"
#include "train/merge.h"
#include "train/rates.h"
#include "train/shard.h"
#include "train/stopwatch.h"
#include "train/time_effects.h"
#include "train/user_embed.h"

typedef struct bmf_trainer {
    bmf_comm *comm;
    bmf_train_options options;
    const bmf_train_files *files;
    bmf_dataset_file *file;
    uint64_t fingerprint; /* of the data set */
    bmf_run_lock lock;    /* of the checkpoint, on rank 0 */
    bmf_shard shard;
    bmf_time_effects time;       /* taken out of the shard's ratings; {0} unless asked for */
    bmf_reduced_content reduced; /* {0} unless asked for */
    bmf_content_pattern pattern; /* of the weights of model and best */
    bmf_content_slots train_slots, val_slots;
    bmf_model model, best; /* best: of the best epoch; of the last one where nothing is validated */
    bmf_kernel kernel;
    bmf_sweep sweep;
    bmf_epoch *epoch;
    bmf_item_copies copies;
    bmf_merge *merge;
    bmf_embed embed;           /* of features that learn by windows */
    bmf_csr user_rows;         /* (users × (G + implicit)) weighted features of the users held here; {0} without */
    bmf_user_embed user_embed; /* of these */
    bmf_rates rates;           /* of rows that have their own */
    double *moments; /* (bmf_curvature_room) to work in, where features of items or users learn by windows; else NULL */
    int32_t *totals; /* (items) steps of the last window over all ranks, where features learn by windows; else NULL */
    bmf_stopwatch watch; /* of the epoch */
    double
        own_P_squares; /* of the users held here, as of the last window; of their own parts where they have features */
    bmf_train_state state; /* where training is; weights and best are filled in when it is saved */
    bmf_window_sums asked; /* by anyone in the last window: signals, late, save */
    int64_t best_epoch;
    double best_loss;
    bmf_epoch_record *history; /* (the most epochs there can be), state.epoch of them are over */
    double started, saved;     /* seconds on the clock: of the call, and of the last checkpoint */
    bool unsaved;              /* training has gone on since the last checkpoint */
    int64_t checkpoints;
    double checkpoint_seconds; /* that they took */
} bmf_trainer;

/* Reads the data set and makes everything that is needed, up to start values. Collective. */
int bmf_trainer_set_up(bmf_trainer *t, bmf_error *err);
void bmf_trainer_clear(bmf_trainer *t);

/* The model as training begins: factors of users and items without training ratings are 0 and stay so, since nothing is going
 * to be known of them. */
void bmf_trainer_start(bmf_trainer *t);

/* Lets go of all that only epochs need, before something large is written. */
void bmf_trainer_end_epochs(bmf_trainer *t);

/* Ranks of the run: those that are here, or those that are planned. */
int64_t bmf_trainer_ranks(const bmf_trainer *t);

/* What is going to happen, with the memory of the rank that has the most to hold. Collective. */
void bmf_trainer_plan(bmf_trainer *t, bmf_train_plan *plan);

/* What a model file says of the model. */
void bmf_trainer_describe(const bmf_trainer *t, bmf_model_meta *meta);

/* Σ P² of the users held here. */
double bmf_trainer_squares_of_P(const bmf_trainer *t);

/* Σ P² over all ranks into the mean that the merge wants. Collective. */
void bmf_trainer_measure_P(bmf_trainer *t);

/* The learning rate of the biases now: it moves as that of the factors does. */
double bmf_trainer_bias_rate(const bmf_trainer *t);

/* Sets the rates of rows that have their own for the epoch, of whose steps AdaGrad first takes account if it begins. Collective. */
void bmf_trainer_set_rates(bmf_trainer *t);

/* The largest eigenvalue of the mean of P_u P_uᵀ, which features that learn by windows want. Collective. */
void bmf_trainer_measure_curvature(bmf_trainer *t);

/* Content rows as the model meets them (borrowed). */
bmf_csr bmf_trainer_content(const bmf_trainer *t);

/* Sets what predictions use from the own parts of items and features; nothing to do for other models. */
void bmf_trainer_blend(bmf_trainer *t);

/* The same of users. While an epoch runs P and user_bias are whole only for the users that are being swept. */
void bmf_trainer_blend_users(bmf_trainer *t);

#endif
