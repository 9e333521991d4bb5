/* What training would take, found without it: some epochs are rehearsed on this machine, on the part of the data that a rank
 * would have, and thrown away; messages to ranks that are not here are added from the bandwidth and latency of the network.
 *
 * An epoch on R ranks, each with cores of its own, of which p share one of H hosts, is taken as
 *     T(R) = (a ratings + b validation + c users)/R + d (users/R + items) + S(R) (merge + messages(R))
 * with a, b, c (what features of users learn), d and the merge without its messages as measured, S(R) as options or
 * bmf_auto_merges say, no merge for one copy of items whose features learn nothing, and
 *     messages(R) = 2 (p − 1)/p float bytes / memory + (H − 1)/H compact bytes / bandwidth + coding / threads
 *                   + (2 ⌈(H − 1)/16⌉ + ⌈log₂ R⌉) latency,
 * where float bytes are those of all rows, once more where they come from other hosts, compact bytes what a host sends of the rows and receives (train/exchange.h), and the sums over users' features if there
 * are any; the last two terms only between hosts. */
#ifndef BMF_TRAIN_PLAN_H
#define BMF_TRAIN_PLAN_H

#include "train/train.h"

typedef struct bmf_plan_request {
    int64_t ranks;    /* of the run: those that are here, or more from a single process */
    double bandwidth; /* bytes a second that a host sends, and receives */
    double latency;   /* s, of a message between hosts */
    double seconds;   /* to measure for, at least */
} bmf_plan_request;

typedef struct bmf_plan {
    bmf_train_plan train;     /* of the rank that holds the most */
    double phase[BMF_PHASES]; /* seconds of an epoch, merges with their messages */
    double epoch_seconds;     /* with waiting for slower ranks, if these are here */
    double merge_seconds;     /* of one merge, messages included */
    double message_seconds;   /* of one merge, as computed; what was measured has them in if the ranks are here */
    double merge_bytes;       /* that a rank sends in a merge, of the one that sends most */
    int64_t useful_ranks;     /* twice as many take more than nine tenths of the time */
    double useful_seconds;    /* of an epoch on these */
} bmf_plan;

/* Nothing is written. Collective; every rank gets the same plan. */
int bmf_train_plan_run(bmf_comm *comm, const char *dataset, const bmf_train_options *options,
                       const bmf_plan_request *request, bmf_plan *out, bmf_error *err);

#endif
