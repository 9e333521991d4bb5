/* Which content weights the users of a rank have, and the slots of their ratings (kernels/content_slots.h), by threads. */
#ifndef BMF_TRAIN_CONTENT_WEIGHTS_H
#define BMF_TRAIN_CONTENT_WEIGHTS_H

#include "data/csr.h"
#include "kernels/content_slots.h"

/* The pattern of the users with these training ratings: of a user's own ratings and the content only, so that it does not
 * depend on how users are dealt out. BMF_ERR_INPUT if a user has more than BMF_MOST_WEIGHTS; he is named as first_user +
 * row. On failure *out is {0}. Local. */
int bmf_content_pattern_create(const bmf_csr *train, const bmf_content_rows *rows, int64_t first_user, int threads,
                               bmf_content_pattern *out, bmf_error *err);

/* The slots of ratings of the same users, in their present order. On failure *out is {0}. Local. */
int bmf_content_slots_create(const bmf_csr *ratings, const bmf_content_rows *rows, const bmf_content_pattern *pattern,
                             int64_t first_user, int threads, bmf_content_slots *out, bmf_error *err);

/* Bytes that slots of `ratings` ratings take. */
int64_t bmf_content_slots_bytes(const bmf_content_slots *slots, int64_t users, int64_t ratings);

#endif
