#include "train/item_copies.h"

#include <string.h>

#include "base/memory.h"

#define ALWAYS_BYTES ((int64_t)64 << 20) /* so much for copies is nothing on a machine that trains */
#define RATING_BYTES 8
#define SHARE 4 /* or a quarter of what the ratings take */

int64_t bmf_item_copies_wanted(int64_t threads, int64_t items, int64_t stride, int64_t ratings)
{
    const __int128 bytes = (__int128)threads * items * (stride + 1) * (int64_t)sizeof(float);
    return bytes <= ALWAYS_BYTES || bytes <= (__int128)ratings * RATING_BYTES / SHARE ? threads : 1;
}

static bool allocate_side(bmf_item_side *side, int64_t items, int64_t stride, bmf_error *err)
{
    side->Q = bmf_alloc(items * stride, sizeof(float), "copy of the item factors", err);
    side->bias = bmf_alloc(items, sizeof(float), "copy of the item biases", err);
    return side->Q && side->bias;
}

static void copy_side(const bmf_item_copies *copies, const bmf_item_side *from, const bmf_item_side *to)
{
    memcpy(to->Q, from->Q, (size_t)(copies->items * copies->stride) * sizeof(float));
    memcpy(to->bias, from->bias, (size_t)copies->items * sizeof(float));
}

int bmf_item_copies_create(const bmf_model *model, int64_t count, int ranks, bmf_item_copies *out, bmf_error *err)
{
    *out = (bmf_item_copies){.count = count, .items = model->items, .stride = model->stride};
    out->copy = bmf_alloc_zero(count, sizeof *out->copy, "copies of the item side", err);
    bool complete = out->copy != NULL;
    if (complete)
        out->copy[0] = (bmf_item_side){model->Q, model->item_bias};
    if (complete && (count > 1 || ranks > 1 || model->V))
        complete = allocate_side(&out->start, out->items, out->stride, err);
    for (int64_t c = 1; complete && c < count; c++)
        complete = allocate_side(&out->copy[c], out->items, out->stride, err);
    if (!complete) {
        bmf_item_copies_clear(out);
        return BMF_ERR_MEMORY;
    }
    bmf_item_copies_restart(out);
    return BMF_OK;
}

void bmf_item_copies_restart(const bmf_item_copies *copies)
{
    if (copies->start.Q)
        copy_side(copies, &copies->copy[0], &copies->start);
#pragma omp parallel for schedule(static, 1) num_threads((int)copies->count) if (copies->count > 1)
    for (int64_t c = 0; c < copies->count; c++)
        if (c > 0)
            bmf_item_copies_begin(copies, c);
}

void bmf_item_copies_clear(bmf_item_copies *copies)
{
    for (int64_t c = 1; copies->copy && c < copies->count; c++) {
        bmf_free(copies->copy[c].Q);
        bmf_free(copies->copy[c].bias);
    }
    bmf_free(copies->copy);
    bmf_free(copies->start.Q);
    bmf_free(copies->start.bias);
    *copies = (bmf_item_copies){0};
}

void bmf_item_copies_begin(const bmf_item_copies *copies, int64_t which)
{
    copy_side(copies, &copies->start, &copies->copy[which]);
}
