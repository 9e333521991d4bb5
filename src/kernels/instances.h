/* The stamped instances of the fast sweep, a table per instruction set. */
#ifndef BMF_KERNELS_INSTANCES_H
#define BMF_KERNELS_INSTANCES_H

#include "kernels/sweep.h"

#define MAX_LANES 8

/* stride: the row length it is made for; 0: any; −1: any, one user at a time ("generic"). */
typedef struct bmf_kernel_instance {
    int64_t stride;
    int lanes[BMF_SWEEP_KINDS];
    const char *name;
    bmf_sweep_kernel sweep[BMF_SWEEP_KINDS];
} bmf_kernel_instance;

#define BMF_KERNEL_INSTANCES 7
extern const bmf_kernel_instance bmf_kernels_baseline[BMF_KERNEL_INSTANCES];
#ifdef BMF_HAVE_X86_64_LEVELS
extern const bmf_kernel_instance bmf_kernels_v3[BMF_KERNEL_INSTANCES];
extern const bmf_kernel_instance bmf_kernels_v4[BMF_KERNEL_INSTANCES];
#endif

#endif
