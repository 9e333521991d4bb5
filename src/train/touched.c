#include "train/touched.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define WORTH_IDLE 0.1 /* a message more for each window pays if it saves this share of the rows */

static int64_t words_of(int64_t items)
{
    return (items + 63) / 64;
}

double bmf_touched_idle_share(const int64_t *ratings, int64_t items, int64_t windows)
{
    const double log_missed = log1p(-1.0 / (double)windows);
    double rated = 0, idle = 0;
    for (int64_t i = 0; i < items; i++) {
        if (ratings[i] == 0)
            continue;
        rated++;
        idle += windows > 1 ? exp((double)ratings[i] * log_missed) : 0;
    }
    return rated > 0 ? idle / rated : 0;
}

static void list_rows(bmf_touched *touched)
{
    touched->count = 0;
    for (int64_t w = 0; w < words_of(touched->items); w++)
        for (uint64_t bits = touched->bitmap[w]; bits; bits &= bits - 1)
            touched->row[touched->count++] = (int32_t)(w * 64 + __builtin_ctzll(bits));
}

static void agree(bmf_touched *touched, bmf_comm *comm, const int32_t *steps, int64_t parts)
{
    memset(touched->bitmap, 0, (size_t)words_of(touched->items) * sizeof *touched->bitmap);
    for (int64_t p = 0; p < parts; p++)
        for (int64_t i = 0; i < touched->items; i++)
            touched->bitmap[i / 64] |= (uint64_t)(steps[p * touched->items + i] > 0) << (i % 64);
    bmf_comm_or_uint64(comm, touched->bitmap, words_of(touched->items));
    list_rows(touched);
}

int bmf_touched_create(bmf_comm *comm, const int32_t *steps, int64_t items, int64_t windows, bmf_touched *out,
                       bmf_error *err)
{
    *out = (bmf_touched){.items = items};
    out->row = bmf_alloc(items, sizeof *out->row, "rows to merge", err);
    out->bitmap = bmf_alloc(words_of(items), sizeof *out->bitmap, "bitmap of the rows to merge", err);
    int64_t *ratings = bmf_alloc(items, sizeof *ratings, "ratings of the items", err);
    int status = bmf_comm_agree(comm, out->row && out->bitmap && ratings ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status == BMF_OK) {
        for (int64_t i = 0; i < items; i++)
            ratings[i] = steps[i];
        bmf_comm_sum_int64(comm, ratings, items);
        for (int64_t i = 0; i < items; i++)
            out->most_steps = ratings[i] > out->most_steps ? ratings[i] : out->most_steps;
        out->each_window = bmf_touched_idle_share(ratings, items, windows) > WORTH_IDLE;
        agree(out, comm, steps, 1);
    } else {
        bmf_touched_clear(out);
    }
    bmf_free(ratings);
    return status;
}

void bmf_touched_clear(bmf_touched *touched)
{
    bmf_free(touched->row);
    bmf_free(touched->bitmap);
    *touched = (bmf_touched){0};
}

int64_t bmf_touched_bytes(const bmf_touched *touched, int64_t ranks)
{
    const int64_t bitmap = words_of(touched->items) * (int64_t)sizeof *touched->bitmap;
    return touched->each_window ? 2 * bitmap * (ranks - 1) / ranks : 0;
}

void bmf_touched_agree(bmf_touched *touched, bmf_comm *comm, const int32_t *steps, int64_t parts)
{
    if (touched->each_window)
        agree(touched, comm, steps, parts);
}
