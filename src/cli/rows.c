#include "cli/rows.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/memory.h"

int bmf_text_add(bmf_text *text, const char *bytes, int64_t size, bmf_error *err)
{
    if (size == 0)
        return BMF_OK; /* bytes may be NULL */
    int status = bmf_grow((void **)&text->bytes, &text->capacity, text->size + size, 1, "text of the result", err);
    if (status != BMF_OK)
        return status;
    memcpy(text->bytes + text->size, bytes, (size_t)size);
    text->size += size;
    return BMF_OK;
}

void bmf_text_clear(bmf_text *text)
{
    bmf_free(text->bytes);
    *text = (bmf_text){0};
}

int bmf_csv_field(bmf_text *to, const char *text, int64_t length, bmf_error *err)
{
    bool quoted = false;
    for (int64_t i = 0; i < length && !quoted; i++)
        quoted = strchr(",\"\r\n", text[i]) != NULL;
    if (!quoted)
        return bmf_text_add(to, text, length, err);
    int status = bmf_text_add(to, "\"", 1, err);
    for (int64_t i = 0; i < length && status == BMF_OK; i++)
        status = text[i] == '"' ? bmf_text_add(to, "\"\"", 2, err) : bmf_text_add(to, text + i, 1, err);
    return status == BMF_OK ? bmf_text_add(to, "\"", 1, err) : status;
}

void bmf_rows_init(bmf_rows *rows, const char *const *column, int columns, bool as_csv, bool as_json)
{
    *rows = (bmf_rows){.column = column, .columns = columns, .as_csv = as_csv, .as_json = as_json};
}

void bmf_rows_clear(bmf_rows *rows)
{
    bmf_text_clear(&rows->csv);
    bmf_text_clear(&rows->json);
}

void bmf_rows_empty(bmf_rows *rows)
{
    rows->csv.size = rows->json.size = 0;
    rows->at = 0;
    rows->status = BMF_OK;
}

static void put(bmf_rows *rows, bmf_text *text, const char *bytes, int64_t size)
{
    if (rows->status == BMF_OK)
        rows->status = bmf_text_add(text, bytes, size, NULL);
}

static void put_word(bmf_rows *rows, bmf_text *text, const char *word)
{
    put(rows, text, word, (int64_t)strlen(word));
}

/* What stands before a value in its JSON object. */
static void open_value(bmf_rows *rows)
{
    if (!rows->as_json)
        return;
    put_word(rows, &rows->json, rows->at == 0 ? ",\n    {\"" : ", \"");
    put_word(rows, &rows->json, rows->column[rows->at]);
    put_word(rows, &rows->json, "\": ");
}

static void close_value(bmf_rows *rows)
{
    bool last = ++rows->at == rows->columns;
    if (last)
        rows->at = 0;
    if (rows->as_csv)
        put(rows, &rows->csv, last ? "\n" : ",", 1);
    if (rows->as_json && last)
        put(rows, &rows->json, "}", 1);
}

/* A value that is written the same way in both. */
static void put_plain(bmf_rows *rows, const char *text)
{
    open_value(rows);
    if (rows->as_csv)
        put_word(rows, &rows->csv, text);
    if (rows->as_json)
        put_word(rows, &rows->json, text);
    close_value(rows);
}

void bmf_rows_int(bmf_rows *rows, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put_plain(rows, text);
}

void bmf_rows_number(bmf_rows *rows, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", value);
    put_plain(rows, text);
}

static int add_json(const char *bytes, size_t size, void *to)
{
    return bmf_text_add(to, bytes, (int64_t)size, NULL) == BMF_OK ? 0 : -1;
}

static void put_json_string(bmf_rows *rows, const char *text, int64_t length)
{
    json_t *string = json_stringn(text, (size_t)length);
    if (rows->status == BMF_OK && (!string || json_dump_callback(string, add_json, &rows->json, JSON_ENCODE_ANY) != 0))
        rows->status = BMF_ERR_MEMORY;
    json_decref(string);
}

void bmf_rows_text(bmf_rows *rows, const char *text, int64_t length)
{
    open_value(rows);
    if (rows->as_csv && rows->status == BMF_OK)
        rows->status = bmf_csv_field(&rows->csv, text, length, NULL);
    if (rows->as_json)
        put_json_string(rows, text, length);
    close_value(rows);
}

void bmf_rows_id(bmf_rows *rows, const bmf_ids *ids, int64_t index)
{
    if (ids->kind == BMF_ID_INT64)
        bmf_rows_int(rows, ids->number[index]);
    else
        bmf_rows_text(rows, bmf_strings_get(&ids->text, index), bmf_strings_length(&ids->text, index));
}
