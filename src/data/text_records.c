#include "data/text_records.h"

#include <string.h>

const char *bmf_dialect_name(bmf_dialect dialect)
{
    static const char *const names[] = {"csv", "dat", "tsv", "bar"};
    return names[dialect];
}

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline ? newline + 1 : end;
}

static int fail_record(const char *at, const char *end, bmf_record *out, bmf_error *err, const char *text)
{
    out->next = line_end(at, end);
    return bmf_fail(err, BMF_ERR_INPUT, "%s", text);
}

#define TOO_MANY_FIELDS "has more than 64 fields"

static void add_field(bmf_record *out, const char *begin, const char *end, bool escaped)
{
    out->field[out->count++] = (bmf_field){begin, end - begin, escaped};
}

/* `newline` ends the record (or is the end of the text); a CR before it belongs to the line end. */
static void finish(bmf_record *out, const char *newline, const char *end)
{
    bmf_field *last = &out->field[out->count - 1];
    if (last->length > 0 && last->text + last->length == newline && newline[-1] == '\r')
        last->length--;
    if (out->count == 1 && last->length == 0)
        out->count = 0;
    out->next = newline < end ? newline + 1 : end;
}

/* The closing quote of the field whose text begins at `at`, or NULL. */
static const char *closing_quote(const char *at, const char *end, bool *escaped)
{
    for (;;) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote || quote + 1 == end || quote[1] != '"')
            return quote;
        *escaped = true;
        at = quote + 2;
    }
}

/* Behind the delimiter or line end that ends a quoted field: where that is, or NULL if something else follows. */
static const char *behind_quote(const char *quote, const char *end)
{
    const char *at = quote + 1;
    if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
        at++;
    return at == end || *at == ',' || *at == '\n' ? at : NULL;
}

static int read_csv(const char *at, const char *end, bmf_record *out, bmf_error *err)
{
    const char *start = at;
    for (;;) {
        if (out->count == BMF_MOST_FIELDS)
            return fail_record(start, end, out, err, TOO_MANY_FIELDS);
        bool quoted = at < end && *at == '"';
        if (quoted) {
            bool escaped = false;
            const char *quote = closing_quote(at + 1, end, &escaped);
            if (!quote)
                return fail_record(
                    start, end, out, err,
                    "unbalanced quote: a quoted field begins here and does not end before the file does");
            add_field(out, at + 1, quote, escaped);
            at = behind_quote(quote, end);
            if (!at)
                return fail_record(start, end, out, err,
                                   "unbalanced quote: text follows the closing quote of a field (a quote inside a "
                                   "quoted field is written twice)");
        } else {
            const char *begin = at;
            while (at < end && *at != ',' && *at != '\n' && *at != '"')
                at++;
            if (at < end && *at == '"')
                return fail_record(start, end, out, err,
                                   "unbalanced quote: a quote inside a field that does not begin with one");
            add_field(out, begin, at, false);
        }
        if (at == end || *at == '\n')
            break;
        at++;
    }
    finish(out, at, end);
    return BMF_OK;
}

/* One-byte delimiters, and "::" as a pair of ':'. */
static int read_plain(char delimiter, int width, const char *at, const char *end, bmf_record *out, bmf_error *err)
{
    const char *start = at, *begin = at;
    for (;; at++) {
        bool last = at == end || *at == '\n';
        bool cut = !last && *at == delimiter && (width == 1 || (at + 1 < end && at[1] == delimiter));
        if (!last && !cut)
            continue;
        if (out->count == BMF_MOST_FIELDS)
            return fail_record(start, end, out, err, TOO_MANY_FIELDS);
        add_field(out, begin, at, false);
        if (last)
            break;
        at += width - 1;
        begin = at + 1;
    }
    finish(out, at, end);
    return BMF_OK;
}

int bmf_record_read(bmf_dialect dialect, const char *at, const char *end, bmf_record *out, bmf_error *err)
{
    out->count = 0;
    switch (dialect) {
    case BMF_DIALECT_CSV:
        return read_csv(at, end, out, err);
    case BMF_DIALECT_DAT:
        return read_plain(':', 2, at, end, out, err);
    case BMF_DIALECT_TSV:
        return read_plain('\t', 1, at, end, out, err);
    default:
        return read_plain('|', 1, at, end, out, err);
    }
}

int64_t bmf_field_unescape(const bmf_field *field, char *buffer)
{
    int64_t length = 0;
    for (int64_t i = 0; i < field->length; i++) {
        buffer[length++] = field->text[i];
        i += field->text[i] == '"'; /* each quote inside stands for a pair */
    }
    return length;
}
