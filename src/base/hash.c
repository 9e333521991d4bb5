#include "base/hash.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/rng.h"

/* Threads that come here first together agree on whichever seed is stored first. */
static uint64_t seed(void)
{
    static _Atomic uint64_t shared;
    uint64_t known = atomic_load_explicit(&shared, memory_order_relaxed);
    if (known)
        return known;
    uint64_t fresh = 0;
    if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != (ssize_t)sizeof fresh) /* early at boot, or no such call */
        fresh = bmf_rng_mix((uint64_t)getpid() ^ (uint64_t)(bmf_clock_seconds() * 1e9));
    fresh |= 1; /* 0 is none */
    return atomic_compare_exchange_strong(&shared, &known, fresh) ? fresh : known;
}

uint64_t bmf_hash_text(const char *text, int64_t length)
{
    return XXH3_64bits_withSeed(text, (size_t)length, seed());
}

uint64_t bmf_hash_number(int64_t number)
{
    return bmf_rng_mix(bmf_rng_mix((uint64_t)number + seed()) ^ seed());
}
