/* The data-set file: HDF5, layout in the README's chapter on files. Writing is whole and atomic; reading is by parts, so
 * that each rank reads its own users. Readers check format, version, extents and index ranges before use. */
#ifndef BMF_STORE_DATASET_FILE_H
#define BMF_STORE_DATASET_FILE_H

#include "data/dataset.h"

/* Writes the data set to a temporary name beside `path`, flushes, fsyncs, renames. On failure nothing is left behind and
 * an older file is untouched (BMF_ERR_IO). Local. */
int bmf_dataset_write(const char *path, const bmf_dataset *dataset, bmf_error *err);

/* Reads everything (`bmf_dataset_clear` when done). BMF_ERR_IO if it cannot be opened or read (missing, a flipped byte,
 * truncated), BMF_ERR_INPUT if it is not a data set of a known version or its contents contradict each other. Local. */
int bmf_dataset_read(const char *path, bmf_dataset *out, bmf_error *err);

typedef struct bmf_dataset_file bmf_dataset_file;

typedef struct bmf_dataset_shape {
    int64_t users, items, features, user_features;
    int64_t ratings[BMF_SPLITS];
} bmf_dataset_shape;

/* Opens and checks: kind, version, extents. The caller closes. Local; every rank may open the same file. */
int bmf_dataset_file_open(const char *path, bmf_dataset_file **out, bmf_error *err);
void bmf_dataset_file_close(bmf_dataset_file **file);
/* How many threads read and check ratings from now on, 1 after opening. Results and errors are the same for any number. */
void bmf_dataset_file_use_threads(bmf_dataset_file *file, int threads);
int bmf_dataset_file_threads(const bmf_dataset_file *file);

bmf_dataset_shape bmf_dataset_file_shape(const bmf_dataset_file *file);
const char *bmf_dataset_file_path(const bmf_dataset_file *file); /* borrowed */

/* The parts. Outputs are owned by the caller and empty on failure. Local. */
int bmf_dataset_file_read_users(bmf_dataset_file *file, bmf_ids *out, bmf_error *err);
int bmf_dataset_file_read_items(bmf_dataset_file *file, bmf_ids *out, bmf_error *err);
int bmf_dataset_file_read_titles(bmf_dataset_file *file, bmf_strings *out, bmf_error *err);
int bmf_dataset_file_read_content(bmf_dataset_file *file, bmf_content *out, bmf_error *err);
/* Rows of users [first, last); {0} if shape.user_features is 0. */
int bmf_dataset_file_read_user_content(bmf_dataset_file *file, int64_t first, int64_t last, bmf_content *out,
                                       bmf_error *err);
int bmf_dataset_file_read_import(bmf_dataset_file *file, bmf_import_record *out, bmf_error *err);

/* indptr of a split: (users + 1) from bmf_alloc, checked. */
int bmf_dataset_file_read_indptr(bmf_dataset_file *file, bmf_split split, int64_t **out, bmf_error *err);

/* Ratings of users [first, last) of a split: out is (last − first) × items with indptr from 0. Timestamps only if
 * with_timestamp is not 0 and the file has them. */
int bmf_dataset_file_read_ratings(bmf_dataset_file *file, bmf_split split, int64_t first, int64_t last,
                                  int with_timestamp, bmf_ratings *out, bmf_error *err);

/* Their times alone, in the same order: *out from bmf_alloc, NULL if the file has none. */
int bmf_dataset_file_read_timestamps(bmf_dataset_file *file, bmf_split split, int64_t first, int64_t last,
                                     int64_t **out, bmf_error *err);

/* 64-bit digest of ids, ratings and content as stored (XXH3 over the checked arrays): equal data sets, equal digest. */
int bmf_dataset_file_fingerprint(bmf_dataset_file *file, uint64_t *out, bmf_error *err);

#endif
