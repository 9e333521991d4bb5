/* Rows of a result put down as text: CSV for people and spreadsheets, JSON for programs, or both. Any thread or rank may put
 * down its own; cli/results.h brings them to where they go. */
#ifndef BMF_CLI_ROWS_H
#define BMF_CLI_ROWS_H

#include <stdbool.h>

#include "data/ids.h"

/* Text that grows. */
typedef struct bmf_text {
    char *bytes;
    int64_t size, capacity;
} bmf_text;

int bmf_text_add(bmf_text *text, const char *bytes, int64_t size, bmf_error *err);
void bmf_text_clear(bmf_text *text);

typedef struct bmf_rows {
    const char *const *column; /* (columns) names, borrowed */
    int columns, at;           /* at: of the value that comes next */
    bool as_csv, as_json;
    bmf_text csv, json; /* JSON objects, each but the first of all after a comma and a line end */
    int status;         /* the first failure, which is one of memory; no more is put down then */
} bmf_rows;

void bmf_rows_init(bmf_rows *rows, const char *const *column, int columns, bool as_csv, bool as_json);
void bmf_rows_clear(bmf_rows *rows);

/* Forgets the rows, keeps the memory. */
void bmf_rows_empty(bmf_rows *rows);

/* The next value of the row; the last column ends it. */
void bmf_rows_int(bmf_rows *rows, int64_t value);
void bmf_rows_number(bmf_rows *rows, double value); /* finite; 7 significant digits */
void bmf_rows_text(bmf_rows *rows, const char *text, int64_t length);
void bmf_rows_id(bmf_rows *rows, const bmf_ids *ids, int64_t index);

/* Appends one field of a CSV line, in quotes where it needs them. */
int bmf_csv_field(bmf_text *to, const char *text, int64_t length, bmf_error *err);

#endif
