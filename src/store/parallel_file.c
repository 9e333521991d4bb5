#include "store/parallel_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"
#include "comm/handle.h"
#include "comm/watchdog.h"
#include "store/h5_file.h"

#define ARRAYS 32
#define NAME_ROOM 64
#define ANSWER_SECONDS 5 /* that a rank with a failure waits for the others */
#define RANK0_FIRST 5    /* seconds that the others' watchdogs leave to that of rank 0, whose message is the best */
#define PIECE_BYTES ((int64_t)4 << 20)

/* A data set that rows go to. */
typedef struct row_array {
    char name[NAME_ROOM];
    hid_t id, type; /* type: of the values in memory */
    int64_t rows, columns, row_bytes;
    int dimensions;
    uint64_t digest; /* of what this rank wrote */
} row_array;

struct bmf_parallel_file {
    bmf_comm *comm;
    char *path, *temporary;
    hid_t file, transfer;
    bmf_watchdog *dog;
    row_array array[ARRAYS];
    int arrays;
};

/* The same for any division into pieces and ranks, and different if a row is lost, changed or elsewhere. */
static uint64_t digest_rows(int64_t first, int64_t rows, int64_t row_bytes, const void *data)
{
    uint64_t digest = 0;
    const char *row = data;
    for (int64_t r = 0; r < rows; r++, row += row_bytes)
        digest += XXH3_64bits_withSeed(row, (size_t)row_bytes, (XXH64_hash_t)(first + r) + 1);
    return digest;
}

/* One status for all ranks. After a failure HDF5's objects stay open: closing them would hang. */
static int agree(bmf_parallel_file *file, int status, bmf_error *err)
{
    if (status != BMF_OK)
        bmf_context(err, "%s", file->path);
    if (status != BMF_OK && file->dog)
        bmf_watchdog_hurry(file->dog, ANSWER_SECONDS, err->text);
    status = bmf_comm_agree(file->comm, status, err);
    if (status != BMF_OK) {
        bmf_comm_finish_by_abort(status);
        if (bmf_comm_rank(file->comm) == 0)
            (void)unlink(file->temporary);
    }
    return status;
}

static hid_t access_properties(const bmf_parallel_file *file)
{
    hid_t list = bmf_h5_file_access();
    if (list >= 0 && (H5Pset_fapl_mpio(list, bmf_comm_handle(file->comm), MPI_INFO_NULL) < 0 ||
                      H5Pset_coll_metadata_write(list, true) < 0 || H5Pset_all_coll_metadata_ops(list, true) < 0))
        bmf_h5_close(&list);
    return list;
}

static int open_file(bmf_parallel_file *file, bmf_error *err)
{
    bmf_h5_start();
    hid_t access = access_properties(file);
    file->transfer = H5Pcreate(H5P_DATASET_XFER);
    if (access >= 0 && file->transfer >= 0 && H5Pset_dxpl_mpio(file->transfer, H5FD_MPIO_COLLECTIVE) >= 0)
        file->file = H5Fopen(file->temporary, H5F_ACC_RDWR, access);
    int status = file->file < 0 ? bmf_h5_fail(err, -1, NULL, "cannot be opened by MPI-IO") : BMF_OK;
    bmf_h5_close(&access);
    return status;
}

/* The name and the size that rank 0 has. */
static int share_place(bmf_parallel_file *file, const char *temporary, int64_t *bytes, bmf_error *err)
{
    int64_t head[2] = {temporary ? (int64_t)strlen(temporary) + 1 : 0, *bytes};
    bmf_comm_broadcast(file->comm, head, (int64_t)sizeof head, 0);
    *bytes = head[1];
    file->temporary = bmf_alloc_zero(head[0], 1, "path", err);
    int status = bmf_comm_agree(file->comm, file->temporary ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status != BMF_OK)
        return status;
    if (bmf_comm_rank(file->comm) == 0)
        memcpy(file->temporary, temporary, (size_t)head[0]);
    bmf_comm_broadcast(file->comm, file->temporary, head[0], 0);
    return BMF_OK;
}

static int start_watchdog(bmf_parallel_file *file, int64_t bytes, bmf_error *err)
{
    char text[BMF_ERROR_TEXT];
    double seconds = BMF_PARALLEL_SECONDS + (double)bytes / BMF_PARALLEL_BYTES_A_SECOND;
    snprintf(text, sizeof text,
             "%s: writing it by MPI-IO did not end within %.0f seconds; is the disk full, or does a process hang?",
             file->path, seconds);
    if (bmf_comm_rank(file->comm) > 0)
        seconds += RANK0_FIRST;
    return bmf_watchdog_start(file->temporary, seconds, text, &file->dog, err);
}

