#include "cli/command.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "cli/threads.h"
#include "data/import.h"

typedef struct settings {
    bmf_common common;
    const char *output;
    bmf_import_options import;
} settings;

/* In the order of the enums that receive them. */
static const char *const formats[] = {"auto", "csv", "dat", "tsv", NULL};
static const char *const splits[] = {"temporal", "random", "none", NULL};
static const char *const duplicates[] = {"last", "first", "mean", "error", NULL};

static const bmf_positional positionals[] = {{.name = NULL}};

static const bmf_option options[] = {
    BMF_TEXT("ratings", "FILE", settings, import.ratings_path,
             "ratings: user, item, rating and, if there, time; one a line", .required = true),
    BMF_TEXT("items", "FILE", settings, import.items_path, "catalogue: item, title, genres"),
    BMF_TEXT("tags", "FILE", settings, import.tags_path, "tags that users gave: user, item, tag"),
    BMF_TEXT("output", "DATA.h5", settings, output, "data set to write", .letter = 'o', .required = true),
    BMF_CHOICE("format", settings, import.format, formats,
               "form of the text files: commas, ::, tabs, or what their first lines look like"),
    BMF_CHOICE("split", settings, import.split, splits,
               "how each user's ratings are divided: the earliest train, at random, or all of them train"),
    BMF_RATIOS("split-ratios", "T,V,S", settings, import.split_ratio,
               "shares of train, val and test; they add up to 1"),
    BMF_FLOAT("cold-items", "FRACTION", settings, import.cold_items, 0, 1,
              "hold out all ratings of this fraction of the rated items for test", .below_high = true),
    BMF_CHOICE("duplicates", settings, import.duplicates, duplicates, "what to keep when a user rated an item twice"),
    BMF_INT("max-features", "N", settings, import.max_features, 0, INT32_MAX,
            "keep the N most frequent terms of genres and tags; 0: no content"),
    BMF_INT("max-bad-lines", "N", settings, import.max_bad_lines, 0, INT64_MAX,
            "skip and report up to N lines of the ratings that cannot be read, instead of giving up"),
    BMF_INT("seed", "N", settings, import.seed, 0, INT64_MAX,
            "seed of the random split and of the choice of cold items"),
    BMF_INT("threads", "T", settings, import.threads, 1, BMF_THREADS_MAX, "threads",
            .default_text = BMF_THREADS_DEFAULT_ALONE),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.import = bmf_import_defaults()};
}

/* What would fail after the work, or destroy its input, fails now. */
static int check_paths(const settings *s, bmf_error *err)
{
    const char *inputs[] = {s->import.ratings_path, s->import.items_path, s->import.tags_path};
    for (int i = 0; i < 3; i++) {
        int status = bmf_path_check_distinct(s->output, inputs[i], err);
        if (status == BMF_OK)
            status = bmf_path_check_distinct(s->common.json, inputs[i], err);
        if (status != BMF_OK)
            return status;
    }
    int status = bmf_path_check_output(s->output, false, err);
    return status != BMF_OK ? status : bmf_path_check_output(s->common.json, true, err);
}

static int run_import(const bmf_run *run, bmf_error *err)
{
    const settings *s = run->settings;
    bmf_dataset dataset = {0};
    int status = check_paths(s, err);
    if (status != BMF_OK)
        return status;
    status = bmf_import(&s->import, &dataset, err);
    if (status == BMF_OK)
        status = bmf_report_and_write(s->output, s->common.json, &dataset, run->output, err);
    bmf_dataset_clear(&dataset);
    return status;
}

const bmf_command bmf_command_import = {
    .syntax = {.command = "import",
               .summary = "text files of ratings, items and tags to a data set",
               .usage = "--ratings FILE [--items FILE] [--tags FILE] -o DATA.h5 [options]",
               .description = "Reads ratings, and if given the items' genres and tags, splits the ratings into train, "
                              "val and test, turns genres and tags into TF-IDF content, and writes one HDF5 data set. "
                              "Ends with a report on what was read.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_import,
};
