/* A directory of files that appears whole or not at all: filled under a temporary name beside the target, then renamed. */
#ifndef BMF_STORE_ATOMIC_DIRECTORY_H
#define BMF_STORE_ATOMIC_DIRECTORY_H

#include <stdio.h>

#include "base/error.h"

typedef struct bmf_atomic_directory {
    char *target;    /* a link is followed */
    char *temporary; /* beside it; exists from create to commit or abandon */
    int fd;          /* of the temporary, locked (flock, shared) while it is ours */
} bmf_atomic_directory;

#define BMF_ATOMIC_DIRECTORY_INIT                                                                                      \
    {                                                                                                                  \
        NULL, NULL, -1                                                                                                 \
    }

/* Makes the temporary directory, after removing those that killed processes left of the same target. BMF_ERR_IO if the target
 * exists and is not an empty directory, or if its parent does not let us. Messages leave the path to the caller. Local. */
int bmf_atomic_directory_create(bmf_atomic_directory *directory, const char *path, bmf_error *err);

/* A new file in it, and its end: on disk as a whole or BMF_ERR_IO. NULL on failure. Closing always closes. Local. */
FILE *bmf_atomic_directory_open(const bmf_atomic_directory *directory, const char *name, bmf_error *err);
int bmf_atomic_directory_close(FILE *file, const char *name, bmf_error *err);

/* Renames it to the target. Cleared whatever happens; on failure nothing is left. Local. */
int bmf_atomic_directory_commit(bmf_atomic_directory *directory, bmf_error *err);

/* Removes the temporary and what is in it; does nothing on a cleared one. Local. */
void bmf_atomic_directory_abandon(bmf_atomic_directory *directory);

#endif
