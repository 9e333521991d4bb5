/* A list of UTF-8 strings in two blocks: offsets and bytes. */
#ifndef BMF_BASE_STRINGS_H
#define BMF_BASE_STRINGS_H

#include <stdint.h>

#include "base/error.h"

typedef struct bmf_strings {
    int64_t count;
    int64_t *offset; /* (count + 1): string i is bytes[offset[i] .. offset[i+1]), which ends in a NUL that counts */
    char *bytes;
    int64_t offset_capacity, bytes_capacity;
} bmf_strings;

/* An empty list; {0} is one as well. */
void bmf_strings_init(bmf_strings *list);
void bmf_strings_clear(bmf_strings *list);

/* Appends a copy of text[0 .. length). */
int bmf_strings_add(bmf_strings *list, const char *text, int64_t length, bmf_error *err);

/* String i, NUL-terminated, owned by the list, valid until the next add. */
const char *bmf_strings_get(const bmf_strings *list, int64_t i);

/* Its length in bytes, without the NUL. */
int64_t bmf_strings_length(const bmf_strings *list, int64_t i);

#endif
