/* Arrays of a model as files of a directory: .npy, or .csv with ids. */
#ifndef BMF_CLI_EXPORT_ARRAYS_H
#define BMF_CLI_EXPORT_ARRAYS_H

#include "data/csr.h"
#include "data/ids.h"
#include "store/atomic_directory.h"

typedef enum bmf_export_form { BMF_EXPORT_NPY, BMF_EXPORT_CSV } bmf_export_form;

typedef struct bmf_export {
    bmf_atomic_directory directory;
    bmf_export_form form;
    bmf_strings written; /* names of the files, in the order they were made */
    int64_t bytes;
} bmf_export;

/* What rows or columns are of: their name in the header of a CSV and their ids. */
typedef struct bmf_export_axis {
    const char *name; /* "user" */
    const bmf_ids *ids;
} bmf_export_axis;

/* All of these write whole files and return BMF_ERR_IO with the file's name. Local. */

/* name.npy: rows × columns float32 of rows `stride` apart. name.csv: a line a row, id first, columns named `column` and a
 * number from 1; or just `column` for a vector (columns 0, stride 1). */
int bmf_export_matrix(bmf_export *out, const char *name, bmf_export_axis rows, const char *column, const float *data,
                      int64_t columns, int64_t stride, bmf_error *err);
/* name.npy: a float64 array, with `count` −1 for a single number. CSV: a line a number, in a column of that name, after the
 * id where `rows` has ids. */
int bmf_export_doubles(bmf_export *out, const char *name, bmf_export_axis rows, const double *data, int64_t count,
                       bmf_error *err);
/* name_data.npy, name_indices.npy, name_indptr.npy, as scipy.sparse.csr_matrix takes them. CSV: name.csv with a line an entry:
 * ids of row and column, and `value`. */
int bmf_export_sparse(bmf_export *out, const char *name, bmf_export_axis rows, bmf_export_axis columns,
                      const char *value, const bmf_csr *matrix, bmf_error *err);
/* name.npy: int64 or str. Ids are part of the other files in CSV, where nothing is written. */
int bmf_export_ids(bmf_export *out, const char *name, const bmf_ids *ids, bmf_error *err);

#endif
