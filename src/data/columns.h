/* Columns of a file of items or users that become features: of a text column its values, of a column of numbers ranges. */
#ifndef BMF_DATA_COLUMNS_H
#define BMF_DATA_COLUMNS_H

#include "data/table_reader.h"
#include "data/terms.h"

#define BMF_COLUMN_BINS 10          /* ranges of numbers, each with about as many records */
#define BMF_COLUMN_SINGLE_VALUES 16 /* up to so many distinct numbers each is a feature of its own */
#define BMF_COLUMN_VALUE_LENGTH 200 /* bytes of a text value at most: it is to be a category */

/* auto: numbers if all values are numbers. */
typedef enum bmf_column_kind { BMF_COLUMN_AUTO, BMF_COLUMN_TEXT, BMF_COLUMN_NUMBER } bmf_column_kind;

/* Numbers from low to high, both met in the column. */
typedef struct bmf_bin {
    double low, high;
} bmf_bin;

typedef struct bmf_column_values {
    char *name; /* in lower case */
    int field;
    bmf_column_kind kind; /* never auto once the columns are finished */
    bmf_strings value;    /* of every record */
    int64_t numbers, others,
        other_line; /* values that are numbers; that are neither numbers nor missing; the first of them */
    int bins;
    bmf_bin bin[BMF_COLUMN_SINGLE_VALUES]; /* ascending */
} bmf_column_values;

/* {0} is no columns. */
typedef struct bmf_columns {
    const char *option; /* borrowed, for messages: "--item-columns" */
    int count;
    bmf_column_values *column; /* (count) */
} bmf_columns;

/* BMF_ERR_USAGE, naming the option, unless `list` is NULL or names with commas between them, each with =text or =number
 * behind it if need be. Pure. */
int bmf_columns_check(const char *option, const char *list, bmf_error *err);

/* Finds the columns of the list in the open table, by the names in its header in any case; `list` NULL takes all columns but
 * the id's, of u.user and users.dat age, gender and occupation. BMF_ERR_USAGE for a name that the file does not have. Local. */
int bmf_columns_open(const char *option, const char *list, const bmf_table_reader *table, bmf_columns *out,
                     bmf_error *err);

/* Takes the values of the table's current record. BMF_ERR_INPUT, with file and line, for what is no number in a column of
 * numbers, and for a text that is too long. */
int bmf_columns_add(bmf_columns *columns, bmf_table_reader *table, bmf_error *err);

/* After the last record: decides what is a number and sets the ranges, so that equal values are never parted. A column of
 * numbers but for a few is taken as text, with a warning that names `path` and a line. */
int bmf_columns_finish(bmf_columns *columns, const char *path, bmf_error *err);

/* Adds the features of a record to the current row: of text "column:value", several where '|' stands between values; of
 * numbers "column:7", or "column:90..104" for a range. Missing values (nothing, or for numbers NA, N/A, NaN, null, \N) add
 * none. */
int bmf_columns_add_terms(const bmf_columns *columns, int64_t record, bmf_terms *terms, bmf_error *err);

void bmf_columns_clear(bmf_columns *columns);

#endif
