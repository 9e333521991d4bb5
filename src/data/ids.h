/* Raw ids of users or items and their dense indices 0 .. count − 1. Ids are kept sorted ascending (numbers by value,
 * strings by bytes), so that an index is canonical and a look-up is a binary search. */
#ifndef BMF_DATA_IDS_H
#define BMF_DATA_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strings.h"

typedef enum bmf_id_kind { BMF_ID_INT64, BMF_ID_STRING } bmf_id_kind;

typedef struct bmf_ids {
    bmf_id_kind kind;
    int64_t count;
    int64_t *number;  /* BMF_ID_INT64: (count), strictly ascending, never negative */
    bmf_strings text; /* BMF_ID_STRING: (count), strictly ascending by bytes */
} bmf_ids;

void bmf_ids_clear(bmf_ids *ids);

/* BMF_OK if the ids are strictly ascending (and not negative), else BMF_ERR_INPUT naming the first that is not.
 * Local. */
int bmf_ids_check(const bmf_ids *ids, const char *what, bmf_error *err);

/* Index of a numeric id, or −1. */
int64_t bmf_ids_find_number(const bmf_ids *ids, int64_t number);

/* Index of an id given as text (the way a user types it), whatever the kind; −1 if there is none. */
int64_t bmf_ids_find_text(const bmf_ids *ids, const char *text, int64_t length);

/* Index in `ids` of id `i` of `other`, −1 if there is none (ids of different kinds never match). */
int64_t bmf_ids_find_same(const bmf_ids *ids, const bmf_ids *other, int64_t i);

/* Id i as text, into buffer; returns buffer (numbers) or the list's own string. */
const char *bmf_ids_print(const bmf_ids *ids, int64_t i, char buffer[24]);

/* True if both hold the same ids. */
bool bmf_ids_equal(const bmf_ids *a, const bmf_ids *b);

/* A deep copy of ids [first, last) into *out. */
int bmf_ids_copy_range(const bmf_ids *ids, int64_t first, int64_t last, bmf_ids *out, bmf_error *err);

/* The order of string ids: by bytes, a prefix before what it begins. Below 0, 0 or above 0 as for memcmp. */
int bmf_ids_compare_text(const char *a, int64_t a_length, const char *b, int64_t b_length);

/* The union of two lists of one kind. map_a[i] is where id i of `a` went, (a->count) from the caller; map_b alike. */
int bmf_ids_union(const bmf_ids *a, const bmf_ids *b, bmf_ids *out, int32_t *map_a, int32_t *map_b, bmf_error *err);

#endif
