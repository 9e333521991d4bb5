/* The checksum of HDF5's Fletcher-32 filter. */
#ifndef BMF_STORE_FLETCHER32_H
#define BMF_STORE_FLETCHER32_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that the filter appends to a chunk: the checksum, least significant byte first. */
#define BMF_FLETCHER32_BYTES 4

/* Fletcher's sums (1982) of 16-bit big-endian words modulo 65535, as HDF5 computes them: an odd last byte is the high half
 * of a word, and a sum that is a multiple of 65535 is 65535, unless all bytes are 0. Several times as fast as HDF5. */
uint32_t bmf_fletcher32(const void *data, size_t size);

#endif
