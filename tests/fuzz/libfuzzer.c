/* libFuzzer's own mutations know nothing of checksums: for targets of HDF5 files half of the changes are ours. */
#include "fuzz/fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    return seed % 2 ? fuzz_mutate(data, size, room, seed) : LLVMFuzzerMutate(data, size, room);
}
