#include <immintrin.h>

#define VECTOR_FLOATS 16
#include "kernels/sweep_vectors.h"

/* Selects the operand of smaller magnitude, with the sign of the first. */
#define SMALLER_MAGNITUDE_FIRST_SIGN 2
#define VECTOR_CUT(a, b) ((vec)_mm512_range_ps((__m512)(a), (__m512)(b), SMALLER_MAGNITUDE_FIRST_SIGN))
#define ANY_BIT_OF_THREE 0xfe /* truth table */
#define VECTOR_MARK(m, a, b)                                                                                           \
    ((marks)_mm512_ternarylogic_epi32((__m512i)(m), (__m512i)(a), (__m512i)(b), ANY_BIT_OF_THREE))
#define VECTOR_REACHES_2(m) (_mm512_test_epi32_mask((__m512i)(m), _mm512_set1_epi32(TOP_EXPONENT_BIT)) != 0)
#define VECTOR_PLUS_EIGHT(a, b) ((a) + (vec)_mm512_zextps256_ps512((__m256)(b)))
#define VECTOR_SUM(a) _mm512_reduce_add_ps((__m512)(a))
#define VECTOR_SUMS(a, b, c, d) sums_of((__m512)(a), (__m512)(b), (__m512)(c), (__m512)(d))

/* Adds while transposing: three rounds of halving for four vectors at once. */
static inline four sums_of(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512d low = _mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd));
    const __m512d high = _mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd));
    const __m512 all = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    return (four)_mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

#define LANES_16 8, 4
#define LANES_32 4, 4
#define LANES_48 4, 4
#define LANES_64 4, 4
#define LANES_128 2, 2
#define LANES_ANY 4, 4
#define TABLE bmf_kernels_v4
#define ISA_NAME "v4"
#include "kernels/sweep_body.h"
