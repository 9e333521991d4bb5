#include "data/projection.h"

#include <math.h>

#include "base/memory.h"

void bmf_projection_clear(bmf_projection *projection)
{
    bmf_strings_clear(&projection->feature);
    bmf_free(projection->idf);
    bmf_free(projection->components);
    bmf_free(projection->singular_value);
    *projection = (bmf_projection){0};
}

bool bmf_projection_apply(const bmf_projection *projection, const int32_t *index, const float *value, int64_t count,
                          float *out)
{
    const int64_t rank = projection->rank;
    double before = 0, after = 0;
    for (int64_t e = 0; e < count; e++)
        before += (double)value[e] * (double)value[e];
    for (int64_t d = 0; d < rank; d++) {
        double sum = 0;
        for (int64_t e = 0; e < count; e++)
            sum += (double)value[e] * (double)projection->components[index[e] * rank + d];
        after += sum * sum;
        out[d] = (float)sum;
    }
    const bool known = sqrt(after) > BMF_PROJECTION_LEAST * sqrt(before);
    for (int64_t d = 0; d < rank; d++)
        out[d] = known ? (float)((double)out[d] / sqrt(after)) : 0;
    return known;
}
