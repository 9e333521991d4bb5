/* The vector types of the fast sweep; VECTOR_FLOATS is defined before. */
#ifndef BMF_KERNELS_SWEEP_VECTORS_H
#define BMF_KERNELS_SWEEP_VECTORS_H

#include <stdint.h>

typedef float vec __attribute__((vector_size(VECTOR_FLOATS * 4), aligned(4), may_alias));
typedef int32_t marks __attribute__((vector_size(VECTOR_FLOATS * 4)));

#define TOP_EXPONENT_BIT 0x40000000 /* of a float: set from 2 on, and in what is not finite */

/* One value for each lane of a group. */
typedef float four __attribute__((vector_size(16)));
typedef float four_loose __attribute__((vector_size(16), aligned(4), may_alias)); /* in memory */
typedef int32_t four_ints __attribute__((vector_size(16)));
typedef float eight __attribute__((vector_size(32), may_alias));
typedef double four_doubles __attribute__((vector_size(32)));

#ifdef __SSE2__
#include <emmintrin.h>

#define FOUR_CUT(a, b) ((four)_mm_max_ps(_mm_min_ps((__m128)(a), (__m128)(b)), -(__m128)(b)))
#define FOUR_ANY(mask) (_mm_movemask_ps((__m128)(mask)) != 0)

static inline float bmf_sum_of_four(__m128 v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}
#else
static inline float bmf_sum_of_four(four v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

static inline four bmf_four_cut(four a, four b)
{
    for (int i = 0; i < 4; i++)
        a[i] = a[i] < -b[i] ? -b[i] : a[i] > b[i] ? b[i] : a[i];
    return a;
}
#define FOUR_CUT(a, b) bmf_four_cut(a, b)
#define FOUR_ANY(mask) (((mask)[0] | (mask)[1] | (mask)[2] | (mask)[3]) != 0)
#endif

/* W at eight places, and the other way round. The places of a call differ where values do. */
#ifdef __AVX2__
#include <immintrin.h>
#define EIGHT_PLACES(place) _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(place)))
#define EIGHT_GATHER(W, place) ((eight)_mm256_i32gather_ps(W, EIGHT_PLACES(place), 4))
#else
#define EIGHT_GATHER(W, place)                                                                                         \
    ((eight){W[(place)[0]], W[(place)[1]], W[(place)[2]], W[(place)[3]], W[(place)[4]], W[(place)[5]], W[(place)[6]],  \
             W[(place)[7]]})
#endif
/* One by one: the next gather has to wait for these stores, longer still if an instruction scatters them. */
static inline void bmf_eight_scatter(float *W, const uint16_t *place, eight values)
{
    for (int j = 0; j < 8; j++)
        W[place[j]] = values[j];
}

#endif
