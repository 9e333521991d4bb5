/* Content rows laid out for the sweep: the non-zeros of an item in groups of four, features beside values, so that most
 * items take one or two turns of a loop and one cache line. */
#ifndef BMF_KERNELS_CONTENT_H
#define BMF_KERNELS_CONTENT_H

#include <stdint.h>

#include "base/error.h"

#define BMF_CONTENT_GROUP 4

typedef struct bmf_content_group {
    int32_t feature[BMF_CONTENT_GROUP]; /* where padded, neighbours of the last: one cache line, no chain of updates */
    float value[BMF_CONTENT_GROUP];     /* 0 where padded: a padded entry changes nothing */
} bmf_content_group;

/* One item's row: `groups` groups from `first` on. */
typedef struct bmf_content_row {
    int64_t first;
    int32_t groups;
    float norm2; /* ‖x_i‖² */
} bmf_content_row;

typedef struct bmf_content_rows {
    int64_t items, features; /* n, F */
    bmf_content_row *row;    /* (n) */
    bmf_content_group *group;
    float largest; /* largest |value| */
} bmf_content_rows;

/* Lays out CSR rows: indptr (n + 1), feature and value per entry, features ascending in a row. On failure *out is {0}.
 * Local. */
int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err);
void bmf_content_rows_clear(bmf_content_rows *rows);

#endif
