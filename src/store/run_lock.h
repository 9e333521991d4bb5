/* One run at a time with a file that is written again and again: a lock on "<target>.lock" beside it. */
#ifndef BMF_STORE_RUN_LOCK_H
#define BMF_STORE_RUN_LOCK_H

#include "base/error.h"

typedef struct bmf_run_lock {
    char *path; /* of the lock; NULL: none is held */
    int fd;
} bmf_run_lock;

#define BMF_RUN_LOCK_INIT                                                                                              \
    {                                                                                                                  \
        NULL, -1                                                                                                       \
    }

/* Takes the lock of the file that writing to `path` replaces (through symbolic links). Where another process has it, waits a
 * few seconds, for it may be about to end, then BMF_ERR_IO naming its host and pid. The system lets go of it when the process
 * dies in whatever way; a file without a living holder stands in nobody's way. A file system that has no locks is a warning.
 * Local. */
int bmf_run_lock_take(bmf_run_lock *lock, const char *path, bmf_error *err);

/* Lets go and removes the file; does nothing on a lock not held. */
void bmf_run_lock_release(bmf_run_lock *lock);

#endif
