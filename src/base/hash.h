/* Hashes for tables of keys from input files. Seeded anew in each process: nobody can choose keys that all collide. So
 * nothing that is kept or printed may depend on a hash, nor on the order of slots. */
#ifndef BMF_BASE_HASH_H
#define BMF_BASE_HASH_H

#include <stdint.h>

/* All 64 bits are good. Safe from any thread. Local. */
uint64_t bmf_hash_text(const char *text, int64_t length);
uint64_t bmf_hash_number(int64_t number);

#endif
