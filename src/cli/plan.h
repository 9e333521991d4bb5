/* Plans of training and its memory, for people and programs. */
#ifndef BMF_CLI_PLAN_H
#define BMF_CLI_PLAN_H

#include "cli/output.h"
#include "train/plan.h"

/* Bytes by parts, and their total. */
json_t *bmf_memory_json(const bmf_memory_plan *plan);

/* A plan for so many ranks of so many threads: lines of key=value, and an object with the same figures and all phases. */
void bmf_plan_print(bmf_output *output, const bmf_plan *plan, int64_t ranks, int64_t threads);
json_t *bmf_plan_json(const bmf_plan *plan, int64_t ranks, int64_t threads);

#endif
