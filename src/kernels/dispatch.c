#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernels/instances.h"

typedef struct family {
    const char *name;
    const bmf_kernel_instance *instances;
    bool runs_here;
} family;

static double reference_one_lane(const bmf_sweep *sweep, const int32_t *user, int64_t count)
{
    return bmf_sweep_reference(sweep, user, count, 1);
}

/* Best first. */
static int list_families(family out[3])
{
    int count = 0;
#ifdef BMF_HAVE_X86_64_LEVELS
    __builtin_cpu_init();
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
    out[count++] = (family){"v4", bmf_kernels_v4, v4};
    out[count++] = (family){"v3", bmf_kernels_v3, v3};
#endif
    out[count++] = (family){"baseline", bmf_kernels_baseline, true};
    return count;
}

static const bmf_kernel_instance *find_instance(const family *of, int64_t stride, bool generic)
{
    const bmf_kernel_instance *found = NULL;
    for (int i = 0; i < BMF_KERNEL_INSTANCES; i++) {
        const bmf_kernel_instance *instance = &of->instances[i];
        if (generic ? instance->stride == -1 : instance->stride == stride || (!found && instance->stride == 0))
            found = instance;
    }
    return found;
}

int bmf_kernel_choose(int64_t stride, bmf_sweep_kind kind, const char *want, bmf_kernel *out, bmf_error *err)
{
    bool any_family = !want || !*want, generic = !any_family && strcmp(want, "generic") == 0;
    if (!any_family && strcmp(want, "ref") == 0) {
        *out = (bmf_kernel){reference_one_lane, 1, "ref"};
        return BMF_OK;
    }
    family families[3];
    int count = list_families(families);
    for (int i = 0; i < count; i++) {
        bool named = any_family || generic || strcmp(want, families[i].name) == 0;
        if (!named || ((any_family || generic) && !families[i].runs_here))
            continue;
        if (!families[i].runs_here)
            return bmf_fail(err, BMF_ERR_USAGE, "BMF_KERNEL=%s: this processor cannot run that instruction set", want);
        const bmf_kernel_instance *instance = find_instance(&families[i], stride, generic);
        *out = (bmf_kernel){instance->sweep[kind], instance->lanes[kind], {0}};
        snprintf(out->name, sizeof out->name, "%s", instance->name);
        return BMF_OK;
    }
    return bmf_fail(err, BMF_ERR_USAGE, "BMF_KERNEL=%s: no such kernel (allowed: ref, generic, baseline, v3, v4)",
                    want);
}
