/* How many threads a rank uses when nobody says. */
#ifndef BMF_CLI_THREADS_H
#define BMF_CLI_THREADS_H

#include <stdint.h>

#define BMF_THREADS_MAX 1024
#define BMF_THREADS_DEFAULT_ALONE "OMP_NUM_THREADS, else the number of cores"
#define BMF_THREADS_DEFAULT "OMP_NUM_THREADS, else the number of cores for one rank and 1 for several"

/* The default above, for a run of `ranks` ranks. Local. */
int64_t bmf_threads_default(int ranks);

#endif
