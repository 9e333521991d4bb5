/* The memory that training will hold on a rank, by parts. */
#ifndef BMF_TRAIN_MEMORY_PLAN_H
#define BMF_TRAIN_MEMORY_PLAN_H

#include <stdint.h>

#include "train/merge_settings.h"

typedef enum bmf_memory_part {
    BMF_MEMORY_RATINGS, /* training ratings, 8 B each, and where a user's begin; with effects of time what fitting these
                            * took more than all that comes later */
    BMF_MEMORY_VALIDATION, /* the same for validation ratings */
    BMF_MEMORY_PARAMETERS, /* P, Q, biases, W or V, what users have beside their features and U, and effects of time */
    BMF_MEMORY_BEST,       /* all of them but the last once more, as of the best epoch */
    BMF_MEMORY_CONTENT,    /* content rows; which weights W has, and where ratings meet them; what V and U learn by */
    BMF_MEMORY_MERGE,      /* copies of the item side and the merge's buffers */
    BMF_MEMORY_ORDER,      /* the order of the users, the counts of steps, and rates of rows that have their own */
    BMF_MEMORY_PARTS
} bmf_memory_part;

/* "ratings", "validation", "parameters", "best", "content", "merge", "order". */
const char *bmf_memory_part_name(bmf_memory_part part);

typedef struct bmf_memory_sizes {
    int64_t users, train, val; /* of the rank */
    int64_t items, stride;
    bmf_merge_settings merge;
    int64_t copies; /* of the item side, by threads */
    int ranks, hosts;
    int64_t W_bytes, feature_bytes, content_bytes; /* 0 without content */
    int64_t user_feature_bytes;                    /* 0 where users have no features */
    int64_t rate_bytes;                            /* 0 where all rows have the same */
    int64_t time_bytes, time_fit_bytes;            /* 0 without effects of time; the latter while they are fitted */
} bmf_memory_sizes;

typedef struct bmf_memory_plan {
    int64_t bytes[BMF_MEMORY_PARTS];
} bmf_memory_plan;

/* Pure. */
bmf_memory_plan bmf_memory_plan_of(const bmf_memory_sizes *sizes);
int64_t bmf_memory_plan_total(const bmf_memory_plan *plan);

/* The largest resident size so far and the present one, from the system; 0 where it does not tell. */
int64_t bmf_memory_peak(void);
int64_t bmf_memory_now(void);

#endif
