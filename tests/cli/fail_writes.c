/* Preloaded into a program: its writes to a temporary file of ours ("*.part-*") fail with "no space" once FAIL_WRITES_AFTER
 * bytes are written, on the rank of mpirun that FAIL_WRITES_RANK names, or on all. The reservation of space succeeds: so do
 * a quota or a broken disk look. With FAIL_WRITES_LOST the writes that start within that many bytes more are not made but
 * reported so, and those after them succeed. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_llong written;

static bool is_ours(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return strstr(path, ".part-") != NULL;
}

/* 0 to go on and write, else what the call returns. */
static ssize_t instead(int fd, size_t count)
{
    const char *rank = getenv("FAIL_WRITES_RANK"), *own = getenv("OMPI_COMM_WORLD_RANK"),
               *after = getenv("FAIL_WRITES_AFTER"), *lost = getenv("FAIL_WRITES_LOST");
    if (!after || (rank && own && strcmp(rank, own) != 0) || !is_ours(fd))
        return 0;
    long long past = atomic_fetch_add(&written, (long long)count) - atoll(after);
    if (lost)
        return past >= 0 && past < atoll(lost) ? (ssize_t)count : 0;
    if (past + (long long)count <= 0)
        return 0;
    errno = ENOSPC;
    return -1;
}

ssize_t write(int fd, const void *data, size_t count)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "write");
    ssize_t result = instead(fd, count);
    return result ? result : next(fd, data, count);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "pwrite");
    ssize_t result = instead(fd, count);
    return result ? result : next(fd, data, count, at);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at)
{
    return pwrite(fd, data, count, at);
}
