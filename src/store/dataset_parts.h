/* The inside of an open data-set file, shared by reader and fingerprint. */
#ifndef BMF_STORE_DATASET_PARTS_H
#define BMF_STORE_DATASET_PARTS_H

#include "store/dataset_file.h"
#include "store/parts.h"

struct bmf_dataset_file {
    char *path;
    hid_t id;
    bmf_dataset_shape shape; /* checked when opened */
    int threads;             /* that read and check ratings */
};

/* The group of a split, checked against users and items. Close it. */
int bmf_dataset_file_open_split(const bmf_dataset_file *file, bmf_split split, bmf_h5_csr *out, bmf_error *err);

/* Its time stamps; an array with id −1 if the file has none. Close it. */
int bmf_dataset_file_open_timestamp(const bmf_h5_csr *csr, bmf_h5_array *out, bmf_error *err);

#endif
