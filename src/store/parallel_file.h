/* Rows of a file written by all ranks at once, through HDF5's MPI-IO driver, for file systems that are fastest that way.
 *
 * Rank 0 first makes the file alone, as any other: every group, attribute and small array, and the row-wise arrays without a
 * value in them; and closes it. Then all ranks open it here and write those arrays in rounds. What can go wrong differs from
 * the plain driver: after a failed collective write neither the file nor MPI can be closed in order, and ranks may wait for
 * ever for the one that failed. So every status is agreed, a watchdog ends what hangs, and after a failure MPI ends by
 * bmf_comm_finish_by_abort. What was written is read back by rank 0 and compared, which no checksum in the file can do for a
 * chunk that never arrived. */
#ifndef BMF_STORE_PARALLEL_FILE_H
#define BMF_STORE_PARALLEL_FILE_H

#include <stdint.h>

#include "comm/comm.h"

#define BMF_PARALLEL_SECONDS 60         /* before the watchdog acts, */
#define BMF_PARALLEL_BYTES_A_SECOND 1e6 /* and longer by the size of the file at this speed */

typedef struct bmf_parallel_file bmf_parallel_file;

/* Opens the file `temporary` of about `bytes` bytes (both as rank 0 has them) for writing by all ranks; `path` is its name to
 * be, for messages. On failure the temporary is removed. Collective, one status for all. */
int bmf_parallel_file_open(bmf_comm *comm, const char *temporary, int64_t bytes, const char *path,
                           bmf_parallel_file **out, bmf_error *err);

/* Rows [first, first + rows) of the data set `name`, packed, in the machine's form of its type; rows may be 0 on some ranks,
 * but all take part. The data set has no values from before. Collective, one status for all. */
int bmf_parallel_file_rows(bmf_parallel_file *file, const char *name, int64_t first, int64_t rows, const void *data,
                           bmf_error *err);

/* Puts the completion mark, brings everything to disk and closes; then rank 0 reads all that was written and compares. The
 * temporary stays for rank 0 to commit, and is removed on failure. Destroys the file in any case. Collective, one status. */
int bmf_parallel_file_finish(bmf_parallel_file **file, bmf_error *err);

/* Gives up, after a failure here or elsewhere; NULL-safe. Local. */
void bmf_parallel_file_abandon(bmf_parallel_file **file);

#endif