int bmf_parallel_file_open(bmf_comm *comm, const char *temporary, int64_t bytes, const char *path,
                           bmf_parallel_file **out, bmf_error *err)
{
    *out = NULL;
    bmf_parallel_file *file = bmf_alloc_zero(1, sizeof *file, "parallel file", err);
    int status = bmf_comm_agree(comm, file ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status != BMF_OK) {
        bmf_free(file);
        return status;
    }
    file->comm = comm;
    file->file = file->transfer = -1;
    file->path = bmf_copy_string(path, "path", err);
    status = bmf_comm_agree(comm, file->path ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status == BMF_OK)
        status = share_place(file, temporary, &bytes, err);
    if (status == BMF_OK)
        status = bmf_comm_agree(comm, start_watchdog(file, bytes, err), err);
    if (status == BMF_OK)
        status = agree(file, open_file(file, err), err);
    if (status == BMF_OK)
        *out = file;
    else
        bmf_parallel_file_abandon(&file);
    return status;
}

static int read_shape(row_array *array, bmf_error *err)
{
    hsize_t extent[2] = {0, 1};
    hid_t space = H5Dget_space(array->id), stored = H5Dget_type(array->id);
    array->dimensions = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    array->type = stored < 0 ? -1 : H5Tget_native_type(stored, H5T_DIR_ASCEND);
    bool bad = array->type < 0 || array->dimensions < 1 || array->dimensions > 2 ||
               H5Sget_simple_extent_dims(space, extent, NULL) < 0;
    if (!bad) {
        array->rows = (int64_t)extent[0];
        array->columns = (int64_t)extent[1];
        array->row_bytes = array->columns * (int64_t)H5Tget_size(array->type);
    }
    bmf_h5_close(&stored);
    bmf_h5_close(&space);
    return bad ? bmf_h5_fail(err, array->id, NULL, "cannot read its shape") : BMF_OK;
}

/* Opening allocates all chunks and fills them, the same on all ranks: here a full disk is met. */
static int open_array(bmf_parallel_file *file, row_array *array, const char *name, bmf_error *err)
{
    snprintf(array->name, sizeof array->name, "%s", name);
    array->type = -1;
    array->id = H5Dopen2(file->file, name, H5P_DEFAULT);
    return array->id < 0 ? bmf_h5_fail(err, file->file, name, "cannot write (is the disk full?)")
                         : read_shape(array, err);
}

static int find_array(bmf_parallel_file *file, const char *name, row_array **out, bmf_error *err)
{
    for (int a = 0; a < file->arrays; a++)
        if (strcmp(file->array[a].name, name) == 0) {
            *out = &file->array[a];
            return BMF_OK;
        }
    if (file->arrays == ARRAYS || strlen(name) >= NAME_ROOM)
        return bmf_fail(err, BMF_ERR_INTERNAL, "no room for the array %s", name);
    *out = &file->array[file->arrays++];
    return agree(file, open_array(file, *out, name, err), err);
}

static int write_rows(const bmf_parallel_file *file, row_array *array, int64_t first, int64_t rows, const void *data,
                      bmf_error *err)
{
    hsize_t start[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)(rows > 0 ? rows : 1), (hsize_t)array->columns};
    hid_t space = H5Dget_space(array->id), memory = H5Screate_simple(array->dimensions, count, NULL);
    herr_t done = space < 0 || memory < 0 ? -1 : 0;
    if (done >= 0 && rows > 0)
        done = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    else if (done >= 0)
        done = H5Sselect_none(space) < 0 ? -1 : H5Sselect_none(memory);
    if (done >= 0)
        done = H5Dwrite(array->id, array->type, memory, space, file->transfer, data);
    int status = done < 0 ? bmf_h5_fail(err, array->id, NULL, "cannot write (is the disk full?)") : BMF_OK;
    if (status == BMF_OK)
        array->digest += digest_rows(first, rows, array->row_bytes, data);
    bmf_h5_close(&memory);
    bmf_h5_close(&space);
    return status;
}

int bmf_parallel_file_rows(bmf_parallel_file *file, const char *name, int64_t first, int64_t rows, const void *data,
                           bmf_error *err)
{
    row_array *array = NULL;
    int status = find_array(file, name, &array, err);
    if (status != BMF_OK || array->rows == 0 || array->columns == 0)
        return status;
    if (first < 0 || rows < 0 || first > array->rows - rows)
        status = bmf_fail(err, BMF_ERR_INTERNAL, "rows %" PRId64 " + %" PRId64 " of %s, which has %" PRId64, first,
                          rows, name, array->rows);
    /* Before HDF5: who stays away from there makes the others wait. */
    status = agree(file, status, err);
    return status == BMF_OK ? agree(file, write_rows(file, array, first, rows, data, err), err) : status;
}

