#include "data/table_reader.h"

#include <inttypes.h>

#include "base/memory.h"

void bmf_table_close(bmf_table_reader *table)
{
    bmf_text_file_close(&table->file);
    bmf_free(table->scratch);
    *table = (bmf_table_reader){0};
}

int bmf_table_open(const char *path, bmf_table kind, int threads, bmf_table_reader *table, bmf_error *err)
{
    *table = (bmf_table_reader){0};
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

int bmf_table_field(bmf_table_reader *table, bmf_column column, bmf_field *out, bmf_error *err)
{
    *out = (bmf_field){"", 0, false};
    if (table->layout.at[column] < 0)
        return BMF_OK;
    *out = table->record.field[table->layout.at[column]];
    if (!out->escaped)
        return BMF_OK;
    int status = bmf_grow((void **)&table->scratch, &table->scratch_capacity, out->length, 1, "field", err);
    if (status != BMF_OK)
        return status;
    out->length = bmf_field_unescape(out, table->scratch);
    out->text = table->scratch;
    return BMF_OK;
}
