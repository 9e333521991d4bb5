#include "train/memory_plan.h"

#include <stdio.h>
#include <string.h>

#include "train/epoch.h"
#include "train/merge.h"

#define RATING_BYTES 8

const char *bmf_memory_part_name(bmf_memory_part part)
{
    static const char *const names[BMF_MEMORY_PARTS] = {"ratings", "validation", "parameters", "best",
                                                        "content", "merge",      "order"};
    return names[part];
}

/* Of the order: two positions, a key and up to two buckets for each user; counts of steps and of ratings. */
static int64_t order_bytes(const bmf_memory_sizes *s)
{
    const int64_t of_users = s->users * (int64_t)(4 * sizeof(int32_t) + sizeof(uint64_t));
    const int64_t windows =
        bmf_epoch_keeps_steps(s->merge.windows, s->merge.threads, s->items, s->train) ? s->merge.windows : 1;
    const int64_t counts = s->merge.windows > 1 || s->copies > 1 ? windows * s->merge.threads : 0;
    return of_users + (counts + 2) * s->items * (int64_t)sizeof(int32_t);
}

bmf_memory_plan bmf_memory_plan_of(const bmf_memory_sizes *s)
{
    const int64_t word = (int64_t)sizeof(float), item_side = word * s->items * (s->stride + 1);
    const int64_t parameters =
        word * s->users * (s->stride + 1) + item_side + s->W_bytes + s->feature_bytes + s->user_feature_bytes;
    const bool merges = s->copies > 1 || s->ranks > 1;
    const int64_t start = merges || s->feature_bytes > 0 ? item_side : 0; /* of the window */
    bmf_memory_plan plan = {{
        [BMF_MEMORY_RATINGS] = RATING_BYTES * (s->train + s->users + 1),
        [BMF_MEMORY_VALIDATION] = RATING_BYTES * (s->val + s->users + 1),
        [BMF_MEMORY_PARAMETERS] = parameters + s->time_bytes,
        [BMF_MEMORY_BEST] = parameters,
        [BMF_MEMORY_CONTENT] = s->content_bytes,
        [BMF_MEMORY_MERGE] = start + (s->copies - 1) * item_side + /* the first copy is the model's own */
                             (merges ? bmf_merge_bytes(&s->merge, s->items, s->hosts) : 0),
        [BMF_MEMORY_ORDER] = order_bytes(s) + s->rate_bytes,
    }};
    /* Parameters and what comes after them are made when the fit's memory is free again. */
    const int64_t fit =
        plan.bytes[BMF_MEMORY_RATINGS] + plan.bytes[BMF_MEMORY_VALIDATION] + s->time_bytes + s->time_fit_bytes;
    const int64_t total = bmf_memory_plan_total(&plan);
    if (s->time_bytes > 0 && fit > total)
        plan.bytes[BMF_MEMORY_RATINGS] += fit - total;
    return plan;
}

int64_t bmf_memory_plan_total(const bmf_memory_plan *plan)
{
    int64_t total = 0;
    for (int part = 0; part < BMF_MEMORY_PARTS; part++)
        total += plan->bytes[part];
    return total;
}

/* A line "NAME:  1234 kB" of /proc/self/status, in bytes. */
static int64_t status_bytes(const char *name)
{
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %lld kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (int64_t)kib * 1024;
}

int64_t bmf_memory_peak(void)
{
    return status_bytes("VmHWM");
}

int64_t bmf_memory_now(void)
{
    return status_bytes("VmRSS");
}
