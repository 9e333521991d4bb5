#include "comm/launcher.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

bmf_launcher bmf_launcher_read(char *(*get)(const char *))
{
    static const struct {
        const char *size, *needs;
    } variables[] = {
        {"OMPI_COMM_WORLD_SIZE", NULL},           /* mpirun */
        {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}, /* srun; the batch script itself has no task number */
        {"PMI_SIZE", NULL},                       /* PMI-1 and PMI-2 launchers */
    };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *text = get(variables[i].size);
        int64_t size = 0;
        if (text && (!variables[i].needs || get(variables[i].needs)) &&
            bmf_parse_int64(text, strlen(text), &size) == BMF_PARSE_OK && size > 0)
            return (bmf_launcher){variables[i].size, size};
    }
    return (bmf_launcher){NULL, 1};
}

int bmf_launcher_check(const bmf_launcher *launcher, int64_t size, bmf_error *err)
{
    if (!launcher->variable || launcher->size == size)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE,
                    "the launcher started %" PRId64 " tasks (%s) but MPI sees %" PRId64
                    " rank(s): each would train alone and overwrite the others' files; under Slurm start it with "
                    "'srun --mpi=pmix blendmf ...', or with 'mpirun blendmf ...' inside the allocation",
                    launcher->size, launcher->variable, size);
}
