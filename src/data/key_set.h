/* Hash sets that number their members in order of arrival: of strings and of 64-bit numbers. */
#ifndef BMF_DATA_KEY_SET_H
#define BMF_DATA_KEY_SET_H

#include <stdint.h>

#include "base/error.h"
#include "base/strings.h"

/* Open addressing with linear probing, at most half full; a slot holds a member's index + 1, or 0. */
typedef struct bmf_string_set {
    bmf_strings member;
    uint32_t *slot;
    int64_t slots; /* a power of two, or 0 while empty */
} bmf_string_set;

/* Index of the string, which becomes a member if it was none; −1 with err set on failure. {0} is an empty set. */
int64_t bmf_string_set_add(bmf_string_set *set, const char *text, int64_t length, bmf_error *err);
void bmf_string_set_clear(bmf_string_set *set);

typedef struct bmf_number_set {
    int64_t *member; /* (count) */
    int64_t count, capacity;
    uint32_t *slot;
    int64_t slots;
} bmf_number_set;

int64_t bmf_number_set_add(bmf_number_set *set, int64_t number, bmf_error *err);
/* Index of a member, −1 if it is none. */
int64_t bmf_number_set_find(const bmf_number_set *set, int64_t number);
void bmf_number_set_clear(bmf_number_set *set);

#endif
