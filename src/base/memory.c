#include "base/memory.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64
#define HUGE_PAGE ((size_t)2 << 20)

static _Atomic int64_t live_blocks;

void *bmf_alloc(int64_t count, size_t size, const char *what, bmf_error *err)
{
    size_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) || bytes > (size_t)PTRDIFF_MAX / 2) {
        bmf_fail(err, BMF_ERR_MEMORY, "%s: %" PRId64 " elements of %zu bytes cannot be addressed", what, count, size);
        return NULL;
    }
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    void *block = NULL;
    if (posix_memalign(&block, align, bytes ? bytes : LINE) != 0) {
        bmf_fail(err, BMF_ERR_MEMORY, "%s: no memory for %.1f MiB", what, (double)bytes / (1 << 20));
        return NULL;
    }
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    /* advice only: ordinary pages serve as well */
    if (align == HUGE_PAGE)
        (void)madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return block;
}

void *bmf_alloc_zero(int64_t count, size_t size, const char *what, bmf_error *err)
{
    void *block = bmf_alloc(count, size, what, err);
    if (block)
        memset(block, 0, (size_t)count * size);
    return block;
}

int bmf_grow(void **array, int64_t *capacity, int64_t needed, size_t size, const char *what, bmf_error *err)
{
    if (needed <= *capacity)
        return BMF_OK;
    int64_t wanted = *capacity + *capacity / 2 + 16;
    if (wanted < needed)
        wanted = needed;
    void *block = bmf_alloc(wanted, size, what, err);
    if (!block)
        return BMF_ERR_MEMORY;
    if (*array)
        memcpy(block, *array, (size_t)*capacity * size);
    bmf_free(*array);
    *array = block;
    *capacity = wanted;
    return BMF_OK;
}

void bmf_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(block);
}

int64_t bmf_live_blocks(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

char *bmf_copy_string(const char *text, const char *what, bmf_error *err)
{
    size_t length = strlen(text);
    char *copy = bmf_alloc((int64_t)length + 1, 1, what, err);
    if (copy)
        memcpy(copy, text, length + 1);
    return copy;
}
