#include <inttypes.h>
#include <string.h>

#include "cli/paths.h"
#include "cli/recommend.h"
#include "cli/threads.h"

#define MIB (1 << 20)

typedef struct settings {
    bmf_common common;
    double stall_timeout;
    int64_t memory; /* MiB */
    bmf_recommend_options recommend;
} settings;

static const bmf_positional positionals[] = {
    {.name = "MODEL.h5",
     .offset = offsetof(settings, recommend.model),
     .help = "model or checkpoint that train has written"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_TEXT("user", "ID", settings, recommend.user, "recommend to this user"),
    BMF_TEXT("users", "FILE", settings, recommend.users,
             "recommend to the users of this file: an id a line, with or without a header; - reads standard input"),
    BMF_FLAG("all-users", settings, recommend.all_users, "recommend to all users of the model"),
    BMF_TEXT(
        "ratings", "FILE", settings, recommend.ratings,
        "recommend to somebody new, who gave these ratings: item, rating, one a line; what is rated there is left out; "
        "- reads standard input"),
    BMF_INT("top", "N", settings, recommend.top, 1, 100000, "items for each user"),
    BMF_TEXT("exclude", "DATA.h5", settings, recommend.exclude,
             "leave out what the user has rated in any split of this data set"),
    BMF_TEXT("titles", "DATA.h5", settings, recommend.titles, "add a column with the items' titles from this data set"),
    BMF_TEXT(
        "new-items", "FILE", settings, recommend.new_items,
        "rank also these items, which the model has not seen, by their genres: a file like that of import --items"),
    BMF_TEXT("output", "FILE", settings, recommend.output, "write the lists to this file instead of standard output",
             .letter = 'o'),
    BMF_INT("threads", "T", settings, recommend.threads, 1, BMF_THREADS_MAX, "threads per rank",
            .default_text = BMF_THREADS_DEFAULT),
    BMF_INT("memory", "MIB", settings, memory, 1, INT64_MAX / MIB,
            "MiB that a rank may take for the work beside the model and the ids", ),
    BMF_STALL_OPTION(settings),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.memory = 256, .recommend = {.top = 10}};
}

static int check_settings(const settings *s, int ranks, bmf_error *err)
{
    const bmf_recommend_options *o = &s->recommend;
    int ways = (o->user != NULL) + (o->users != NULL) + o->all_users + (o->ratings != NULL);
    if (ways != 1)
        return bmf_fail(err, BMF_ERR_USAGE, "give one of --user ID, --users FILE, --all-users and --ratings FILE");
    if (o->ratings && o->exclude)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--exclude goes with users of the model; what --ratings has is left out anyway");
    const char *list = o->users ? o->users : o->ratings;
    if (ranks > 1 && list && strcmp(list, "-") == 0)
        return bmf_fail(err, BMF_ERR_USAGE, "%s - reads standard input, which one rank only has; give a file",
                        o->users ? "--users" : "--ratings");
    return BMF_OK;
}

/* What would fail after the work, or destroy its input, fails now. */
static int check_paths(const settings *s, bmf_error *err)
{
    const bmf_recommend_options *o = &s->recommend;
    const bmf_path_use use[] = {
        {"MODEL.h5", o->model, BMF_PATH_INPUT},    {"--users", o->users, BMF_PATH_INPUT},
        {"--ratings", o->ratings, BMF_PATH_INPUT}, {"--exclude", o->exclude, BMF_PATH_INPUT},
        {"--titles", o->titles, BMF_PATH_INPUT},   {"--new-items", o->new_items, BMF_PATH_INPUT},
        {"-o", o->output, BMF_PATH_STREAM},        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int run_recommend(const bmf_run *run, bmf_error *err)
{
    settings *s = run->settings;
    const int ranks = run->comm ? bmf_comm_size(run->comm) : 1;
    if (s->recommend.threads == 0)
        s->recommend.threads = bmf_threads_default(ranks);
    s->recommend.memory = s->memory * MIB;
    s->recommend.json = s->common.json;
    int status = run->comm ? bmf_run_watch_stalls(run, "recommend", s->stall_timeout, err) : BMF_OK;
    if (status == BMF_OK)
        status = check_settings(s, ranks, err);
    if (status != BMF_OK)
        return status;
    if (run->root)
        check_paths(s, err);
    status = bmf_run_share(run, err);
    return status == BMF_OK ? bmf_recommend(run, &s->recommend, err) : status;
}

const bmf_command bmf_command_recommend = {
    .syntax =
        {.command = "recommend",
         .summary = "the items that a model expects users to like best",
         .usage = "MODEL.h5 --user ID|--users FILE|--all-users|--ratings FILE [options]",
         .description =
             "Writes user, rank, item, score (the predicted rating) and what it rests on (basis), best first, equal "
             "scores in the order of the items' ids. Runs alone or under mpirun, where the ranks share the users, with "
             "the same result.",
         .positionals = positionals,
         .options = options},
    .settings_size = sizeof(settings),
    .parallel = true,
    .alone_without_mpi = true,
    .defaults = defaults,
    .run = run_recommend,
};
