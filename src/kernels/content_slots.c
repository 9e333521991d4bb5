#include "kernels/content_slots.h"

#include <stddef.h>

#include "base/memory.h"

_Static_assert(sizeof(bmf_rating_slots) == 16, "four of them make a cache line");

void bmf_content_pattern_clear(bmf_content_pattern *pattern)
{
    bmf_free(pattern->indptr);
    bmf_free(pattern->index);
    *pattern = (bmf_content_pattern){0};
}

void bmf_content_slots_clear(bmf_content_slots *slots)
{
    bmf_free(slots->rating);
    bmf_free(slots->rest_at);
    bmf_free(slots->rest_start);
    bmf_free(slots->rest);
    *slots = (bmf_content_slots){0};
}

int bmf_slot_finder_create(const bmf_content_rows *rows, bmf_slot_finder *out, bmf_error *err)
{
    *out = (bmf_slot_finder){.rows = rows};
    out->mark = bmf_alloc_zero(rows->features / 64 + 1, sizeof *out->mark, "marks of features", err);
    out->slot = bmf_alloc(rows->features, sizeof *out->slot, "slots of features", err);
    if (!out->mark || !out->slot) {
        bmf_slot_finder_clear(out);
        return BMF_ERR_MEMORY;
    }
    for (int64_t f = 0; f < rows->features; f++)
        out->slot[f] = -1;
    return BMF_OK;
}

void bmf_slot_finder_clear(bmf_slot_finder *finder)
{
    bmf_free(finder->mark);
    bmf_free(finder->slot);
    *finder = (bmf_slot_finder){0};
}

static int64_t mark_features(bmf_slot_finder *finder, const int32_t *item, int64_t n)
{
    const bmf_content_rows *rows = finder->rows;
    int64_t count = 0;
    for (int64_t r = 0; r < n; r++)
        for (int64_t j = rows->indptr[item[r]]; j < rows->indptr[item[r] + 1]; j++) {
            const int32_t f = rows->feature[j];
            count += !(finder->mark[f / 64] >> (f % 64) & 1);
            finder->mark[f / 64] |= (uint64_t)1 << (f % 64);
        }
    return count;
}

int64_t bmf_list_weights(bmf_slot_finder *finder, const int32_t *item, int64_t n, int32_t *index)
{
    const int64_t count = mark_features(finder, item, n), words = finder->rows->features / 64 + 1;
    int64_t listed = 0;
    for (int64_t w = 0; w < words; w++) {
        for (uint64_t bits = finder->mark[w]; index && bits; bits &= bits - 1)
            index[listed++] = (int32_t)(64 * w + __builtin_ctzll(bits));
        finder->mark[w] = 0;
    }
    if (index)
        index[count] = (int32_t)finder->rows->features;
    return count + 1;
}

int64_t bmf_count_rest(const bmf_content_rows *rows, const int32_t *item, int64_t n)
{
    int64_t rest = 0;
    for (int64_t r = 0; r < n; r++)
        rest += bmf_content_rest(rows, item[r]);
    return rest;
}

static bool is_among(uint16_t slot, const uint16_t *slots, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        if (slots[j] == slot)
            return true;
    return false;
}

/* Fills the start up with places that none of its `count` entries has: their weights are written back as they were. As
 * different as they go, for a place that was just written has to be waited for. */
static void pad_start(uint16_t *start, int64_t count, int64_t weights)
{
    const int64_t none = weights - 1;
    int64_t next = count > 0 ? start[count - 1] : none;
    for (int64_t j = count, tried = 0; j < BMF_CONTENT_FIRST; j++) {
        do
            next = next > 0 ? next - 1 : none;
        while (++tried <= weights && is_among((uint16_t)next, start, count));
        start[j] = (uint16_t)(tried <= weights ? next : none);
    }
}

/* Of one rating; returns how many it put into rest. */
static int64_t find_row(const bmf_slot_finder *finder, int32_t item, int64_t weights, uint16_t *start, uint16_t *rest)
{
    const bmf_content_rows *rows = finder->rows;
    const int32_t *feature = rows->feature + rows->indptr[item];
    const int64_t count = bmf_content_entries(rows, item), more = bmf_content_rest(rows, item);
    for (int64_t j = 0; j < count; j++) {
        const int32_t found = finder->slot[feature[j]];
        const uint16_t slot = (uint16_t)(found >= 0 ? found : weights - 1);
        if (j < count - more)
            start[j] = slot;
        else
            rest[j - (count - more)] = slot;
    }
    if (more > 0) /* the place of the mark */
        start[BMF_CONTENT_FIRST - 1] = (uint16_t)(weights - 1);
    else
        pad_start(start, count, weights);
    return more;
}

void bmf_find_slots(bmf_slot_finder *finder, const int32_t *index, int64_t weights, const int32_t *item, int64_t n,
                    bmf_rating_slots *slots, uint32_t *rest_at, uint16_t *rest)
{
    int64_t at = 0;
    for (int64_t j = 0; j < weights - 1; j++)
        finder->slot[index[j]] = (int32_t)j;
    for (int64_t r = 0; r < n; r++) {
        if (rest_at)
            rest_at[r] = (uint32_t)at;
        at += find_row(finder, item[r], weights, slots[r].slot, rest + at);
    }
    for (int64_t j = 0; j < weights - 1; j++)
        finder->slot[index[j]] = -1;
}
