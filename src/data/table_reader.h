/* A text file of items, tags or users, read record by record. */
#ifndef BMF_DATA_TABLE_READER_H
#define BMF_DATA_TABLE_READER_H

#include "data/layout.h"

typedef struct bmf_table_reader {
    bmf_table kind;
    bmf_text_file file;
    bmf_layout layout;
    const char *at, *end; /* of what is left to read */
    const char *here;     /* beginning of `record` */
    bmf_record record;
    char *scratch; /* unescaped text, grown on demand */
    int64_t scratch_capacity;
} bmf_table_reader;

/* Opens a file, finds its dialect by its first line, and its columns. On failure *table is {0}. Local. */
int bmf_table_open(const char *path, bmf_table kind, int threads, bmf_table_reader *table, bmf_error *err);
void bmf_table_close(bmf_table_reader *table);

/* The next record that is not blank; *more is false at the end. Errors name file and line. */
int bmf_table_next(bmf_table_reader *table, bool *more, bmf_error *err);

/* A field of the current record as plain text, valid until the next call; empty if the file lacks the column. */
int bmf_table_field(bmf_table_reader *table, bmf_column column, bmf_field *out, bmf_error *err);

/* The same of the field at a position of the record. */
int bmf_table_text(bmf_table_reader *table, int field, bmf_field *out, bmf_error *err);

/* What the columns are called: the header, or the names that the form fixes; no fields if neither is there. */
int bmf_table_names(const bmf_table_reader *table, bmf_record *out, bmf_error *err);

/* Line of the record that came as the row-th, from 0: reads the file again. 0 if it cannot be read. */
int64_t bmf_table_line_of_row(const bmf_table_reader *table, int64_t row);

/* Line of the current record. */
int64_t bmf_table_line(const bmf_table_reader *table);

/* Puts file and line of the current record before an error. */
int bmf_table_context(const bmf_table_reader *table, bmf_error *err);

#endif
