/* Rows of a merge in few bytes: values rounded at random to the one or the other neighbour, such that they are right in the
 * mean, as in QSGD (Alistarh et al. 2017). Unlike feeding the error back into the next message, that needs no memory, so a
 * run that was interrupted goes on as if it had not been. */
#ifndef BMF_TRAIN_COMPACT_H
#define BMF_TRAIN_COMPACT_H

#include <stdint.h>

typedef enum bmf_merge_precision {
    BMF_PRECISION_FLOAT32,
    BMF_PRECISION_BFLOAT16,
    BMF_PRECISION_INT8, /* whole numbers −127 .. 127 times a scale of the row */
    BMF_PRECISION_INT4, /* −7 .. 7 */
    BMF_PRECISIONS
} bmf_merge_precision;

/* "float32", "bfloat16", "int8", "int4". */
const char *bmf_merge_precision_name(bmf_merge_precision precision);

/* Bytes of a row of k values and `sides` more that do not share its scale. Pure. */
int64_t bmf_compact_bytes(bmf_merge_precision precision, int64_t k, int64_t sides);

/* row (k + sides) to `to` (bmf_compact_bytes) and back. What comes back is the row in the mean over keys, zeros exactly, and
 * not finite where the row is not. Sides are in bfloat16, or float32 with it. Pure. */
void bmf_compact_encode(bmf_merge_precision precision, const float *row, int64_t k, int64_t sides, uint64_t key,
                        unsigned char *to);
void bmf_compact_decode(bmf_merge_precision precision, const unsigned char *from, int64_t k, int64_t sides, float *row);

#endif
