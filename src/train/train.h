/* Training: the one loop for any number of ranks and threads. */
#ifndef BMF_TRAIN_TRAIN_H
#define BMF_TRAIN_TRAIN_H

#include "comm/comm.h"
#include "model/model.h"
#include "store/dataset_file.h"
#include "train/memory_plan.h"
#include "train/merge_settings.h"

/* Who writes the model: rank 0, to which the others send their rows, or all ranks by MPI-IO. */
typedef enum bmf_model_io { BMF_IO_RANK0, BMF_IO_COLLECTIVE, BMF_IOS } bmf_model_io;

/* "rank0", "collective". */
const char *bmf_model_io_name(bmf_model_io io);

/* When the factors of features move (embed): at the end of each window, all that it did at once; or at every rating, which is
 * the plain statement of the method, for one thread of one process. */
typedef enum bmf_content_updates { BMF_UPDATES_WINDOW, BMF_UPDATES_STEP, BMF_UPDATES } bmf_content_updates;

/* How the features of users enter: not at all, or by factors and a bias of each, which its users share. */
typedef enum bmf_user_content { BMF_USER_CONTENT_NONE, BMF_USER_CONTENT_EMBED, BMF_USER_CONTENTS } bmf_user_content;

/* "none", "embed". */
const char *bmf_user_content_name(bmf_user_content content);

/* "window", "step". */
const char *bmf_content_updates_name(bmf_content_updates updates);

/* How the learning rate goes on from epoch to epoch: times the decay; 5 % up after an epoch that lowered the loss and half
 * after one that did not (the bold driver of Gemulla et al. 2011); or falling with the work done on each row, times the decay
 * too (train/rates.h). */
typedef enum bmf_schedule {
    BMF_SCHEDULE_DECAY,
    BMF_SCHEDULE_BOLD_DRIVER,
    BMF_SCHEDULE_ADAGRAD,
    BMF_SCHEDULES
} bmf_schedule;

/* "decay", "bold-driver", "adagrad". */
const char *bmf_schedule_name(bmf_schedule schedule);

#define BMF_MERGES_AUTO 0
#define BMF_CONTENT_SVD_MOST 1024

typedef struct bmf_train_options {
    bmf_content_mode content;
    bmf_content_updates content_updates; /* of BMF_CONTENT_EMBED */
    bmf_user_content user_content;
    bool implicit_feedback;    /* the items that a user has training ratings of are features of his too, as in SVD++ */
    int64_t factors;           /* k ≥ 1 */
    int64_t epochs;            /* ≥ 1 */
    double learning_rate;      /* η > 0 */
    double bias_learning_rate; /* of the biases, > 0; NaN: η */
    bmf_schedule schedule;
    double learning_rate_decay; /* the learning rates are multiplied by it after each epoch; in (0, 1] */
    double regularization;      /* λ of the factors, ≥ 0 */
    double bias_regularization; /* λ of the biases, ≥ 0 */
    double user_regularization; /* λ of P, ≥ 0; NaN here and in the next three: as the two above say */
    double item_regularization; /* of Q */
    double user_bias_regularization, item_bias_regularization;
    double regularization_scaling; /* A in [0, 1]: λ of a row with n ratings goes with (1/n)^A */
    double content_regularization; /* λ_c of W, or of V and the feature biases, and of those of users, ≥ 0 */
    int64_t content_svd;           /* features that content is reduced to by truncated SVD; 0: it is used as it is */
    double content_weight;         /* x_i is the stored row times this, ≥ 0 */
    double user_content_weight;    /* y_u is the user's stored row times this, ≥ 0 */
    double init_std;               /* ≥ 0 */
    double clip;                   /* bound on every single delta, > 0 */
    int64_t patience;              /* epochs without a better validation loss before stopping; 0: never stop */
    int64_t threads;               /* ≥ 1 per rank */
    bmf_merge_rule merge;
    int64_t merges_per_epoch;            /* S ≥ 1; BMF_MERGES_AUTO: as bmf_auto_merges says */
    bmf_merge_precision merge_precision; /* of what hosts send each other in a merge */
    int64_t merge_group;                 /* consecutive ranks that count as a host there; 0: those that share memory */
    bool exact_train_loss; /* train_mse with the parameters as the epoch leaves them, by a pass of its own */
    double max_seconds;    /* stop and save once so long has passed since the call, on rank 0; 0: never */
    uint64_t seed;
    bmf_model_io io;
    int64_t
        planned_ranks; /* more than there are, in one process: it takes the part of the largest of so many; else 0 */
    bmf_time_mode time_effects;                  /* which biases drift with time; train/time_effects.h has the rest */
    int64_t time_bins;                           /* B ≥ 1 */
    double time_item_damping, time_user_damping; /* A > 0 of d and s */
} bmf_train_options;

