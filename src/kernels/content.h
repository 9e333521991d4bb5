/* Content rows laid out for the sweep: an item's first non-zeros on a cache line of their own, since most items have no more
 * than these, the rest behind. */
#ifndef BMF_KERNELS_CONTENT_H
#define BMF_KERNELS_CONTENT_H

#include <stdint.h>

#include "base/error.h"

#define BMF_CONTENT_FIRST 7

/* One item's row. 64 bytes, one cache line. */
typedef struct bmf_content_row {
    float value[BMF_CONTENT_FIRST];     /* 0 where padded: a padded entry changes nothing */
    int32_t feature[BMF_CONTENT_FIRST]; /* where padded, neighbours of the last */
    int32_t more;                       /* non-zeros beyond the first */
    int32_t rest;                       /* where they are in `feature` and `value` of the rows */
} bmf_content_row;

typedef struct bmf_content_rows {
    int64_t items, features; /* n, F */
    bmf_content_row *row;    /* (n) */
    int32_t *feature;        /* of the non-zeros beyond the first of their row, ascending in a row */
    float *value;
    float largest;      /* largest |value| */
    float largest_norm; /* largest ‖x_i‖ */
} bmf_content_rows;

/* Lays out CSR rows: indptr (n + 1), feature and value per entry, features ascending in a row. BMF_ERR_INPUT if there are
 * more than 2^31 entries. On failure *out is {0}. Local. */
int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err);
void bmf_content_rows_clear(bmf_content_rows *rows);

/* Entry j of a row, 0 ≤ j < BMF_CONTENT_FIRST + more; the plain way to read it. */
typedef struct bmf_content_entry {
    int32_t feature;
    float value;
} bmf_content_entry;
static inline bmf_content_entry bmf_content_entry_of(const bmf_content_rows *rows, int64_t item, int32_t j)
{
    const bmf_content_row *row = &rows->row[item];
    if (j < BMF_CONTENT_FIRST)
        return (bmf_content_entry){row->feature[j], row->value[j]};
    const int64_t at = (int64_t)row->rest + j - BMF_CONTENT_FIRST;
    return (bmf_content_entry){rows->feature[at], rows->value[at]};
}

#endif
