#include "store/h5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "store/model_file.h"
#include "store/output_driver.h"

#define CHUNK_CACHE ((size_t)4 << 20) /* bytes per open data set */

static const struct {
    const char *format;  /* value of the attribute */
    const char *name;    /* short, for programs */
    const char *article; /* for sentences */
    int oldest, newest;  /* versions of the format that are read */
} kinds[BMF_H5_KINDS] = {
    [BMF_H5_DATASET] = {"blendmf-dataset", "dataset", "a blendmf data set", BMF_H5_DATASET_VERSION,
                        BMF_H5_DATASET_VERSION},
    [BMF_H5_MODEL] = {"blendmf-model", "model", "a blendmf model", BMF_H5_MODEL_VERSION, BMF_H5_MODEL_TIME_VERSION},
};

hid_t bmf_h5_file_access(void)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list < 0)
        return list;
    /* 1.10's own structures all carry checksums; older chunk indices do not. Chunks are read once: evict them first. */
    bool bad = H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
               H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) < 0 || H5Pset_cache(list, 0, 521, CHUNK_CACHE, 1.0) < 0;
#if H5_VERSION_GE(1, 10, 7)
    /* Files are never changed in place, so that locks, which some cluster file systems lack, protect nothing. */
    bad = bad || H5Pset_file_locking(list, false, true) < 0;
#endif
    if (bad)
        bmf_h5_close(&list);
    return list;
}

static hid_t creation_properties(void)
{
    hid_t list = H5Pcreate(H5P_FILE_CREATE);
    if (list < 0)
        return list;
    if (H5Pset_obj_track_times(list, false) < 0 || H5Pset_attr_phase_change(list, 128, 0) < 0 ||
        H5Pset_link_phase_change(list, 64, 0) < 0)
        bmf_h5_close(&list);
    return list;
}

static int write_root(hid_t file, bmf_h5_kind kind, int64_t version, bmf_error *err)
{
    char creator[64];
    snprintf(creator, sizeof creator, "blendmf %s", bmf_version());
    int status = bmf_h5_write_attribute(file, "format", BMF_H5_TEXT, 1, kinds[kind].format, err);
    if (status == BMF_OK)
        status = bmf_h5_write_attribute(file, "format_version", BMF_H5_INT64, 1, &version, err);
    if (status == BMF_OK)
        status = bmf_h5_write_attribute(file, "created_by", BMF_H5_TEXT, 1, creator, err);
    return status;
}

int bmf_h5_file_create(bmf_atomic_file *place, bmf_h5_kind kind, int64_t version, int64_t bytes, hid_t *out,
                       bmf_error *err)
{
    bmf_h5_start();
    *out = -1;
    int status = bmf_atomic_file_reserve(place, bytes, err);
    if (status != BMF_OK)
        return status;
    hid_t creation = creation_properties(), access = bmf_h5_file_access();
    if (creation >= 0 && access >= 0 && bmf_output_driver_set(access, place->fd, &place->failure) >= 0)
        *out = H5Fcreate(place->temporary, H5F_ACC_TRUNC, creation, access);
    if (*out < 0 && place->failure == ENOMEM)
        status = bmf_fail(err, BMF_ERR_MEMORY, "cannot be created: no memory for its driver");
    else if (*out < 0)
        status = bmf_h5_fail(err, -1, NULL, "cannot be created");
    bmf_h5_close(&creation);
    bmf_h5_close(&access);
    return status == BMF_OK ? write_root(*out, kind, version, err) : status;
}

int bmf_h5_file_finish(bmf_atomic_file *place, hid_t *file, bmf_error *err)
{
    if (bmf_h5_close(file) >= 0)
        return bmf_atomic_file_commit(place, err);
    int status = bmf_h5_fail(err, -1, NULL, "cannot write its last values");
    bmf_h5_file_discard(place, file);
    return status;
}

void bmf_h5_file_discard(bmf_atomic_file *place, hid_t *file)
{
    bmf_h5_close(file);
    bmf_atomic_file_abandon(place);
}

/* The first bytes of a file; what it does not have is left as it is. False with errno set if it cannot be read. */
static bool read_start(int fd, unsigned char *start, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, start + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        done += (size_t)got;
    }
    return true;
}

