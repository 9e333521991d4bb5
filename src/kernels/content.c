#include "kernels/content.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

void bmf_content_rows_clear(bmf_content_rows *rows)
{
    bmf_free(rows->row);
    bmf_free(rows->group);
    *rows = (bmf_content_rows){0};
}

static void fill_row(bmf_content_rows *out, int64_t item, const int32_t *feature, const float *value, int64_t count)
{
    bmf_content_group *group = out->group + out->row[item].first;
    double norm2 = 0;
    for (int64_t j = 0; j < count; j++) {
        group[j / BMF_CONTENT_GROUP].feature[j % BMF_CONTENT_GROUP] = feature[j];
        group[j / BMF_CONTENT_GROUP].value[j % BMF_CONTENT_GROUP] = value[j];
        norm2 += (double)value[j] * (double)value[j];
        out->largest = fmaxf(out->largest, fabsf(value[j]));
    }
    out->row[item].norm2 = (float)norm2;
    for (int64_t j = count; j % BMF_CONTENT_GROUP; j++)
        group[j / BMF_CONTENT_GROUP].feature[j % BMF_CONTENT_GROUP] =
            (int32_t)((feature[count - 1] + j - count + 1) % out->features);
}

int bmf_content_rows_create(int64_t items, int64_t features, const int64_t *indptr, const int32_t *feature,
                            const float *value, bmf_content_rows *out, bmf_error *err)
{
    *out = (bmf_content_rows){.items = items, .features = features};
    int64_t groups = 0;
    out->row = bmf_alloc_zero(items, sizeof *out->row, "content rows", err);
    for (int64_t i = 0; out->row && i < items; i++) {
        out->row[i].first = groups;
        out->row[i].groups = (int32_t)((indptr[i + 1] - indptr[i] + BMF_CONTENT_GROUP - 1) / BMF_CONTENT_GROUP);
        groups += out->row[i].groups;
    }
    if (out->row)
        out->group = bmf_alloc_zero(groups, sizeof *out->group, "content groups", err);
    if (!out->row || !out->group) {
        bmf_content_rows_clear(out);
        return BMF_ERR_MEMORY;
    }
    for (int64_t i = 0; i < items; i++)
        fill_row(out, i, feature + indptr[i], value + indptr[i], indptr[i + 1] - indptr[i]);
    return BMF_OK;
}
