#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/command.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "data/synth.h"
#include "data/synth_plan.h"

typedef struct settings {
    bmf_common common;
    const char *output, *csv;
    bmf_synth_options synth;
} settings;

static const bmf_positional positionals[] = {{.name = NULL}};

static const bmf_option options[] = {
    BMF_TEXT("output", "DATA.h5", settings, output, "write a data set", .letter = 'o'),
    BMF_TEXT(
        "csv", "DIR", settings, csv,
        "write ratings.csv, movies.csv and tags.csv in MovieLens form into this directory instead, and users.csv with "
        "--user-features"),
    BMF_INT("users", "M", settings, synth.users, 1, INT64_C(1) << 40, "number of users", .required = true),
    BMF_INT("items", "N", settings, synth.items, 1, INT32_MAX, "number of items", .required = true),
    BMF_INT("ratings", "R", settings, synth.ratings, 1, INT64_MAX,
            "number of ratings: at least one a user, at most users times items", .required = true),
    BMF_INT("factors", "K", settings, synth.factors, 1, BMF_SYNTH_MAX_FACTORS, "rank of the planted truth"),
    BMF_INT("features", "F", settings, synth.features, 0, BMF_SYNTH_MAX_FEATURES,
            "genres and tags that the items carry; 0: no content"),
    BMF_INT("user-features", "G", settings, synth.user_features, 0, BMF_SYNTH_MAX_FEATURES,
            "groups that users belong to and that their tastes follow, at most as many as users; 0: none"),
    BMF_FLOAT("noise", "SD", settings, synth.noise, 0, 5, "standard deviation, in stars, of what no model can explain"),
    BMF_RATIOS("split-ratios", "T,V,S", settings, synth.split_ratio,
               "with -o: shares of train, val and test, in time; they add up to 1"),
    BMF_INT("seed", "N", settings, synth.seed, 0, INT64_MAX, "the same seed and sizes give the same data"),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.synth = bmf_synth_defaults()};
}

static int write_dataset(const settings *s, bmf_output *output, bmf_error *err)
{
    bmf_dataset dataset = {0};
    const bmf_path_use use[] = {{"-o", s->output, BMF_PATH_FILE}, {"--json", s->common.json, BMF_PATH_STREAM}};
    int status = bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
    if (status != BMF_OK)
        return status;
    status = bmf_synth(&s->synth, &dataset, err);
    if (status == BMF_OK)
        status = bmf_report_and_write(s->output, s->common.json, &dataset, output, err);
    bmf_dataset_clear(&dataset);
    return status;
}

static json_t *csv_json(const settings *s)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "csv", s->csv);
    bmf_json_int(&json, "users", s->synth.users);
    bmf_json_int(&json, "items", s->synth.items);
    bmf_json_int(&json, "ratings", s->synth.ratings);
    bmf_json_int(&json, "features", s->synth.features);
    bmf_json_int(&json, "user_features", s->synth.user_features);
    bmf_json_int(&json, "seed", (int64_t)s->synth.seed);
    return bmf_json_done(&json);
}

/* The directory, which may have to be made, and the files in it. */
static int check_csv_paths(const settings *s, bmf_error *err)
{
    char ratings[PATH_MAX], movies[PATH_MAX], tags[PATH_MAX], users[PATH_MAX];
    const struct {
        const char *name;
        char *path;
    } files[] = {{"ratings.csv", ratings}, {"movies.csv", movies}, {"tags.csv", tags}, {"users.csv", users}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (snprintf(files[i].path, PATH_MAX, "%s/%s", s->csv, files[i].name) >= PATH_MAX)
            return bmf_fail(err, BMF_ERR_IO, "cannot write into %s: %s", s->csv, strerror(ENAMETOOLONG));
    const bmf_path_use use[] = {
        {"--csv", s->csv, BMF_PATH_MADE},
        {"--csv", ratings, BMF_PATH_MADE},
        {"--csv", movies, BMF_PATH_MADE},
        {"--csv", tags, BMF_PATH_MADE},
        {"--csv", s->synth.user_features > 0 ? users : NULL, BMF_PATH_MADE},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int write_csv(const settings *s, bmf_output *output, bmf_error *err)
{
    int status = check_csv_paths(s, err);
    if (status == BMF_OK)
        status = bmf_synth_write_csv(&s->synth, s->csv, err);
    if (status != BMF_OK)
        return status;
    bmf_output_print(output,
                     "%" PRId64 " ratings of %" PRId64 " users and %" PRId64 " items written to %s/ratings.csv, "
                     "movies.csv, tags.csv%s\n",
                     s->synth.ratings, s->synth.users, s->synth.items, s->csv,
                     s->synth.user_features > 0 ? ", users.csv" : "");
    return bmf_json_write(csv_json(s), s->common.json, output, err);
}

static int run_synth(const bmf_run *run, bmf_error *err)
{
    const settings *s = run->settings;
    if (!s->output == !s->csv)
        return bmf_fail(err, BMF_ERR_USAGE, "give one of -o DATA.h5 and --csv DIR");
    if (s->csv && bmf_options_given(&bmf_command_synth.syntax, run->given, "split-ratios"))
        return bmf_fail(err, BMF_ERR_USAGE, "--split-ratios goes with -o; text files are split by import");
    int status = bmf_synth_check(&s->synth, err);
    if (status != BMF_OK)
        return status;
    return s->csv ? write_csv(s, run->output, err) : write_dataset(s, run->output, err);
}

const bmf_command bmf_command_synth = {
    .syntax = {.command = "synth",
               .summary = "planted data of any size, as a data set or as text files",
               .usage = "--users M --items N --ratings R (-o DATA.h5 | --csv DIR) [options]",
               .description =
                   "Makes ratings from a known low-rank truth with biases and content, with popular and rare "
                   "items and busy and quiet users, so that what a model finds can be compared with what is "
                   "there.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_synth,
};
