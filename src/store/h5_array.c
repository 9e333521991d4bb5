#include "store/h5_array.h"

#include <inttypes.h>
#include <string.h>

#include "store/h5_chunks.h"
#include "store/output_driver.h"

/* Reading is as fast with any size above; larger blocks make malloc give pages back and fault them in again for every
 * chunk written. Tests make chunks tiny, so that small files have many. */
#ifndef BMF_CHUNK_BYTES
#define BMF_CHUNK_BYTES (128 << 10)
#endif

#define PIECES_A_WRITE 16
#define LARGEST_CHUNK ((uint64_t)256 << 20) /* of a file made elsewhere */
#define LARGEST_RATIO 1100                  /* deflate, once, reaches 1032 */
#define FREE_RATIO_BYTES (32 << 20)         /* beyond these, values take at most COMMON_RATIO times what is stored: */
#define COMMON_RATIO 100                    /* padded titles of MovieLens take 6 times, its features 4 */
#define LARGEST_TEXT ((size_t)1 << 20)      /* bytes of one string */
#define LARGEST_EXTENT ((hsize_t)1 << 48)

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static size_t element_size(const bmf_h5_array *array)
{
    return array->type == BMF_H5_TEXT ? array->text_size : bmf_h5_type_size(array->type);
}

/* Whole rows up to BMF_CHUNK_BYTES, or a part of one row; never larger than the array, never 0. */
static void chunk_extent(const bmf_h5_array *array, hsize_t chunk[2])
{
    int64_t elements = max64(1, BMF_CHUNK_BYTES / (int64_t)element_size(array));
    int64_t columns = max64(1, min64(array->columns, elements));
    int64_t rows = max64(1, min64(array->rows, elements / columns));
    chunk[0] = (hsize_t)rows;
    chunk[1] = (hsize_t)columns;
}

static hid_t creation_properties(const bmf_h5_array *array, bool compress)
{
    hsize_t chunk[2];
    chunk_extent(array, chunk);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list < 0)
        return list;
    bool bad = H5Pset_chunk(list, array->matrix ? 2 : 1, chunk) < 0 || H5Pset_obj_track_times(list, false) < 0 ||
               H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) < 0;
    if (compress) /* strings are padded: byte planes of equal bytes */
        bad = bad || H5Pset_shuffle(list) < 0 || H5Pset_deflate(list, 4) < 0;
    bad = bad || H5Pset_fletcher32(list) < 0;
    if (bad)
        bmf_h5_close(&list);
    return list;
}

