#include "data/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST_NAMES 6
#define UITEM_FIELDS 24
#define USER_FIELDS 5 /* of u.user and users.dat */

static const char *const column_names[BMF_COLUMNS][MOST_NAMES] = {
    [BMF_COLUMN_USER] = {"userId", "user_id", "user"},
    [BMF_COLUMN_ITEM] = {"movieId", "itemId", "item", "movie_id", "item_id", "movie"},
    [BMF_COLUMN_RATING] = {"rating"},
    [BMF_COLUMN_TIMESTAMP] = {"timestamp"},
    [BMF_COLUMN_TITLE] = {"title"},
    [BMF_COLUMN_GENRES] = {"genres"},
    [BMF_COLUMN_TAG] = {"tag"},
};

/* Columns of a table by position, where a file has no header, and those that a header must name. */
typedef struct table_rule {
    const char *name;
    bool bare;        /* needs no header, in csv neither */
    int fewest, most; /* fields without a header */
    bmf_column position[4];
    int required;
    bmf_column named[3];
} table_rule;

static const table_rule rules[] = {
    [BMF_TABLE_RATINGS] = {"ratings",
                           false,
                           3,
                           4,
                           {BMF_COLUMN_USER, BMF_COLUMN_ITEM, BMF_COLUMN_RATING, BMF_COLUMN_TIMESTAMP},
                           3,
                           {BMF_COLUMN_USER, BMF_COLUMN_ITEM, BMF_COLUMN_RATING}},
    [BMF_TABLE_ITEMS] =
        {"items", false, 2, 3, {BMF_COLUMN_ITEM, BMF_COLUMN_TITLE, BMF_COLUMN_GENRES}, 1, {BMF_COLUMN_ITEM}},
    [BMF_TABLE_TAGS] = {"tags",
                        false,
                        3,
                        4,
                        {BMF_COLUMN_USER, BMF_COLUMN_ITEM, BMF_COLUMN_TAG, BMF_COLUMN_TIMESTAMP},
                        2,
                        {BMF_COLUMN_ITEM, BMF_COLUMN_TAG}},
    [BMF_TABLE_USERS] = {"users", false, 1, 1, {BMF_COLUMN_USER}, 1, {BMF_COLUMN_USER}},
    [BMF_TABLE_PAIRS] = {"pairs",
                         true,
                         2,
                         4,
                         {BMF_COLUMN_USER, BMF_COLUMN_ITEM, BMF_COLUMN_RATING, BMF_COLUMN_TIMESTAMP},
                         2,
                         {BMF_COLUMN_USER, BMF_COLUMN_ITEM}},
    [BMF_TABLE_AUDIENCE] = {"users", true, 1, 1, {BMF_COLUMN_USER}, 1, {BMF_COLUMN_USER}},
    [BMF_TABLE_OWN_RATINGS] = {"a user's ratings",
                               true,
                               2,
                               3,
                               {BMF_COLUMN_ITEM, BMF_COLUMN_RATING, BMF_COLUMN_TIMESTAMP},
                               2,
                               {BMF_COLUMN_ITEM, BMF_COLUMN_RATING}},
};

static const char *const bar_users[USER_FIELDS] = {"user", "age", "gender", "occupation", "zip"};
static const char *const dat_users[USER_FIELDS] = {"user", "gender", "age", "occupation", "zip"};

bmf_dialect bmf_layout_sniff(const bmf_text_file *file)
{
    const char *newline = memchr(file->text, '\n', (size_t)file->size);
    const char *end = newline ? newline : file->text + file->size;
    const char *tab = memchr(file->text, '\t', (size_t)(end - file->text));
    const char *colons = memmem(file->text, (size_t)(end - file->text), "::", 2);
    const char *bar = memchr(file->text, '|', (size_t)(end - file->text));
    const char *comma = memchr(file->text, ',', (size_t)(end - file->text));
    int bars = 0;
    for (const char *at = bar; at && at < end; at++)
        bars += *at == '|';
    /* The first field is an id: what follows it separates, what comes later may be text. */
    if (bars == UITEM_FIELDS - 1 && (!tab || bar < tab) && (!colons || bar < colons))
        return BMF_DIALECT_BAR;
    if (bars == USER_FIELDS - 1 && (!tab || bar < tab) && (!colons || bar < colons) && (!comma || bar < comma))
        return BMF_DIALECT_BAR;
    if (colons && (!tab || colons < tab))
        return BMF_DIALECT_DAT; /* no header of a csv holds a "::" */
    return tab ? BMF_DIALECT_TSV : BMF_DIALECT_CSV;
}

