/* Whatever the compiler targets by default; on another processor than x86-64 the compiler lowers the vectors itself. */
#define VECTOR_FLOATS 4
#include "kernels/sweep_vectors.h"

#define VECTOR_CUT(a, b) ((vec)FOUR_CUT(a, b))
#define VECTOR_MARK(m, a, b) ((m) | (marks)(a) | (marks)(b))
#define VECTOR_REACHES_2(m) FOUR_ANY(((m)&TOP_EXPONENT_BIT) != 0)
#define VECTOR_PLUS_EIGHT(a, b) plus_halves(a, b)

static inline vec plus_halves(vec a, eight b)
{
    const four low = {b[0], b[1], b[2], b[3]}, high = {b[4], b[5], b[6], b[7]};
    return a + (vec)(low + high);
}

#ifdef __SSE2__
#define VECTOR_SUM(a) bmf_sum_of_four((__m128)(a))
#define VECTOR_SUMS(a, b, c, d) sums_of((__m128)(a), (__m128)(b), (__m128)(c), (__m128)(d))

/* Adds while transposing. */
static inline four sums_of(__m128 a, __m128 b, __m128 c, __m128 d)
{
    const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
    return (four)_mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}
#else
#define VECTOR_SUM(a) bmf_sum_of_four((four)(a))
#define VECTOR_SUMS(a, b, c, d)                                                                                        \
    ((four){bmf_sum_of_four((four)(a)), bmf_sum_of_four((four)(b)), bmf_sum_of_four((four)(c)),                        \
            bmf_sum_of_four((four)(d))})
#endif

#define LANES_16 4, 4
#define LANES_32 4, 4
#define LANES_48 4, 4
#define LANES_64 4, 4
#define LANES_128 4, 4
#define LANES_ANY 4, 4
#define TABLE bmf_kernels_baseline
#define ISA_NAME "baseline"
#include "kernels/sweep_body.h"
