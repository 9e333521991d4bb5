#include "data/import.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/catalogue.h"
#include "data/grouped.h"
#include "data/item_content.h"
#include "data/ratings_reader.h"
#include "data/split.h"
#include "data/titles.h"
#include "data/user_content.h"

#define FEW_RATINGS (1 << 14) /* up to here starting threads costs more than it saves */

bmf_import_options bmf_import_defaults(void)
{
    return (bmf_import_options){.split_ratio = {0.7, 0.15, 0.15}, .max_features = 5000, .seed = 1};
}

/* Lists are read before the files, and what they need must be there. */
static int check_content(const bmf_import_options *options, bmf_error *err)
{
    bmf_title_features titles;
    int status = bmf_title_features_parse(options->title_features, &titles, err);
    if (status == BMF_OK)
        status = bmf_columns_check("--item-columns", options->item_columns, err);
    if (status == BMF_OK)
        status = bmf_columns_check("--user-columns", options->user_columns, err);
    if (status != BMF_OK)
        return status;
    if (!options->items_path && (titles.year || titles.decade || titles.words))
        return bmf_fail(err, BMF_ERR_USAGE, "--title-features needs --items, a file with titles");
    if (!options->items_path && options->item_columns)
        return bmf_fail(err, BMF_ERR_USAGE, "--item-columns needs --items, a file with these columns");
    if (options->max_features == 0 && (titles.year || titles.decade || titles.words || options->item_columns))
        return bmf_fail(
            err, BMF_ERR_USAGE,
            "--max-features 0 leaves out all content of items, --title-features and --item-columns ask for some");
    if (!options->users_path && options->user_columns)
        return bmf_fail(err, BMF_ERR_USAGE, "--user-columns needs --users, a file with these columns");
    return BMF_OK;
}

