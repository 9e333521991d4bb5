#include "train/compact.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"

#define HALF sizeof(uint16_t) /* bytes of a bfloat16 */
#define INT8_ZERO 128         /* the level that stands for 0; others go as far above it as below */
#define INT4_ZERO 8
#define THROWS 4 /* values that share a draw of random bits */

const char *bmf_merge_precision_name(bmf_merge_precision precision)
{
    static const char *const names[BMF_PRECISIONS] = {"float32", "bfloat16", "int8", "int4"};
    return names[precision];
}

/* The 16 random bits of number j of the values that share a draw. */
static uint32_t throw_of(uint64_t draw, int64_t j)
{
    return (uint32_t)(draw >> (16 * j)) & 0xffffu;
}

static uint32_t as_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Adding random bits below the 16 that are kept carries as often as is right. */
static void put_half(float value, uint32_t random, unsigned char *to)
{
    const uint32_t bits = as_bits(value);
    const uint16_t half = (uint16_t)((isfinite(value) ? bits + random : bits | 0x400000u) >> 16);
    memcpy(to, &half, sizeof half);
}

static float get_half(const unsigned char *from)
{
    uint16_t half;
    memcpy(&half, from, sizeof half);
    return as_float((uint32_t)half << 16);
}

static float largest_of(const float *row, int64_t k)
{
    float largest = 0, sum = 0;
    for (int64_t f = 0; f < k; f++) {
        const float size = fabsf(row[f]);
        largest = size > largest ? size : largest;
        sum += row[f] * 0; /* 0 unless a value is not finite */
    }
    return largest + sum;
}

/* A step of the row's scale, of which the largest value is `most`: a bfloat16, rounded up. 0 for a row of zeros. */
static float scale_of(const float *row, int64_t k, int most)
{
    const float scale = largest_of(row, k) / (float)most;
    return isfinite(scale) ? as_float((as_bits(scale) + 0xffffu) & 0xffff0000u) : NAN;
}

/* value / scale above `zero`, the level that stands for 0, rounded at random; within 1 .. 2 zero − 1 whatever rounding made of
 * the quotient. What is cut off is above 0, so cutting it is rounding down. */
static uint32_t level_of(float value, float inverse, uint32_t random, int zero)
{
    const int level = (int)(value * inverse + (float)(int)random * 0x1p-16f + (float)zero);
    const int least = 1, most = 2 * zero - 1;
    return (uint32_t)(level < least ? least : level > most ? most : level);
}

/* How the k values of a row are written and read, and their bytes. */
typedef struct format {
    void (*encode)(const float *row, int64_t k, uint64_t key, unsigned char *to);
    void (*decode)(const unsigned char *from, int64_t k, float *row);
    int64_t (*bytes)(int64_t k);
    int64_t side_bytes;
} format;

static int64_t float_bytes(int64_t k)
{
    return k * (int64_t)sizeof(float);
}

static void encode_floats(const float *row, int64_t k, uint64_t key, unsigned char *to)
{
    (void)key;
    memcpy(to, row, (size_t)float_bytes(k));
}

static void decode_floats(const unsigned char *from, int64_t k, float *row)
{
    memcpy(row, from, (size_t)float_bytes(k));
}

static int64_t half_bytes(int64_t k)
{
    return k * (int64_t)HALF;
}

static void encode_halves(const float *row, int64_t k, uint64_t key, unsigned char *to)
{
    for (int64_t f = 0; f < k; f += THROWS) {
        const uint64_t draw = bmf_rng_draw(key, (uint64_t)f / THROWS);
        for (int64_t j = f; j < f + THROWS && j < k; j++)
            put_half(row[j], throw_of(draw, j - f), to + j * (int64_t)HALF);
    }
}

static void decode_halves(const unsigned char *from, int64_t k, float *row)
{
    for (int64_t f = 0; f < k; f++)
        row[f] = get_half(from + f * (int64_t)HALF);
}

static int64_t eighth_bytes(int64_t k)
{
    return k + (int64_t)HALF;
}

