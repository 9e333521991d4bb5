#include "data/columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parse.h"

#define SHOWN 60 /* bytes of a value that a message repeats */
#define ALLOWED "(allowed: names of columns with commas between them, with =text or =number behind a name if need be)"

/* One name of a list; text is borrowed from it. */
typedef struct wanted_column {
    const char *name;
    int length;
    bmf_column_kind kind;
} wanted_column;

/* Reads the name at *at and moves behind it, and behind the comma that follows. */
static int next_wanted(const char *option, const char **at, wanted_column *out, bmf_error *err)
{
    int length = (int)strcspn(*at, ",");
    const char *equals = memchr(*at, '=', (size_t)length);
    *out = (wanted_column){*at, equals ? (int)(equals - *at) : length, BMF_COLUMN_AUTO};
    if (equals) {
        const char *kind = equals + 1;
        int size = length - out->length - 1;
        if (size == 4 && strncmp(kind, "text", 4) == 0)
            out->kind = BMF_COLUMN_TEXT;
        else if (size == 6 && strncmp(kind, "number", 6) == 0)
            out->kind = BMF_COLUMN_NUMBER;
        else
            return bmf_fail(err, BMF_ERR_USAGE, "%s: \"%.*s\" is no kind of column " ALLOWED, option,
                            size < SHOWN ? size : SHOWN, kind);
    }
    if (out->length == 0)
        return bmf_fail(err, BMF_ERR_USAGE, "%s: a name is empty " ALLOWED, option);
    *at += length + ((*at)[length] == ',');
    if ((*at)[0] == '\0' && (*at)[-1] == ',')
        return bmf_fail(err, BMF_ERR_USAGE, "%s: a name is empty " ALLOWED, option);
    return BMF_OK;
}

int bmf_columns_check(const char *option, const char *list, bmf_error *err)
{
    wanted_column wanted;
    int status = BMF_OK;
    for (const char *at = list; at && *at && status == BMF_OK;)
        status = next_wanted(option, &at, &wanted, err);
    return status;
}

void bmf_columns_clear(bmf_columns *columns)
{
    for (int c = 0; c < columns->count; c++) {
        bmf_free(columns->column[c].name);
        bmf_strings_clear(&columns->column[c].value);
    }
    bmf_free(columns->column);
    *columns = (bmf_columns){0};
}

static bool names_field(const wanted_column *wanted, const bmf_field *field)
{
    return field->length == wanted->length && strncasecmp(field->text, wanted->name, (size_t)wanted->length) == 0;
}

/* The field that holds the ids. */
static int id_field(const bmf_table_reader *table)
{
    return table->layout.at[table->kind == BMF_TABLE_USERS ? BMF_COLUMN_USER : BMF_COLUMN_ITEM];
}

static int fail_unknown(const char *option, const wanted_column *wanted, const bmf_table_reader *table,
                        const bmf_record *names, bmf_error *err)
{
    char list[512] = "";
    int length = wanted->length < SHOWN ? wanted->length : SHOWN;
    if (names->count == 0)
        return bmf_fail(
            err, BMF_ERR_USAGE,
            "%s: %s has no header that names its columns, \"%.*s\" cannot be found (csv and tsv may have one)", option,
            table->file.path, length, wanted->name);
    for (int f = 0, at = 0; f < names->count && at < (int)sizeof list; f++)
        if (f != id_field(table))
            at += snprintf(list + at, sizeof list - (size_t)at, "%s%.*s", at ? ", " : "",
                           names->field[f].length < SHOWN ? (int)names->field[f].length : SHOWN, names->field[f].text);
    return bmf_fail(err, BMF_ERR_USAGE, "%s: \"%.*s\" is not a column of %s (allowed: %s)", option, length,
                    wanted->name, table->file.path, list);
}

