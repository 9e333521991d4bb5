/* A file that appears whole or not at all: written under a temporary name in the target's directory, then renamed. */
#ifndef BMF_STORE_ATOMIC_FILE_H
#define BMF_STORE_ATOMIC_FILE_H

#include <stdint.h>

#include "base/error.h"

typedef struct bmf_atomic_file {
    char *target;    /* absolute or as given; a symbolic link is resolved, so that the link survives */
    char *temporary; /* beside it; exists from create to commit or abandon */
    int fd;          /* of the temporary, read-write */
    int failure;     /* errno of a failed write, set by whoever writes to fd; 0: none */
} bmf_atomic_file;

#define BMF_ATOMIC_FILE_INIT                                                                                           \
    {                                                                                                                  \
        NULL, NULL, -1, 0                                                                                              \
    }

/* Makes the empty temporary file (O_EXCL, mode by umask). BMF_ERR_IO if the directory does not let us, or if the target
 * exists and is not a regular file. Messages leave the path to the caller. Local. */
int bmf_atomic_file_create(bmf_atomic_file *file, const char *path, bmf_error *err);

/* Sets `bytes` of disk aside for the temporary without changing its length, so that a full disk is met before the work
 * of writing. Where the file system cannot, its free space is compared instead. Local. */
int bmf_atomic_file_reserve(bmf_atomic_file *file, int64_t bytes, bmf_error *err);

/* Gives back what was reserved and not used, fsync, rename over the target, fsync of the directory. A noted failure is
 * reported. *file is cleared whatever happens; on failure the temporary is removed and the target untouched. Local. */
int bmf_atomic_file_commit(bmf_atomic_file *file, bmf_error *err);

/* Removes the temporary and clears *file; does nothing on a cleared one. Local. */
void bmf_atomic_file_abandon(bmf_atomic_file *file);

#endif
