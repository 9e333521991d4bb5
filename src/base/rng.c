#include "base/rng.h"

#include <math.h>

/* Both values of one Box–Muller pair; the radius draws from (0, 1] so that its logarithm is finite. */
static void gauss_pair(uint64_t key, uint64_t pair, double out[2])
{
    double radius = sqrt(-2.0 * log(1.0 - bmf_rng_uniform(key, 2 * pair)));
    double angle = 6.283185307179586477 * bmf_rng_uniform(key, 2 * pair + 1);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

void bmf_rng_normal(uint64_t key, uint64_t first, double sd, float *out, int64_t count)
{
    for (int64_t j = 0; j < count; j += 2) {
        double pair[2];
        gauss_pair(key, (first + (uint64_t)j) / 2, pair);
        out[j] = (float)(sd * pair[0]);
        if (j + 1 < count)
            out[j + 1] = (float)(sd * pair[1]);
    }
}

double bmf_rng_gauss(uint64_t key, uint64_t counter)
{
    double pair[2];
    gauss_pair(key, counter / 2, pair);
    return pair[counter % 2];
}
