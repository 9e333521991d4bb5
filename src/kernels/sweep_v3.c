#include <immintrin.h>

static inline float sum_of_four(__m128 v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}

#define VECTOR_FLOATS 8
#define VECTOR_MIN(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define VECTOR_MAX(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VECTOR_SUM(a)                                                                                                  \
    sum_of_four(_mm_add_ps(_mm256_castps256_ps128((__m256)(a)), _mm256_extractf128_ps((__m256)(a), 1)))
#define TABLE bmf_kernels_v3
#define ISA_NAME "v3"
#include "kernels/sweep_body.h"
