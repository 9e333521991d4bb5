/* From many features to few: what a model was trained on when its content was reduced, kept so that new items can follow. */
#ifndef BMF_DATA_PROJECTION_H
#define BMF_DATA_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strings.h"

/* {0} is none. A row of F values, made with these features and idf, becomes `rank` values. */
typedef struct bmf_projection {
    bmf_strings feature;    /* (F) */
    double *idf;            /* (F) */
    int64_t rank;           /* D */
    float *components;      /* (F × D) orthonormal columns */
    double *singular_value; /* (D) descending */
} bmf_projection;

void bmf_projection_clear(bmf_projection *projection);

/* out (D) = a sparse row of `count` entries times the components, scaled to length 1 as every row of content is. False, and out
 * is 0, if the components know nothing of the row: less than BMF_PROJECTION_LEAST of its length. */
#define BMF_PROJECTION_LEAST 1e-3
bool bmf_projection_apply(const bmf_projection *projection, const int32_t *index, const float *value, int64_t count,
                          float *out);

#endif
