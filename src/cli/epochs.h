/* Epoch records for people and programs. */
#ifndef BMF_CLI_EPOCHS_H
#define BMF_CLI_EPOCHS_H

#include "cli/output.h"
#include "store/model_file.h"

/* "epoch=.. train_mse=.. val_mse=.. val_rmse=.. learning_rate=.. updates_per_second=.. seconds=.. merge_share=.. merge_bytes=..", with -
 * for what does not exist. */
void bmf_epoch_print(bmf_output *output, const bmf_epoch_record *record);

/* The same keys, train_rmse, and `phase`: an object with the seconds of order, sweep, wait, merge, loss, validation and keep_best. */
json_t *bmf_epoch_json(const bmf_epoch_record *record);

/* The object `phase`: seconds (BMF_PHASES). */
json_t *bmf_phases_json(const double *phase);

/* All of them, as an array. */
json_t *bmf_epochs_json(const bmf_epoch_record *record, int64_t count);

/* What a model is and how it was trained: the attributes of the model file. */
json_t *bmf_model_meta_json(const bmf_model_meta *meta);

#endif