int bmf_h5_array_create(hid_t parent, const char *name, bmf_h5_type type, size_t text_size, bmf_h5_shape shape,
                        bool compress, bmf_h5_array *out, bmf_error *err)
{
    bool matrix = shape.columns >= 0;
    *out = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    if (type == BMF_H5_TEXT && text_size > LARGEST_TEXT) {
        (void)bmf_fail(err, BMF_ERR_INPUT, "a string of %zu bytes is too long, at most %zu bytes are stored", text_size,
                       LARGEST_TEXT);
        bmf_h5_context(err, parent, name);
        return BMF_ERR_INPUT;
    }
    bmf_h5_array array = {-1, type, text_size, shape.rows, matrix ? shape.columns : 1, matrix, 1};
    hsize_t extent[2] = {(hsize_t)array.rows, (hsize_t)array.columns};
    hid_t space = H5Screate_simple(matrix ? 2 : 1, extent, NULL);
    hid_t stored = type == BMF_H5_TEXT ? bmf_h5_text_type(text_size) : H5Tcopy(bmf_h5_stored_type(type));
    hid_t properties = creation_properties(&array, compress);
    if (space >= 0 && stored >= 0 && properties >= 0)
        array.id = H5Dcreate2(parent, name, stored, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    int status = array.id < 0 ? bmf_h5_fail(err, parent, name, "cannot be created") : BMF_OK;
    bmf_h5_close(&properties);
    bmf_h5_close(&stored);
    bmf_h5_close(&space);
    *out = array;
    return status;
}

static int read_extent(bmf_h5_array *array, bmf_error *err)
{
    int status = BMF_OK;
    hsize_t extent[2] = {0, 1};
    hid_t space = H5Dget_space(array->id);
    if (space < 0)
        return bmf_h5_fail(err, array->id, NULL, "cannot read its shape");
    int rank = H5Sget_simple_extent_type(space) == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
    if (rank != (array->matrix ? 2 : 1))
        status = bmf_fail(err, BMF_ERR_INPUT, "has %d dimensions, %d are expected", rank, array->matrix ? 2 : 1);
    else if (H5Sget_simple_extent_dims(space, extent, NULL) < 0)
        status = bmf_h5_fail(err, array->id, NULL, "cannot read its shape");
    else if (extent[0] > LARGEST_EXTENT || extent[1] > LARGEST_EXTENT)
        status = bmf_fail(err, BMF_ERR_INPUT, "has %" PRIu64 " x %" PRIu64 " elements, which cannot be right",
                          (uint64_t)extent[0], (uint64_t)extent[1]);
    array->rows = (int64_t)extent[0];
    array->columns = (int64_t)extent[1];
    bmf_h5_close(&space);
    return status;
}

static int read_type(bmf_h5_array *array, bmf_error *err)
{
    hid_t stored = H5Dget_type(array->id);
    if (stored < 0)
        return bmf_h5_fail(err, array->id, NULL, "cannot read its type");
    int status = bmf_h5_check_type(stored, array->type, err);
    if (status == BMF_OK && array->type == BMF_H5_TEXT) {
        array->text_size = H5Tget_size(stored);
        if (array->text_size < 1 || array->text_size > LARGEST_TEXT)
            status = bmf_fail(err, BMF_ERR_INPUT, "holds strings of %zu bytes, at most %zu are expected",
                              array->text_size, LARGEST_TEXT);
    }
    bmf_h5_close(&stored);
    return status;
}

/* The filters whose code is part of every HDF5, each once: a second deflate would multiply what a small file expands to,
 * and others are rarely used and rarely tested. */
static int check_filters(hid_t id, hid_t list, bool *compressed, bmf_error *err)
{
    static const H5Z_filter_t known[] = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
    bool seen[3] = {false, false, false};
    int filters = H5Pget_nfilters(list);
    if (filters < 0)
        return bmf_h5_fail(err, id, NULL, "cannot read its filters");
    for (int i = 0; i < filters; i++) {
        unsigned flags = 0, config = 0;
        size_t values = 0, k = 0;
        H5Z_filter_t filter = H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        while (k < 3 && known[k] != filter)
            k++;
        if (k == 3 || seen[k])
            return bmf_fail(err, BMF_ERR_INPUT,
                            "has filter number %d%s; shuffle, deflate and fletcher32 are allowed, each once",
                            (int)filter, k == 3 ? "" : " twice");
        seen[k] = true;
    }
    *compressed = seen[1];
    return BMF_OK;
}

/* The data must lie in this file, in chunks that can be held in memory. *compressed: a filter may shrink it. */
static int check_layout(hid_t id, hid_t list, size_t element, bool *compressed, bmf_error *err)
{
    H5D_layout_t layout = H5Pget_layout(list);
    if (layout < 0)
        return bmf_h5_fail(err, id, NULL, "cannot read its layout");
    if (layout == H5D_VIRTUAL || (layout == H5D_CONTIGUOUS && H5Pget_external_count(list) != 0))
        return bmf_fail(err, BMF_ERR_INPUT, "keeps its values in another file, they are expected in this one");
    *compressed = false;
    if (layout != H5D_CHUNKED)
        return BMF_OK;
    hsize_t chunk[2] = {1, 1};
    if (H5Pget_chunk(list, 2, chunk) < 0)
        return bmf_h5_fail(err, id, NULL, "cannot read its layout");
    if (chunk[0] > LARGEST_CHUNK || chunk[1] > LARGEST_CHUNK || chunk[0] * chunk[1] > LARGEST_CHUNK / element)
        return bmf_fail(err, BMF_ERR_INPUT, "has chunks above %" PRIu64 " MiB", LARGEST_CHUNK >> 20);
    return check_filters(id, list, compressed, err);
}

/* What a caller may allocate for an array of which `stored` bytes are in the file. */
static double most_bytes(double stored, bool compressed)
{
    if (!compressed)
        return stored;
    double all = stored * LARGEST_RATIO, common = FREE_RATIO_BYTES + stored * COMMON_RATIO;
    return all < common ? all : common;
}

static int check_stored(hid_t id, size_t element, int64_t rows, int64_t columns, bool compressed, bmf_error *err)
{
    hsize_t size = 0, stored = H5Dget_storage_size(id);
    hid_t file = H5Iget_file_id(id);
    herr_t known = file < 0 ? -1 : H5Fget_filesize(file, &size);
    bmf_h5_close(&file);
    if (known < 0)
        return bmf_h5_fail(err, id, NULL, "cannot read the file's size");
    if (size < stored)
        stored = size;
    double wanted = (double)rows * (double)columns * (double)element;
    if (wanted <= most_bytes((double)stored, compressed))
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_INPUT,
                    "declares %" PRId64 " x %" PRId64 " elements, but only %" PRIu64 " bytes are stored", rows, columns,
                    (uint64_t)stored);
}

