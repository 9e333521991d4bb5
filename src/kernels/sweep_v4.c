#include <immintrin.h>

#define VECTOR_FLOATS 16
#define VECTOR_MIN(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define VECTOR_MAX(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define VECTOR_SUM(a) _mm512_reduce_add_ps((__m512)(a))
#define TABLE bmf_kernels_v4
#define ISA_NAME "v4"
#include "kernels/sweep_body.h"
