/* Part of every CMocka program: at its end, what it took from base/memory must be given back. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"

__attribute__((destructor)) static void check_balance(void)
{
    if (bmf_live_blocks() == 0)
        return;
    fprintf(stderr, "%" PRId64 " blocks of memory were not given back\n", bmf_live_blocks());
    fflush(NULL);
    _exit(1);
}
