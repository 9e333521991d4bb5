/* What the program that started us says about the number of ranks. */
#ifndef BMF_COMM_LAUNCHER_H
#define BMF_COMM_LAUNCHER_H

#include <stdint.h>

#include "base/error.h"

typedef struct bmf_launcher {
    const char *variable; /* the environment variable that told the size; NULL if none did */
    int64_t size;         /* ranks promised; 1 if nobody promised any */
} bmf_launcher;

/* Reads OMPI_COMM_WORLD_SIZE, SLURM_STEP_NUM_TASKS (inside a step) and PMI_SIZE, the first that is set; `get` is getenv
 * (tests pass their own). Pure but for that. */
bmf_launcher bmf_launcher_read(char *(*get)(const char *));

/* BMF_ERR_USAGE with the command that was meant if a world of `size` ranks is not what the launcher promised. Local. */
int bmf_launcher_check(const bmf_launcher *launcher, int64_t size, bmf_error *err);

#endif