/* Makes field `f` the next column. */
static int take(bmf_columns *columns, const bmf_field *name, int f, bmf_column_kind kind, bmf_error *err)
{
    bmf_column_values *column = &columns->column[columns->count];
    bmf_lower lower = {0};
    for (int c = 0; c < columns->count; c++)
        if (columns->column[c].field == f)
            return bmf_fail(err, BMF_ERR_USAGE, "%s: \"%s\" is named twice", columns->option, columns->column[c].name);
    int status = bmf_lower_case(&lower, name->text, name->length, err);
    if (status == BMF_OK && !(column->name = bmf_alloc(4 * lower.count + 1, 1, "name of a column", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        column->name[bmf_lower_encode(&lower, 0, lower.count, column->name)] = '\0';
        column->field = f;
        column->kind = kind;
        columns->count++;
    }
    bmf_lower_clear(&lower);
    return status;
}

static int take_wanted(bmf_columns *columns, const wanted_column *wanted, const bmf_table_reader *table,
                       const bmf_record *names, bmf_error *err)
{
    int f = 0;
    while (f < names->count && (f == id_field(table) || !names_field(wanted, &names->field[f])))
        f++;
    if (f == names->count)
        return fail_unknown(columns->option, wanted, table, names, err);
    return take(columns, &names->field[f], f, wanted->kind, err);
}

/* What users' files have: all columns of a header; of MovieLens' own forms those that say something of more than one user.
 * The occupations of users.dat are numbers that stand for words. */
static int take_all(bmf_columns *columns, const bmf_table_reader *table, const bmf_record *names, bmf_error *err)
{
    static const char *const fixed[] = {"age", "gender", "occupation=text"};
    int status = BMF_OK;
    for (int f = 0; table->layout.header && f < names->count && status == BMF_OK; f++)
        if (f != id_field(table))
            status = take(columns, &names->field[f], f, BMF_COLUMN_AUTO, err);
    for (size_t i = 0; !table->layout.header && i < sizeof fixed / sizeof *fixed && status == BMF_OK; i++) {
        wanted_column wanted;
        const char *at = fixed[i];
        status = next_wanted(columns->option, &at, &wanted, err);
        if (status == BMF_OK)
            status = take_wanted(columns, &wanted, table, names, err);
    }
    return status;
}

int bmf_columns_open(const char *option, const char *list, const bmf_table_reader *table, bmf_columns *out,
                     bmf_error *err)
{
    bmf_record names;
    *out = (bmf_columns){.option = option};
    int status = bmf_table_names(table, &names, err);
    if (status == BMF_OK && !(out->column = bmf_alloc_zero(BMF_MOST_FIELDS, sizeof *out->column, "columns", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK && !list)
        status = take_all(out, table, &names, err);
    for (const char *at = list; at && *at && status == BMF_OK;) {
        wanted_column wanted;
        status = next_wanted(option, &at, &wanted, err);
        if (status == BMF_OK)
            status = take_wanted(out, &wanted, table, &names, err);
    }
    if (status != BMF_OK)
        bmf_columns_clear(out);
    return status;
}

/* Text without the blanks around it. */
static bmf_field trimmed(const char *text, int64_t length)
{
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return (bmf_field){text, length, false};
}

static bool is_missing(const bmf_field *value)
{
    static const char *const words[] = {"", "NA", "N/A", "NaN", "null", "\\N"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if ((int64_t)strlen(words[w]) == value->length &&
            strncasecmp(words[w], value->text, (size_t)value->length) == 0)
            return true;
    return false;
}

static bool is_number(const char *text, int64_t length, double *out)
{
    bmf_field value = trimmed(text, length);
    if (bmf_parse_double(value.text, (size_t)value.length, out) != BMF_PARSE_OK)
        return false;
    *out += 0.0; /* no −0 */
    return true;
}

/* Length of the part of a text that begins at `at`: up to the next '|' or the end. */
static int64_t part_length(const char *text, int64_t length, int64_t at)
{
    const char *bar = memchr(text + at, '|', (size_t)(length - at));
    return bar ? bar - text - at : length - at;
}

static int check_parts(const bmf_column_values *column, const char *text, int64_t length, bmf_error *err)
{
    for (int64_t at = 0, size; at < length; at += size + 1) {
        size = part_length(text, length, at);
        if (size > BMF_COLUMN_VALUE_LENGTH)
            return bmf_fail(err, BMF_ERR_INPUT,
                            "column \"%s\": \"%.*s...\" has %" PRId64 " bytes; a value is a category of at most %d",
                            column->name, SHOWN, text + at, size, BMF_COLUMN_VALUE_LENGTH);
    }
    return BMF_OK;
}

static int add_value(bmf_columns *columns, bmf_column_values *column, const bmf_table_reader *table,
                     const bmf_field *field, bmf_error *err)
{
    double number;
    bmf_field value = trimmed(field->text, field->length);
    if (column->kind != BMF_COLUMN_TEXT && !is_missing(&value)) {
        bool good = is_number(value.text, value.length, &number);
        if (!good && column->kind == BMF_COLUMN_NUMBER)
            return bmf_fail(
                err, BMF_ERR_INPUT,
                "column \"%s\": \"%.*s\" is not a number; %s %s=number allows numbers and missing values (NA, "
                "N/A, NaN, null, \\N or nothing)",
                column->name, value.length < SHOWN ? (int)value.length : SHOWN, value.text, columns->option,
                column->name);
        if (!good && column->others == 0)
            column->other_line = bmf_table_line(table);
        column->numbers += good;
        column->others += !good;
    }
    int status = check_parts(column, value.text, value.length, err);
    return status == BMF_OK ? bmf_strings_add(&column->value, value.text, value.length, err) : status;
}

int bmf_columns_add(bmf_columns *columns, bmf_table_reader *table, bmf_error *err)
{
    int status = BMF_OK;
    for (int c = 0; c < columns->count && status == BMF_OK; c++) {
        bmf_field field;
        status = bmf_table_text(table, columns->column[c].field, &field, err);
        if (status == BMF_OK)
            status = add_value(columns, &columns->column[c], table, &field, err);
        if (status != BMF_OK)
            bmf_table_context(table, err);
    }
    return status;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ranges over `count` ascending numbers: a distinct value belongs to the range that the middle of its run of equals lies in
 * when the numbers are cut into BMF_COLUMN_BINS equal parts. With few distinct values each has a range of its own. */
static void set_bins(bmf_column_values *column, const double *number, int64_t count)
{
    int64_t distinct = 0, part = -1;
    for (int64_t i = 0; i < count; i++)
        distinct += i == 0 || number[i] != number[i - 1];
    column->bins = 0;
    for (int64_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && number[next] == number[i];)
            next++;
        int64_t here = distinct > BMF_COLUMN_SINGLE_VALUES ? (i + next) * BMF_COLUMN_BINS / (2 * count) : part + 1;
        if (here != part)
            column->bin[column->bins++].low = number[i];
        column->bin[column->bins - 1].high = number[i];
        part = here;
    }
}

static int make_bins(bmf_column_values *column, bmf_error *err)
{
    int64_t count = 0;
    double *number = bmf_alloc(column->numbers, sizeof *number, "values of a column", err);
    if (!number)
        return BMF_ERR_MEMORY;
    for (int64_t r = 0; r < column->value.count; r++) {
        double value;
        if (is_number(bmf_strings_get(&column->value, r), bmf_strings_length(&column->value, r), &value))
            number[count++] = value;
    }
    qsort(number, (size_t)count, sizeof *number, compare_numbers);
    set_bins(column, number, count);
    bmf_free(number);
    return BMF_OK;
}

int bmf_columns_finish(bmf_columns *columns, const char *path, bmf_error *err)
{
    int status = BMF_OK;
    for (int c = 0; c < columns->count && status == BMF_OK; c++) {
        bmf_column_values *column = &columns->column[c];
        if (column->kind == BMF_COLUMN_AUTO && column->others > 0 && column->numbers > column->others)
            bmf_log_warning("%s:%" PRId64
                            ": column \"%s\" is taken as text, for this value is not a number while %" PRId64
                            " are; %s %s=number refuses such values",
                            path, column->other_line, column->name, column->numbers, columns->option, column->name);
        if (column->kind == BMF_COLUMN_AUTO)
            column->kind = column->numbers > 0 && column->others == 0 ? BMF_COLUMN_NUMBER : BMF_COLUMN_TEXT;
        if (column->kind == BMF_COLUMN_NUMBER)
            status = make_bins(column, err);
    }
    return status;
}

/* The shortest decimal that reads back as the number. */
static int print_number(double number, char *text, size_t size)
{
    int length = 0;
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        length = snprintf(text, size, "%.*g", digits, number);
        if (bmf_parse_double(text, (size_t)length, &back) == BMF_PARSE_OK && back == number)
            break;
    }
    return length;
}

static int add_number(const bmf_column_values *column, const char *text, int64_t length, bmf_terms *terms,
                      bmf_error *err)
{
    double number;
    char name[80];
    int b = 0;
    if (!is_number(text, length, &number)) /* missing */
        return BMF_OK;
    while (column->bin[b].high < number)
        b++;
    int size = print_number(column->bin[b].low, name, sizeof name);
    if (column->bin[b].high > column->bin[b].low) {
        size += snprintf(name + size, sizeof name - (size_t)size, "..");
        size += print_number(column->bin[b].high, name + size, sizeof name - (size_t)size);
    }
    return bmf_terms_add(terms, column->name, name, size, err);
}

static int add_parts(const bmf_column_values *column, const char *text, int64_t length, bmf_terms *terms,
                     bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t at = 0, size; at < length && status == BMF_OK; at += size + 1) {
        size = part_length(text, length, at);
        status = bmf_terms_add(terms, column->name, text + at, size, err);
    }
    return status;
}

int bmf_columns_add_terms(const bmf_columns *columns, int64_t record, bmf_terms *terms, bmf_error *err)
{
    int status = BMF_OK;
    for (int c = 0; c < columns->count && status == BMF_OK; c++) {
        const bmf_column_values *column = &columns->column[c];
        const char *text = bmf_strings_get(&column->value, record);
        int64_t length = bmf_strings_length(&column->value, record);
        status = column->kind == BMF_COLUMN_NUMBER ? add_number(column, text, length, terms, err)
                                                   : add_parts(column, text, length, terms, err);
    }
    return status;
}
