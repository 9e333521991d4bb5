#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/catalogue.h"
#include "data/table_reader.h"
#include "data/values.h"

#define MOST_WARNINGS 10

/* Tags in file order with the items they are for. */
typedef struct tag_rows {
    bmf_strings text;
    int32_t *item; /* (text.count) */
    int64_t capacity, unknown;
} tag_rows;

/* Counts a tag of an item nobody knows, or refuses it: the message lacks file and line, as others of a record do. */
static int judge_unknown(const bmf_table_reader *table, const bmf_tags_source *source, const bmf_field *id,
                         tag_rows *rows, bmf_error *err)
{
    int length = id->length < 60 ? (int)id->length : 60;
    int64_t allowed = source->max_bad_lines;
    if (allowed == 0)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "tag for item \"%.*s\", which is neither in the file of items nor rated; only those may have "
                        "tags (--max-bad-lines N skips up to N such lines)",
                        length, id->text);
    if (source->bad_lines + rows->unknown >= allowed)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "tag for item \"%.*s\", which is neither in the file of items nor rated; only those may have "
                        "tags (bad line number %" PRId64 ", %" PRId64 " allowed by --max-bad-lines)",
                        length, id->text, allowed + 1, allowed);
    if (rows->unknown++ < MOST_WARNINGS)
        bmf_log_warning("%s:%" PRId64
                        ": tag for item \"%.*s\", which is neither in the file of items nor rated; line skipped",
                        table->file.path, bmf_table_line(table), length, id->text);
    return BMF_OK;
}

/* Index of the record's item, −1 if it is none of `items` and the line is to be skipped. */
static int find_item(bmf_table_reader *table, const bmf_ids *items, const bmf_tags_source *source, tag_rows *rows,
                     int64_t *out, bmf_error *err)
{
    bmf_field id;
    int64_t number;
    int status = bmf_table_field(table, BMF_COLUMN_ITEM, &id, err);
    if (status == BMF_OK && items->kind == BMF_ID_INT64)
        status = bmf_value_id(&id, "item", &number, err);
    else if (status == BMF_OK && id.length == 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "item id is empty");
    if (status != BMF_OK)
        return status;
    *out =
        items->kind == BMF_ID_INT64 ? bmf_ids_find_number(items, number) : bmf_ids_find_text(items, id.text, id.length);
    return *out < 0 ? judge_unknown(table, source, &id, rows, err) : BMF_OK;
}

static int add_tag(bmf_table_reader *table, const bmf_ids *items, const bmf_tags_source *source, tag_rows *rows,
                   bmf_error *err)
{
    int64_t item = -1;
    bmf_field text;
    int status = find_item(table, items, source, rows, &item, err);
    if (status == BMF_OK)
        status = bmf_table_field(table, BMF_COLUMN_TAG, &text, err);
    if (status == BMF_OK && item >= 0)
        status = bmf_grow((void **)&rows->item, &rows->capacity, rows->text.count + 1, sizeof *rows->item, "tags", err);
    if (status == BMF_OK && item >= 0)
        status = bmf_strings_add(&rows->text, text.text, text.length, err);
    if (status != BMF_OK) {
        bmf_table_context(table, err);
        return status;
    }
    if (item >= 0)
        rows->item[rows->text.count - 1] = (int32_t)item;
    return BMF_OK;
}

static int read_tags(const bmf_tags_source *source, const bmf_ids *items, tag_rows *rows, bmf_error *err)
{
    bmf_table_reader table;
    bool more = true;
    int status = bmf_table_open(source->path, BMF_TABLE_TAGS, source->threads, &table, err);
    while (status == BMF_OK && more) {
        status = bmf_table_next(&table, &more, err);
        if (status == BMF_OK && more)
            status = add_tag(&table, items, source, rows, err);
    }
    bmf_table_close(&table);
    if (status == BMF_OK && rows->unknown > MOST_WARNINGS)
        bmf_log_warning("%s: %" PRId64 " tags of unknown items skipped in all", source->path, rows->unknown);
    return status;
}

