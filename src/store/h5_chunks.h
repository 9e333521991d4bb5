/* Reading of chunks past HDF5: its filter pipeline copies each chunk several times, in one thread (the library is not safe
 * for more), and its checksum is slow. HDF5 says where the chunks lie; threads read them straight into place and verify. */
#ifndef BMF_STORE_H5_CHUNKS_H
#define BMF_STORE_H5_CHUNKS_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bmf_h5_chunk_request {
    hid_t array;         /* of one or two dimensions, in a file opened with the sec2 driver */
    hid_t memory_type;   /* wanted */
    int64_t columns;     /* 1 for one dimension */
    int64_t first, rows; /* wanted, within the extent */
    int threads;         /* ≥ 1 */
} bmf_h5_chunk_request;

/* Reads the rows into out. False if that is not to be had this way, for whatever reason: another layout, filters besides
 * Fletcher-32, another type, chunks that are parts of a row, one that is missing, cannot be read or does not match its
 * checksum. Then `out` holds nothing of use, and H5Dread will read it or say what is wrong. Local. */
bool bmf_h5_chunks_read(const bmf_h5_chunk_request *request, void *out);

#endif