/* What is read and written; paths are borrowed. */
typedef struct bmf_train_files {
    const char *dataset;
    const char *model;         /* NULL: not written */
    const char *checkpoint;    /* NULL: none. Every file that it replaces is kept as "<checkpoint>.previous" */
    int64_t checkpoint_epochs; /* a checkpoint after every so many epochs; 0: not by epochs */
    double
        checkpoint_seconds; /* and one in the first window that ends so many seconds after the last; 0: not by time */
    bool resume;            /* goes on from the checkpoint if there is one */
} bmf_train_files;

/* The defaults that `blendmf train --help` shows. */
bmf_train_options bmf_train_defaults(void);

/* The same with the η of the biases and each role's λ: where it is NaN, that of the factors, that of all factors or of all
 * biases. Pure. */
bmf_train_options bmf_train_resolved(const bmf_train_options *options);

/* Of resolved options. BMF_ERR_USAGE naming the first option out of its range, its value and what is allowed. Pure. */
int bmf_train_check(const bmf_train_options *options, bmf_error *err);

/* What a rank is going to do, known before the first epoch. */
typedef struct bmf_train_plan {
    int64_t merges_per_epoch;
    bool copies; /* each thread has a copy of the item side: runs repeat to the bit */
    int64_t hosts;
    int64_t train, val, users; /* ratings and users of that rank */
    int sides;                 /* how many of items and users have features that learn by windows */
    int64_t sum_bytes;         /* of the sums over users' features, reduced in each window */
    int64_t merged_rows;       /* items that a merge is about, those of the last window agreed on */
    bmf_memory_plan memory;    /* of the rank that holds the most */
} bmf_train_plan;

typedef enum bmf_stop_reason { BMF_STOP_EPOCHS, BMF_STOP_PATIENCE, BMF_STOP_SIGNAL, BMF_STOP_TIME } bmf_stop_reason;
const char *bmf_stop_reason_name(bmf_stop_reason reason);

typedef struct bmf_train_result {
    bmf_model_meta meta;       /* of the best epoch; best_epoch is 0 if none was finished */
    bmf_epoch_record *history; /* (epochs_run), owned; those before a checkpoint that the run went on from too */
    int64_t epochs_run;
    int64_t windows_run; /* of an epoch that was not finished, of meta.merges_per_epoch */
    int64_t rollbacks;   /* how often the run diverged, went back and halved the learning rate */
    bmf_stop_reason stopped;
    double seconds; /* all epochs, without reading and writing files */
    int64_t checkpoints;
    double checkpoint_seconds; /* of all of them */
    bmf_train_plan plan;
    int64_t peak_bytes; /* most memory that a rank took for training, beside what it held before it read the data */
} bmf_train_result;
void bmf_train_result_clear(bmf_train_result *result);

/* What rank 0 is told. Either may be NULL. */
typedef struct bmf_train_observer {
    void (*begins)(const bmf_train_plan *plan, void *context);               /* before the first epoch */
    void (*epoch)(const bmf_epoch_record *record, bool best, void *context); /* after each; is it the best so far? */
    void *context;
} bmf_train_observer;

/* Trains and writes the best epoch. Collective; the same status on every rank. When values are no longer finite or the loss
 * far above that of the start, it goes back to the best epoch (or the start) with half the learning rate, at most
 * BMF_ROLLBACKS times; then BMF_ERR_DIVERGED, with the model of the best epoch written if there is one. `observer` and `stop`
 * may be NULL; the latter is looked at in every merge: not 0 on any rank ends the window on all, which then save. */
#define BMF_ROLLBACKS 5
int bmf_train(bmf_comm *comm, const bmf_train_files *files, const bmf_train_options *options,
              const bmf_train_observer *observer, const volatile int *stop, bmf_train_result *result, bmf_error *err);

#endif
