#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate */
#endif
#include "store/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define NAME_ATTEMPTS 10000
#define SUFFIX_ROOM 48
#define TEMPORARY_FORMAT ".blendmf.part-%ld-%d" /* which nobody else calls a file */

static int fail_errno(bmf_error *err, const char *what)
{
    return bmf_fail(err, BMF_ERR_IO, "%s: %s", what, strerror(errno));
}

/* Where a link leads to although nothing is there; false if the path is no link. */
static bool follow_dangling(const char *path, char out[PATH_MAX])
{
    char link_text[PATH_MAX];
    const ssize_t length = readlink(path, link_text, sizeof link_text - 1);
    const char *slash = strrchr(path, '/');
    if (length <= 0)
        return false;
    link_text[length] = '\0';
    const int before = link_text[0] == '/' || !slash ? 0 : (int)(slash + 1 - path);
    return snprintf(out, PATH_MAX, "%.*s%s", before, path, link_text) < PATH_MAX;
}

char *bmf_atomic_file_target(const char *path, bmf_error *err)
{
    char linked[PATH_MAX];
    char *resolved = realpath(path, NULL);
    const bool dangles = !resolved && errno == ENOENT && follow_dangling(path, linked);
    char *target = bmf_copy_string(resolved ? resolved : dangles ? linked : path, "path", err);
    free(resolved);
    return target;
}

static int resolve_target(bmf_atomic_file *file, const char *path, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "%s; the name of a regular file is needed",
                        S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file");
    file->target = bmf_atomic_file_target(path, err);
    return file->target ? BMF_OK : BMF_ERR_MEMORY;
}

/* The directory of a path and the name in it; false if there is no memory. The caller frees *directory. */
static bool split_path(const char *path, char **directory, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    *directory = bmf_copy_string(slash ? path : ".", "path", NULL);
    if (*directory && slash)
        (*directory)[slash == path ? 1 : slash - path] = '\0';
    return *directory != NULL;
}

/* Whether `entry` is what open_temporary calls a temporary of `name`. */
static bool is_temporary_of(const char *entry, const char *name)
{
    const size_t length = strlen(name);
    int end = 0;
    long process;
    int attempt;
    if (strncmp(entry, name, length) != 0)
        return false;
    return sscanf(entry + length, TEMPORARY_FORMAT "%n", &process, &attempt, &end) == 2 && end > 0 &&
           entry[length + (size_t)end] == '\0';
}

/* Locked: no living process writes it. */
static void remove_if_left_over(int directory, const char *entry)
{
    const int fd = openat(directory, entry, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    struct stat held, named;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 &&
        fstatat(directory, entry, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino &&
        held.st_dev == named.st_dev)
        (void)unlinkat(directory, entry, 0);
    close(fd);
}

/* Killed processes leave their temporaries, and many of them fill a disk. */
static void remove_left_overs(const char *target)
{
    char *directory = NULL;
    const char *name;
    DIR *stream = split_path(target, &directory, &name) ? opendir(directory) : NULL;
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (is_temporary_of(entry->d_name, name))
            remove_if_left_over(dirfd(stream), entry->d_name);
    if (stream)
        closedir(stream);
    bmf_free(directory);
}

/* Takes the lock of a file just made; false if another process took it for a left-over in between. A shared one: it keeps
 * others from removing the file, and HDF5, which may lock what it reads, from nothing. A file system without locks has no
 * left-overs removed either. */
static bool take_lock(int fd)
{
    struct stat info;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

static int open_temporary(bmf_atomic_file *file, bmf_error *err)
{
    size_t room = strlen(file->target) + SUFFIX_ROOM;
    file->temporary = bmf_alloc((int64_t)room, 1, "path", err);
    if (!file->temporary)
        return BMF_ERR_MEMORY;
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        snprintf(file->temporary, room, "%s" TEMPORARY_FORMAT, file->target, (long)getpid(), attempt);
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (file->fd >= 0 && take_lock(file->fd))
            return BMF_OK;
        if (file->fd >= 0)
            close(file->fd);
        else if (errno != EEXIST)
            break;
        file->fd = -1;
    }
    const int reason = errno;
    *file->temporary = '\0'; /* not ours to remove */
    errno = reason;
    return fail_errno(err, "cannot create a file beside it");
}

int bmf_atomic_file_create(bmf_atomic_file *file, const char *path, bmf_error *err)
{
    *file = (bmf_atomic_file)BMF_ATOMIC_FILE_INIT;
    int status = resolve_target(file, path, err);
    if (status == BMF_OK)
        remove_left_overs(file->target);
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
    char *directory = NULL;
    const char *name;
    if (!split_path(path, &directory, &name)) {
        bmf_log_warning("%s: its directory could not be synced to disk: %s", path, strerror(ENOMEM));
        return;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

int bmf_atomic_file_sync(bmf_atomic_file *file, bmf_error *err)
{
    if (file->failure) {
        errno = file->failure;
        return fail_errno(err, "cannot write");
    }
    return trim(file) || fsync(file->fd) != 0 ? fail_errno(err, "cannot bring it to disk") : BMF_OK;
}

/* Gives the target, if there is one, a second name; where the file system has no links, its only one until the new file
 * takes its place. */
static int keep_older(const bmf_atomic_file *file, bmf_error *err)
{
    const size_t room = strlen(file->target) + sizeof BMF_PREVIOUS_SUFFIX;
    char *name = bmf_alloc((int64_t)room, 1, "path", err);
    if (!name)
        return BMF_ERR_MEMORY;
    snprintf(name, room, "%s" BMF_PREVIOUS_SUFFIX, file->target);
    int status = BMF_OK;
    if (access(file->target, F_OK) == 0) {
        (void)unlink(name);
        if (link(file->target, name) != 0 && rename(file->target, name) != 0) /* not every file system has links */
            status = fail_errno(err, "cannot keep the older file as ...previous");
    }
    bmf_free(name);
    return status;
}

int bmf_atomic_file_commit(bmf_atomic_file *file, bmf_error *err)
{
    int status = bmf_atomic_file_sync(file, err);
    if (status == BMF_OK && file->keep_older)
        status = keep_older(file, err);
    if (status == BMF_OK && rename(file->temporary, file->target) != 0)
        status = fail_errno(err, "cannot put the new file in place");
    if (status == BMF_OK) {
        *file->temporary = '\0'; /* it has its name now */
        sync_directory(file->target);
    }
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
