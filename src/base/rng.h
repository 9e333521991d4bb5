/* Counter-based random numbers: a value is a pure function of (seed, stream, counter), so that results do not depend on
 * how work is divided over ranks and threads. */
#ifndef BMF_BASE_RNG_H
#define BMF_BASE_RNG_H

#include <stdint.h>

/* One stream per purpose: two purposes never share numbers. Values are part of reproducibility: append only. */
typedef enum bmf_rng_stream {
    BMF_STREAM_INIT_P = 1,
    BMF_STREAM_INIT_Q,
    BMF_STREAM_INIT_W,
    BMF_STREAM_INIT_V,
    BMF_STREAM_USER_ORDER,
    BMF_STREAM_RATING_ORDER,
    BMF_STREAM_SPLIT,
    BMF_STREAM_COLD_ITEMS,
    BMF_STREAM_SYNTH,
    BMF_STREAM_RANDOM_BASELINE,
    BMF_STREAM_TEST,
    BMF_STREAM_RATING_SHUFFLE,
    BMF_STREAM_SVD,
    BMF_STREAM_MERGE,
    BMF_STREAM_INIT_U,
    BMF_STREAM_INIT_Y
} bmf_rng_stream;

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits. */
static inline uint64_t bmf_rng_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Key of a stream; hoist it out of loops and draw with bmf_rng_draw. */
static inline uint64_t bmf_rng_key(uint64_t seed, uint64_t stream)
{
    return bmf_rng_mix(bmf_rng_mix(seed + 0x9e3779b97f4a7c15u) ^ (stream * 0xd1342543de82ef95u));
}

/* The counter-th 64 random bits under a key: SplitMix64 entered at any position. */
static inline uint64_t bmf_rng_draw(uint64_t key, uint64_t counter)
{
    return bmf_rng_mix(key + (counter + 1) * 0x9e3779b97f4a7c15u);
}

/* A key below a key, e.g. one per epoch or per user. */
static inline uint64_t bmf_rng_subkey(uint64_t key, uint64_t index)
{
    return bmf_rng_mix(bmf_rng_draw(key, index) ^ 0xa0761d6478bd642fu);
}

/* Uniform in [0, 1), 53 bits. */
static inline double bmf_rng_uniform(uint64_t key, uint64_t counter)
{
    return (double)(bmf_rng_draw(key, counter) >> 11) * 0x1p-53;
}

/* Uniform in 0 .. bound − 1 for bound ≥ 1 (multiply-shift; bias below bound / 2^64). */
static inline uint64_t bmf_rng_below(uint64_t key, uint64_t counter, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)bmf_rng_draw(key, counter) * bound) >> 64);
}

/* count standard normal values (Box–Muller) times sd into out; value j is a function of (key, first + j) for even
 * `first`, whatever the count. */
void bmf_rng_normal(uint64_t key, uint64_t first, double sd, float *out, int64_t count);

/* One standard normal value: (key, counter). */
double bmf_rng_gauss(uint64_t key, uint64_t counter);

#endif
