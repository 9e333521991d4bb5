#include "cli/audience.h"

#include <string.h>

#include "base/memory.h"
#include "data/table_stream.h"

void bmf_audience_clear(bmf_audience *audience)
{
    bmf_free(audience->index);
    bmf_free(audience->number);
    bmf_strings_clear(&audience->text);
    *audience = (bmf_audience){0};
}

int bmf_audience_of_all(const bmf_ids *known, bmf_audience *out, bmf_error *err)
{
    *out = (bmf_audience){.known = known, .count = known->count, .everyone = true};
    out->index = bmf_alloc(known->count, sizeof *out->index, "users", err);
    for (int64_t i = 0; out->index && i < known->count; i++)
        out->index[i] = i;
    return out->index ? BMF_OK : BMF_ERR_MEMORY;
}

static int add(bmf_audience *to, const bmf_field *field, bmf_error *err)
{
    bmf_id_text id;
    int status = bmf_id_text_read(field, "user", to->known, &id, err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&to->index, &to->index_capacity, to->count + 1, sizeof *to->index, "users", err);
    if (status == BMF_OK && to->known->kind == BMF_ID_STRING)
        status = bmf_strings_add(&to->text, id.text, id.length, err);
    else if (status == BMF_OK)
        status = bmf_grow((void **)&to->number, &to->number_capacity, to->count + 1, sizeof *to->number, "users", err);
    if (status != BMF_OK)
        return status;
    if (to->known->kind == BMF_ID_INT64)
        to->number[to->count] = id.number;
    to->index[to->count] = bmf_id_text_find(&id, to->known);
    to->unknown += to->index[to->count++] < 0;
    return BMF_OK;
}

int bmf_audience_of_one(const char *id, const bmf_ids *known, bmf_audience *out, bmf_error *err)
{
    *out = (bmf_audience){.known = known};
    int status = add(out, &(bmf_field){id, (int64_t)strlen(id), false}, err);
    if (status != BMF_OK)
        bmf_audience_clear(out);
    return status;
}

int bmf_audience_of_file(const char *path, const bmf_ids *known, bmf_audience *out, bmf_error *err)
{
    bmf_table_stream stream;
    bool more = true, row = true;
    *out = (bmf_audience){.known = known};
    int status = bmf_table_stream_open(path, BMF_TABLE_AUDIENCE, &stream, err);
    while (status == BMF_OK && more) {
        status = bmf_table_stream_next(&stream, &row, err);
        if (status == BMF_OK && row) {
            bmf_field field = bmf_table_stream_field(&stream, BMF_COLUMN_USER);
            if ((status = add(out, &field, err)) != BMF_OK)
                bmf_table_stream_context(&stream, stream.here, err);
        } else if (status == BMF_OK) {
            status = bmf_table_stream_fill(&stream, &more, err);
        }
    }
    bmf_table_stream_close(&stream);
    if (status != BMF_OK)
        bmf_audience_clear(out);
    return status;
}

bmf_id_text bmf_audience_id(const bmf_audience *audience, int64_t i)
{
    if (audience->known->kind == BMF_ID_INT64)
        return (bmf_id_text){.number = audience->everyone ? audience->known->number[i] : audience->number[i]};
    const bmf_strings *text = audience->everyone ? &audience->known->text : &audience->text;
    return (bmf_id_text){.text = bmf_strings_get(text, i), .length = bmf_strings_length(text, i)};
}
