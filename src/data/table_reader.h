/* A text file of items or tags, read record by record. */
#ifndef BMF_DATA_TABLE_READER_H
#define BMF_DATA_TABLE_READER_H

#include "data/layout.h"

typedef struct bmf_table_reader {
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

/* Line of the current record. */
int64_t bmf_table_line(const bmf_table_reader *table);

/* Puts file and line of the current record before an error. */
int bmf_table_context(const bmf_table_reader *table, bmf_error *err);

#endif
