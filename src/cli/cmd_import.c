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

static const char *format_word(int index)
{
    static const char *const words[] = {
        [BMF_FORMAT_AUTO] = "auto", [BMF_FORMAT_CSV] = "csv", [BMF_FORMAT_DAT] = "dat", [BMF_FORMAT_TSV] = "tsv"};
    return BMF_WORD_AT(words, index);
}

static const char *split_word(int index)
{
    static const char *const words[] = {
        [BMF_SPLIT_TEMPORAL] = "temporal", [BMF_SPLIT_RANDOM] = "random", [BMF_SPLIT_NONE] = "none"};
    return BMF_WORD_AT(words, index);
}

static const char *duplicates_word(int index)
{
    static const char *const words[] = {[BMF_DUPLICATES_LAST] = "last",
                                        [BMF_DUPLICATES_FIRST] = "first",
                                        [BMF_DUPLICATES_MEAN] = "mean",
                                        [BMF_DUPLICATES_ERROR] = "error"};
    return BMF_WORD_AT(words, index);
}

static const char *tags_word(int index)
{
    static const char *const words[] = {[BMF_TAG_WORDS] = "words", [BMF_TAG_PHRASES] = "phrases"};
    return BMF_WORD_AT(words, index);
}

static const bmf_positional positionals[] = {{.name = NULL}};

static const bmf_option options[] = {
    BMF_TEXT("ratings", "FILE", settings, import.ratings_path,
             "ratings: user, item, rating and, if there, time; one a line", .required = true),
    BMF_TEXT("items", "FILE", settings, import.items_path, "catalogue: item, title, genres"),
    BMF_TEXT("tags", "FILE", settings, import.tags_path, "tags that users gave: user, item, tag"),
    BMF_TEXT("users", "FILE", settings, import.users_path,
             "what is known of the users: u.user, users.dat, or columns with a header"),
    BMF_TEXT("output", "DATA.h5", settings, output, "data set to write", .letter = 'o', .required = true),
    BMF_CHOICE("format", settings, import.format, format_word,
               "form of the text files: commas, ::, tabs, or what their first lines look like"),
    BMF_CHOICE("split", settings, import.split, split_word,
               "how each user's ratings are divided: the earliest train, at random, or all of them train"),
    BMF_RATIOS("split-ratios", "T,V,S", settings, import.split_ratio,
               "shares of train, val and test; they add up to 1"),
    BMF_FLOAT("cold-items", "FRACTION", settings, import.cold_items, 0, 1,
              "hold out all ratings of this fraction of the rated items for test", .below_high = true),
    BMF_CHOICE("duplicates", settings, import.duplicates, duplicates_word,
               "what to keep when a user rated an item twice"),
    BMF_INT("max-features", "N", settings, import.max_features, 0, INT32_MAX,
            "keep the N most frequent terms of genres, tags and titles; years, decades and columns come on top; 0: no "
            "content of items"),
    BMF_CHOICE("feature-weighting", settings, import.feature_weighting, bmf_weighting_name,
               "rare features count more, as do repeated ones, or each that an item has counts the same"),
    BMF_TEXT(
        "title-features", "LIST", settings, import.title_features,
        "features from titles: none, or some of year and decade, as in \"Toy Story (1995)\", and words, with commas "
        "between them",
        .default_text = "none"),
    BMF_CHOICE("tag-features", settings, import.tag_features, tags_word,
               "features from tags: each word of them, or each tag as a whole"),
    BMF_TEXT(
        "item-columns", "NAMES", settings, import.item_columns,
        "further columns of the items to take, by the names in the header with commas between them; =text or =number "
        "behind a name says what it holds"),
    BMF_TEXT("user-columns", "NAMES", settings, import.user_columns, "columns of the users to take, in the same way",
             .default_text = "all; of u.user and users.dat age, gender, occupation"),
    BMF_INT(
        "max-bad-lines", "N", settings, import.max_bad_lines, 0, INT64_MAX,
        "skip and report up to N lines that cannot be used, instead of giving up: ratings that cannot be read, tags of "
        "unknown items"),
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
    const bmf_path_use use[] = {
        {"--ratings", s->import.ratings_path, BMF_PATH_INPUT},
        {"--items", s->import.items_path, BMF_PATH_INPUT},
        {"--tags", s->import.tags_path, BMF_PATH_INPUT},
        {"--users", s->import.users_path, BMF_PATH_INPUT},
        {"-o", s->output, BMF_PATH_FILE},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
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
               .summary = "text files of ratings, items, tags and users to a data set",
               .usage = "--ratings FILE [--items FILE] [--tags FILE] -o DATA.h5 [options]",
               .description =
                   "Reads ratings, and if given the items' genres and tags, splits the ratings into train, "
                   "val and test, turns what is known of items and users into content, and writes one HDF5 data set. "
                   "Ends with a report on what was read.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_import,
};
