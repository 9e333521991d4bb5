#include "store/atomic_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/path.h"
#include "store/atomic_file.h"

#define SUFFIX_ROOM 48
#define SUFFIX ".blendmf.part-%ld-0" /* which nobody else calls a directory */

static int fail_errno(bmf_error *err, const char *what)
{
    return bmf_fail(err, BMF_ERR_IO, "%s: %s", what, strerror(errno));
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Entries of a directory; −1 if it cannot be read. The first one counts. */
static int is_empty(const char *path)
{
    DIR *stream = opendir(path);
    int empty = 1;
    if (!stream)
        return -1;
    for (struct dirent *entry; empty && (entry = readdir(stream));)
        empty = is_dots(entry->d_name);
    closedir(stream);
    return empty;
}

static int check_target(const char *path, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? BMF_OK : fail_errno(err, "cannot be looked at");
    if (!S_ISDIR(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "is there and is no directory");
    int empty = is_empty(path);
    if (empty < 0)
        return fail_errno(err, "cannot be looked into");
    return empty ? BMF_OK : bmf_fail(err, BMF_ERR_IO, "the directory is not empty; give another name or remove it");
}

/* Removes a directory of files. */
static void remove_directory(int fd, const char *path)
{
    DIR *stream = fdopendir(dup(fd));
    if (!stream)
        return;
    rewinddir(stream);
    for (struct dirent *entry; (entry = readdir(stream));)
        if (!is_dots(entry->d_name))
            (void)unlinkat(fd, entry->d_name, 0);
    closedir(stream);
    (void)rmdir(path);
}

/* Locked: no living process fills it. */
static void remove_if_left_over(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        remove_directory(fd, path);
    close(fd);
}

/* The directory that holds the target; the caller frees it. NULL if there is no memory. */
static char *parent_of(const char *target)
{
    const char *name = bmf_base_name(target);
    char *parent = bmf_copy_string(name == target ? "." : target, "path", NULL);
    if (parent && name != target)
        parent[name - target > 1 ? name - target - 1 : 1] = '\0';
    return parent;
}

static void remove_left_overs(const char *target)
{
    const char *name = bmf_base_name(target);
    size_t room = strlen(target) + 512, length = strlen(name);
    char *parent = parent_of(target), *path = bmf_alloc((int64_t)room, 1, "path", NULL);
    DIR *stream = parent && path ? opendir(parent) : NULL;
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        long process;
        int end = 0;
        if (strncmp(entry->d_name, name, length) != 0 ||
            sscanf(entry->d_name + length, SUFFIX "%n", &process, &end) != 1)
            continue;
        if (entry->d_name[length + (size_t)end] != '\0')
            continue;
        snprintf(path, room, "%s/%s", parent, entry->d_name);
        remove_if_left_over(path);
    }
    if (stream)
        closedir(stream);
    bmf_free(path);
    bmf_free(parent);
}

static int make_temporary(bmf_atomic_directory *d, bmf_error *err)
{
    size_t room = strlen(d->target) + SUFFIX_ROOM;
    d->temporary = bmf_alloc((int64_t)room, 1, "path", err);
    if (!d->temporary)
        return BMF_ERR_MEMORY;
    snprintf(d->temporary, room, "%s" SUFFIX, d->target, (long)getpid());
    if (mkdir(d->temporary, 0777) != 0) {
        int reason = errno;
        *d->temporary = '\0'; /* not ours to remove */
        errno = reason;
        return fail_errno(err, "cannot create a directory beside it");
    }
    d->fd = open(d->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->fd < 0)
        return fail_errno(err, "cannot open the directory made beside it");
    (void)flock(d->fd, LOCK_SH | LOCK_NB); /* a file system without locks has no left-overs removed either */
    return BMF_OK;
}

int bmf_atomic_directory_create(bmf_atomic_directory *d, const char *path, bmf_error *err)
{
    *d = (bmf_atomic_directory)BMF_ATOMIC_DIRECTORY_INIT;
    char *bare = bmf_copy_string(path, "path", err);
    for (size_t length = bare ? strlen(bare) : 0; length > 1 && bare[length - 1] == '/'; length--)
        bare[length - 1] = '\0';
    d->target = bare ? bmf_atomic_file_target(bare, err) : NULL;
    bmf_free(bare);
    int status = d->target ? check_target(d->target, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        remove_left_overs(d->target);
        status = make_temporary(d, err);
    }
    if (status != BMF_OK)
        bmf_atomic_directory_abandon(d);
    return status;
}

FILE *bmf_atomic_directory_open(const bmf_atomic_directory *d, const char *name, bmf_error *err)
{
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        bmf_fail(err, BMF_ERR_IO, "%s: cannot be created: %s", name, strerror(errno));
    if (!file && fd >= 0)
        close(fd);
    return file;
}

int bmf_atomic_directory_close(FILE *file, const char *name, bmf_error *err)
{
    bool failed = fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0;
    int reason = errno;
    if (fclose(file) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    return failed ? bmf_fail(err, BMF_ERR_IO, "%s: cannot be written: %s", name, strerror(reason)) : BMF_OK;
}

static void sync_parent(const char *target)
{
    char *parent = parent_of(target);
    int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd); /* not every file system can; the files themselves are safe */
        close(fd);
    }
    bmf_free(parent);
}

int bmf_atomic_directory_commit(bmf_atomic_directory *d, bmf_error *err)
{
    int status = fsync(d->fd) == 0 || errno == EINVAL ? BMF_OK : fail_errno(err, "cannot bring it to disk");
    if (status == BMF_OK && rename(d->temporary, d->target) != 0)
        status = fail_errno(err, "cannot put the new directory in place");
    if (status == BMF_OK) {
        *d->temporary = '\0'; /* it has its name now */
        sync_parent(d->target);
    }
    bmf_atomic_directory_abandon(d);
    return status;
}

void bmf_atomic_directory_abandon(bmf_atomic_directory *d)
{
    if (d->fd >= 0 && d->temporary && *d->temporary)
        remove_directory(d->fd, d->temporary);
    else if (d->temporary && *d->temporary)
        (void)rmdir(d->temporary); /* made, but not opened */
    if (d->fd >= 0)
        close(d->fd);
    bmf_free(d->temporary);
    bmf_free(d->target);
    *d = (bmf_atomic_directory)BMF_ATOMIC_DIRECTORY_INIT;
}
