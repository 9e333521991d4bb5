/* Data sets of one or two dimensions, chunked and with Fletcher-32: a flipped byte fails the read. Rows are the unit of
 * reading and writing. All Local. */
#ifndef BMF_STORE_H5_ARRAY_H
#define BMF_STORE_H5_ARRAY_H

#include "base/strings.h"
#include "store/h5.h"

typedef struct bmf_h5_array {
    hid_t id;
    bmf_h5_type type;
    size_t text_size;      /* bytes of a stored string; 0 for numbers */
    int64_t rows, columns; /* columns is 1 for one dimension */
    bool matrix;           /* two dimensions */
    int threads;           /* that read it; 0 counts as 1 */
} bmf_h5_array;

#define BMF_H5_ARRAY_INIT                                                                                              \
    {                                                                                                                  \
        -1, BMF_H5_INT64, 0, 0, 0, false, 1                                                                            \
    }

typedef struct bmf_h5_shape {
    int64_t rows, columns; /* columns < 0: one dimension */
} bmf_h5_shape;

/* A new data set; extents may be 0. text_size is the bytes of a string (≥ 1) for TEXT. compress adds shuffle and deflate. */
int bmf_h5_array_create(hid_t parent, const char *name, bmf_h5_type type, size_t text_size, bmf_h5_shape shape,
                        bool compress, bmf_h5_array *out, bmf_error *err);

/* Opens an existing one and checks it: dimensions, type, storage in this file, and that the file is large enough to hold
 * what the extents declare, so that a caller may allocate by them. BMF_ERR_INPUT otherwise. */
int bmf_h5_array_open(hid_t parent, const char *name, bmf_h5_type type, bool matrix, bmf_h5_array *out, bmf_error *err);

/* Flushes what was written and closes; the error matters after writing only. */
int bmf_h5_array_close(bmf_h5_array *array, bmf_error *err);

/* BMF_ERR_INPUT unless the array has that many rows; `why` says what it must match ("one per user"). */
int bmf_h5_array_expect_rows(const bmf_h5_array *array, int64_t rows, const char *why, bmf_error *err);

/* Rows [first, first + rows), packed in memory. A range outside the array is BMF_ERR_INTERNAL. */
int bmf_h5_array_write(bmf_h5_array *array, int64_t first, int64_t rows, const void *data, bmf_error *err);
int bmf_h5_array_read(const bmf_h5_array *array, int64_t first, int64_t rows, void *out, bmf_error *err);

/* Rows whose bytes make up a piece of moderate size: what to read or write at a time when all would be too much. */
int64_t bmf_h5_array_piece(const bmf_h5_array *array);

/* A whole one-dimensional data set at once. */
int bmf_h5_write_vector(hid_t parent, const char *name, bmf_h5_type type, int64_t count, const void *data,
                        bmf_error *err);

/* A list of strings, each without NUL inside, as strings of the longest one's length. */
int bmf_h5_write_strings(hid_t parent, const char *name, const bmf_strings *list, bool compress, bmf_error *err);
int bmf_h5_read_strings(hid_t parent, const char *name, int64_t count, const char *why, bmf_strings *out,
                        bmf_error *err);

/* Bytes on disk of `count` elements of `size` bytes with their chunks' checksums and index: an upper estimate. */
int64_t bmf_h5_estimate(int64_t count, int64_t size);

#endif