/* The column a header's field names, or BMF_COLUMNS. */
static bmf_column column_named(const bmf_field *field)
{
    for (int c = 0; c < BMF_COLUMNS; c++)
        for (int n = 0; n < MOST_NAMES && column_names[c][n]; n++) {
            const char *name = column_names[c][n];
            if ((int64_t)strlen(name) == field->length && strncasecmp(name, field->text, strlen(name)) == 0)
                return (bmf_column)c;
        }
    return BMF_COLUMNS;
}

/* Columns by name; BMF_ERR_INPUT if one is named twice. */
static int read_header(const bmf_record *record, bmf_layout *out, bmf_error *err)
{
    for (int f = 0; f < record->count; f++) {
        bmf_column c = column_named(&record->field[f]);
        if (c == BMF_COLUMNS)
            continue;
        if (out->at[c] >= 0)
            return bmf_fail(err, BMF_ERR_INPUT, "the header names the column \"%.*s\" twice",
                            (int)record->field[f].length, record->field[f].text);
        out->at[c] = f;
    }
    return BMF_OK;
}

/* The first required column that the layout lacks, or BMF_COLUMNS. */
static bmf_column missing_column(const table_rule *rule, const bmf_layout *layout)
{
    for (int i = 0; i < rule->required; i++)
        if (layout->at[rule->named[i]] < 0)
            return rule->named[i];
    return BMF_COLUMNS;
}

static int fail_missing(const table_rule *rule, bmf_column missing, const bmf_record *record, bmf_error *err)
{
    char names[128] = "";
    for (int n = 0, at = 0; n < MOST_NAMES && column_names[missing][n]; n++)
        at += snprintf(names + at, sizeof names - (size_t)at, "%s%s", n ? ", " : "", column_names[missing][n]);
    const char *begin = record->field[0].text;
    int64_t length = record->next - begin;
    while (length > 0 && (begin[length - 1] == '\n' || begin[length - 1] == '\r'))
        length--;
    return bmf_fail(err, BMF_ERR_INPUT, "the header of a file of %s needs a column %s; the first line is \"%.*s\"",
                    rule->name, names, length < 80 ? (int)length : 80, begin);
}

static int layout_by_position(const table_rule *rule, const bmf_record *record, bmf_layout *out, bmf_error *err)
{
    if (record->count < rule->fewest || record->count > rule->most) {
        const char *dialect = bmf_dialect_name(out->dialect);
        if (rule->fewest == rule->most)
            return bmf_fail(err, BMF_ERR_INPUT, "a file of %s in %s form has %d field%s a line, this one has %d",
                            rule->name, dialect, rule->most, rule->most == 1 ? "" : "s", record->count);
        return bmf_fail(err, BMF_ERR_INPUT, "a file of %s in %s form has %d %s %d fields a line, this one has %d",
                        rule->name, dialect, rule->fewest, rule->most - rule->fewest == 1 ? "or" : "to", rule->most,
                        record->count);
    }
    for (int f = 0; f < record->count; f++)
        out->at[rule->position[f]] = f;
    return BMF_OK;
}

