#include "data/key_set.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define FEWEST_SLOTS 64
#define MOST_MEMBERS INT32_MAX /* indices of users and items are 32-bit */

static uint64_t hash_string_member(const void *set, int64_t i)
{
    const bmf_strings *member = &((const bmf_string_set *)set)->member;
    return bmf_hash_text(bmf_strings_get(member, i), bmf_strings_length(member, i));
}

static uint64_t hash_number_member(const void *set, int64_t i)
{
    return bmf_hash_number(((const bmf_number_set *)set)->member[i]);
}

/* Room for one more member: doubles the slots before they are more than half full. */
static int make_room(const void *set, uint64_t (*hash_member)(const void *, int64_t), int64_t count, uint32_t **slot,
                     int64_t *slots, bmf_error *err)
{
    if (2 * (count + 1) <= *slots)
        return BMF_OK;
    if (count >= MOST_MEMBERS)
        return bmf_fail(err, BMF_ERR_INPUT, "more than %" PRId32 " different ids", MOST_MEMBERS);
    int64_t wanted = *slots ? 2 * *slots : FEWEST_SLOTS;
    uint32_t *table = bmf_alloc_zero(wanted, sizeof *table, "id table", err);
    if (!table)
        return BMF_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        uint64_t at = hash_member(set, i) & (uint64_t)(wanted - 1);
        while (table[at])
            at = (at + 1) & (uint64_t)(wanted - 1);
        table[at] = (uint32_t)(i + 1);
    }
    bmf_free(*slot);
    *slot = table;
    *slots = wanted;
    return BMF_OK;
}

static bool string_is(const bmf_strings *list, int64_t i, const char *text, int64_t length)
{
    return bmf_strings_length(list, i) == length && memcmp(bmf_strings_get(list, i), text, (size_t)length) == 0;
}

int64_t bmf_string_set_add(bmf_string_set *set, const char *text, int64_t length, bmf_error *err)
{
    if (make_room(set, hash_string_member, set->member.count, &set->slot, &set->slots, err) != BMF_OK)
        return -1;
    uint64_t mask = (uint64_t)(set->slots - 1), at = bmf_hash_text(text, length) & mask;
    for (; set->slot[at]; at = (at + 1) & mask)
        if (string_is(&set->member, set->slot[at] - 1, text, length))
            return set->slot[at] - 1;
    if (bmf_strings_add(&set->member, text, length, err) != BMF_OK)
        return -1;
    set->slot[at] = (uint32_t)set->member.count;
    return set->member.count - 1;
}

void bmf_string_set_clear(bmf_string_set *set)
{
    bmf_strings_clear(&set->member);
    bmf_free(set->slot);
    *set = (bmf_string_set){0};
}

int64_t bmf_number_set_add(bmf_number_set *set, int64_t number, bmf_error *err)
{
    if (make_room(set, hash_number_member, set->count, &set->slot, &set->slots, err) != BMF_OK)
        return -1;
    uint64_t mask = (uint64_t)(set->slots - 1), at = bmf_hash_number(number) & mask;
    for (; set->slot[at]; at = (at + 1) & mask)
        if (set->member[set->slot[at] - 1] == number)
            return set->slot[at] - 1;
    if (bmf_grow((void **)&set->member, &set->capacity, set->count + 1, sizeof *set->member, "ids", err) != BMF_OK)
        return -1;
    set->member[set->count++] = number;
    set->slot[at] = (uint32_t)set->count;
    return set->count - 1;
}

int64_t bmf_number_set_find(const bmf_number_set *set, int64_t number)
{
    if (!set->slots)
        return -1;
    uint64_t mask = (uint64_t)(set->slots - 1);
    for (uint64_t at = bmf_hash_number(number) & mask; set->slot[at]; at = (at + 1) & mask)
        if (set->member[set->slot[at] - 1] == number)
            return set->slot[at] - 1;
    return -1;
}

void bmf_number_set_clear(bmf_number_set *set)
{
    bmf_free(set->member);
    bmf_free(set->slot);
    *set = (bmf_number_set){0};
}
