/* Mutations of inputs. All are functions of a state that the caller seeds. */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* 0 .. bound − 1, and the state moves on. bound ≥ 1. */
size_t mutate_below(uint64_t *state, size_t bound);

/* One change of bytes somewhere: flipped bits, numbers at the edge of a type, blocks copied, removed, repeated, cut off.
 * Returns the new size. */
size_t mutate_bytes(uint8_t *data, size_t size, size_t room, uint64_t *state);

/* Overwrites 1, 2, 4 or 8 bytes within [begin, end) with a value that programs get wrong. */
void mutate_number(uint8_t *data, size_t begin, size_t end, uint64_t *state);

/* A few changes to delimited text: of bytes, and words of the dictionary (`words` of them) put in or over others. */
size_t mutate_text(uint8_t *data, size_t size, size_t room, const char *const *dictionary, size_t words, uint64_t seed);

/* A few changes to an HDF5 file, nearly all within its structures, whose checksums are then made right, so that the
 * change gets past them; some leave them wrong. */
size_t mutate_hdf5(uint8_t *data, size_t size, size_t room, uint64_t seed);

#endif
