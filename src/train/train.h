/* Training: the one loop for any number of ranks and threads. */
#ifndef BMF_TRAIN_TRAIN_H
#define BMF_TRAIN_TRAIN_H

#include "comm/comm.h"
#include "model/model.h"
#include "store/dataset_file.h"
#include "train/memory_plan.h"

typedef enum bmf_merge_rule {
    BMF_MERGE_SATURATING,
    BMF_MERGE_AVERAGE,
    BMF_MERGE_WEIGHTED,
    BMF_MERGE_SUM,
    BMF_MERGE_RULES
} bmf_merge_rule;

/* "saturating", "average", "weighted", "sum". */
const char *bmf_merge_rule_name(bmf_merge_rule rule);

#define BMF_MERGES_AUTO 0

typedef struct bmf_train_options {
    bmf_content_mode content;      /* BMF_CONTENT_NONE or BMF_CONTENT_CONCAT */
    int64_t factors;               /* k ≥ 1 */
    int64_t epochs;                /* ≥ 1 */
    double learning_rate;          /* η > 0 */
    double learning_rate_decay;    /* η is multiplied by it after each epoch; in (0, 1] */
    double regularization;         /* λ of the factors, ≥ 0 */
    double bias_regularization;    /* λ of the biases, ≥ 0 */
    double content_regularization; /* λ_c of W, ≥ 0 */
    double content_weight;         /* x_i is the stored row times this, ≥ 0 */
    double init_std;               /* ≥ 0 */
    double clip;                   /* bound on every single delta, > 0 */
    int64_t patience;              /* epochs without a better validation loss before stopping; 0: never stop */
    int64_t threads;               /* ≥ 1 per rank */
    bmf_merge_rule merge;
    int64_t merges_per_epoch; /* S ≥ 1; BMF_MERGES_AUTO: as bmf_auto_merges says */
    bool exact_train_loss;    /* train_mse with the parameters as the epoch leaves them, by a pass of its own */
    uint64_t seed;
} bmf_train_options;

/* The defaults that `blendmf train --help` shows. */
bmf_train_options bmf_train_defaults(void);

/* BMF_ERR_USAGE naming the first option out of its range, its value and what is allowed. Pure. */
int bmf_train_check(const bmf_train_options *options, bmf_error *err);

/* What a rank is going to do, known before the first epoch. */
typedef struct bmf_train_plan {
    int64_t merges_per_epoch;
    bool copies;            /* each thread has a copy of the item side: runs repeat to the bit */
    bmf_memory_plan memory; /* of the rank that holds the most */
} bmf_train_plan;

typedef enum bmf_stop_reason { BMF_STOP_EPOCHS, BMF_STOP_PATIENCE, BMF_STOP_SIGNAL } bmf_stop_reason;
const char *bmf_stop_reason_name(bmf_stop_reason reason);

typedef struct bmf_train_result {
    bmf_model_meta meta;       /* of the best epoch */
    bmf_epoch_record *history; /* (epochs_run), owned */
    int64_t epochs_run;
    bmf_stop_reason stopped;
    double seconds; /* all epochs, without reading and writing files */
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

/* Trains on the data set at `dataset_path` and writes the best epoch to `model_path` (NULL: nowhere). Collective; the
 * same status on every rank. BMF_ERR_DIVERGED when values are no longer finite. `observer` and `stop` may be NULL; the
 * latter is looked at after each epoch: not 0 on any rank stops all after saving. */
int bmf_train(bmf_comm *comm, const char *dataset_path, const char *model_path, const bmf_train_options *options,
              const bmf_train_observer *observer, const volatile int *stop, bmf_train_result *result, bmf_error *err);

#endif