/* Tags bucketed by item in file order: tag[first[i]] .. tag[first[i + 1]] are numbers of item i's tags. */
typedef struct tag_lists {
    int64_t *first; /* (items + 1) */
    int64_t *tag;   /* (tags) */
} tag_lists;

static int bucket_tags(const tag_rows *rows, int64_t items, tag_lists *out, bmf_error *err)
{
    out->first = bmf_alloc_zero(items + 2, sizeof *out->first, "tags", err);
    out->tag = bmf_alloc(rows->text.count, sizeof *out->tag, "tags", err);
    if (!out->first || !out->tag)
        return BMF_ERR_MEMORY;
    for (int64_t t = 0; t < rows->text.count; t++)
        out->first[rows->item[t] + 2]++;
    for (int64_t i = 0; i < items; i++)
        out->first[i + 2] += out->first[i + 1];
    for (int64_t t = 0; t < rows->text.count; t++) /* moves the beginnings to where they belong */
        out->tag[out->first[rows->item[t] + 1]++] = t;
    return BMF_OK;
}

/* Appends text to the line of `length` bytes in *line. */
static int append(char **line, int64_t *capacity, int64_t *length, const char *text, int64_t size, bmf_error *err)
{
    int status = bmf_grow((void **)line, capacity, *length + size, 1, "document", err);
    if (status == BMF_OK && size > 0)
        memcpy(*line + *length, text, (size_t)size);
    *length += status == BMF_OK ? size : 0;
    return status;
}

static int add_phrases(const tag_rows *rows, const tag_lists *lists, int64_t item, bmf_terms *phrases, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t at = lists->first[item]; at < lists->first[item + 1] && status == BMF_OK; at++)
        status = bmf_terms_add(phrases, "tag", bmf_strings_get(&rows->text, lists->tag[at]),
                               bmf_strings_length(&rows->text, lists->tag[at]), err);
    return status == BMF_OK ? bmf_terms_end_row(phrases, err) : status;
}

static int write_documents(const bmf_catalogue *catalogue, const tag_rows *rows, const tag_lists *lists,
                           bmf_strings *documents, bmf_terms *phrases, bmf_error *err)
{
    char *line = NULL;
    int64_t capacity = 0;
    int status = BMF_OK;
    for (int64_t i = 0; i < catalogue->items.count && status == BMF_OK; i++) {
        int64_t length = 0;
        status = append(&line, &capacity, &length, bmf_strings_get(&catalogue->genres, i),
                        bmf_strings_length(&catalogue->genres, i), err);
        for (int64_t at = lists->first[i]; !phrases && at < lists->first[i + 1] && status == BMF_OK; at++) {
            int64_t tag = lists->tag[at];
            status = append(&line, &capacity, &length, " ", 1, err);
            if (status == BMF_OK)
                status = append(&line, &capacity, &length, bmf_strings_get(&rows->text, tag),
                                bmf_strings_length(&rows->text, tag), err);
        }
        if (status == BMF_OK)
            status = bmf_strings_add(documents, length ? line : "", length, err);
        if (status == BMF_OK && phrases)
            status = add_phrases(rows, lists, i, phrases, err);
    }
    bmf_free(line);
    return status;
}

int bmf_catalogue_documents(const bmf_catalogue *catalogue, const bmf_tags_source *tags, bmf_strings *documents,
                            bmf_terms *phrases, int64_t *unknown_tags, bmf_error *err)
{
    tag_rows rows = {0};
    tag_lists lists = {0};
    bmf_strings_init(documents);
    int status = tags->path ? read_tags(tags, &catalogue->items, &rows, err) : BMF_OK;
    *unknown_tags = rows.unknown;
    if (status == BMF_OK)
        status = bucket_tags(&rows, catalogue->items.count, &lists, err);
    if (status == BMF_OK)
        status = write_documents(catalogue, &rows, &lists, documents, phrases, err);
    if (status != BMF_OK)
        bmf_strings_clear(documents);
    bmf_free(lists.first);
    bmf_free(lists.tag);
    bmf_free(rows.item);
    bmf_strings_clear(&rows.text);
    return status;
}
