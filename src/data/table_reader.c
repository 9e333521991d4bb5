#include "data/table_reader.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

void bmf_table_close(bmf_table_reader *table)
{
    bmf_text_file_close(&table->file);
    bmf_free(table->scratch);
    *table = (bmf_table_reader){0};
}

int bmf_table_open(const char *path, bmf_table kind, int threads, bmf_table_reader *table, bmf_error *err)
{
    *table = (bmf_table_reader){.kind = kind};
    int status = bmf_text_file_open(path, threads, &table->file, err);
    if (status != BMF_OK)
        return status;
    bmf_dialect dialect = bmf_layout_sniff(&table->file);
    status = bmf_text_file_decode(&table->file, dialect == BMF_DIALECT_DAT || dialect == BMF_DIALECT_BAR, err);
    if (status == BMF_OK)
        status = bmf_layout_read(&table->file, dialect, kind, &table->layout, err);
    if (status != BMF_OK) {
        bmf_table_close(table);
        return status;
    }
    table->at = table->file.text + table->layout.first;
    table->end = table->file.text + table->file.size;
    return BMF_OK;
}

int64_t bmf_table_line(const bmf_table_reader *table)
{
    return bmf_text_file_line(&table->file, table->here);
}

int bmf_table_context(const bmf_table_reader *table, bmf_error *err)
{
    return bmf_context(err, "%s:%" PRId64, table->file.path, bmf_table_line(table));
}

int bmf_table_next(bmf_table_reader *table, bool *more, bmf_error *err)
{
    int status = BMF_OK;
    *more = false;
    while (table->at < table->end && !*more) {
        table->here = table->at;
        status = bmf_record_read(table->layout.dialect, table->at, table->end, &table->record, err);
        table->at = table->record.next;
        if (status == BMF_OK && table->record.count > 0) {
            status = bmf_layout_check(&table->layout, &table->record, table->at == table->end, err);
            *more = true;
        }
        if (status != BMF_OK) {
            bmf_table_context(table, err);
            return status;
        }
    }
    return status;
}

int64_t bmf_table_line_of_row(const bmf_table_reader *table, int64_t row)
{
    bmf_table_reader again = *table;
    again.scratch = NULL;
    again.scratch_capacity = 0;
    again.at = table->file.text + table->layout.first;
    bool more = true;
    for (int64_t r = 0; r <= row; r++)
        if (bmf_table_next(&again, &more, NULL) != BMF_OK || !more)
            return 0;
    return bmf_table_line(&again);
}

int bmf_table_names(const bmf_table_reader *table, bmf_record *out, bmf_error *err)
{
    const bmf_layout *layout = &table->layout;
    out->count = 0;
    for (int f = 0; layout->names && f < layout->fields; f++)
        out->field[out->count++] = (bmf_field){layout->names[f], (int64_t)strlen(layout->names[f]), false};
    int status = BMF_OK;
    for (const char *at = table->file.text; layout->header && out->count == 0 && status == BMF_OK; at = out->next)
        status = bmf_record_read(layout->dialect, at, table->end, out, err);
    return status;
}

int bmf_table_field(bmf_table_reader *table, bmf_column column, bmf_field *out, bmf_error *err)
{
    *out = (bmf_field){"", 0, false};
    return table->layout.at[column] < 0 ? BMF_OK : bmf_table_text(table, table->layout.at[column], out, err);
}

int bmf_table_text(bmf_table_reader *table, int field, bmf_field *out, bmf_error *err)
{
    *out = table->record.field[field];
    if (!out->escaped)
        return BMF_OK;
    int status = bmf_grow((void **)&table->scratch, &table->scratch_capacity, out->length, 1, "field", err);
    if (status != BMF_OK)
        return status;
    out->length = bmf_field_unescape(out, table->scratch);
    out->text = table->scratch;
    return BMF_OK;
}
