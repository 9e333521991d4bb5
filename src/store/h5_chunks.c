#include "store/h5_chunks.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/fletcher32.h"
#include "store/h5.h"

#define LARGEST_EDGE ((size_t)16 << 20) /* chunks above this are left to HDF5 */
#define FEW_BYTES (1 << 20)             /* not worth starting threads */

typedef struct chunk_plan {
    int fd;
    size_t row_bytes;
    int64_t chunk_rows;
    int64_t first, end;  /* rows wanted */
    int64_t first_chunk; /* which holds `first` */
    int64_t chunks;      /* that hold wanted rows */
    haddr_t *address;    /* (chunks) in the file */
    unsigned char *edge; /* (2 chunks) for those of which only a part is wanted: the first and the last one */
} chunk_plan;

/* The descriptor of a file opened with the plain driver and without a user block, where an address is an offset; or −1. */
static int plain_descriptor(hid_t array)
{
    int *descriptor = NULL;
    hsize_t user_block = 1;
    hid_t file = H5Iget_file_id(array);
    hid_t access = file < 0 ? -1 : H5Fget_access_plist(file), creation = file < 0 ? -1 : H5Fget_create_plist(file);
    bool plain = access >= 0 && creation >= 0 && H5Pget_driver(access) == H5FD_SEC2 &&
                 H5Pget_userblock(creation, &user_block) >= 0 && user_block == 0 &&
                 H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&descriptor) >= 0 && descriptor;
    int fd = plain ? *descriptor : -1;
    bmf_h5_close(&creation);
    bmf_h5_close(&access);
    bmf_h5_close(&file);
    return fd;
}

static bool has_memory_layout(const bmf_h5_chunk_request *request, size_t *element)
{
    hid_t stored = H5Dget_type(request->array);
    bool same = stored >= 0 && H5Tequal(stored, request->memory_type) > 0;
    *element = same ? H5Tget_size(stored) : 0;
    bmf_h5_close(&stored);
    return same && *element > 0;
}

/* Whole rows in each chunk, and Fletcher-32 the only filter. *rows of a chunk. */
static bool has_plain_chunks(const bmf_h5_chunk_request *request, int64_t *rows)
{
    hsize_t chunk[2] = {0, 1};
    unsigned flags = 0, config = 0;
    size_t values = 0;
    hid_t list = H5Dget_create_plist(request->array);
    bool plain = list >= 0 && H5Pget_layout(list) == H5D_CHUNKED && H5Pget_chunk(list, 2, chunk) > 0 &&
                 chunk[1] == (hsize_t)request->columns && H5Pget_nfilters(list) == 1 &&
                 H5Pget_filter2(list, 0, &flags, &values, NULL, 0, NULL, &config) == H5Z_FILTER_FLETCHER32;
    *rows = (int64_t)chunk[0];
    bmf_h5_close(&list);
    return plain && *rows > 0;
}

/* Where the chunks lie; each must be stored whole and with its checksum. */
static bool locate(hid_t array, chunk_plan *plan)
{
#if H5_VERSION_GE(1, 10, 5)
    hsize_t stored = (hsize_t)plan->chunk_rows * plan->row_bytes + BMF_FLETCHER32_BYTES;
    for (int64_t c = 0; c < plan->chunks; c++) {
        hsize_t offset[2] = {(hsize_t)((plan->first_chunk + c) * plan->chunk_rows), 0}, size = 0;
        unsigned skipped = 1;
        if (H5Dget_chunk_info_by_coord(array, offset, &skipped, &plan->address[c], &size) < 0 || skipped != 0 ||
            plan->address[c] == HADDR_UNDEF || size != stored)
            return false;
    }
    return true;
#else
    (void)array, (void)plan;
    return false;
#endif
}

static void clear_plan(chunk_plan *plan)
{
    bmf_free(plan->address);
    bmf_free(plan->edge);
}

static bool make_plan(const bmf_h5_chunk_request *request, chunk_plan *plan)
{
    size_t element = 0;
    *plan = (chunk_plan){.fd = plain_descriptor(request->array), .first = request->first};
    plan->end = request->first + request->rows;
    if (plan->fd < 0 || !has_memory_layout(request, &element) || !has_plain_chunks(request, &plan->chunk_rows))
        return false;
    plan->row_bytes = element * (size_t)request->columns;
    if ((size_t)plan->chunk_rows > LARGEST_EDGE / plan->row_bytes)
        return false;
    plan->first_chunk = plan->first / plan->chunk_rows;
    plan->chunks = (plan->end - 1) / plan->chunk_rows + 1 - plan->first_chunk;
    plan->address = bmf_alloc(plan->chunks, sizeof *plan->address, "chunks", NULL);
    plan->edge = bmf_alloc(2 * plan->chunk_rows, plan->row_bytes, "chunks", NULL);
    return plan->address && plan->edge && locate(request->array, plan);
}

/* A chunk and its checksum, in one call as a rule. */
static bool read_checked(int fd, haddr_t address, unsigned char *data, size_t size)
{
    unsigned char sum[BMF_FLETCHER32_BYTES];
    size_t done = 0, all = size + sizeof sum;
    while (done < all) {
        size_t of_data = done < size ? size - done : 0, of_sum = all - done - of_data;
        struct iovec part[2] = {{data + size - of_data, of_data}, {sum + sizeof sum - of_sum, of_sum}};
        ssize_t got = preadv(fd, part, 2, (off_t)(address + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    uint32_t wanted = (uint32_t)sum[0] | (uint32_t)sum[1] << 8 | (uint32_t)sum[2] << 16 | (uint32_t)sum[3] << 24;
    return bmf_fletcher32(data, size) == wanted;
}

static bool read_chunk(const chunk_plan *plan, int64_t c, unsigned char *out)
{
    int64_t begin = (plan->first_chunk + c) * plan->chunk_rows, end = begin + plan->chunk_rows;
    size_t size = (size_t)plan->chunk_rows * plan->row_bytes;
    int64_t from = begin > plan->first ? begin : plan->first, to = end < plan->end ? end : plan->end;
    unsigned char *place = out + (size_t)(from - plan->first) * plan->row_bytes;
    if (from == begin && to == end)
        return read_checked(plan->fd, plan->address[c], place, size);
    unsigned char *edge = plan->edge + (c > 0 ? size : 0);
    if (!read_checked(plan->fd, plan->address[c], edge, size))
        return false;
    memcpy(place, edge + (size_t)(from - begin) * plan->row_bytes, (size_t)(to - from) * plan->row_bytes);
    return true;
}

bool bmf_h5_chunks_read(const bmf_h5_chunk_request *request, void *out)
{
    chunk_plan plan;
    bool whole = make_plan(request, &plan);
    if (whole) {
        size_t bytes = (size_t)request->rows * plan.row_bytes;
#pragma omp parallel for schedule(static) num_threads(request->threads) reduction(&& : whole) if (bytes > FEW_BYTES)
        for (int64_t c = 0; c < plan.chunks; c++)
            whole = whole && read_chunk(&plan, c, out);
    }
    clear_plan(&plan);
    return whole;
}
