#include "cli/plan.h"

#include <inttypes.h>

#include "cli/epochs.h"

#define MIB (1024.0 * 1024.0)

json_t *bmf_memory_json(const bmf_memory_plan *plan)
{
    bmf_json json = bmf_json_start();
    for (int part = 0; part < BMF_MEMORY_PARTS; part++)
        bmf_json_int(&json, bmf_memory_part_name((bmf_memory_part)part), plan->bytes[part]);
    bmf_json_int(&json, "total", bmf_memory_plan_total(plan));
    return bmf_json_done(&json);
}

json_t *bmf_plan_json(const bmf_plan *plan, int64_t ranks, int64_t threads)
{
    bmf_json json = bmf_json_start();
    bmf_json_int(&json, "ranks", ranks);
    bmf_json_int(&json, "threads", threads);
    bmf_json_int(&json, "hosts", plan->train.hosts);
    bmf_json_int(&json, "merges_per_epoch", plan->train.merges_per_epoch);
    bmf_json_put(&json, "memory", bmf_memory_json(&plan->train.memory));
    bmf_json_number(&json, "epoch_seconds", plan->epoch_seconds);
    bmf_json_put(&json, "phase", bmf_phases_json(plan->phase));
    bmf_json_number(&json, "seconds_per_merge", plan->merge_seconds);
    bmf_json_number(&json, "message_seconds_per_merge", plan->message_seconds);
    bmf_json_number(&json, "bytes_per_merge", plan->merge_bytes);
    bmf_json_int(&json, "useful_ranks", plan->useful_ranks);
    bmf_json_number(&json, "useful_seconds", plan->useful_seconds);
    return bmf_json_done(&json);
}

void bmf_plan_print(bmf_output *output, const bmf_plan *plan, int64_t ranks, int64_t threads)
{
    const double *phase = plan->phase;
    char a[32], b[32], c[32], d[32];
    bmf_output_print(output, "ranks=%" PRId64 " threads=%" PRId64 " hosts=%" PRId64 " merges_per_epoch=%" PRId64 "\n",
                     ranks, threads, plan->train.hosts, plan->train.merges_per_epoch);
    bmf_output_print(output, "memory_mib=%.1f", (double)bmf_memory_plan_total(&plan->train.memory) / MIB);
    for (int part = 0; part < BMF_MEMORY_PARTS; part++)
        bmf_output_print(output, " %s=%.1f", bmf_memory_part_name((bmf_memory_part)part),
                         (double)plan->train.memory.bytes[part] / MIB);
    bmf_output_print(output, "\nepoch_seconds=%s sweep=%s merge=%s validation=%s\n",
                     bmf_output_number(plan->epoch_seconds, 5, a),
                     bmf_output_number(phase[BMF_PHASE_ORDER] + phase[BMF_PHASE_SWEEP], 5, b),
                     bmf_output_number(phase[BMF_PHASE_WAIT] + phase[BMF_PHASE_MERGE], 5, c),
                     bmf_output_number(phase[BMF_PHASE_VALIDATION], 5, d));
    bmf_output_print(output, "bytes_per_merge=%.0f seconds_per_merge=%s of_messages=%s\n", plan->merge_bytes,
                     bmf_output_number(plan->merge_seconds, 6, a), bmf_output_number(plan->message_seconds, 6, b));
    bmf_output_print(output, "useful_ranks=%" PRId64 " epoch_seconds_there=%s\n", plan->useful_ranks,
                     bmf_output_number(plan->useful_seconds, 5, a));
}
