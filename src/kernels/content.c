#include "kernels/content.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

_Static_assert(sizeof(bmf_content_row) == 64, "a content row is one cache line");

void bmf_content_rows_clear(bmf_content_rows *rows)
{
    bmf_free(rows->row);
    bmf_free(rows->feature);
    bmf_free(rows->value);
    *rows = (bmf_content_rows){0};
}

static void fill_row(bmf_content_rows *out, int64_t item, const int32_t *feature, const float *value, int32_t count)
{
    bmf_content_row *row = &out->row[item];
    const int32_t first = count < BMF_CONTENT_FIRST ? count : BMF_CONTENT_FIRST;
    double norm2 = 0;
    for (int32_t j = 0; j < first; j++) {
        row->feature[j] = feature[j];
        row->value[j] = value[j];
    }
    for (int32_t j = first; j < BMF_CONTENT_FIRST; j++)
        row->feature[j] = (int32_t)(((count > 0 ? feature[count - 1] : 0) + (int64_t)(j - count + 1)) % out->features);
    row->more = count - first;
    for (int32_t j = 0; j < row->more; j++) {
        out->feature[row->rest + j] = feature[first + j];
        out->value[row->rest + j] = value[first + j];
    }
    for (int32_t j = 0; j < count; j++) {
        norm2 += (double)value[j] * (double)value[j];
        out->largest = fmaxf(out->largest, fabsf(value[j]));
    }
    out->largest_norm = fmaxf(out->largest_norm, (float)sqrt(norm2));
}

int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err)
{
    *out = (bmf_content_rows){.items = items, .features = features};
    if (indptr[items] > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "the content has %" PRId64 " entries (allowed: %d)", indptr[items],
                        INT32_MAX);
    int64_t rest = 0;
    out->row = bmf_alloc_zero(items, sizeof *out->row, "content rows", err);
    for (int64_t i = 0; out->row && i < items; i++) {
        const int64_t count = indptr[i + 1] - indptr[i];
        out->row[i].rest = (int32_t)rest;
        rest += count > BMF_CONTENT_FIRST ? count - BMF_CONTENT_FIRST : 0;
    }
    if (out->row) {
        out->feature = bmf_alloc(rest, sizeof *out->feature, "content features", err);
        out->value = bmf_alloc(rest, sizeof *out->value, "content values", err);
    }
    if (!out->row || !out->feature || !out->value) {
        bmf_content_rows_clear(out);
        return BMF_ERR_MEMORY;
    }
    for (int64_t i = 0; i < items; i++)
        fill_row(out, i, feature + indptr[i], value + indptr[i], (int32_t)(indptr[i + 1] - indptr[i]));
    return BMF_OK;
}
