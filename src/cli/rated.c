#include "cli/rated.h"

#include <stdlib.h>

#include "base/memory.h"

void bmf_rated_close(bmf_rated *rated)
{
    bmf_dataset_file_close(&rated->file);
    bmf_free(rated->item_in_lists);
    for (int s = 0; s < BMF_SPLITS; s++)
        bmf_free(rated->indptr[s]);
    bmf_free(rated->row);
    bmf_free(rated->list);
    bmf_free(rated->fresh);
    bmf_free(rated->item);
    *rated = (bmf_rated){0};
}

static const char *kind_name(const bmf_ids *ids)
{
    return ids->kind == BMF_ID_INT64 ? "numbers" : "texts";
}

static int check_kinds(const char *path, const char *what, const bmf_ids *theirs, const bmf_ids *model, bmf_error *err)
{
    if (theirs->kind == model->kind)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_INPUT, "%s: its %s ids are %s, those of the model are %s: it is about other %ss", path,
                    what, kind_name(theirs), kind_name(model), what);
}

/* Number of item i of `theirs` in the lists. */
static int64_t find_item(const bmf_ids *items, const bmf_new_items *fresh, const bmf_ids *theirs, int64_t i)
{
    const int64_t known = bmf_ids_find_same(items, theirs, i);
    if (known >= 0 || fresh->count == 0)
        return known;
    const int64_t found = bmf_new_items_find(fresh, theirs, i);
    return found < 0 ? -1 : items->count + found;
}

static int map_items(bmf_rated *r, const char *path, const bmf_ids *items, const bmf_new_items *fresh, bmf_error *err)
{
    bmf_ids theirs = {0};
    int status = bmf_dataset_file_read_items(r->file, &theirs, err);
    if (status == BMF_OK)
        status = check_kinds(path, "item", &theirs, items, err);
    if (status == BMF_OK && !(r->item_in_lists = bmf_alloc(theirs.count, sizeof *r->item_in_lists, "items", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t i = 0; status == BMF_OK && i < theirs.count; i++)
        r->item_in_lists[i] = (int32_t)find_item(items, fresh, &theirs, i);
    bmf_ids_clear(&theirs);
    return status;
}

static int find_users(bmf_rated *r, const char *path, const bmf_audience *audience, bmf_error *err)
{
    bmf_ids theirs = {0};
    int status = bmf_dataset_file_read_users(r->file, &theirs, err);
    if (status == BMF_OK)
        status = check_kinds(path, "user", &theirs, audience->known, err);
    if (status == BMF_OK && !(r->row = bmf_alloc(audience->count, sizeof *r->row, "users", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t u = 0; status == BMF_OK && u < audience->count; u++) {
        bmf_id_text id = bmf_audience_id(audience, u);
        r->row[u] = bmf_id_text_find(&id, &theirs);
    }
    bmf_ids_clear(&theirs);
    return status;
}

int bmf_rated_open(const char *path, const bmf_audience *audience, const bmf_ids *items, const bmf_new_items *fresh,
                   int threads, bmf_rated *out, bmf_error *err)
{
    *out = (bmf_rated){.known = items->count};
    int status = bmf_dataset_file_open(path, &out->file, err);
    if (status == BMF_OK) {
        bmf_dataset_file_use_threads(out->file, threads);
        status = map_items(out, path, items, fresh, err);
    }
    if (status == BMF_OK)
        status = find_users(out, path, audience, err);
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
        status = bmf_dataset_file_read_indptr(out->file, (bmf_split)s, &out->indptr[s], err);
    if (status != BMF_OK)
        bmf_rated_close(out);
    return status;
}

int64_t bmf_rated_count(const bmf_rated *rated, int64_t user)
{
    int64_t count = 0, row = rated->file ? rated->row[user] : -1;
    for (int s = 0; s < BMF_SPLITS && row >= 0; s++)
        count += rated->indptr[s][row + 1] - rated->indptr[s][row];
    return count;
}

typedef struct place {
    int64_t row, user; /* in the data set; in the block */
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int compare_items(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Adds what the users of places [first, last), whose rows are neighbours or the same, have rated in one split. */
static int add_run(bmf_rated *r, bmf_split split, const place *at, int64_t first, int64_t last, bmf_error *err)
{
    const int64_t base = at[first].row;
    bmf_ratings ratings;
    int status = bmf_dataset_file_read_ratings(r->file, split, base, at[last - 1].row + 1, 0, &ratings, err);
    for (int64_t p = first; status == BMF_OK && p < last; p++) {
        blendmf_items *list = &r->list[at[p].user];
        int64_t *item = r->item + (list->item - r->item);
        for (int64_t e = ratings.matrix.indptr[at[p].row - base]; e < ratings.matrix.indptr[at[p].row - base + 1]; e++)
            if (r->item_in_lists[ratings.matrix.indices[e]] >= 0)
                item[list->count++] = r->item_in_lists[ratings.matrix.indices[e]];
    }
    bmf_ratings_clear(&ratings);
    return status;
}

static int add_all(bmf_rated *r, const place *at, int64_t count, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t first = 0, last; first < count && status == BMF_OK; first = last) {
        for (last = first + 1; last < count && at[last].row <= at[last - 1].row + 1;)
            last++;
        for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++)
            status = add_run(r, (bmf_split)s, at, first, last, err);
    }
    return status;
}

/* Room for the lists of users [first, last), all empty so far. */
static int make_lists(bmf_rated *r, int64_t first, int64_t last, bmf_error *err)
{
    int64_t entries = 0;
    for (int64_t u = first; u < last; u++)
        entries += bmf_rated_count(r, u);
    int64_t capacity = r->list_capacity;
    int status = bmf_grow((void **)&r->list, &r->list_capacity, last - first, sizeof *r->list, "rated items", err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&r->fresh, &capacity, last - first, sizeof *r->fresh, "rated items", err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&r->item, &r->item_capacity, entries + 1, sizeof *r->item, "rated items", err);
    entries = 0;
    for (int64_t u = first; u < last && status == BMF_OK; u++) {
        r->list[u - first] = (blendmf_items){r->item + entries, 0};
        entries += bmf_rated_count(r, u);
    }
    return status;
}

int bmf_rated_read(bmf_rated *r, int64_t first, int64_t last, bmf_error *err)
{
    place *at = bmf_alloc(last - first, sizeof *at, "users", err);
    int64_t count = 0;
    int status = at ? make_lists(r, first, last, err) : BMF_ERR_MEMORY;
    for (int64_t u = first; u < last && status == BMF_OK; u++)
        if (r->row[u] >= 0)
            at[count++] = (place){r->row[u], u - first};
    if (status == BMF_OK) {
        qsort(at, (size_t)count, sizeof *at, compare_places);
        status = add_all(r, at, count, err);
    }
    for (int64_t u = 0; u < last - first && status == BMF_OK; u++) {
        blendmf_items *list = &r->list[u];
        const int64_t all = list->count;
        qsort(r->item + (list->item - r->item), (size_t)all, sizeof *r->item, compare_items);
        while (list->count > 0 && list->item[list->count - 1] >= r->known)
            list->count--;
        r->fresh[u] = (blendmf_items){list->item + list->count, all - list->count};
    }
    bmf_free(at);
    return status;
}
