/* Content rows laid out for the sweep: the values of an item's first non-zeros on half a cache line of their own, since most
 * items have no more than these. Which weights of a user they meet, kernels/content_slots.h has. */
#ifndef BMF_KERNELS_CONTENT_H
#define BMF_KERNELS_CONTENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

#define BMF_CONTENT_FIRST 8

/* The start of an item's row: all of it if it has no more than 8 entries; else the first 7, and the last value is −0, which
 * marks it as long. 32 bytes. */
typedef struct bmf_content_row {
    float value[BMF_CONTENT_FIRST]; /* +0 where padded: a padded entry changes nothing */
} bmf_content_row;

typedef struct bmf_content_rows {
    int64_t items, features; /* n, F */
    bmf_content_row *row;    /* (n) */
    int64_t *indptr;         /* (n + 1) the rows once more, as they were given */
    int32_t *feature;        /* (indptr[n]) ascending in a row */
    float *value;            /* (indptr[n]) */
    float largest;           /* largest |value| */
    float largest_norm;      /* largest ‖x_i‖ */
} bmf_content_rows;

/* Lays out CSR rows: indptr (n + 1), feature and value per entry, features ascending in a row. BMF_ERR_INPUT if there are
 * 2^31 entries or more. On failure *out is {0}. Local. */
int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err);
void bmf_content_rows_clear(bmf_content_rows *rows);

/* Whether the row has entries that are not in its start. */
static inline bool bmf_content_row_is_long(const bmf_content_row *row)
{
    uint32_t bits;
    memcpy(&bits, &row->value[BMF_CONTENT_FIRST - 1], sizeof bits);
    return bits == 0x80000000u;
}

/* Entries of an item's row, and how many of them are not in its start: they are its last. */
static inline int64_t bmf_content_entries(const bmf_content_rows *rows, int64_t item)
{
    return rows->indptr[item + 1] - rows->indptr[item];
}
static inline int64_t bmf_content_rest(const bmf_content_rows *rows, int64_t item)
{
    const int64_t entries = bmf_content_entries(rows, item);
    return entries > BMF_CONTENT_FIRST ? entries - BMF_CONTENT_FIRST + 1 : 0;
}

/* Bytes that the rows take. */
int64_t bmf_content_rows_bytes(const bmf_content_rows *rows);

#endif
