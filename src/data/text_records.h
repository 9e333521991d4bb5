/* Records and fields of delimited text. */
#ifndef BMF_DATA_TEXT_RECORDS_H
#define BMF_DATA_TEXT_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* csv: commas, RFC 4180 quotes. dat: "::" between fields. tsv: tabs. bar: '|', as in u.item. Only csv knows quotes. */
typedef enum bmf_dialect { BMF_DIALECT_CSV, BMF_DIALECT_DAT, BMF_DIALECT_TSV, BMF_DIALECT_BAR } bmf_dialect;

/* "csv", "dat", "tsv", "bar". */
const char *bmf_dialect_name(bmf_dialect dialect);

#define BMF_MOST_FIELDS 64

typedef struct bmf_field {
    const char *text; /* borrowed from the file; without the outer quotes */
    int64_t length;
    bool escaped; /* holds doubled quotes: bmf_field_unescape */
} bmf_field;

typedef struct bmf_record {
    int count; /* 0 for a blank line */
    bmf_field field[BMF_MOST_FIELDS];
    const char *next; /* where the record after this one begins; behind the line of `at` if this one was bad */
} bmf_record;

/* Reads the record that begins at `at` < end, its line end (LF or CR LF) included. BMF_ERR_INPUT for an unbalanced
 * quote or too many fields, without file and line, which the caller knows; out->next is set in any case. err may be
 * NULL. Local. */
int bmf_record_read(bmf_dialect dialect, const char *at, const char *end, bmf_record *out, bmf_error *err);

/* The field with doubled quotes made single, into `buffer` of at least length bytes; returns the new length. */
int64_t bmf_field_unescape(const bmf_field *field, char *buffer);

#endif
