/* Sums whose addition is associative: the same bits whatever the order, the threads or the processes that add. */
#ifndef BMF_BASE_FIXED_POINT_H
#define BMF_BASE_FIXED_POINT_H

#include <stdint.h>

/* Fixed point in 64 bits with `shift` fractional bits. */
typedef struct bmf_fixed_point {
    int shift;
    double bound; /* of a summand's magnitude */
} bmf_fixed_point;

/* As fine as `count` summands of magnitude up to `bound` allow. Pure. */
bmf_fixed_point bmf_fixed_point_for(int64_t count, double bound);

/* A summand, held to the bound; and a sum of them. Pure. */
int64_t bmf_fixed_point_from(bmf_fixed_point format, double value);
double bmf_fixed_point_value(bmf_fixed_point format, int64_t sum);

#endif
