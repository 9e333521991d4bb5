#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate */
#endif
#include "store/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define NAME_ATTEMPTS 10000
#define SUFFIX_ROOM 48

static int fail_errno(bmf_error *err, const char *what)
{
    return bmf_fail(err, BMF_ERR_IO, "%s: %s", what, strerror(errno));
}

/* The file to replace: what a link points to, or the path itself if there is nothing yet. */
static int resolve_target(bmf_atomic_file *file, const char *path, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "%s; the name of a regular file is needed",
                        S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file");
    char *resolved = realpath(path, NULL);
    file->target = bmf_copy_string(resolved ? resolved : path, "path", err);
    free(resolved);
    return file->target ? BMF_OK : BMF_ERR_MEMORY;
}

static int open_temporary(bmf_atomic_file *file, bmf_error *err)
{
    size_t room = strlen(file->target) + SUFFIX_ROOM;
    file->temporary = bmf_alloc((int64_t)room, 1, "path", err);
    if (!file->temporary)
        return BMF_ERR_MEMORY;
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        snprintf(file->temporary, room, "%s.part-%ld-%d", file->target, (long)getpid(), attempt);
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (file->fd >= 0)
            return BMF_OK;
        if (errno != EEXIST)
            break;
    }
    return fail_errno(err, "cannot create a file beside it");
}

int bmf_atomic_file_create(bmf_atomic_file *file, const char *path, bmf_error *err)
{
    *file = (bmf_atomic_file)BMF_ATOMIC_FILE_INIT;
    int status = resolve_target(file, path, err);
    if (status == BMF_OK)
        status = open_temporary(file, err);
    if (status != BMF_OK)
        bmf_atomic_file_abandon(file);
    return status;
}

static int compare_free_space(const bmf_atomic_file *file, int64_t bytes, bmf_error *err)
{
    struct statvfs disk;
    if (fstatvfs(file->fd, &disk) != 0)
        return BMF_OK; /* unknown: the writes themselves will tell */
    uint64_t available = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (available >= (uint64_t)bytes)
        return BMF_OK;
    errno = ENOSPC;
    return fail_errno(err, "cannot reserve its space");
}

int bmf_atomic_file_reserve(bmf_atomic_file *file, int64_t bytes, bmf_error *err)
{
    int failed;
    do
        failed = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, bytes);
    while (failed && errno == EINTR);
    if (!failed)
        return BMF_OK;
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
        return compare_free_space(file, bytes, err);
    return bmf_fail(err, BMF_ERR_IO, "cannot reserve %" PRId64 " bytes: %s", bytes, strerror(errno));
}

/* Some file systems cannot sync a directory, and the new file is in place by now: worth a warning, no more. */
static void sync_directory(const char *path)
{
    char *directory = bmf_copy_string(path, "path", NULL);
    if (!directory)
        return;
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        bmf_log_warning("%s: its directory could not be synced to disk: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    bmf_free(directory);
}

/* Blocks past the end of the file belong to the reservation. */
static int trim(const bmf_atomic_file *file)
{
    struct stat info;
    return fstat(file->fd, &info) != 0 || ftruncate(file->fd, info.st_size) != 0;
}

int bmf_atomic_file_commit(bmf_atomic_file *file, bmf_error *err)
{
    int status = BMF_OK;
    if (file->failure) {
        errno = file->failure;
        status = fail_errno(err, "cannot write");
        goto done;
    }
    if (trim(file) || fsync(file->fd) != 0) {
        status = fail_errno(err, "cannot bring it to disk");
        goto done;
    }
    int fd = file->fd;
    file->fd = -1;
    if (close(fd) != 0 || rename(file->temporary, file->target) != 0) {
        status = fail_errno(err, "cannot put the new file in place");
        goto done;
    }
    sync_directory(file->target);
    bmf_free(file->temporary);
    file->temporary = NULL;
done:
    bmf_atomic_file_abandon(file);
    return status;
}

void bmf_atomic_file_abandon(bmf_atomic_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->temporary && *file->temporary)
        (void)unlink(file->temporary); /* missing if it was never made */
    bmf_free(file->temporary);
    bmf_free(file->target);
    *file = (bmf_atomic_file)BMF_ATOMIC_FILE_INIT;
}