static int layout_of_uitem(const table_rule *rule, const bmf_record *record, bmf_layout *out, bmf_error *err)
{
    if (rule != &rules[BMF_TABLE_ITEMS])
        return bmf_fail(err, BMF_ERR_INPUT,
                        "fields between bars ('|') are known for items (u.item) and users (u.user) only, this is the "
                        "file of %s; csv, dat and tsv are read",
                        rule->name);
    if (record->count != UITEM_FIELDS)
        return bmf_fail(err, BMF_ERR_INPUT, "a u.item file has %d fields a line, this one has %d", UITEM_FIELDS,
                        record->count);
    out->at[BMF_COLUMN_ITEM] = 0;
    out->at[BMF_COLUMN_TITLE] = 1;
    out->at[BMF_COLUMN_GENRES] = UITEM_FIELDS - 19; /* the first flag */
    return BMF_OK;
}

/* u.user and users.dat: other files of users have a header. */
static int layout_of_users(const bmf_record *record, bmf_layout *out, bmf_error *err)
{
    bool bar = out->dialect == BMF_DIALECT_BAR;
    if (record->count != USER_FIELDS)
        return bmf_fail(err, BMF_ERR_INPUT, "a file of users in %s form has %d fields a line (%s), this one has %d",
                        bmf_dialect_name(out->dialect), USER_FIELDS,
                        bar ? "user, age, gender, occupation, zip" : "user, gender, age, occupation, zip",
                        record->count);
    out->names = bar ? bar_users : dat_users;
    out->at[BMF_COLUMN_USER] = 0;
    return BMF_OK;
}

static bool names_a_column(const bmf_layout *layout)
{
    for (int c = 0; c < BMF_COLUMNS; c++)
        if (layout->at[c] >= 0)
            return true;
    return false;
}

static int layout_of(const table_rule *rule, const bmf_record *record, bmf_layout *out, bmf_error *err)
{
    bool users = rule == &rules[BMF_TABLE_USERS];
    if (users && (out->dialect == BMF_DIALECT_BAR || out->dialect == BMF_DIALECT_DAT))
        return layout_of_users(record, out, err);
    if (out->dialect == BMF_DIALECT_BAR)
        return layout_of_uitem(rule, record, out, err);
    if (out->dialect == BMF_DIALECT_DAT)
        return layout_by_position(rule, record, out, err);
    int status = read_header(record, out, err);
    if (status != BMF_OK)
        return status;
    bmf_column missing = missing_column(rule, out);
    out->header = missing == BMF_COLUMNS;
    if (out->header)
        return BMF_OK;
    bool is_header = users || (rule->bare ? names_a_column(out) : out->dialect == BMF_DIALECT_CSV);
    if (is_header)
        return fail_missing(rule, missing, record, err);
    for (int c = 0; c < BMF_COLUMNS; c++)
        out->at[c] = -1;
    return layout_by_position(rule, record, out, err);
}

int bmf_layout_read(const bmf_text_file *file, bmf_dialect dialect, bmf_table table, bmf_layout *out, bmf_error *err)
{
    *out = (bmf_layout){.dialect = dialect};
    for (int c = 0; c < BMF_COLUMNS; c++)
        out->at[c] = -1;
    const char *at = file->text, *end = file->text + file->size;
    bmf_record record = {0};
    int status = BMF_OK;
    for (; status == BMF_OK && at < end; at = record.next) {
        status = bmf_record_read(dialect, at, end, &record, err);
        if (status != BMF_OK || record.count > 0)
            break;
    }
    if (at == end)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: is empty, it holds blank lines only", file->path);
    if (status == BMF_OK)
        status = layout_of(&rules[table], &record, out, err);
    if (status != BMF_OK) {
        bmf_context(err, "%s:%" PRId64, file->path, bmf_text_file_line(file, at));
        return status;
    }
    out->fields = record.count;
    out->first = (out->header ? record.next : at) - file->text;
    return BMF_OK;
}

int bmf_layout_check(const bmf_layout *layout, const bmf_record *record, bool last_line, bmf_error *err)
{
    if (record->count == layout->fields)
        return BMF_OK;
    const char *as = layout->header ? "the header" : "the first line";
    return bmf_fail(err, BMF_ERR_INPUT, "has %d field%s where %s has %d%s", record->count,
                    record->count == 1 ? "" : "s", as, layout->fields,
                    last_line && record->count < layout->fields ? "; the last line may be cut off" : "");
}