static int check_storage(const bmf_h5_array *array, bmf_error *err)
{
    hid_t list = H5Dget_create_plist(array->id), type = H5Dget_type(array->id);
    size_t element = type < 0 ? 0 : H5Tget_size(type);
    bool compressed = false;
    int status;
    if (list < 0 || element == 0)
        status = bmf_h5_fail(err, array->id, NULL, "cannot read its layout");
    else
        status = check_layout(array->id, list, element, &compressed, err);
    if (status == BMF_OK && array->rows > 0 && array->columns > 0)
        status = check_stored(array->id, element, array->rows, array->columns, compressed, err);
    bmf_h5_close(&type);
    bmf_h5_close(&list);
    return status;
}

int bmf_h5_array_open(hid_t parent, const char *name, bmf_h5_type type, bool matrix, bmf_h5_array *out, bmf_error *err)
{
    *out = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    int status = bmf_h5_require(parent, name, H5O_TYPE_DATASET, err);
    if (status != BMF_OK)
        return status;
    bmf_h5_array array = {-1, type, 0, 0, 0, matrix, 1};
    array.id = H5Dopen2(parent, name, H5P_DEFAULT);
    if (array.id < 0)
        return bmf_h5_fail(err, parent, name, "cannot be opened");
    status = read_extent(&array, err);
    if (status == BMF_OK)
        status = read_type(&array, err);
    if (status == BMF_OK)
        status = check_storage(&array, err);
    if (status == BMF_ERR_INPUT)
        bmf_h5_context(err, parent, name);
    if (status == BMF_OK)
        *out = array;
    else
        bmf_h5_close(&array.id);
    return status;
}

int bmf_h5_array_close(bmf_h5_array *array, bmf_error *err)
{
    int status = BMF_OK;
    if (bmf_h5_close(&array->id) < 0)
        status = bmf_h5_fail(err, -1, NULL, "cannot write its last values");
    *array = (bmf_h5_array)BMF_H5_ARRAY_INIT;
    return status;
}

int bmf_h5_array_expect_rows(const bmf_h5_array *array, int64_t rows, const char *why, bmf_error *err)
{
    if (array->rows == rows)
        return BMF_OK;
    int status =
        bmf_fail(err, BMF_ERR_INPUT, "has %" PRId64 " rows, %" PRId64 " are expected, %s", array->rows, rows, why);
    bmf_h5_context(err, array->id, NULL);
    return status;
}

static hid_t memory_type(const bmf_h5_array *array)
{
    return array->type == BMF_H5_TEXT ? H5Dget_type(array->id) : H5Tcopy(bmf_h5_native_type(array->type));
}

