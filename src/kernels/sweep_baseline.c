/* Whatever the compiler targets by default; on another processor than x86-64 the compiler lowers the vectors itself. */
#define VECTOR_FLOATS 4
#ifdef __SSE__
#include <xmmintrin.h>

static inline float sum_of_four(__m128 v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}
#define VECTOR_MIN(a, b) ((vec)_mm_min_ps((__m128)(a), (__m128)(b)))
#define VECTOR_MAX(a, b) ((vec)_mm_max_ps((__m128)(a), (__m128)(b)))
#define VECTOR_SUM(a) sum_of_four((__m128)(a))
#else
typedef int mask_vec __attribute__((vector_size(16)));
#define VECTOR_PICK(mask, a, b) ((vec)(((mask) & (mask_vec)(a)) | (~(mask) & (mask_vec)(b))))
#define VECTOR_MIN(a, b) VECTOR_PICK((a) < (b), a, b)
#define VECTOR_MAX(a, b) VECTOR_PICK((a) > (b), a, b)
#define VECTOR_SUM(a) ((a)[0] + (a)[1] + (a)[2] + (a)[3])
#endif
#define TABLE bmf_kernels_baseline
#define ISA_NAME "baseline"
#include "kernels/sweep_body.h"
