#include "data/catalogue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/key_set.h"
#include "data/table_reader.h"
#include "data/values.h"

#define UITEM_GENRES 19

/* The flags of u.item, in the order of MovieLens 100K's u.genre. */
static const char *const uitem_genres[UITEM_GENRES] = {
    "unknown",     "Action", "Adventure", "Animation", "Children's", "Comedy",  "Crime",
    "Documentary", "Drama",  "Fantasy",   "Film-Noir", "Horror",     "Musical", "Mystery",
    "Romance",     "Sci-Fi", "Thriller",  "War",       "Western"};

/* "Action|Drama" from the flags, into the scratch. */
static int genres_of_flags(bmf_table_reader *table, bmf_field *out, bmf_error *err)
{
    int first = table->layout.at[BMF_COLUMN_GENRES];
    int status = bmf_grow((void **)&table->scratch, &table->scratch_capacity, 256, 1, "field", err);
    if (status != BMF_OK)
        return status;
    int64_t length = 0;
    for (int g = 0; g < UITEM_GENRES; g++) {
        const bmf_field *flag = &table->record.field[first + g];
        if (flag->length != 1 || (flag->text[0] != '0' && flag->text[0] != '1'))
            return bmf_fail(err, BMF_ERR_INPUT, "genre flag \"%.*s\" in field %d is neither 0 nor 1",
                            flag->length < 20 ? (int)flag->length : 20, flag->text, first + g + 1);
        if (flag->text[0] == '0')
            continue;
        if (length > 0)
            table->scratch[length++] = '|';
        size_t size = strlen(uitem_genres[g]);
        memcpy(table->scratch + length, uitem_genres[g], size);
        length += (int64_t)size;
    }
    *out = (bmf_field){table->scratch, length, false};
    return BMF_OK;
}

static int genres_text(bmf_table_reader *table, bmf_field *out, bmf_error *err)
{
    if (table->layout.dialect == BMF_DIALECT_BAR)
        return genres_of_flags(table, out, err);
    return bmf_table_field(table, BMF_COLUMN_GENRES, out, err);
}

/* Items in file order. A member's index in the set of its kind is its row. */
typedef struct item_rows {
    bmf_id_kind kind;
    int64_t count;
    bmf_number_set number;
    bmf_string_set text;
    bmf_strings title, genres;
    bmf_columns columns;
} item_rows;

static void clear_rows(item_rows *rows)
{
    bmf_number_set_clear(&rows->number);
    bmf_string_set_clear(&rows->text);
    bmf_strings_clear(&rows->title);
    bmf_strings_clear(&rows->genres);
    bmf_columns_clear(&rows->columns);
}

static int add_item_id(bmf_table_reader *table, item_rows *rows, bmf_error *err)
{
    bmf_field id;
    int64_t number = 0, row;
    int status = bmf_table_field(table, BMF_COLUMN_ITEM, &id, err);
    if (status == BMF_OK && rows->kind == BMF_ID_INT64)
        status = bmf_value_id(&id, "item", &number, err);
    else if (status == BMF_OK && id.length == 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "item id is empty");
    if (status != BMF_OK)
        return status;
    if (rows->kind == BMF_ID_INT64)
        row = bmf_number_set_add(&rows->number, number, err);
    else
        row = bmf_string_set_add(&rows->text, id.text, id.length, err);
    if (row < 0)
        return BMF_ERR_MEMORY;
    if (row < rows->count)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "item \"%.*s\" was listed before, on line %" PRId64 "; an item is listed once",
                        id.length < 60 ? (int)id.length : 60, id.text, bmf_table_line_of_row(table, row));
    rows->count++;
    return BMF_OK;
}

static int add_item(bmf_table_reader *table, item_rows *rows, bmf_error *err)
{
    bmf_field text;
    int status = add_item_id(table, rows, err);
    if (status == BMF_OK)
        status = bmf_table_field(table, BMF_COLUMN_TITLE, &text, err);
    if (status == BMF_OK)
        status = bmf_strings_add(&rows->title, text.text, text.length, err);
    if (status == BMF_OK)
        status = genres_text(table, &text, err);
    if (status == BMF_OK)
        status = bmf_strings_add(&rows->genres, text.text, text.length, err);
    if (status != BMF_OK)
        return bmf_table_context(table, err);
    return bmf_columns_add(&rows->columns, table, err);
}

typedef struct id_row {
    int64_t number;
    const char *text;
    int64_t length, row;
} id_row;

static int compare_id_rows(const void *a, const void *b)
{
    const id_row *x = a, *y = b;
    if (!x->text)
        return (x->number > y->number) - (x->number < y->number);
    return bmf_ids_compare_text(x->text, x->length, y->text, y->length);
}