static bool read_past_hdf5(const bmf_h5_array *array, hid_t memory, int64_t first, int64_t rows, void *out)
{
    bmf_h5_chunk_request request = {.array = array->id,
                                    .memory_type = memory,
                                    .columns = array->columns,
                                    .first = first,
                                    .rows = rows,
                                    .threads = array->threads > 1 ? array->threads : 1};
    return bmf_h5_chunks_read(&request, out);
}

/* One of `in` and `out` is NULL. */
static int transfer(const bmf_h5_array *array, int64_t first, int64_t rows, const void *in, void *out, bmf_error *err)
{
    if (first < 0 || rows < 0 || first > array->rows - rows)
        return bmf_fail(err, BMF_ERR_INTERNAL, "rows %" PRId64 " + %" PRId64 " of an array of %" PRId64 " rows", first,
                        rows, array->rows);
    if (rows == 0 || array->columns == 0)
        return BMF_OK;
    hsize_t start[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)rows, (hsize_t)array->columns};
    hid_t type = memory_type(array);
    if (out && type >= 0 && read_past_hdf5(array, type, first, rows, out)) {
        bmf_h5_close(&type);
        return BMF_OK;
    }
    hid_t file_space = H5Dget_space(array->id);
    hid_t memory = H5Screate_simple(array->matrix ? 2 : 1, count, NULL);
    herr_t done = -1;
    if (type >= 0 && memory >= 0 && file_space >= 0)
        done = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (done >= 0)
        done = in ? H5Dwrite(array->id, type, memory, file_space, H5P_DEFAULT, in)
                  : H5Dread(array->id, type, memory, file_space, H5P_DEFAULT, out);
    int status = BMF_OK;
    if (done < 0)
        status = bmf_h5_fail(err, array->id, NULL, in ? "cannot write" : "cannot read");
    bmf_h5_close(&memory);
    bmf_h5_close(&file_space);
    bmf_h5_close(&type);
    return status;
}

/* A failed write is noted by the driver, not by HDF5: pieces, so that a full disk ends a long write soon. */
int bmf_h5_array_write(bmf_h5_array *array, int64_t first, int64_t rows, const void *data, bmf_error *err)
{
    size_t row_bytes = element_size(array) * (size_t)array->columns;
    int64_t piece = bmf_h5_array_piece(array) * PIECES_A_WRITE;
    int status = BMF_OK;
    for (int64_t done = 0; done < rows && status == BMF_OK; done += piece) {
        int64_t count = min64(piece, rows - done);
        status = transfer(array, first + done, count, (const char *)data + (size_t)done * row_bytes, NULL, err);
        int failure = status == BMF_OK ? bmf_output_driver_failure(array->id) : 0;
        if (failure)
            status = bmf_fail(err, BMF_ERR_IO, "cannot write: %s", strerror(failure));
    }
    return status;
}

int bmf_h5_array_read(const bmf_h5_array *array, int64_t first, int64_t rows, void *out, bmf_error *err)
{
    return transfer(array, first, rows, NULL, out, err);
}

int64_t bmf_h5_array_piece(const bmf_h5_array *array)
{
    hsize_t chunk[2];
    chunk_extent(array, chunk);
    return (int64_t)chunk[0] * 2;
}

int bmf_h5_write_vector(hid_t parent, const char *name, bmf_h5_type type, int64_t count, const void *data,
                        bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_create(parent, name, type, 0, (bmf_h5_shape){count, -1}, false, &array, err);
    if (status == BMF_OK)
        status = bmf_h5_array_write(&array, 0, count, data, err);
    int closed = bmf_h5_array_close(&array, err);
    return status != BMF_OK ? status : closed;
}

int64_t bmf_h5_estimate(int64_t count, int64_t size)
{
    int64_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > INT64_MAX / 64)
        return INT64_MAX / 64; /* no disk has it; sums of these still fit */
    return bytes + (bytes / BMF_CHUNK_BYTES + 1) * 32 + 1024;
}
