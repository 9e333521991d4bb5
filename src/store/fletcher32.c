#include "store/fletcher32.h"

#include <string.h>

#define LANES 16
#define STEPS 256 /* of a block: the largest lane, 65535 × 256 × 257 / 2, stays below 2³² */
#define MODULUS 65535

typedef uint16_t words __attribute__((vector_size(LANES * sizeof(uint16_t))));
typedef uint32_t lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));

typedef struct sums {
    uint64_t first, second; /* below MODULUS */
    uint64_t any;           /* 0 while all bytes were */
} sums;

/* Adds n words whose own sums are these. */
static void append(sums *total, uint64_t n, uint64_t first, uint64_t second)
{
    total->any |= first;
    total->second = (total->second + n * total->first + second) % MODULUS;
    total->first = (total->first + first) % MODULUS;
}

/* A word at step k in lane l counts (steps − k) times in its lane's `second`; it stands n − (k LANES + l) words before the
 * end of the n words, which is LANES (steps − k) − l. */
static void add_block(sums *total, const unsigned char *data, int steps)
{
    lanes first = {0}, second = {0};
    for (int k = 0; k < steps; k++) {
        words read;
        memcpy(&read, data + (size_t)k * sizeof read, sizeof read);
        first += __builtin_convertvector(read, lanes);
        second += first;
    }
    uint64_t block_first = 0, block_second = 0;
    for (int l = 0; l < LANES; l++) {
        block_first += first[l];
        block_second += (uint64_t)LANES * second[l] - (uint64_t)l * first[l];
    }
    append(total, (uint64_t)steps * LANES, block_first, block_second);
}

/* The words were read in the machine's order. Modulo 65535 = 2¹⁶ − 1 a factor of 2⁸ swaps the two bytes, of words and of
 * their sums alike, so one swap at the end makes up for it. */
static uint32_t finish(uint64_t sum, uint64_t any)
{
    uint16_t word = (uint16_t)(sum == 0 && any ? MODULUS : sum);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap16(word);
#endif
    return word;
}

uint32_t bmf_fletcher32(const void *data, size_t size)
{
    const unsigned char *at = data;
    sums total = {0};
    while (size >= sizeof(words)) {
        size_t steps = size / sizeof(words) < STEPS ? size / sizeof(words) : STEPS;
        add_block(&total, at, (int)steps);
        at += steps * sizeof(words);
        size -= steps * sizeof(words);
    }
    while (size > 0) {
        unsigned char pair[2] = {at[0], size > 1 ? at[1] : 0};
        uint16_t word;
        memcpy(&word, pair, sizeof word);
        append(&total, 1, word, word);
        size -= size > 1 ? 2 : 1;
        at += 2;
    }
    return finish(total.second, total.any) << 16 | finish(total.first, total.any);
}
