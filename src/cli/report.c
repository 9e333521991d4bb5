#include "cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "base/printable.h"
#include "cli/paths.h"
#include "store/dataset_file.h"

#define COLUMNS (BMF_SPLITS + 1) /* the splits, and all of them together */

static const bmf_split_report *column_of(const bmf_dataset_report *report, int column)
{
    return column < BMF_SPLITS ? &report->split[column] : &report->all;
}

/* Rows of counts and of values, by the place of the number in bmf_split_report. */
typedef struct row {
    const char *label, *key;
    size_t offset;
} row;

static const row count_rows[] = {
    {"ratings", "ratings", offsetof(bmf_split_report, ratings)},
    {"users", "users", offsetof(bmf_split_report, users)},
    {"items", "items", offsetof(bmf_split_report, items)},
    {"missing", "missing", offsetof(bmf_split_report, missing)},
    {"zero or negative", "not_positive", offsetof(bmf_split_report, not_positive)},
};
static const row value_rows[] = {
    {"minimum", "minimum", offsetof(bmf_split_report, minimum)},
    {"maximum", "maximum", offsetof(bmf_split_report, maximum)},
    {"mean", "mean", offsetof(bmf_split_report, mean)},
};
#define COUNT_ROWS (sizeof count_rows / sizeof *count_rows)
#define VALUE_ROWS (sizeof value_rows / sizeof *value_rows)

static int64_t count_of(const bmf_split_report *split, const row *r)
{
    return *(const int64_t *)((const char *)split + r->offset);
}

/* Ranges and means of no ratings do not exist. */
static double value_of(const bmf_split_report *split, const row *r)
{
    return split->ratings > 0 ? *(const double *)((const char *)split + r->offset) : (double)NAN;
}

static void print_table(bmf_output *output, const bmf_dataset_report *report)
{
    char number[32];
    bmf_output_print(output, "%-18s", "");
    for (int c = 0; c < COLUMNS; c++)
        bmf_output_print(output, "%14s", c < BMF_SPLITS ? bmf_split_name((bmf_split)c) : "all");
    for (size_t r = 0; r < COUNT_ROWS; r++) {
        bmf_output_print(output, "\n%-18s", count_rows[r].label);
        for (int c = 0; c < COLUMNS; c++)
            bmf_output_print(output, "%14" PRId64, count_of(column_of(report, c), &count_rows[r]));
    }
    for (size_t r = 0; r < VALUE_ROWS; r++) {
        bmf_output_print(output, "\n%-18s", value_rows[r].label);
        for (int c = 0; c < COLUMNS; c++)
            bmf_output_print(output, "%14s",
                             bmf_output_number(value_of(column_of(report, c), &value_rows[r]), 4, number));
    }
    bmf_output_print(output, "\n");
}

/* Texts in a file shall not begin lines of their own. */
static bmf_import_record printable(const bmf_import_record *record)
{
    bmf_import_record out = *record;
    bmf_printable(record->source, NULL, out.source, sizeof out.source);
    bmf_printable(record->format, NULL, out.format, sizeof out.format);
    bmf_printable(record->split, NULL, out.split, sizeof out.split);
    bmf_printable(record->duplicates, NULL, out.duplicates, sizeof out.duplicates);
    bmf_printable(record->feature_weighting, NULL, out.feature_weighting, sizeof out.feature_weighting);
    bmf_printable(record->title_features, NULL, out.title_features, sizeof out.title_features);
    bmf_printable(record->tag_features, NULL, out.tag_features, sizeof out.tag_features);
    bmf_printable(record->item_columns, NULL, out.item_columns, sizeof out.item_columns);
    bmf_printable(record->users, NULL, out.users, sizeof out.users);
    bmf_printable(record->user_columns, NULL, out.user_columns, sizeof out.user_columns);
    return out;
}

void bmf_import_record_print(bmf_output *output, const bmf_import_record *record)
{
    bmf_import_record text = printable(record);
    bmf_output_print(output, "%-18s%s (%s)\n", "source", text.source, text.format);
    bmf_output_print(output, "%-18s%s %g,%g,%g, cold items %g, seed %" PRId64 "\n", "split", text.split,
                     record->split_ratio[BMF_TRAIN], record->split_ratio[BMF_VAL], record->split_ratio[BMF_TEST],
                     record->cold_items, record->seed);
    bmf_output_print(output, "%-18s%" PRId64 " (kept: %s)\n", "duplicates", record->duplicate_ratings, text.duplicates);
    bmf_output_print(output, "%-18s%" PRId64 "\n", "bad lines skipped", record->bad_lines);
    bmf_output_print(output, "%-18s%" PRId64 "\n", "unknown tags", record->unknown_tags);
    bmf_output_print(output, "%-18s%s, title %s, tags as %s%s%s\n", "features", text.feature_weighting,
                     text.title_features, text.tag_features, *text.item_columns ? ", columns " : "", text.item_columns);
    if (*text.users)
        bmf_output_print(output, "%-18s%s%s%s\n", "users from", text.users, *text.user_columns ? ", columns " : "",
                         text.user_columns);
}

