/* Writing the model that the ranks hold together as one file. */
#ifndef BMF_TRAIN_SAVE_H
#define BMF_TRAIN_SAVE_H

#include "comm/comm.h"
#include "model/model.h"
#include "store/dataset_file.h"

/* Rank 0 writes; the other ranks stream their users' rows to it in pieces, so that no rank holds more than its own part.
 * Ids and content come from the data set. Collective, one status for all; on failure an older file at `path` is untouched. */
int bmf_save_model(bmf_comm *comm, const char *path, const bmf_model *model, const bmf_model_meta *meta,
                   bmf_dataset_file *dataset, const bmf_epoch_record *history, int64_t epochs, bmf_error *err);

#endif
