/* Writing and reading the attributes of /state. Apart from train_state.h, which knows no HDF5. Internal to this folder. */
#ifndef BMF_STORE_TRAIN_STATE_IO_H
#define BMF_STORE_TRAIN_STATE_IO_H

#include "store/h5.h"
#include "store/model_file.h"

/* With their checksum. Reading refuses values that no run can have (BMF_ERR_INPUT). Local. */
int bmf_train_state_write(hid_t group, const bmf_train_state *state, bmf_error *err);
int bmf_train_state_read(hid_t group, const bmf_model_meta *meta, bmf_train_state *state, bmf_error *err);

#endif
