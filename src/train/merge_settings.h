/* How the ranks' item sides become one: what a user chooses of it. */
#ifndef BMF_TRAIN_MERGE_SETTINGS_H
#define BMF_TRAIN_MERGE_SETTINGS_H

#include "train/compact.h"

typedef enum bmf_merge_rule {
    BMF_MERGE_SATURATING,
    BMF_MERGE_AVERAGE,
    BMF_MERGE_WEIGHTED,
    BMF_MERGE_SUM,
    BMF_MERGE_RULES
} bmf_merge_rule;

/* "saturating", "average", "weighted", "sum". */
const char *bmf_merge_rule_name(bmf_merge_rule rule);

typedef struct bmf_merge_settings {
    bmf_merge_rule rule;
    bmf_merge_precision precision; /* of what hosts send each other */
    int64_t group;                 /* consecutive ranks that count as a host; 0: those that share memory */
    int64_t factors, threads;
    int64_t ranks;   /* of the run; with fewer of them here a merge is gone through, but for the messages */
    int64_t windows; /* per epoch */
} bmf_merge_settings;

#endif
