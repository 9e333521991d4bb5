#include "store/output_driver.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST_ADDRESS ((haddr_t)INT64_MAX)

typedef struct output_info {
    int fd;
    int *failure;
} output_info;

/* Metadata that could not go to disk any more. */
typedef struct kept_block {
    struct kept_block *earlier;
    haddr_t address;
    size_t size;
    unsigned char bytes[];
} kept_block;

typedef struct output {
    H5FD_t public; /* first: HDF5 sees only this */
    output_info info;
    haddr_t eoa, eof; /* allocated by HDF5; length of the file */
    kept_block *kept; /* newest first */
} output;

static H5FD_t *output_open(const char *name, unsigned flags, hid_t access, haddr_t largest)
{
    (void)name, (void)flags, (void)largest;
    const output_info *info = H5Pget_driver_info(access);
    output *file = info ? calloc(1, sizeof *file) : NULL;
    if (!file) {
        if (info)
            *info->failure = errno;
        return NULL;
    }
    file->info = *info;
    return &file->public;
}

static herr_t output_close(H5FD_t *public)
{
    output *file = (output *)public;
    while (file->kept) {
        kept_block *block = file->kept;
        file->kept = block->earlier;
        free(block);
    }
    free(file);
    return 0;
}

static herr_t output_query(const H5FD_t *public, unsigned long *flags)
{
    (void)public;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t output_get_eoa(const H5FD_t *public, H5FD_mem_t type)
{
    (void)type;
    return ((const output *)public)->eoa;
}

static herr_t output_set_eoa(H5FD_t *public, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((output *)public)->eoa = address;
    return 0;
}

static haddr_t output_get_eof(const H5FD_t *public, H5FD_mem_t type)
{
    (void)type;
    return ((const output *)public)->eof;
}

static herr_t output_get_handle(H5FD_t *public, hid_t access, void **handle)
{
    (void)access;
    *handle = ((output *)public)->info.failure;
    return 0;
}

static void keep(output *file, haddr_t address, size_t size, const void *data)
{
    kept_block *block = malloc(sizeof *block + size);
    if (!block)
        return; /* HDF5 may then fail to close: no more can be done */
    *block = (kept_block){.earlier = file->kept, .address = address, .size = size};
    memcpy(block->bytes, data, size);
    file->kept = block;
}

/* Lays the kept blocks over what was read, the oldest first. */
static void overlay(const kept_block *block, haddr_t address, size_t size, unsigned char *out)
{
    if (!block)
        return;
    overlay(block->earlier, address, size, out);
    haddr_t first = block->address > address ? block->address : address;
    haddr_t block_end = block->address + block->size, end = address + size;
    haddr_t last = block_end < end ? block_end : end;
    if (first < last)
        memcpy(out + (first - address), block->bytes + (first - block->address), (size_t)(last - first));
}

/* What lies beyond the end of the file reads as zeros; what cannot be read is a failure, and never zeros. */
static herr_t output_read(H5FD_t *public, H5FD_mem_t type, hid_t list, haddr_t address, size_t size, void *buffer)
{
    (void)type, (void)list;
    output *file = (output *)public;
    unsigned char *out = buffer;
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file->info.fd, out + done, size - done, (off_t)(address + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            *file->info.failure = errno;
            return -1;
        }
        if (got == 0)
            break;
        done += (size_t)got;
    }
    memset(out + done, 0, size - done);
    overlay(file->kept, address, size, out);
    return 0;
}

/* An errno, 0 if everything was written. */
static int write_all(int fd, haddr_t address, size_t size, const unsigned char *data)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, data + done, size - done, (off_t)(address + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

static herr_t output_write(H5FD_t *public, H5FD_mem_t type, hid_t list, haddr_t address, size_t size,
                           const void *buffer)
{
    (void)list;
    output *file = (output *)public;
    if (!*file->info.failure)
        *file->info.failure = write_all(file->info.fd, address, size, buffer);
    if (*file->info.failure && type != H5FD_MEM_DRAW)
        keep(file, address, size, buffer);
    if (address + size > file->eof)
        file->eof = address + size;
    return 0;
}

static herr_t output_truncate(H5FD_t *public, hid_t list, hbool_t closing)
{
    (void)list, (void)closing;
    output *file = (output *)public;
    if (!*file->info.failure && file->eof != file->eoa && ftruncate(file->info.fd, (off_t)file->eoa) != 0)
        *file->info.failure = errno;
    file->eof = file->eoa;
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)511, /* in the range HDF5 leaves to private drivers */
#endif
    .name = "blendmf_output",
    .maxaddr = LARGEST_ADDRESS,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(output_info),
    .open = output_open,
    .close = output_close,
    .query = output_query,
    .get_eoa = output_get_eoa,
    .set_eoa = output_set_eoa,
    .get_eof = output_get_eof,
    .get_handle = output_get_handle,
    .read = output_read,
    .write = output_write,
    .truncate = output_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t bmf_output_driver_set(hid_t access, int fd, int *failure)
{
    /* Kept until the library ends: HDF5 1.10 lets go of a file's driver just before it calls the driver to close. */
    static hid_t id = -1;
    output_info info = {fd, failure};
    if (H5Iget_type(id) != H5I_VFL)
        id = H5FDregister(&driver);
    if (id < 0)
        return -1;
    *failure = 0;
    return H5Pset_driver(access, id, &info);
}

int bmf_output_driver_failure(hid_t object)
{
    void *handle = NULL;
    hid_t file = H5Iget_file_id(object);
    if (file < 0 || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || !handle)
        handle = NULL;
    if (file >= 0)
        H5Fclose(file);
    return handle ? *(const int *)handle : EIO;
}
