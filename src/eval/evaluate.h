/* Evaluation of a model on a split of a data set. */
#ifndef BMF_EVAL_EVALUATE_H
#define BMF_EVAL_EVALUATE_H

#include "comm/comm.h"
#include "data/dataset.h"

typedef enum bmf_candidates {
    BMF_CANDIDATES_RATED, /* a user's candidates are his own ratings in the split */
    BMF_CANDIDATES_ALL    /* the whole catalogue less what he rated in the earlier splits (for train: nothing) */
} bmf_candidates;

typedef struct bmf_evaluate_options {
    bmf_split split;
    int64_t top;      /* K ≥ 1 */
    double threshold; /* a rating ≥ threshold is relevant */
    bmf_candidates candidates;
    bool baselines;
    uint64_t seed; /* of the random baseline */
    int64_t threads;
} bmf_evaluate_options;

/* A mean over nothing is NaN, printed as "-" and null. */
typedef struct bmf_metrics {
    int64_t ratings, users; /* evaluated */
    double rmse, mae;
    double precision, recall, ndcg, map; /* at K, means over users of the split */
    double coverage;                     /* fraction of the catalogue that appears in some user's top K */
} bmf_metrics;

typedef enum bmf_segment { BMF_SEGMENT_WARM, BMF_SEGMENT_NEW_ITEM, BMF_SEGMENT_NEW_USER, BMF_SEGMENTS } bmf_segment;

typedef enum bmf_baseline {
    BMF_BASELINE_GLOBAL_MEAN,
    BMF_BASELINE_BIAS,
    BMF_BASELINE_POPULARITY, /* ranking only: rmse and mae are NaN */
    BMF_BASELINE_RANDOM,     /* ranking only */
    BMF_BASELINES
} bmf_baseline;
const char *bmf_baseline_name(bmf_baseline baseline); /* "global_mean", "bias", "popularity", "random" */
const char *bmf_segment_name(bmf_segment segment);    /* "warm", "new_item", "new_user" */

typedef struct bmf_evaluation {
    bmf_evaluate_options options;
    bmf_metrics model;
    struct {
        int64_t count;
        double rmse;
    } segment[BMF_SEGMENTS];
    double rmse_without_content;         /* by factors and biases alone; NaN for a model without content */
    double sparsity;                     /* 1 − ratings of all splits / (m n) */
    bmf_metrics baseline[BMF_BASELINES]; /* filled if options.baselines */
} bmf_evaluation;

/* Evaluates the model file on the data-set file. Users and items are matched by their raw ids; what the model does not
 * know falls back content → bias → mean. Effects of time are those at the time of each rating; the candidates of
 * BMF_CANDIDATES_ALL, which have none, are ranked without. Collective; the result is the same, bit for bit, for any number of ranks and
 * threads. comm may be NULL: then this process evaluates alone, and MPI is not touched. */
int bmf_evaluate(bmf_comm *comm, const char *model_path, const char *dataset_path, const bmf_evaluate_options *options,
                 bmf_evaluation *out, bmf_error *err);

#endif
