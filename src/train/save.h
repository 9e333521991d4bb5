/* Writing the model that the ranks hold together as one file. */
#ifndef BMF_TRAIN_SAVE_H
#define BMF_TRAIN_SAVE_H

#include "comm/comm.h"
#include "model/model.h"
#include "model/time_effects.h"
#include "store/dataset_file.h"
#include "train/content_svd.h"
#include "train/train.h"

/* What is written, all borrowed. */
typedef struct bmf_save {
    const char *path;
    const bmf_model *model;
    const bmf_model_meta *meta;
    bmf_dataset_file *dataset;                  /* where ids and content come from */
    const bmf_reduced_content *reduced;         /* the content instead, unless it is {0} */
    const int32_t *user_ratings, *item_ratings; /* training ratings of each, on rank 0 */
    const bmf_epoch_record *history;
    int64_t epochs;
    const bmf_train_state *state; /* of a checkpoint; NULL for a model */
    const bmf_model *best;        /* of a checkpoint whose state says so, else NULL */
    bmf_model_io io;
    const bmf_time_effects *time; /* those of the meta */
} bmf_save;

/* Rank 0 writes, and the other ranks stream their users' rows to it in pieces, so that no rank holds more than its own part; or
 * all ranks write their own rows (store/parallel_file.h). After that has failed once, bmf_comm_finish will abort, and rank 0
 * writes what comes later.
 * Collective, one status for all; on failure an older file at the path is untouched. */
int bmf_save_model(bmf_comm *comm, const bmf_save *save, bmf_error *err);

#endif
