/* The attributes of a model file: one table drives writing, reading and the checksum over them. */
#ifndef BMF_STORE_MODEL_META_H
#define BMF_STORE_MODEL_META_H

#include "store/h5.h"
#include "store/model_file.h"

/* Writes meta as attributes of the file's root, and `checksum` (XXH3-64 over their names and values). Local. */
int bmf_model_meta_write(hid_t file, const bmf_model_meta *meta, bmf_error *err);

/* Reads them back. BMF_ERR_IO if the checksum differs, BMF_ERR_INPUT for a value that no model can have. Local. */
int bmf_model_meta_read(hid_t file, bmf_model_meta *meta, bmf_error *err);

/* BMF_ERR_INPUT naming the first value that no model can have. Pure. */
int bmf_model_meta_check(const bmf_model_meta *meta, bmf_error *err);

/* Columns of /history: fields of bmf_epoch_record. */
extern const bmf_h5_field bmf_history_fields[];
extern const int64_t bmf_history_field_count;

#endif