/* A scale to divide by, or 0: a row that has none is written as zeros beside it. */
static float inverse_of(float scale)
{
    return isfinite(scale) && scale >= FLT_MIN ? 1 / scale : 0;
}

static void encode_bytes(const float *row, int64_t k, uint64_t key, unsigned char *to)
{
    const float scale = scale_of(row, k, INT8_ZERO - 1), inverse = inverse_of(scale);
    put_half(scale, 0, to);
    to += HALF;
    if (inverse == 0) {
        memset(to, INT8_ZERO, (size_t)k);
        return;
    }
    for (int64_t f = 0; f < k; f += THROWS) {
        const uint64_t draw = bmf_rng_draw(key, (uint64_t)f / THROWS);
        for (int64_t j = 0; j < THROWS && f + j < k; j++)
            to[f + j] = (unsigned char)level_of(row[f + j], inverse, throw_of(draw, j), INT8_ZERO);
    }
}

static void decode_bytes(const unsigned char *from, int64_t k, float *row)
{
    const float scale = get_half(from);
    from += HALF;
    for (int64_t f = 0; f < k; f++)
        row[f] = scale * (float)((int)from[f] - INT8_ZERO);
}

static int64_t nibble_bytes(int64_t k)
{
    return (k + 1) / 2 + (int64_t)HALF;
}

static void encode_nibbles(const float *row, int64_t k, uint64_t key, unsigned char *to)
{
    const float scale = scale_of(row, k, INT4_ZERO - 1), inverse = inverse_of(scale);
    put_half(scale, 0, to);
    to += HALF;
    memset(to, INT4_ZERO | INT4_ZERO << 4, (size_t)(k + 1) / 2);
    for (int64_t f = 0; f < k && inverse > 0; f += THROWS) {
        const uint64_t draw = bmf_rng_draw(key, (uint64_t)f / THROWS);
        uint32_t levels = INT4_ZERO * 0x1111;
        for (int64_t j = 0; j < THROWS && f + j < k; j++)
            levels ^= (level_of(row[f + j], inverse, throw_of(draw, j), INT4_ZERO) ^ INT4_ZERO) << (4 * j);
        to[f / 2] = (unsigned char)levels;
        if (f + 2 < k)
            to[f / 2 + 1] = (unsigned char)(levels >> 8);
    }
}

static void decode_nibbles(const unsigned char *from, int64_t k, float *row)
{
    const float scale = get_half(from);
    from += HALF;
    for (int64_t f = 0; f < k; f++)
        row[f] = scale * (float)((from[f / 2] >> (f % 2 * 4) & 15) - INT4_ZERO);
}

static const format formats[BMF_PRECISIONS] = {
    [BMF_PRECISION_FLOAT32] = {encode_floats, decode_floats, float_bytes, sizeof(float)},
    [BMF_PRECISION_BFLOAT16] = {encode_halves, decode_halves, half_bytes, HALF},
    [BMF_PRECISION_INT8] = {encode_bytes, decode_bytes, eighth_bytes, HALF},
    [BMF_PRECISION_INT4] = {encode_nibbles, decode_nibbles, nibble_bytes, HALF},
};

int64_t bmf_compact_bytes(bmf_merge_precision precision, int64_t k, int64_t sides)
{
    return formats[precision].bytes(k) + sides * formats[precision].side_bytes;
}

void bmf_compact_encode(bmf_merge_precision precision, const float *row, int64_t k, int64_t sides, uint64_t key,
                        unsigned char *to)
{
    const format *f = &formats[precision];
    f->encode(row, k, key, to);
    to += f->bytes(k);
    if (precision == BMF_PRECISION_FLOAT32)
        encode_floats(row + k, sides, key, to);
    else
        encode_halves(row + k, sides, bmf_rng_subkey(key, 0), to);
}

void bmf_compact_decode(bmf_merge_precision precision, const unsigned char *from, int64_t k, int64_t sides, float *row)
{
    const format *f = &formats[precision];
    f->decode(from, k, row);
    from += f->bytes(k);
    if (precision == BMF_PRECISION_FLOAT32)
        decode_floats(from, sides, row + k);
    else
        decode_halves(from, sides, row + k);
}
