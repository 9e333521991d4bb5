#include "fuzz/mutate.h"

#include <string.h>

#include "base/rng.h"

#define MOST_CHANGES 5

static uint64_t draw(uint64_t *state)
{
    *state = bmf_rng_mix(*state + 0x9e3779b97f4a7c15u);
    return *state;
}

size_t mutate_below(uint64_t *state, size_t bound)
{
    return (size_t)(((unsigned __int128)draw(state) * bound) >> 64);
}

static size_t insert_block(uint8_t *data, size_t size, size_t room, size_t at, const uint8_t *block, size_t length)
{
    if (length > room - size)
        length = room - size;
    memmove(data + at + length, data + at, size - at);
    memcpy(data + at, block, length);
    return size + length;
}

/* A piece of the input put in again elsewhere, up to many times. */
static size_t repeat_block(uint8_t *data, size_t size, size_t room, uint64_t *state)
{
    uint8_t block[256];
    size_t length = 1 + mutate_below(state, size < sizeof block ? size : sizeof block);
    memcpy(block, data + mutate_below(state, size - length + 1), length);
    size_t at = mutate_below(state, size + 1), times = mutate_below(state, 8) ? 1 : mutate_below(state, 64);
    while (times-- > 0)
        size = insert_block(data, size, room, at, block, length);
    return size;
}

static size_t remove_block(uint8_t *data, size_t size, uint64_t *state)
{
    size_t length = mutate_below(state, size < 64 ? size : 64), at = mutate_below(state, size - length + 1);
    memmove(data + at, data + at + length, size - at - length);
    return size - length;
}

void mutate_number(uint8_t *data, size_t begin, size_t end, uint64_t *state)
{
    static const uint64_t edge[] = {0,
                                    1,
                                    2,
                                    0x7f,
                                    0x80,
                                    0xff,
                                    0x100,
                                    0x7fff,
                                    0x8000,
                                    0xffff,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x100000000,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    0xffffffffffffffff,
                                    0xfffffffffffffffe,
                                    1ULL << 40,
                                    1ULL << 31};
    size_t width = (size_t)1 << mutate_below(state, 4);
    if (begin >= end)
        return;
    if (width > end - begin)
        width = 1;
    uint8_t *at = data + begin + mutate_below(state, end - begin - width + 1);
    uint64_t value = 0;
    memcpy(&value, at, width);
    switch (mutate_below(state, 4)) {
    case 0:
        value += mutate_below(state, 33) - 16;
        break;
    case 1:
        value ^= (uint64_t)1 << mutate_below(state, 8 * width);
        break;
    case 2:
        value = draw(state);
        break;
    default:
        value = edge[mutate_below(state, sizeof edge / sizeof *edge)];
    }
    memcpy(at, &value, width);
}

size_t mutate_bytes(uint8_t *data, size_t size, size_t room, uint64_t *state)
{
    if (size == 0) {
        data[0] = (uint8_t)mutate_below(state, 256);
        return 1;
    }
    switch (mutate_below(state, 8)) {
    case 0:
        return repeat_block(data, size, room, state);
    case 1:
        return remove_block(data, size, state);
    case 2: {
        uint8_t byte = (uint8_t)mutate_below(state, 256);
        return insert_block(data, size, room, mutate_below(state, size + 1), &byte, 1);
    }
    case 3:
        return mutate_below(state, 4) ? size : mutate_below(state, size + 1);
    case 4: {
        size_t length = 1 + mutate_below(state, size < 32 ? size : 32);
        memmove(data + mutate_below(state, size - length + 1), data + mutate_below(state, size - length + 1), length);
        return size;
    }
    case 5:
        data[mutate_below(state, size)] = (uint8_t)mutate_below(state, 256);
        return size;
    default:
        mutate_number(data, 0, size, state);
        return size;
    }
}

size_t mutate_text(uint8_t *data, size_t size, size_t room, const char *const *dictionary, size_t words, uint64_t seed)
{
    uint64_t state = bmf_rng_mix(seed);
    for (size_t changes = 1 + mutate_below(&state, MOST_CHANGES); changes > 0; changes--) {
        if (mutate_below(&state, 2)) {
            size = mutate_bytes(data, size, room, &state);
            continue;
        }
        const char *word = dictionary[mutate_below(&state, words)];
        size_t length = strlen(word), at = mutate_below(&state, size + 1);
        if (mutate_below(&state, 2))
            size = insert_block(data, size, room, at, (const uint8_t *)word, length);
        else
            memcpy(data + at, word, length < size - at ? length : size - at);
    }
    return size;
}
