/* The ranking protocols: every user's errors, candidates, lists and measures, in blocks and threads. */
#ifndef BMF_EVAL_RANKING_H
#define BMF_EVAL_RANKING_H

#include "eval/baselines.h"
#include "eval/inputs.h"
#include "eval/metrics.h"

/* Who is measured: the model, then the baselines in their order. */
#define BMF_EVAL_MODEL 0
#define BMF_EVAL_SUBJECTS (1 + BMF_BASELINES)

/* Sums of one block of users. */
typedef struct bmf_eval_sums {
    bmf_metric_sums subject[BMF_EVAL_SUBJECTS];
    int64_t segment_count[BMF_SEGMENTS];
    double segment_squared[BMF_SEGMENTS];
    double without_content; /* Σ e² of the model without its content part */
} bmf_eval_sums;

void bmf_eval_sums_merge(bmf_eval_sums *sums, const bmf_eval_sums *other);

typedef struct bmf_eval_task {
    const bmf_evaluate_options *options;
    const bmf_eval_inputs *inputs;
    const int64_t *item_count;      /* (items) training ratings over all ranks */
    const bmf_baselines *baselines; /* NULL: the model alone */
} bmf_eval_task;

/* Measures the users of inputs->blocks in options->threads threads. sums: one per block. covered (subjects × items):
 * set to 1 where an item is in somebody's list, else left alone. The same bits for any number of threads. Local. */
int bmf_eval_run(const bmf_eval_task *task, bmf_eval_sums *sums, int64_t *covered, bmf_error *err);

#endif
