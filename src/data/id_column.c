#include "data/id_column.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SMALL_TABLE ((int64_t)1 << 20) /* ids below this go through a table however few rows there are */

int bmf_id_column_create(bmf_id_column *column, bmf_id_kind kind, bool wide, int64_t rows, bmf_error *err)
{
    *column = (bmf_id_column){.kind = kind, .wide = wide && kind == BMF_ID_INT64, .rows = rows};
    if (column->wide)
        column->number = bmf_alloc(rows, sizeof *column->number, "ids", err);
    else
        column->narrow = bmf_alloc(rows, sizeof *column->narrow, "ids", err);
    return column->number || column->narrow ? BMF_OK : BMF_ERR_MEMORY;
}

void bmf_id_column_clear(bmf_id_column *column)
{
    bmf_free(column->narrow);
    bmf_free(column->number);
    *column = (bmf_id_column){0};
}

static inline int64_t number_at(const bmf_id_column *column, int64_t row)
{
    return column->wide ? column->number[row] : (int64_t)column->narrow[row];
}

/* Room for the indices: a narrow column becomes its own indices in place, a wide one needs a new array. */
static int32_t *index_array(const bmf_id_column *column, bmf_error *err)
{
    return column->wide ? bmf_alloc(column->rows, sizeof(int32_t), "indices", err) : (int32_t *)column->narrow;
}

static void hand_over(bmf_id_column *column, int32_t *index, int32_t **out)
{
    if (!column->wide)
        column->narrow = NULL;
    *out = index;
    bmf_id_column_clear(column);
}

static int create_numbers(bmf_ids *ids, int64_t count, bmf_error *err)
{
    if (count > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "more than %" PRId32 " different ids", INT32_MAX);
    *ids = (bmf_ids){.kind = BMF_ID_INT64, .count = count};
    ids->number = bmf_alloc(count, sizeof *ids->number, "ids", err);
    return ids->number ? BMF_OK : BMF_ERR_MEMORY;
}

/* From marks (not 0: present) to index per number, filling ids. */
static int number_the_marks(int32_t *table, int64_t size, bmf_ids *ids, bmf_error *err)
{
    int64_t count = 0;
    for (int64_t id = 0; id < size; id++)
        count += table[id];
    int status = create_numbers(ids, count, err);
    if (status != BMF_OK)
        return status;
    int32_t next = 0;
    for (int64_t id = 0; id < size; id++) {
        if (!table[id])
            continue;
        ids->number[next] = id;
        table[id] = next++;
    }
    return BMF_OK;
}

