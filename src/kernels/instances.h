/* The stamped instances of the fast sweep, a table per instruction set. */
#ifndef BMF_KERNELS_INSTANCES_H
#define BMF_KERNELS_INSTANCES_H

#include "kernels/sweep.h"

#define MAX_LANES 4

/* stride: the row length it is made for; 0: any; −1: any, one user at a time ("generic"). */
typedef struct bmf_kernel_instance {
    int64_t stride;
    int lanes[2]; /* plain, concat */
    const char *name;
    bmf_sweep_kernel sweep[2]; /* plain, concat */
} bmf_kernel_instance;

#define BMF_KERNEL_INSTANCES 7
extern const bmf_kernel_instance bmf_kernels_baseline[BMF_KERNEL_INSTANCES];
#ifdef BMF_HAVE_X86_64_LEVELS
extern const bmf_kernel_instance bmf_kernels_v3[BMF_KERNEL_INSTANCES];
extern const bmf_kernel_instance bmf_kernels_v4[BMF_KERNEL_INSTANCES];
#endif

/* The step on W_u with every delta cut on its own and the scale folded in: what the fast step falls back to when a delta
 * might reach the bound or the scale gets small. W is the stored row (F); updates scale and norm2. */
void bmf_content_step_dense(const bmf_sweep *sweep, float *W, double *scale, double *norm2, int32_t item, float eta_e)
    __attribute__((cold));

#endif
