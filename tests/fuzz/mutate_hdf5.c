#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fuzz/mutate.h"

/* HDF5's checksum of metadata; the library exports it, none of its public headers declares it. */
uint32_t H5_checksum_metadata(const void *data, size_t length, uint32_t initial);

#define MOST_BLOCKS 512
#define LONGEST_BLOCK 4096
#define GUESSED_LENGTH 512 /* of a structure that has no checksum */
#define MOST_CHANGES 4

/* A piece of metadata: [begin, end), and behind it its checksum if it has one. */
typedef struct block {
    size_t begin, end;
    bool checked;
} block;

typedef struct block_list {
    uint64_t of; /* a digest of the file that they are of */
    size_t count;
    block block[MOST_BLOCKS];
} block_list;

static bool is_mark(const uint8_t *at, size_t left)
{
    static const char marks[][5] = {"\x89HDF", "OHDR", "OCHK", "FAHD", "FADB", "EAHD", "EAIB", "EASB",
                                    "EADB",    "BTHD", "BTIN", "BTLF", "FRHP", "FHDB", "FHIB", "FSHD",
                                    "FSSE",    "SMTB", "SMLI", "TREE", "SNOD", "HEAP", "GCOL"};
    for (size_t i = 0; left >= 4 && i < sizeof marks / sizeof *marks; i++)
        if (memcmp(at, marks[i], 4) == 0)
            return true;
    return false;
}

/* The lengths of most structures are not told in one place: the end is where a checksum of what lies before fits. */
static block measure(const uint8_t *data, size_t size, size_t begin)
{
    size_t last = size - begin < LONGEST_BLOCK ? size - 4 : begin + LONGEST_BLOCK;
    for (size_t end = begin + 8; end <= last && size >= 4; end++) {
        uint32_t stored;
        memcpy(&stored, data + end, sizeof stored);
        if (stored != 0 && H5_checksum_metadata(data + begin, end - begin, 0) == stored)
            return (block){begin, end, true};
    }
    return (block){begin, size - begin < GUESSED_LENGTH ? size : begin + GUESSED_LENGTH, false};
}

static uint64_t digest(const uint8_t *data, size_t size)
{
    uint64_t value = size;
    for (size_t i = 0; i < size; i++)
        value = (value ^ data[i]) * 0x100000001b3u;
    return value;
}

/* The blocks of a file; found anew only for a file that was not among the last ones, since the search is slow. */
static const block_list *blocks_of(const uint8_t *data, size_t size)
{
    static block_list kept[32];
    uint64_t of = digest(data, size);
    block_list *list = &kept[of % (sizeof kept / sizeof *kept)];
    if (list->of == of)
        return list;
    *list = (block_list){.of = of};
    for (size_t at = 0; at < size && list->count < MOST_BLOCKS; at++)
        if (is_mark(data + at, size - at))
            list->block[list->count++] = measure(data, size, at);
    return list;
}

/* Metadata that is wrong and has the right checksum is made on purpose, and HDF5 1.10 crashes, loops and takes any amount of
 * memory on it: only with FUZZ_CRAFTED in the environment, to see what a newer library does. Without, files are damaged. */
static void set_checksum(uint8_t *data, size_t size, const block *b)
{
    if (!b->checked || b->end + 4 > size)
        return;
    uint32_t sum = H5_checksum_metadata(data + b->begin, b->end - b->begin, 0);
    memcpy(data + b->end, &sum, sizeof sum);
}

/* A block over another one of the same kind: whole messages in a place that does not expect them. */
static void copy_block(uint8_t *data, const block *from, const block *to)
{
    size_t length = from->end - from->begin, space = to->end - to->begin;
    memmove(data + to->begin, data + from->begin, length < space ? length : space);
}

static size_t change_structure(uint8_t *data, size_t size, const block_list *list, uint64_t *state)
{
    const block *b = &list->block[mutate_below(state, list->count)];
    if (mutate_below(state, 16) == 0)
        copy_block(data, &list->block[mutate_below(state, list->count)], b);
    else
        for (size_t times = 1 + mutate_below(state, 2); times > 0; times--)
            mutate_number(data, b->begin + (b->end - b->begin > 8 ? 4 : 0), b->end, state);
    if (getenv("FUZZ_CRAFTED") && mutate_below(state, 32))
        set_checksum(data, size, b);
    return size;
}

size_t mutate_hdf5(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    uint64_t state = bmf_rng_mix(seed);
    const block_list *list = blocks_of(data, size);
    size_t changes = mutate_below(&state, 2) ? 1 : 1 + mutate_below(&state, MOST_CHANGES);
    for (; changes > 0; changes--) {
        size_t how = mutate_below(&state, 16);
        if (how == 0 || list->count == 0 || list->block[list->count - 1].end > size)
            size = mutate_bytes(data, size, room, &state);
        else if (how < 3)
            mutate_number(data, 0, size, &state); /* mostly values of arrays */
        else
            size = change_structure(data, size, list, &state);
    }
    return size;
}
