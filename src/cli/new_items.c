#include "cli/new_items.h"

#include <string.h>

#include "base/memory.h"
#include "data/item_content.h"

void bmf_new_items_close(bmf_new_items *items)
{
    for (int64_t i = 0; items->item && i < items->count; i++)
        blendmf_item_free(&items->item[i]);
    bmf_free(items->item);
    bmf_free(items->row);
    bmf_catalogue_clear(&items->catalogue);
    *items = (bmf_new_items){0};
}

/* Finds those that the model does not know. */
static int choose(bmf_new_items *n, const bmf_ids *known, bmf_error *err)
{
    const bmf_ids *ids = &n->catalogue.items;
    n->row = bmf_alloc(ids->count, sizeof *n->row, "new items", err);
    for (int64_t i = 0; n->row && i < ids->count; i++) {
        if (bmf_ids_find_same(known, ids, i) < 0)
            n->row[n->count++] = (int32_t)i;
        else
            n->known++;
    }
    n->item = bmf_alloc_zero(n->count, sizeof *n->item, "new items", err);
    return n->row && n->item ? BMF_OK : BMF_ERR_MEMORY;
}

static int fold_in(bmf_new_items *n, const blendmf_model *model, const bmf_csr *rows, bmf_error *err)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < rows->rows; i++)
        if (rows->indptr[i + 1] - rows->indptr[i] > longest)
            longest = rows->indptr[i + 1] - rows->indptr[i];
    int64_t *feature = bmf_alloc(longest, sizeof *feature, "features", err);
    double *value = bmf_alloc(longest, sizeof *value, "features", err);
    int status = feature && value ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t i = 0; i < n->count && status == BMF_OK; i++) {
        int64_t begin = rows->indptr[n->row[i]], count = rows->indptr[n->row[i] + 1] - begin;
        for (int64_t e = 0; e < count; e++) {
            feature[e] = rows->indices[begin + e];
            value[e] = rows->data[begin + e];
        }
        blendmf_error why = {0};
        status = blendmf_fold_in_item(model, feature, value, count, NULL, NULL, 0, &n->item[i], &why);
        status = bmf_serving_status(status, &why, err);
        n->bare += count == 0;
    }
    bmf_free(feature);
    bmf_free(value);
    return status;
}

/* Features such as "studio:ghibli", which item columns become. */
static int64_t count_columns(const bmf_strings *feature)
{
    static const char *const others[] = {"year:", "decade:", "title:", "tag:"};
    int64_t count = 0;
    for (int64_t f = 0; f < feature->count; f++) {
        const char *name = bmf_strings_get(feature, f);
        bool column = strchr(name, ':') != NULL;
        for (size_t o = 0; o < sizeof others / sizeof *others; o++)
            column = column && strncmp(name, others[o], strlen(others[o])) != 0;
        count += column;
    }
    return count;
}

/* Each row of many features to one of the few that the model was trained on. */
static int reduce_rows(const bmf_projection *projection, bmf_csr *rows, bmf_error *err)
{
    const int64_t rank = projection->rank;
    bmf_csr few = {0};
    int status = bmf_csr_create(&few, rows->rows, rank, rows->rows * rank, "content of new items", err);
    for (int64_t r = 0, at = 0; r < rows->rows && status == BMF_OK; r++) {
        const int64_t first = rows->indptr[r], count = rows->indptr[r + 1] - first;
        if (bmf_projection_apply(projection, rows->indices + first, rows->data + first, count, few.data + at))
            for (int64_t d = 0; d < rank; d++)
                few.indices[at++] = (int32_t)d;
        few.indptr[r + 1] = at;
    }
    bmf_csr_clear(rows);
    *rows = few;
    return status;
}

static int build_reduced_rows(bmf_model_file *file, bmf_new_items *n, bmf_csr *rows, bmf_error *err)
{
    bmf_projection projection = {0};
    int status = bmf_model_file_read_projection(file, &projection, err);
    if (status == BMF_OK)
        status = bmf_item_content_apply(&n->catalogue, &projection.feature, projection.idf, rows, err);
    n->columns = count_columns(&projection.feature);
    if (status == BMF_OK)
        status = reduce_rows(&projection, rows, err);
    bmf_projection_clear(&projection);
    return status;
}

/* Rows of all items of the file over the model's features. */
static int build_rows(const char *model_path, bmf_new_items *n, bmf_csr *rows, bmf_error *err)
{
    bmf_model_file *file = NULL;
    bmf_content content = {0};
    int status = bmf_model_file_open(model_path, &file, err);
    if (status == BMF_OK && bmf_model_file_content_svd(file) > 0) {
        status = build_reduced_rows(file, n, rows, err);
    } else if (status == BMF_OK) {
        status = bmf_model_file_read_content(file, &content, err);
        if (status == BMF_OK)
            status = bmf_item_content_apply(&n->catalogue, &content.feature, content.idf, rows, err);
        n->columns = count_columns(&content.feature);
    }
    bmf_content_clear(&content);
    bmf_model_file_close(&file);
    return status;
}

int bmf_new_items_open(const char *path, const char *model_path, const blendmf_model *model, int threads,
                       bmf_new_items *out, bmf_error *err)
{
    *out = (bmf_new_items){0};
    bmf_csr rows = {0};
    if (model->meta.features == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: %s was trained without content and has nothing to say of new items",
                        path, model_path);
    const bmf_items_source source = {.path = path, .kind = model->items.kind, .threads = threads};
    int status = bmf_catalogue_read(&source, &out->catalogue, err);
    if (status == BMF_OK)
        status = choose(out, &model->items, err);
    if (status == BMF_OK)
        status = build_rows(model_path, out, &rows, err);
    if (status == BMF_OK)
        status = fold_in(out, model, &rows, err);
    bmf_csr_clear(&rows);
    if (status != BMF_OK)
        bmf_new_items_close(out);
    return status;
}

int64_t bmf_new_items_find(const bmf_new_items *items, const bmf_ids *ids, int64_t i)
{
    const int64_t row = bmf_ids_find_same(&items->catalogue.items, ids, i);
    int64_t low = 0, high = row < 0 ? 0 : items->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (items->row[middle] == row)
            return middle;
        if (items->row[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int64_t bmf_new_items_merge(const bmf_new_items *items, const bmf_serve_user *user, blendmf_items exclude,
                            int64_t first, blendmf_ranked *list, int64_t found, int64_t top)
{
    int64_t skipped = 0;
    for (int64_t i = 0; i < items->count; i++) {
        if (skipped < exclude.count && exclude.item[skipped] == first + i) {
            skipped++;
            continue;
        }
        const double score = bmf_serve_item_score(items->item[i], user);
        if (found == top && score <= list[top - 1].score)
            continue;
        int64_t low = 0, high = found;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if (list[middle].score >= score)
                low = middle + 1;
            else
                high = middle;
        }
        found += found < top;
        memmove(list + low + 1, list + low, (size_t)(found - 1 - low) * sizeof *list);
        list[low] = (blendmf_ranked){first + i, score, bmf_serve_item_basis(items->item[i], user->known)};
    }
    return found;
}
