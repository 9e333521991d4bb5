/* 1 − (1 − a)^n for many n and one a, without a logarithm or an exponential for each. */
#ifndef BMF_TRAIN_SATURATION_H
#define BMF_TRAIN_SATURATION_H

#include <stdint.h>

#define BMF_SATURATION_BITS 6
#define BMF_SATURATION_LEVELS 6 /* n below 2^36 */

/* level[l][d] is the saturation of d · 64^l steps. s(n + m) = s(n) + s(m) − s(n) s(m) puts n together from its digits; no
 * term cancels, so the result is as exact as bmf_merge_saturation to a few roundings. */
typedef struct bmf_saturation {
    double a;
    int levels; /* filled */
    double level[BMF_SATURATION_LEVELS][1 << BMF_SATURATION_BITS];
} bmf_saturation;

/* For counts up to `largest` (larger ones are right too, only slow). 0 ≤ a < 1. */
void bmf_saturation_init(bmf_saturation *table, double a, int64_t largest);

double bmf_saturation_beyond(const bmf_saturation *table, double n);

/* For n ≥ 0 whole steps. */
static inline double bmf_saturation_of(const bmf_saturation *table, int64_t n)
{
    const int64_t mask = (1 << BMF_SATURATION_BITS) - 1;
    double s = table->level[0][n & mask];
    int64_t left = n >> BMF_SATURATION_BITS;
    for (int l = 1; left > 0; l++, left >>= BMF_SATURATION_BITS) {
        if (l == table->levels)
            return bmf_saturation_beyond(table, (double)n);
        const double more = table->level[l][left & mask];
        s += more - s * more;
    }
    return s;
}

#endif
