#include "base/fixed_point.h"

#include <math.h>

bmf_fixed_point bmf_fixed_point_for(int64_t count, double bound)
{
    int exponent = 0;
    (void)frexp((double)count * bound, &exponent);
    return (bmf_fixed_point){.shift = bound > 0 ? 62 - exponent : 0, .bound = bound};
}

int64_t bmf_fixed_point_from(bmf_fixed_point format, double value)
{
    return llrint(ldexp(fmax(-format.bound, fmin(format.bound, value)), format.shift));
}

double bmf_fixed_point_value(bmf_fixed_point format, int64_t sum)
{
    return ldexp((double)sum, -format.shift);
}