static int check_options(const bmf_import_options *options, bmf_error *err)
{
    if (!options->ratings_path)
        return bmf_fail(err, BMF_ERR_USAGE, "a file of ratings is needed");
    if (!(options->cold_items >= 0 && options->cold_items < 1))
        return bmf_fail(err, BMF_ERR_USAGE, "the fraction of cold items %g is not in [0, 1)", options->cold_items);
    if (options->max_features < 0)
        return bmf_fail(err, BMF_ERR_USAGE, "the number of features %" PRId64 " is negative", options->max_features);
    if (options->max_bad_lines < 0)
        return bmf_fail(err, BMF_ERR_USAGE, "the number of bad lines %" PRId64 " is negative", options->max_bad_lines);
    if (options->threads < 0 || options->threads > 4096)
        return bmf_fail(err, BMF_ERR_USAGE, "%" PRId64 " threads are not possible; 0 (automatic) to 4096 are",
                        options->threads);
    int status = bmf_split_check_ratios(options->split_ratio, err);
    return status == BMF_OK ? check_content(options, err) : status;
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void record_features(const bmf_import_options *options, bmf_import_record *record)
{
    static const char *const tags[] = {"words", "phrases"};
    bmf_title_features titles;
    (void)bmf_title_features_parse(options->title_features, &titles, NULL); /* checked */
    bmf_title_features_print(&titles, record->title_features);
    copy_text(record->feature_weighting, sizeof record->feature_weighting,
              bmf_weighting_name((int)options->feature_weighting));
    copy_text(record->tag_features, sizeof record->tag_features, tags[options->tag_features]);
    copy_text(record->item_columns, sizeof record->item_columns, options->item_columns);
    copy_text(record->users, sizeof record->users, options->users_path ? bmf_base_name(options->users_path) : NULL);
    copy_text(record->user_columns, sizeof record->user_columns, options->user_columns);
}

static void record_options(const bmf_import_options *options, const char *format, bmf_import_record *record)
{
    static const char *const splits[] = {"temporal", "random", "none"};
    static const char *const duplicates[] = {"last", "first", "mean", "error"};
    snprintf(record->source, sizeof record->source, "%s", bmf_base_name(options->ratings_path));
    snprintf(record->format, sizeof record->format, "%s", format);
    snprintf(record->split, sizeof record->split, "%s", splits[options->split]);
    snprintf(record->duplicates, sizeof record->duplicates, "%s", duplicates[options->duplicates]);
    memcpy(record->split_ratio, options->split_ratio, sizeof record->split_ratio);
    record->cold_items = options->cold_items;
    record->max_features = options->max_features;
    record->seed = (int64_t)options->seed;
    record_features(options, record);
}

static int fail_duplicate(const bmf_import_options *options, const bmf_raw_ratings *raw, bmf_ratings_reader *reader,
                          bmf_error *err)
{
    int64_t row[2];
    bool found = false;
    char user[24], item[24];
    int status = bmf_first_duplicate(raw, row, &found, err);
    if (status != BMF_OK || !found)
        return status;
    return bmf_fail(err, BMF_ERR_INPUT,
                    "%s:%" PRId64 ": user %s rated item %s before, on line %" PRId64
                    "; with --duplicates error a pair may occur once (last, first or mean accept it)",
                    options->ratings_path, bmf_ratings_reader_line(reader, row[1]),
                    bmf_ids_print(&raw->users, raw->user[row[1]], user),
                    bmf_ids_print(&raw->items, raw->item[row[1]], item), bmf_ratings_reader_line(reader, row[0]));
}

static void warn(const bmf_import_options *options, const bmf_grouped *grouped)
{
    static const char *const outcome[] = {"the last is kept", "the first is kept", "the mean is kept", ""};
    int64_t duplicates = grouped->duplicates;
    if (duplicates > 0)
        bmf_log_warning("%s: %" PRId64 " rating%s repeat a (user, item) pair; %s", options->ratings_path, duplicates,
                        duplicates == 1 ? "" : "s", outcome[options->duplicates]);
    if (!grouped->timestamp && options->split == BMF_SPLIT_TEMPORAL)
        bmf_log_warning("%s: no timestamps; the order of the file stands for time", options->ratings_path);
}

/* What is made on the way and dropped at the end. */
typedef struct import_state {
    bmf_ratings_reader *reader;
    bmf_raw_ratings raw;
    bmf_catalogue catalogue;
    bmf_grouped grouped;
    int32_t *item_map; /* (raw.items.count) into the catalogue */
    int threads;
} import_state;

static void clear_state(import_state *state)
{
    bmf_ratings_reader_close(&state->reader);
    bmf_raw_ratings_clear(&state->raw);
    bmf_catalogue_clear(&state->catalogue);
    bmf_grouped_clear(&state->grouped);
    bmf_free(state->item_map);
}

/* One user has nobody to learn from, and one item leaves nothing to choose. */
static int check_variety(const char *path, const bmf_raw_ratings *raw, bmf_error *err)
{
    char id[24];
    if (raw->users.count < 2)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: all ratings are by user %s; ratings by at least 2 users are needed",
                        path, bmf_ids_print(&raw->users, 0, id));
    if (raw->items.count < 2)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: all ratings are of item %s; ratings of at least 2 items are needed",
                        path, bmf_ids_print(&raw->items, 0, id));
    return BMF_OK;
}

static int read_ratings(const bmf_import_options *options, import_state *state, bmf_import_record *record,
                        bmf_error *err)
{
    bmf_ratings_source source = {.path = options->ratings_path,
                                 .format = options->format,
                                 .max_bad_lines = options->max_bad_lines,
                                 .threads = state->threads};
    int status = bmf_ratings_reader_open(&source, &state->reader, err);
    if (status == BMF_OK)
        status = bmf_ratings_reader_read(state->reader, &state->raw, err);
    if (status == BMF_OK)
        status = check_variety(options->ratings_path, &state->raw, err);
    if (status == BMF_OK) {
        record_options(options, bmf_ratings_reader_format(state->reader), record);
        record->ratings_read = state->raw.count;
        record->bad_lines = bmf_ratings_reader_bad_lines(state->reader);
        state->threads = state->raw.count > FEW_RATINGS ? state->threads : 1;
    }
    return status;
}

