#include "data/user_content.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/columns.h"
#include "data/values.h"

/* The file's records, and which of them is a user's. */
typedef struct user_records {
    const bmf_ids *users;
    int64_t *record; /* (users->count) −1: not listed */
    int64_t count, unrated;
    bmf_columns columns;
} user_records;

/* Index of the record's user, −1 for one without ratings. */
static int find_user(bmf_table_reader *table, const bmf_ids *users, bmf_field *id, int64_t *out, bmf_error *err)
{
    int64_t number;
    int status = bmf_table_field(table, BMF_COLUMN_USER, id, err);
    if (status == BMF_OK && users->kind == BMF_ID_INT64)
        status = bmf_value_id(id, "user", &number, err);
    else if (status == BMF_OK && id->length == 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "user id is empty");
    if (status == BMF_OK)
        *out = users->kind == BMF_ID_INT64 ? bmf_ids_find_number(users, number)
                                           : bmf_ids_find_text(users, id->text, id->length);
    return status;
}

static int add_user(bmf_table_reader *table, user_records *records, bmf_error *err)
{
    int64_t user = -1;
    bmf_field id;
    int status = find_user(table, records->users, &id, &user, err);
    if (status == BMF_OK && user >= 0 && records->record[user] >= 0)
        status = bmf_fail(
            err, BMF_ERR_INPUT, "user \"%.*s\" was listed before, on line %" PRId64 "; a user is listed once",
            id.length < 60 ? (int)id.length : 60, id.text, bmf_table_line_of_row(table, records->record[user]));
    if (status != BMF_OK)
        return bmf_table_context(table, err);
    if (user >= 0)
        records->record[user] = records->count;
    records->unrated += user < 0;
    records->count++;
    return bmf_columns_add(&records->columns, table, err);
}

static int read_records(const bmf_users_source *source, user_records *records, bmf_error *err)
{
    bmf_table_reader table;
    bool more = true;
    int status = bmf_table_open(source->path, BMF_TABLE_USERS, source->threads, &table, err);
    if (status == BMF_OK)
        status = bmf_columns_open("--user-columns", source->columns, &table, &records->columns, err);
    while (status == BMF_OK && more) {
        status = bmf_table_next(&table, &more, err);
        if (status == BMF_OK && more)
            status = add_user(&table, records, err);
    }
    bmf_table_close(&table);
    if (status == BMF_OK && records->count == 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "%s: holds no user, only a header", source->path);
    if (status == BMF_OK && records->count == records->unrated)
        status =
            bmf_fail(err, BMF_ERR_INPUT, "%s: lists none of the %" PRId64 " users who have rated (%" PRId64 " others)",
                     source->path, records->users->count, records->count);
    if (status == BMF_OK && records->unrated > 0)
        bmf_log_info("%s: %" PRId64 " of %" PRId64 " users have no ratings and are left out", source->path,
                     records->unrated, records->count);
    return status == BMF_OK ? bmf_columns_finish(&records->columns, source->path, err) : status;
}

static int build(const user_records *records, bmf_weighting weighting, bmf_content *out, bmf_error *err)
{
    bmf_terms terms = {0};
    int status = BMF_OK;
    for (int64_t u = 0; u < records->users->count && status == BMF_OK; u++) {
        if (records->record[u] >= 0)
            status = bmf_columns_add_terms(&records->columns, records->record[u], &terms, err);
        if (status == BMF_OK)
            status = bmf_terms_end_row(&terms, err);
    }
    if (status == BMF_OK) {
        bmf_content_source content = {.rows = records->users->count, .always = &terms, .weighting = weighting};
        status = bmf_content_build(&content, out, err);
    }
    bmf_terms_clear(&terms);
    return status;
}

int bmf_user_content(const bmf_users_source *source, const bmf_ids *users, bmf_content *out, bmf_error *err)
{
    user_records records = {.users = users};
    *out = (bmf_content){0};
    records.record = bmf_alloc(users->count, sizeof *records.record, "users", err);
    int status = records.record ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        memset(records.record, 0xff, (size_t)users->count * sizeof *records.record);
        status = read_records(source, &records, err);
    }
    if (status == BMF_OK)
        status = build(&records, source->weighting, out, err);
    bmf_free(records.record);
    bmf_columns_clear(&records.columns);
    return status;
}