/* HDF5's own messages for these cases are long; and it would wait for ever on a pipe. */
int bmf_h5_file_check_signature(const char *path, bmf_error *err)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char found[8] = {0};
    struct stat info;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        int status = bmf_fail(err, BMF_ERR_IO, "cannot be opened: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return status;
    }
    int status = BMF_OK;
    if (!S_ISREG(info.st_mode))
        status = bmf_fail(err, BMF_ERR_IO, "%s, a file is expected",
                          S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file");
    else if (!read_start(fd, found, sizeof found))
        status = bmf_fail(err, BMF_ERR_IO, "cannot be read: %s", strerror(errno));
    else if (memcmp(found, signature, sizeof found) != 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "%s, an HDF5 file is expected",
                          info.st_size == 0 ? "is empty" : "is not an HDF5 file");
    close(fd);
    return status;
}

static int open_any(const char *path, hid_t *out, bmf_error *err)
{
    *out = -1;
    int status = bmf_h5_file_check_signature(path, err);
    if (status != BMF_OK)
        return status;
    bmf_h5_start();
    hid_t access = bmf_h5_file_access();
    if (access >= 0 && H5Pset_fapl_sec2(access) >= 0)
        *out = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (*out < 0)
        status = bmf_h5_fail(err, -1, NULL, "cannot be opened");
    bmf_h5_close(&access);
    return status;
}

/* *kind is BMF_H5_KINDS if the attribute holds another word. */
static int read_root(hid_t file, bmf_h5_kind *kind, int64_t *version, bmf_error *err)
{
    char format[64] = "", creator[256];
    *kind = BMF_H5_KINDS;
    htri_t ours = H5Aexists(file, "format");
    if (ours < 0)
        return bmf_h5_fail(err, file, NULL, "cannot be read");
    if (!ours)
        return bmf_fail(err, BMF_ERR_INPUT, "is an HDF5 file but not one of blendmf: it has no attribute 'format'");
    int status = bmf_h5_read_attribute(file, "format", BMF_H5_TEXT, sizeof format, format, err);
    if (status != BMF_OK)
        return status;
    for (int i = 0; i < BMF_H5_KINDS; i++)
        if (strcmp(format, kinds[i].format) == 0)
            *kind = (bmf_h5_kind)i;
    if (*kind == BMF_H5_KINDS)
        return bmf_fail(err, BMF_ERR_INPUT, "format '%s' is unknown; known are 'blendmf-dataset' and 'blendmf-model'",
                        format);
    status = bmf_h5_read_attribute(file, "format_version", BMF_H5_INT64, 1, version, err);
    if (status == BMF_OK)
        status = bmf_h5_read_attribute(file, "created_by", BMF_H5_TEXT, sizeof creator, creator, err);
    return status;
}

static int refuse_version(bmf_h5_kind kind, int64_t version, bmf_error *err)
{
    const int oldest = kinds[kind].oldest, newest = kinds[kind].newest;
    char more[32] = "";
    if (newest > oldest)
        snprintf(more, sizeof more, " to %d", newest);
    return bmf_fail(err, BMF_ERR_INPUT, "format_version %" PRId64 "; this program reads %d%s%s", version, oldest, more,
                    version < oldest ? " (make the file anew)" : "");
}

int bmf_h5_file_open(const char *path, bmf_h5_kind kind, hid_t *out, bmf_error *err)
{
    hid_t file = -1;
    bmf_h5_kind found;
    int64_t version = 0;
    *out = -1;
    int status = open_any(path, &file, err);
    if (status == BMF_OK)
        status = read_root(file, &found, &version, err);
    if (status == BMF_OK && found != kind)
        status = bmf_fail(err, BMF_ERR_INPUT, "is %s, %s is expected", kinds[found].article, kinds[kind].article);
    if (status == BMF_OK && (version < kinds[kind].oldest || version > kinds[kind].newest))
        status = refuse_version(kind, version, err);
    if (status == BMF_OK) {
        *out = file;
        return BMF_OK;
    }
    bmf_h5_close(&file);
    bmf_context(err, "%s", path);
    return status;
}

int bmf_file_kind(const char *path, char kind[32], int64_t *format_version, bmf_error *err)
{
    hid_t file = -1;
    bmf_h5_kind found = BMF_H5_KINDS;
    kind[0] = '\0';
    *format_version = 0;
    int status = open_any(path, &file, err);
    if (status == BMF_OK)
        status = read_root(file, &found, format_version, err);
    if (status == BMF_OK)
        snprintf(kind, 32, "%s", kinds[found].name);
    else
        bmf_context(err, "%s", path);
    bmf_h5_close(&file);
    return status;
}
