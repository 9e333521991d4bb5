/* What data sets and models have in common: ids, compressed sparse rows as scipy and AnnData lay them out, content. All
 * Local; readers check before they allocate. */
#ifndef BMF_STORE_PARTS_H
#define BMF_STORE_PARTS_H

#include "data/dataset.h"
#include "data/projection.h"
#include "store/h5_array.h"

/* <parent>/<name>/id; the group is created and returned for more to be put in (close it), or closed if group is NULL. */
int bmf_h5_write_ids(hid_t parent, const char *name, const bmf_ids *ids, hid_t *group, bmf_error *err);

/* How many ids <parent>/<name>/id declares, without reading them. */
int bmf_h5_count_ids(hid_t parent, const char *name, int64_t *count, bmf_error *err);

/* Reads and checks exactly `count` ids. Outputs are empty on failure. */
int bmf_h5_read_ids(hid_t parent, const char *name, int64_t count, bmf_ids *out, bmf_error *err);

/* A compressed-sparse-row group opened for reading, its shape and extents checked. */
typedef struct bmf_h5_csr {
    hid_t group;
    bmf_h5_array indptr, indices, data;
    int64_t rows, columns, count;
    int threads; /* that read and check it */
} bmf_h5_csr;

#define BMF_H5_CSR_INIT                                                                                                \
    {                                                                                                                  \
        -1, BMF_H5_ARRAY_INIT, BMF_H5_ARRAY_INIT, BMF_H5_ARRAY_INIT, 0, 0, 0, 1                                        \
    }

/* One being written by rows. */
typedef struct bmf_h5_csr_rows {
    bmf_h5_csr csr;
    int64_t rows, entries; /* written so far */
} bmf_h5_csr_rows;

#define BMF_H5_CSR_ROWS_INIT                                                                                           \
    {                                                                                                                  \
        BMF_H5_CSR_INIT, 0, 0                                                                                          \
    }

/* Writes the matrix as <parent>/<name>; matrix->indptr may be NULL for one without entries. *group as above. */
int bmf_h5_csr_write(hid_t parent, const char *name, const bmf_csr *matrix, hid_t *group, bmf_error *err);

/* The same by rows: creates the group and its arrays for `count` entries; then takes the next rows, as a matrix of their own,
 * from the first on until all are there; and closes. BMF_ERR_INTERNAL for more or fewer rows or entries than announced. */
int bmf_h5_csr_create(hid_t parent, const char *name, int64_t rows, int64_t columns, int64_t count,
                      bmf_h5_csr_rows *out, bmf_error *err);
int bmf_h5_csr_append(bmf_h5_csr_rows *csr, const bmf_csr *rows, bmf_error *err);
int bmf_h5_csr_finish(bmf_h5_csr_rows *csr, bmf_error *err);

/* BMF_ERR_INPUT unless its shape is rows × columns; columns < 0 takes what is there. */
int bmf_h5_csr_open(hid_t parent, const char *name, int64_t rows, int64_t columns, bmf_h5_csr *out, bmf_error *err);
void bmf_h5_csr_close(bmf_h5_csr *csr);

/* How many threads read and check its arrays: 1 after opening. */
void bmf_h5_csr_use_threads(bmf_h5_csr *csr, int threads);

/* indptr[first .. last] (last − first + 1 values, as stored) into out, checked: not descending, within the entries. */
int bmf_h5_csr_read_indptr(const bmf_h5_csr *csr, int64_t first, int64_t last, int64_t *out, bmf_error *err);

/* Rows [first, last) as a matrix of its own, checked. *begin is the entry where they start in the file. Only what these
 * rows need is read. */
int bmf_h5_csr_read(const bmf_h5_csr *csr, int64_t first, int64_t last, bmf_csr *out, int64_t *begin, bmf_error *err);

/* BMF_ERR_INPUT unless the indices of each row ascend; `name` is the matrix's, for the message, and `first` its first row. */
int bmf_h5_check_ascending(const char *name, const bmf_csr *matrix, int64_t first, bmf_error *err);

/* <parent>/<name>, content of items or users: the matrix, `feature`, `idf`. rows is their number even if the content is empty
 * ({0}). */
int bmf_h5_write_content(hid_t parent, const char *name, int64_t rows, const bmf_content *content, bmf_error *err);
int bmf_h5_read_content(hid_t parent, const char *name, int64_t rows, int64_t features, bmf_content *out,
                        bmf_error *err);
/* The same with rows [first, last) alone. */
int bmf_h5_read_content_rows(hid_t parent, const char *name, int64_t rows, int64_t features, int64_t first,
                             int64_t last, bmf_content *out, bmf_error *err);

/* <parent>/content_svd: how content of more features became one of `rank`. Outputs are empty on failure. */
int bmf_h5_write_projection(hid_t parent, const bmf_projection *projection, bmf_error *err);
int bmf_h5_read_projection(hid_t parent, int64_t rank, bmf_projection *out, bmf_error *err);

/* Upper estimates of their bytes in a file. */
int64_t bmf_h5_estimate_ids(const bmf_ids *ids);
int64_t bmf_h5_estimate_strings(const bmf_strings *list);
int64_t bmf_h5_estimate_projection(const bmf_projection *projection);
int64_t bmf_h5_estimate_csr(int64_t rows, int64_t count);

#endif