static int map_by_table(bmf_id_column *column, int64_t largest, int threads, bmf_ids *ids, int32_t **out,
                        bmf_error *err)
{
    int32_t *table = bmf_alloc_zero(largest + 1, sizeof *table, "id table", err);
    int32_t *index = NULL;
    int status = table ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        return status;
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < column->rows; row++) {
        int32_t *mark = &table[number_at(column, row)], seen;
#pragma omp atomic read
        seen = *mark;
        if (!seen) {
#pragma omp atomic write
            *mark = 1;
        }
    }
    status = number_the_marks(table, largest + 1, ids, err);
    if (status == BMF_OK && !(index = index_array(column, err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK) {
#pragma omp parallel for num_threads(threads)
        for (int64_t row = 0; row < column->rows; row++)
            index[row] = table[number_at(column, row)];
        hand_over(column, index, out);
    }
    bmf_free(table);
    return status;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The distinct numbers of each piece into a set of its own. */
static int collect_numbers(const bmf_id_column *column, const bmf_id_piece *piece, int pieces, int threads,
                           bmf_number_set *set, bmf_error *err)
{
    int failed = BMF_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int p = 0; p < pieces; p++) {
        bmf_error own = BMF_ERROR_INIT;
        for (int64_t row = piece[p].first; row < piece[p].first + piece[p].count && own.status == BMF_OK; row++)
            (void)bmf_number_set_add(&set[p], number_at(column, row), &own);
        if (own.status != BMF_OK) {
#pragma omp critical(bmf_id_column_failed)
            failed = bmf_fail(err, own.status, "%s", own.text);
        }
    }
    return failed;
}

/* All sets' numbers, sorted, each once, as ids. */
static int merge_numbers(const bmf_number_set *set, int pieces, bmf_ids *ids, bmf_error *err)
{
    int64_t total = 0, count = 0;
    for (int p = 0; p < pieces; p++)
        total += set[p].count;
    int64_t *all = bmf_alloc(total, sizeof *all, "ids", err);
    if (!all)
        return BMF_ERR_MEMORY;
    for (int p = 0; p < pieces; p++) {
        if (set[p].count)
            memcpy(all + count, set[p].member, (size_t)set[p].count * sizeof *all);
        count += set[p].count;
    }
    count = 0;
    qsort(all, (size_t)total, sizeof *all, compare_numbers);
    for (int64_t i = 0; i < total; i++)
        if (i == 0 || all[i] != all[i - 1])
            all[count++] = all[i];
    int status = create_numbers(ids, count, err);
    if (status == BMF_OK && count > 0)
        memcpy(ids->number, all, (size_t)count * sizeof *all);
    bmf_free(all);
    return status;
}

static int map_by_sets(bmf_id_column *column, const bmf_id_piece *piece, int pieces, int threads, bmf_ids *ids,
                       int32_t **out, bmf_error *err)
{
    bmf_number_set *set = bmf_alloc_zero(pieces, sizeof *set, "id sets", err);
    bmf_number_set order = {0};
    int32_t *index = NULL;
    int status = set ? collect_numbers(column, piece, pieces, threads, set, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = merge_numbers(set, pieces, ids, err);
    for (int64_t i = 0; status == BMF_OK && i < ids->count; i++)
        if (bmf_number_set_add(&order, ids->number[i], err) < 0)
            status = BMF_ERR_MEMORY;
    if (status == BMF_OK && !(index = index_array(column, err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK) {
#pragma omp parallel for num_threads(threads)
        for (int64_t row = 0; row < column->rows; row++)
            index[row] = (int32_t)bmf_number_set_find(&order, number_at(column, row));
        hand_over(column, index, out);
    }
    for (int p = 0; set && p < pieces; p++)
        bmf_number_set_clear(&set[p]);
    bmf_free(set);
    bmf_number_set_clear(&order);
    return status;
}

typedef struct piece_string {
    const char *text;
    int64_t length;
    int32_t piece, local;
} piece_string;

static int compare_piece_strings(const void *a, const void *b)
{
    const piece_string *x = a, *y = b;
    return bmf_ids_compare_text(x->text, x->length, y->text, y->length);
}

/* Every piece's strings in one sorted list; those of several pieces stand side by side. */
static piece_string *sort_strings(const bmf_id_piece *piece, int pieces, int64_t *total, bmf_error *err)
{
    *total = 0;
    for (int p = 0; p < pieces; p++)
        *total += piece[p].text.member.count;
    piece_string *all = bmf_alloc(*total, sizeof *all, "ids", err);
    if (!all)
        return NULL;
    int64_t at = 0;
    for (int p = 0; p < pieces; p++) {
        const bmf_strings *text = &piece[p].text.member;
        for (int64_t i = 0; i < text->count; i++)
            all[at++] = (piece_string){bmf_strings_get(text, i), bmf_strings_length(text, i), p, (int32_t)i};
    }
    qsort(all, (size_t)*total, sizeof *all, compare_piece_strings);
    return all;
}

static int map_strings(bmf_id_column *column, const bmf_id_piece *piece, int pieces, int threads, bmf_ids *ids,
                       int32_t **out, bmf_error *err)
{
    int64_t total = 0;
    int status = BMF_OK;
    int32_t *global = NULL;
    int64_t *offset = bmf_alloc_zero(pieces + 1, sizeof *offset, "id map", err); /* of a piece in `global` */
    piece_string *all = offset ? sort_strings(piece, pieces, &total, err) : NULL;
    if (!all || !(global = bmf_alloc(total, sizeof *global, "id map", err)))
        status = BMF_ERR_MEMORY;
    *ids = (bmf_ids){.kind = BMF_ID_STRING};
    for (int p = 0; status == BMF_OK && p < pieces; p++)
        offset[p + 1] = offset[p] + piece[p].text.member.count;
    for (int64_t i = 0; status == BMF_OK && i < total; i++) {
        if (i == 0 || compare_piece_strings(&all[i - 1], &all[i]) != 0)
            status = bmf_strings_add(&ids->text, all[i].text, all[i].length, err);
        global[offset[all[i].piece] + all[i].local] = (int32_t)(ids->text.count - 1);
    }
    if (status == BMF_OK) {
        ids->count = ids->text.count;
        int32_t *index = (int32_t *)column->narrow; /* strings are never wide: their numbers become indices in place */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int p = 0; p < pieces; p++)
            for (int64_t row = piece[p].first; row < piece[p].first + piece[p].count; row++)
                index[row] = global[offset[p] + index[row]];
        hand_over(column, index, out);
    }
    bmf_free(all);
    bmf_free(global);
    bmf_free(offset);
    return status;
}

int bmf_id_column_map(bmf_id_column *column, const bmf_id_piece *piece, int pieces, int threads, bmf_ids *ids,
                      int32_t **index, bmf_error *err)
{
    *ids = (bmf_ids){.kind = column->kind};
    *index = NULL;
    int64_t largest = -1;
    for (int p = 0; p < pieces; p++)
        largest = piece[p].largest > largest ? piece[p].largest : largest;
    int status;
    if (column->kind == BMF_ID_STRING)
        status = map_strings(column, piece, pieces, threads, ids, index, err);
    else if (largest < SMALL_TABLE || largest < 2 * column->rows)
        status = map_by_table(column, largest, threads, ids, index, err);
    else
        status = map_by_sets(column, piece, pieces, threads, ids, index, err);
    if (status != BMF_OK)
        bmf_ids_clear(ids);
    return status;
}