/* The catalogue is read before the ratings are grouped, so that they go to their final indices at once. */
static int read_items(const bmf_import_options *options, import_state *state, bmf_error *err)
{
    const bmf_ids *rated = &state->raw.items;
    int status = BMF_OK;
    state->catalogue.items.kind = rated->kind;
    if (options->items_path) {
        bmf_items_source source = {options->items_path, options->item_columns, rated->kind, state->threads};
        status = bmf_catalogue_read(&source, &state->catalogue, err);
    }
    if (status == BMF_OK && !(state->item_map = bmf_alloc(rated->count, sizeof *state->item_map, "items", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_catalogue_extend(&state->catalogue, rated, state->item_map, err);
    return status;
}

static int group(const bmf_import_options *options, import_state *state, bmf_import_record *record, bmf_error *err)
{
    int status =
        bmf_group_ratings(&state->raw, state->item_map, options->duplicates, state->threads, &state->grouped, err);
    if (status != BMF_OK)
        return status;
    record->duplicate_ratings = state->grouped.duplicates;
    if (state->grouped.duplicates > 0 && options->duplicates == BMF_DUPLICATES_ERROR)
        return fail_duplicate(options, &state->raw, state->reader, err);
    warn(options, &state->grouped);
    return BMF_OK;
}

static int split(const bmf_import_options *options, import_state *state, bmf_dataset *out, bmf_error *err)
{
    bmf_split_rule rule = {.kind = options->split, .cold_items = options->cold_items, .seed = options->seed};
    memcpy(rule.ratio, options->split_ratio, sizeof rule.ratio);
    return bmf_split_ratings(&state->grouped, state->catalogue.items.count, &rule, state->threads, out->split, err);
}

static int build_content(const bmf_import_options *options, import_state *state, bmf_dataset *out, bmf_error *err)
{
    bmf_tags_source tags = {.path = options->tags_path,
                            .max_bad_lines = options->max_bad_lines,
                            .bad_lines = out->import.bad_lines,
                            .threads = state->threads};
    bmf_users_source users = {options->users_path, options->user_columns, options->feature_weighting, state->threads};
    int status = bmf_item_content(options, &state->catalogue, &tags, &out->content, &out->import.unknown_tags, err);
    if (status == BMF_OK && options->users_path)
        status = bmf_user_content(&users, &state->raw.users, &out->user_content, err);
    return status;
}

static void hand_over(import_state *state, bmf_dataset *out)
{
    out->users = state->raw.users;
    out->items = state->catalogue.items;
    out->title = state->catalogue.title;
    state->raw.users = (bmf_ids){0};
    state->catalogue.items = (bmf_ids){0};
    state->catalogue.title = (bmf_strings){0};
}

int bmf_import(const bmf_import_options *options, bmf_dataset *out, bmf_error *err)
{
    *out = (bmf_dataset){0};
    int status = check_options(options, err);
    if (status != BMF_OK)
        return status;
    import_state state = {.threads = options->threads ? (int)options->threads : omp_get_max_threads()};
    status = read_ratings(options, &state, &out->import, err);
    if (status == BMF_OK)
        status = read_items(options, &state, err);
    if (status == BMF_OK)
        status = group(options, &state, &out->import, err);
    if (status == BMF_OK) {
        bmf_ids users = state.raw.users; /* the rest of the raw ratings makes room for the splits */
        state.raw.users = (bmf_ids){0};
        bmf_raw_ratings_clear(&state.raw);
        state.raw.users = users;
        bmf_ratings_reader_close(&state.reader);
        status = split(options, &state, out, err);
    }
    bmf_grouped_clear(&state.grouped);
    if (status == BMF_OK)
        status = build_content(options, &state, out, err);
    if (status == BMF_OK)
        hand_over(&state, out);
    else
        bmf_dataset_clear(out);
    clear_state(&state);
    return status;
}
