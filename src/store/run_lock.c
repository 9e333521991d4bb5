#include "store/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/printable.h"
#include "store/atomic_file.h"

#define SUFFIX ".lock"
#define PATIENCE 3.0 /* seconds */
#define PAUSE 100000000L
#define HOLDER_ROOM (HOST_NAME_MAX + 64)

typedef enum answer { TAKEN, HELD, NO_LOCKS, GONE, FAILED } answer;

/* A lock of the open file, of the kind that NFS knows as well; unlike a process's, it is not lost when some other descriptor of
 * the file is closed. */
static answer try_lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return TAKEN;
    return errno == EAGAIN || errno == EACCES ? HELD : NO_LOCKS;
}

/* Whether the locked file still has its name: the holder before us removes it. */
static bool is_named(const bmf_run_lock *lock)
{
    struct stat held, named;
    return fstat(lock->fd, &held) == 0 && stat(lock->path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static answer try_take(bmf_run_lock *lock)
{
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (lock->fd < 0)
        return FAILED;
    const answer got = try_lock(lock->fd);
    return got == TAKEN && !is_named(lock) ? GONE : got;
}

/* Who we are, for whoever is refused. False with errno set. */
static bool sign(int fd)
{
    char host[HOST_NAME_MAX + 1] = "", text[HOLDER_ROOM];
    (void)gethostname(host, sizeof host - 1);
    const int length = snprintf(text, sizeof text, "host %s, pid %ld\n", host, (long)getpid());
    if (ftruncate(fd, 0) != 0)
        return false;
    for (int done = 0; done < length;) {
        const ssize_t put = pwrite(fd, text + done, (size_t)(length - done), done);
        if (put < 0 && errno != EINTR)
            return false;
        done += put > 0 ? (int)put : 0;
    }
    return true;
}

/* Two processes started together: the one that has the lock may not have signed yet. */
static int refuse(const bmf_run_lock *lock, const char *path, bmf_error *err)
{
    char text[HOLDER_ROOM] = "";
    const ssize_t length = pread(lock->fd, text, sizeof text - 1, 0);
    if (length > 0)
        text[strcspn(text, "\n")] = '\0';
    char holder[4 * HOLDER_ROOM];
    bmf_printable(length > 0 ? text : "which has not told its name", NULL, holder, sizeof holder);
    return bmf_fail(err, BMF_ERR_IO,
                    "%s: another run is using it (%s); end it, or give this one a checkpoint of its own", path, holder);
}

static void let_go(bmf_run_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

static void pause_a_little(void)
{
    const struct timespec pause = {0, PAUSE};
    (void)nanosleep(&pause, NULL);
}

static int take(bmf_run_lock *lock, const char *path, bmf_error *err)
{
    const double start = bmf_clock_seconds();
    answer got;
    while ((got = try_take(lock)) == GONE || (got == HELD && bmf_clock_seconds() - start < PATIENCE)) {
        let_go(lock);
        if (got == HELD)
            pause_a_little();
    }
    if (got == HELD)
        return refuse(lock, path, err);
    if (got == NO_LOCKS)
        bmf_log_warning("%s: cannot be locked (%s): another run with the same checkpoint would not be noticed",
                        lock->path, strerror(errno));
    if (got != FAILED && sign(lock->fd))
        return BMF_OK;
    bmf_fail(err, BMF_ERR_IO, "%s: cannot be written: %s", lock->path, strerror(errno));
    if (got == TAKEN)
        (void)unlink(lock->path); /* while it is ours */
    return BMF_ERR_IO;
}

int bmf_run_lock_take(bmf_run_lock *lock, const char *path, bmf_error *err)
{
    *lock = (bmf_run_lock)BMF_RUN_LOCK_INIT;
    char *target = bmf_atomic_file_target(path, err);
    const size_t room = target ? strlen(target) + sizeof SUFFIX : 0;
    int status = target && (lock->path = bmf_alloc((int64_t)room, 1, "path", err)) ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        snprintf(lock->path, room, "%s" SUFFIX, target);
        status = take(lock, path, err);
    }
    bmf_free(target);
    if (status != BMF_OK) {
        let_go(lock);
        bmf_free(lock->path);
        lock->path = NULL;
    }
    return status;
}

void bmf_run_lock_release(bmf_run_lock *lock)
{
    if (!lock->path)
        return;
    (void)unlink(lock->path); /* while it is ours */
    let_go(lock);
    bmf_free(lock->path);
    *lock = (bmf_run_lock)BMF_RUN_LOCK_INIT;
}
