#include "kernels/content.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

_Static_assert(sizeof(bmf_content_row) == 32, "two content rows share a cache line, none lies across two");

void bmf_content_rows_clear(bmf_content_rows *rows)
{
    bmf_free(rows->row);
    bmf_free(rows->indptr);
    bmf_free(rows->feature);
    bmf_free(rows->value);
    *rows = (bmf_content_rows){0};
}

int64_t bmf_content_rows_bytes(const bmf_content_rows *rows)
{
    if (!rows->row)
        return 0;
    return rows->items * (int64_t)(sizeof *rows->row + sizeof *rows->indptr) +
           rows->indptr[rows->items] * (int64_t)(sizeof *rows->feature + sizeof *rows->value);
}

static void fill_row(bmf_content_rows *out, int64_t item)
{
    bmf_content_row *row = &out->row[item];
    const int64_t count = bmf_content_entries(out, item), rest = bmf_content_rest(out, item);
    const float *value = out->value + out->indptr[item];
    double norm2 = 0;
    for (int64_t j = 0; j < count - rest; j++)
        row->value[j] = value[j] == 0 ? 0 : value[j]; /* no −0 */
    if (rest > 0)
        row->value[BMF_CONTENT_FIRST - 1] = -0.0f;
    for (int64_t j = 0; j < count; j++) {
        norm2 += (double)value[j] * (double)value[j];
        out->largest = fmaxf(out->largest, fabsf(value[j]));
    }
    out->largest_norm = fmaxf(out->largest_norm, (float)sqrt(norm2));
}

int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err)
{
    const int64_t count = indptr[items];
    *out = (bmf_content_rows){.items = items, .features = features};
    if (count > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "the content has %" PRId64 " entries (allowed: %d)", count, INT32_MAX);
    out->row = bmf_alloc_zero(items, sizeof *out->row, "content rows", err);
    out->indptr = bmf_alloc(items + 1, sizeof *out->indptr, "content rows", err);
    out->feature = bmf_alloc(count, sizeof *out->feature, "content features", err);
    out->value = bmf_alloc(count, sizeof *out->value, "content values", err);
    if (!out->row || !out->indptr || !out->feature || !out->value) {
        bmf_content_rows_clear(out);
        return BMF_ERR_MEMORY;
    }
    memcpy(out->indptr, indptr, (size_t)(items + 1) * sizeof *indptr);
    memcpy(out->feature, feature, (size_t)count * sizeof *feature);
    memcpy(out->value, value, (size_t)count * sizeof *value);
    for (int64_t i = 0; i < items; i++)
        fill_row(out, i);
    return BMF_OK;
}
