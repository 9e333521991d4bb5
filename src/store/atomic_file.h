/* A file that appears whole or not at all: written under a temporary name in the target's directory, then renamed. */
#ifndef BMF_STORE_ATOMIC_FILE_H
#define BMF_STORE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define BMF_PREVIOUS_SUFFIX ".previous"

typedef struct bmf_atomic_file {
    char *target;    /* absolute or as given; a symbolic link is resolved, so that the link survives */
    char *temporary; /* beside it; exists from create to commit or abandon */
    int fd;          /* of the temporary, read-write, locked (flock, shared) while it is ours */
    int failure;     /* errno of a failed write, set by whoever writes to fd; 0: none */
    bool keep_older; /* the file that is replaced stays as "<target>.previous"; false unless the owner sets it */
} bmf_atomic_file;

#define BMF_ATOMIC_FILE_INIT                                                                                           \
    {                                                                                                                  \
        NULL, NULL, -1, 0, false                                                                                       \
    }

/* The file that writing to `path` replaces: what a link points to, or the path itself if there is nothing yet. From bmf_alloc;
 * NULL if there is no memory. Local. */
char *bmf_atomic_file_target(const char *path, bmf_error *err);

/* Makes the empty temporary file (O_EXCL, mode by umask), after removing those that killed processes left of the same target:
 * a living process holds a lock on its own. BMF_ERR_IO if the directory does not let us, or if the target exists and is not a
 * regular file. Messages leave the path to the caller. Local. */
int bmf_atomic_file_create(bmf_atomic_file *file, const char *path, bmf_error *err);

/* Sets `bytes` of disk aside for the temporary without changing its length, so that a full disk is met before the work
 * of writing. Where the file system cannot, its free space is compared instead. Local. */
int bmf_atomic_file_reserve(bmf_atomic_file *file, int64_t bytes, bmf_error *err);

/* Gives back what was reserved and not used, and fsync: the temporary is on disk as it stands. A noted failure is reported. */
int bmf_atomic_file_sync(bmf_atomic_file *file, bmf_error *err);

/* Sync, rename over the target (which keeps another name first if keep_older says so), fsync of the directory. *file is
 * cleared whatever happens; on failure the temporary is removed and the target untouched. Local. */
int bmf_atomic_file_commit(bmf_atomic_file *file, bmf_error *err);

/* Removes the temporary and clears *file; does nothing on a cleared one. Local. */
void bmf_atomic_file_abandon(bmf_atomic_file *file);

#endif
