#include <immintrin.h>

#define VECTOR_FLOATS 8
#include "kernels/sweep_vectors.h"

#define VECTOR_CUT(a, b) ((vec)_mm256_max_ps(_mm256_min_ps((__m256)(a), (__m256)(b)), -(__m256)(b)))
#define VECTOR_MARK(m, a, b) ((m) | (marks)(a) | (marks)(b))
#define VECTOR_REACHES_2(m) (!_mm256_testz_si256((__m256i)(m), _mm256_set1_epi32(TOP_EXPONENT_BIT)))
#define VECTOR_PLUS_EIGHT(a, b) ((a) + (vec)(b))
#define VECTOR_SUM(a)                                                                                                  \
    bmf_sum_of_four(_mm_add_ps(_mm256_castps256_ps128((__m256)(a)), _mm256_extractf128_ps((__m256)(a), 1)))
#define VECTOR_SUMS(a, b, c, d) sums_of((__m256)(a), (__m256)(b), (__m256)(c), (__m256)(d))

/* Adds while transposing: two rounds of halving for four vectors at once, and the halves of the registers. */
static inline four sums_of(__m256 a, __m256 b, __m256 c, __m256 d)
{
    const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    const __m256d low = _mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd));
    const __m256d high = _mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd));
    const __m256 all = _mm256_add_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high));
    return (four)_mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

#define LANES_16 4, 4
#define LANES_32 4, 4
#define LANES_48 4, 4
#define LANES_64 4, 4
#define LANES_128 4, 4
#define LANES_ANY 4, 4
#define TABLE bmf_kernels_v3
#define ISA_NAME "v3"
#include "kernels/sweep_body.h"
