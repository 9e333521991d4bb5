/* A file of ours as a whole: root attributes format, format_version and created_by; creating and opening. All Local. */
#ifndef BMF_STORE_H5_FILE_H
#define BMF_STORE_H5_FILE_H

#include "store/atomic_file.h"
#include "store/h5.h"

typedef enum bmf_h5_kind { BMF_H5_DATASET, BMF_H5_MODEL, BMF_H5_KINDS } bmf_h5_kind;

/* Format versions that are written. Models with effects of time have one of their own: a reader that does not know of these
 * would predict without them. */
#define BMF_H5_DATASET_VERSION 1
#define BMF_H5_MODEL_VERSION 2
#define BMF_H5_MODEL_TIME_VERSION 3

/* A new access list with what all files of ours have in common; negative on failure. */
hid_t bmf_h5_file_access(void);

/* Reserves `bytes` in the temporary of *place, creates the HDF5 file there and writes the root attributes. *out is the
 * file, to be closed with bmf_h5_file_finish or bmf_h5_file_discard; *place must stay where it is until then. */
int bmf_h5_file_create(bmf_atomic_file *place, bmf_h5_kind kind, int64_t version, int64_t bytes, hid_t *out,
                       bmf_error *err);

/* Flushes and closes the file and commits its place; on failure everything is discarded. */
int bmf_h5_file_finish(bmf_atomic_file *place, hid_t *file, bmf_error *err);

/* Closes the file, whatever its state, and removes the temporary. */
void bmf_h5_file_discard(bmf_atomic_file *place, hid_t *file);

/* Opens for reading and checks that it is a file of this kind and of a version that is written. BMF_ERR_IO if it cannot be read, BMF_ERR_INPUT
 * if it is something else. Messages start with the path. */
int bmf_h5_file_open(const char *path, bmf_h5_kind kind, hid_t *out, bmf_error *err);

/* BMF_ERR_INPUT unless the file begins as those of HDF5 do, BMF_ERR_IO if that cannot be seen. Messages do not name it. */
int bmf_h5_file_check_signature(const char *path, bmf_error *err);

#endif