static int append_string(bmf_strings *to, const bmf_strings *from, int64_t i, bmf_error *err)
{
    return bmf_strings_add(to, bmf_strings_get(from, i), bmf_strings_length(from, i), err);
}

/* The rows by ascending id. */
static int sort_items(const item_rows *rows, bmf_catalogue *out, bmf_error *err)
{
    *out = (bmf_catalogue){.items = {.kind = rows->kind, .count = rows->count}};
    id_row *order = bmf_alloc(rows->count, sizeof *order, "items", err);
    out->record = bmf_alloc(rows->count, sizeof *out->record, "items", err);
    int status = order && out->record ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK && rows->kind == BMF_ID_INT64)
        if (!(out->items.number = bmf_alloc(rows->count, sizeof *out->items.number, "items", err)))
            status = BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        for (int64_t i = 0; i < rows->count; i++)
            order[i] = rows->kind == BMF_ID_INT64 ? (id_row){.number = rows->number.member[i], .row = i}
                                                  : (id_row){.text = bmf_strings_get(&rows->text.member, i),
                                                             .length = bmf_strings_length(&rows->text.member, i),
                                                             .row = i};
        qsort(order, (size_t)rows->count, sizeof *order, compare_id_rows);
    }
    for (int64_t i = 0; status == BMF_OK && i < rows->count; i++) {
        out->record[i] = order[i].row;
        if (rows->kind == BMF_ID_INT64)
            out->items.number[i] = order[i].number;
        else
            status = bmf_strings_add(&out->items.text, order[i].text, order[i].length, err);
        if (status == BMF_OK)
            status = append_string(&out->title, &rows->title, order[i].row, err);
        if (status == BMF_OK)
            status = append_string(&out->genres, &rows->genres, order[i].row, err);
    }
    bmf_free(order);
    return status;
}

int bmf_catalogue_read(const bmf_items_source *source, bmf_catalogue *out, bmf_error *err)
{
    *out = (bmf_catalogue){.items = {.kind = source->kind}};
    bmf_table_reader table;
    item_rows rows = {.kind = source->kind};
    bool more = true;
    int status = bmf_table_open(source->path, BMF_TABLE_ITEMS, source->threads, &table, err);
    if (status == BMF_OK && source->columns)
        status = bmf_columns_open("--item-columns", source->columns, &table, &rows.columns, err);
    while (status == BMF_OK && more) {
        status = bmf_table_next(&table, &more, err);
        if (status == BMF_OK && more)
            status = add_item(&table, &rows, err);
    }
    if (status == BMF_OK && rows.count == 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "%s: holds no item, only a header", source->path);
    if (status == BMF_OK)
        status = bmf_columns_finish(&rows.columns, source->path, err);
    if (status == BMF_OK)
        status = sort_items(&rows, out, err);
    if (status == BMF_OK) {
        out->columns = rows.columns;
        rows.columns = (bmf_columns){0};
    } else {
        bmf_catalogue_clear(out);
    }
    clear_rows(&rows);
    bmf_table_close(&table);
    return status;
}

void bmf_catalogue_clear(bmf_catalogue *catalogue)
{
    bmf_ids_clear(&catalogue->items);
    bmf_strings_clear(&catalogue->title);
    bmf_strings_clear(&catalogue->genres);
    bmf_free(catalogue->record);
    bmf_columns_clear(&catalogue->columns);
    *catalogue = (bmf_catalogue){0};
}

int bmf_catalogue_extend(bmf_catalogue *catalogue, const bmf_ids *rated, int32_t *rated_map, bmf_error *err)
{
    bmf_catalogue whole = {0};
    int64_t listed = 0;
    int32_t *listed_map = bmf_alloc(catalogue->items.count, sizeof *listed_map, "items", err);
    int status = listed_map ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_ids_union(&catalogue->items, rated, &whole.items, listed_map, rated_map, err);
    if (status == BMF_OK && !(whole.record = bmf_alloc(whole.items.count, sizeof *whole.record, "items", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t i = 0; status == BMF_OK && i < whole.items.count; i++) {
        bool known = listed < catalogue->items.count && listed_map[listed] == i;
        status = known ? append_string(&whole.title, &catalogue->title, listed, err)
                       : bmf_strings_add(&whole.title, "", 0, err);
        if (status == BMF_OK)
            status = known ? append_string(&whole.genres, &catalogue->genres, listed, err)
                           : bmf_strings_add(&whole.genres, "", 0, err);
        whole.record[i] = known ? catalogue->record[listed] : -1;
        listed += known;
    }
    bmf_free(listed_map);
    if (status != BMF_OK) {
        bmf_catalogue_clear(&whole);
        return status;
    }
    whole.columns = catalogue->columns;
    catalogue->columns = (bmf_columns){0};
    bmf_catalogue_clear(catalogue);
    *catalogue = whole;
    return BMF_OK;
}
