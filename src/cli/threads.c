#include "cli/threads.h"

#include <omp.h>
#include <stdlib.h>

int64_t bmf_threads_default(int ranks)
{
    int threads = 1;
    if (getenv("OMP_NUM_THREADS"))
        threads = omp_get_max_threads();
    else if (ranks == 1)
        threads = omp_get_num_procs();
    return threads < BMF_THREADS_MAX ? threads : BMF_THREADS_MAX;
}
