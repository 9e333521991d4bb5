/* Checked allocation. Sizes are 64-bit counts of elements; overflow is an error, never a small block. */
#ifndef BMF_BASE_MEMORY_H
#define BMF_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* count × size bytes, uninitialised, aligned to 64 bytes; blocks of 2 MiB and more are aligned to 2 MiB and ask for huge
 * pages, but for a last part that would not fill one: what is not used is not taken. A count of 0 gives a valid block. NULL
 * and BMF_ERR_MEMORY naming `what` and the size on failure. Local. */
void *bmf_alloc(int64_t count, size_t size, const char *what, bmf_error *err);

/* The same, zeroed. */
void *bmf_alloc_zero(int64_t count, size_t size, const char *what, bmf_error *err);

/* Makes room for at least `needed` elements in *array (from bmf_alloc, or NULL with *capacity 0), growing by half; the
 * first *capacity elements keep their values. On failure the array is untouched. Returns a status. Local. */
int bmf_grow(void **array, int64_t *capacity, int64_t needed, size_t size, const char *what, bmf_error *err);

/* Frees a block of bmf_alloc; NULL is fine. */
void bmf_free(void *block);

/* Blocks that the functions here handed out and bmf_free has not taken back, in the whole process: 0 at the end of every
 * command and test. Local. */
int64_t bmf_live_blocks(void);

/* A copy of a string from bmf_alloc. */
char *bmf_copy_string(const char *text, const char *what, bmf_error *err);

#endif