void bmf_report_print(bmf_output *output, const bmf_dataset *dataset, const bmf_dataset_report *report)
{
    print_table(output, report);
    bmf_output_print(output, "\n%-18s%s\n", "totals consistent", report->totals_consistent ? "yes" : "no");
    bmf_output_print(output, "%-18s%" PRId64 " users x %" PRId64 " items, sparsity %.6f\n", "matrix", report->users,
                     report->items, report->sparsity);
    bmf_output_print(output, "%-18s%" PRId64 " features, %" PRId64 " items without content\n", "content",
                     report->features, report->items_without_content);
    if (report->user_features > 0)
        bmf_output_print(output, "%-18s%" PRId64 " features, %" PRId64 " users without content\n", "user content",
                         report->user_features, report->users_without_content);
    bmf_import_record_print(output, &dataset->import);
}

static json_t *split_json(const bmf_split_report *split)
{
    bmf_json json = bmf_json_start();
    for (size_t r = 0; r < COUNT_ROWS; r++)
        bmf_json_int(&json, count_rows[r].key, count_of(split, &count_rows[r]));
    for (size_t r = 0; r < VALUE_ROWS; r++)
        bmf_json_number(&json, value_rows[r].key, value_of(split, &value_rows[r]));
    return bmf_json_done(&json);
}

static json_t *ratios_json(const double ratio[BMF_SPLITS])
{
    bmf_json json = bmf_json_start();
    for (int s = 0; s < BMF_SPLITS; s++)
        bmf_json_number(&json, bmf_split_name((bmf_split)s), ratio[s]);
    return bmf_json_done(&json);
}

json_t *bmf_import_record_json(const bmf_import_record *record)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "source", record->source);
    bmf_json_text(&json, "format", record->format);
    bmf_json_text(&json, "split", record->split);
    bmf_json_put(&json, "split_ratios", ratios_json(record->split_ratio));
    bmf_json_number(&json, "cold_items", record->cold_items);
    bmf_json_text(&json, "duplicates", record->duplicates);
    bmf_json_int(&json, "duplicate_ratings", record->duplicate_ratings);
    bmf_json_int(&json, "bad_lines", record->bad_lines);
    bmf_json_int(&json, "unknown_tags", record->unknown_tags);
    bmf_json_int(&json, "max_features", record->max_features);
    bmf_json_int(&json, "seed", record->seed);
    bmf_json_text(&json, "feature_weighting", record->feature_weighting);
    bmf_json_text(&json, "title_features", record->title_features);
    bmf_json_text(&json, "tag_features", record->tag_features);
    bmf_json_text(&json, "item_columns", record->item_columns);
    bmf_json_text(&json, "users", record->users);
    bmf_json_text(&json, "user_columns", record->user_columns);
    return bmf_json_done(&json);
}

json_t *bmf_report_json(const char *path, const bmf_dataset *dataset, const bmf_dataset_report *report)
{
    bmf_json json = bmf_json_start(), splits = bmf_json_start();
    for (int s = 0; s < BMF_SPLITS; s++)
        bmf_json_put(&splits, bmf_split_name((bmf_split)s), split_json(&report->split[s]));
    bmf_json_text(&json, "dataset", path);
    bmf_json_int(&json, "users", report->users);
    bmf_json_int(&json, "items", report->items);
    bmf_json_int(&json, "features", report->features);
    bmf_json_int(&json, "items_without_content", report->items_without_content);
    bmf_json_int(&json, "user_features", report->user_features);
    bmf_json_int(&json, "users_without_content", report->users_without_content);
    bmf_json_number(&json, "sparsity", report->sparsity);
    bmf_json_bool(&json, "totals_consistent", report->totals_consistent);
    bmf_json_put(&json, "splits", bmf_json_done(&splits));
    bmf_json_put(&json, "all", split_json(&report->all));
    bmf_json_put(&json, "import", bmf_import_record_json(&dataset->import));
    return bmf_json_done(&json);
}

int bmf_report_and_write(const char *path, const char *json, const bmf_dataset *dataset, bmf_output *output,
                         bmf_error *err)
{
    bmf_dataset_report report = bmf_dataset_report_of(dataset);
    if (report.no_memory)
        return bmf_fail(err, BMF_ERR_MEMORY, "report: no memory for the check of %" PRId64 " items", report.items);
    bmf_report_print(output, dataset, &report);
    if (!report.totals_consistent)
        return bmf_fail(err, BMF_ERR_INTERNAL, "the splits do not add up to the ratings read; %s is not written", path);
    int status = bmf_dataset_write(path, dataset, err);
    if (status != BMF_OK)
        return status;
    bmf_output_print(output, "%-18s%s (%lld bytes)\n", "written", path, bmf_path_bytes(path));
    return bmf_json_write(bmf_report_json(path, dataset, &report), json, output, err);
}