/* A flush by every rank: the sync that rank 0 does later may not reach what another machine holds. */
static int close_file(bmf_parallel_file *file, bmf_error *err)
{
    const int64_t mark = 1;
    int status = bmf_h5_write_attribute(file->file, "complete", BMF_H5_INT64, 1, &mark, err);
    for (int a = 0; a < file->arrays && status == BMF_OK; a++) {
        bmf_h5_close(&file->array[a].type);
        if (bmf_h5_close(&file->array[a].id) < 0)
            status = bmf_h5_fail(err, file->file, file->array[a].name, "cannot write its last values");
    }
    status = agree(file, status, err);
    if (status == BMF_OK && H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0)
        status = bmf_h5_fail(err, -1, NULL, "cannot be brought to disk");
    status = agree(file, status, err);
    bmf_h5_close(&file->transfer);
    if (status == BMF_OK && bmf_h5_close(&file->file) < 0)
        status = bmf_h5_fail(err, -1, NULL, "cannot write its last values");
    return agree(file, status, err);
}

/* The digest of a whole data set as it is in the file now. */
static int read_digest(hid_t file, const row_array *array, uint64_t *digest, bmf_error *err)
{
    hid_t id = H5Dopen2(file, array->name, H5P_DEFAULT);
    hid_t stored = id < 0 ? -1 : H5Dget_type(id);
    hid_t type = stored < 0 ? -1 : H5Tget_native_type(stored, H5T_DIR_ASCEND);
    hid_t space = id < 0 ? -1 : H5Dget_space(id);
    int status = type < 0 || space < 0 ? bmf_h5_fail(err, file, array->name, "cannot be opened") : BMF_OK;
    int64_t most = array->row_bytes > 0 && PIECE_BYTES > array->row_bytes ? PIECE_BYTES / array->row_bytes : 1;
    void *rows = bmf_alloc(most, (size_t)array->row_bytes, "rows to compare", err);
    if (status == BMF_OK && !rows)
        status = BMF_ERR_MEMORY;
    *digest = 0;
    for (int64_t first = 0, piece; first < array->rows && array->columns > 0 && status == BMF_OK; first += piece) {
        piece = array->rows - first < most ? array->rows - first : most;
        hsize_t start[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)piece, (hsize_t)array->columns};
        hid_t memory = H5Screate_simple(array->dimensions, count, NULL);
        if (memory < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
            H5Dread(id, type, memory, space, H5P_DEFAULT, rows) < 0)
            status = bmf_h5_fail(err, id, NULL, "cannot be read back");
        else
            *digest += digest_rows(first, piece, array->row_bytes, rows);
        bmf_h5_close(&memory);
    }
    bmf_free(rows);
    bmf_h5_close(&space);
    bmf_h5_close(&type);
    bmf_h5_close(&stored);
    bmf_h5_close(&id);
    return status;
}

static int compare(const bmf_parallel_file *file, const uint64_t *written, bmf_error *err)
{
    hid_t opened = -1;
    int status = bmf_h5_file_open(file->temporary, BMF_H5_MODEL, &opened, err);
    for (int a = 0; a < file->arrays && status == BMF_OK; a++) {
        uint64_t found = 0;
        status = read_digest(opened, &file->array[a], &found, err);
        if (status == BMF_OK && found != written[a])
            status =
                bmf_fail(err, BMF_ERR_IO, "/%s: does not read back as it was written by MPI-IO", file->array[a].name);
    }
    bmf_h5_close(&opened);
    return status;
}

int bmf_parallel_file_finish(bmf_parallel_file **at, bmf_error *err)
{
    bmf_parallel_file *file = *at;
    uint64_t written[ARRAYS] = {0};
    int status = close_file(file, err);
    if (status == BMF_OK) {
        for (int a = 0; a < file->arrays; a++)
            written[a] = file->array[a].digest;
        bmf_comm_sum_int64(file->comm, (int64_t *)written, file->arrays); /* modulo 2^64 */
        status = bmf_comm_rank(file->comm) == 0 ? compare(file, written, err) : BMF_OK;
        status = agree(file, status, err);
    }
    bmf_parallel_file_abandon(at);
    return status;
}

void bmf_parallel_file_abandon(bmf_parallel_file **at)
{
    bmf_parallel_file *file = *at;
    if (!file)
        return;
    bmf_watchdog_stop(&file->dog);
    if (file->file >= 0)
        bmf_comm_finish_by_abort(BMF_ERR_IO);
    bmf_free(file->temporary);
    bmf_free(file->path);
    bmf_free(file);
    *at = NULL;
}
