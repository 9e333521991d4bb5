#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/path.h"
#include "cli/command.h"
#include "cli/epochs.h"
#include "cli/paths.h"
#include "cli/plan.h"
#include "cli/signals.h"
#include "cli/threads.h"
#include "store/atomic_file.h"
#include "train/train.h"

#define MIB (1024.0 * 1024.0)
#define OF_ALL_FACTORS "that of --regularization"
#define OF_ALL_BIASES "that of --bias-regularization"
#define CHECKPOINT_EVERY "60s"
#define PLAN_SECONDS 1
#define BYTES_PER_GBIT 1.25e8
#define OF_PLAN "for --plan: "

typedef struct settings {
    bmf_common common;
    double stall_timeout; /* seconds; 0: none */
    const char *log, *checkpoint_every;
    bmf_train_files files;
    bmf_train_options train;
    bool plan;
    int64_t plan_ranks;                  /* 0: those that are here */
    double plan_bandwidth, plan_latency; /* Gbit/s, µs */
} settings;

static const char *content_word(int index)
{
    return index <= BMF_CONTENT_EMBED ? bmf_content_mode_name((bmf_content_mode)index) : NULL;
}

static const char *updates_word(int index)
{
    return index < BMF_UPDATES ? bmf_content_updates_name((bmf_content_updates)index) : NULL;
}

static const char *user_content_word(int index)
{
    return index < BMF_USER_CONTENTS ? bmf_user_content_name((bmf_user_content)index) : NULL;
}

static const char *schedule_word(int index)
{
    return index < BMF_SCHEDULES ? bmf_schedule_name((bmf_schedule)index) : NULL;
}

static const char *merge_word(int index)
{
    return index < BMF_MERGE_RULES ? bmf_merge_rule_name((bmf_merge_rule)index) : NULL;
}

static const char *precision_word(int index)
{
    return index < BMF_PRECISIONS ? bmf_merge_precision_name((bmf_merge_precision)index) : NULL;
}

static const char *time_word(int index)
{
    return index < BMF_TIME_MODES ? bmf_time_mode_name((bmf_time_mode)index) : NULL;
}

static const char *io_word(int index)
{
    return index < BMF_IOS ? bmf_model_io_name((bmf_model_io)index) : NULL;
}

static const bmf_positional positionals[] = {
    {.name = "DATA.h5",
     .offset = offsetof(settings, files.dataset),
     .help = "data set that import or synth has written"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_TEXT("output", "MODEL.h5", settings, files.model, "model to write: the best epoch, not the last", .letter = 'o',
             .default_text = "none, and needed unless --plan is given"),
    BMF_CHOICE("content", settings, train.content, content_word,
               "how content enters: not at all, one weight per user and feature, or factors of each feature, which its "
               "items share"),
    BMF_CHOICE(
        "content-updates", settings, train.content_updates, updates_word,
        "when the factors of features move (embed): at each merge, or at every rating, which is the slow form for "
        "comparison, on one thread of one process"),
    BMF_CHOICE("user-content", settings, train.user_content, user_content_word,
               "how features of users enter, if the data set has them: not at all, or by factors and a bias of each "
               "feature, which its users share"),
    BMF_FLAG("implicit-feedback", settings, train.implicit_feedback,
             "which items a user has training ratings of says something of him, whatever the ratings: items have "
             "factors as features of users too (SVD++)"),
    BMF_INT("factors", "K", settings, train.factors, 1, 4096, "latent factors of a user and an item"),
    BMF_INT("epochs", "E", settings, train.epochs, 1, 1000000, "most epochs to run"),
    BMF_FLOAT("learning-rate", "ETA", settings, train.learning_rate, 0, 10, "step length of SGD", .above_low = true),
    BMF_FLOAT("bias-learning-rate", "ETA", settings, train.bias_learning_rate, 0, 10, "step length for the biases",
              .above_low = true, .default_text = "that of --learning-rate"),
    BMF_CHOICE(
        "schedule", settings, train.schedule, schedule_word,
        "how the learning rate goes on: times the decay; 5 % up after a better epoch and half after a worse one; or "
        "falling on each row with the work done on it"),
    BMF_FLOAT("learning-rate-decay", "D", settings, train.learning_rate_decay, 0, 1,
              "the learning rates are multiplied by D after each epoch", .above_low = true),
    BMF_FLOAT("regularization", "LAMBDA", settings, train.regularization, 0, 10,
              "L2 penalty of the factors; given without those below, of everything"),
    BMF_FLOAT("bias-regularization", "LAMBDA", settings, train.bias_regularization, 0, 10, "L2 penalty of the biases"),
    BMF_FLOAT("user-regularization", "LAMBDA", settings, train.user_regularization, 0, 10, "L2 penalty of P alone",
              .default_text = OF_ALL_FACTORS),
    BMF_FLOAT("item-regularization", "LAMBDA", settings, train.item_regularization, 0, 10, "L2 penalty of Q alone",
              .default_text = OF_ALL_FACTORS),
    BMF_FLOAT("user-bias-regularization", "LAMBDA", settings, train.user_bias_regularization, 0, 10,
              "L2 penalty of the users' biases", .default_text = OF_ALL_BIASES),
    BMF_FLOAT("item-bias-regularization", "LAMBDA", settings, train.item_bias_regularization, 0, 10,
              "L2 penalty of the items' biases", .default_text = OF_ALL_BIASES),
    BMF_FLOAT("regularization-scaling", "A", settings, train.regularization_scaling, 0, 1,
              "penalties of a user or item with n ratings go with (1/n)^A, the mean over the ratings stays"),
    BMF_FLOAT("content-regularization", "LAMBDA", settings, train.content_regularization, 0, 10,
              "L2 penalty of the content weights, and of what features of users have"),
    BMF_INT("content-svd", "D", settings, train.content_svd, 0, BMF_CONTENT_SVD_MOST,
            "reduce the content to D features by truncated SVD; 0: use it as it is"),
    BMF_FLOAT("content-weight", "C", settings, train.content_weight, 0, 1000, "content rows are multiplied by C"),
    BMF_FLOAT("user-content-weight", "C", settings, train.user_content_weight, 0, 1000,
              "rows of features of users are multiplied by C"),
    BMF_CHOICE("time-effects", settings, train.time_effects, time_word,
               "biases that drift with time, fitted before the first epoch: an effect of each item in each range of "
               "time, a slope of each user, both; the ratings must have times"),
    BMF_INT("time-bins", "B", settings, train.time_bins, 1, 10000,
            "ranges of time with about as many ratings each, for the effects of items"),
    BMF_FLOAT("time-item-damping", "A", settings, train.time_item_damping, 0, 1e9,
              "ratings of an item in one range that count for half", .above_low = true),
    BMF_FLOAT("time-user-damping", "A", settings, train.time_user_damping, 0, 1e9,
              "sum of a user's squared deviations in time, |days|^0.8, that counts for half", .above_low = true),
    BMF_FLOAT("init-std", "SD", settings, train.init_std, 0, 10,
              "standard deviation of the first factors and content weights"),
    BMF_FLOAT("clip", "D", settings, train.clip, 0, 1e6, "bound on every single change of a parameter",
              .above_low = true),
    BMF_INT("patience", "N", settings, train.patience, 0, 1000000,
            "stop after N epochs without a better validation loss; 0: never"),
    BMF_INT("threads", "T", settings, train.threads, 1, BMF_THREADS_MAX,
            "threads per rank; results repeat to the bit for the same ranks and threads, and differ a little between "
            "numbers of them",
            .default_text = BMF_THREADS_DEFAULT),
    BMF_CHOICE("merge", settings, train.merge, merge_word, "how the item parameters of several ranks become one"),
    BMF_INT("merges-per-epoch", "S", settings, train.merges_per_epoch, 1, 100000,
            "merges in an epoch; auto: from the numbers of copies, items and ratings, more the more copies there are "
            "while merging stays a small share of the work",
            .zero_word = "auto", .default_text = "auto"),
    BMF_CHOICE(
        "merge-precision", settings, train.merge_precision, precision_word,
        "numbers that hosts send each other in a merge: fewer bits are fewer bytes, and a little noise; within a "
        "host they are float32"),
    BMF_INT("ranks-per-host", "N", settings, train.merge_group, 1, 1000000,
            "N consecutive ranks count as a host; auto: those that share memory do", .zero_word = "auto",
            .default_text = "auto"),
    BMF_FLAG(
        "exact-train-loss", settings, train.exact_train_loss,
        "take train_mse in a pass of its own with the parameters that the epoch ends with; else it is the mean error "
        "of each rating just before its own step"),
    BMF_CHOICE(
        "io", settings, train.io, io_word,
        "who writes the model: rank 0, or all ranks by MPI-IO, which only a parallel file system with many ranks "
        "rewards"),
    BMF_INT("seed", "N", settings, train.seed, 0, INT64_MAX, "seed of the first values and orders"),
    BMF_TEXT("checkpoint", "FILE", settings, files.checkpoint,
             "save what training has come to in this file, as training goes and when it stops: a model with all that "
             "--resume needs; the one before it is kept as FILE.previous"),
    BMF_TEXT("checkpoint-every", "E|Ss", settings, checkpoint_every,
             "a checkpoint after every E epochs, or once S seconds have passed since the last one, as in 5 or 600s",
             .default_text = CHECKPOINT_EVERY),
    BMF_FLAG("resume", settings, files.resume,
             "go on from the checkpoint, on any numbers of ranks and threads; from the start if there is none yet"),
    BMF_FLOAT("max-seconds", "S", settings, train.max_seconds, 0, 1e9,
              "save and stop (exit code 7) once training has taken S seconds, with reading; 0: never"),
    BMF_TEXT("log-json", "FILE", settings, log,
             "write one JSON object per epoch and line to this file, as training goes"),
    BMF_FLAG("plan", settings, plan,
             "do not train: rehearse a second of it, and say what an epoch will take, in time and memory, and how many "
             "ranks are worth having"),
    BMF_INT("plan-ranks", "R", settings, plan_ranks, 1, 1000000,
            OF_PLAN "of a run on R ranks, though there is one here; --ranks-per-host says how they share hosts",
            .default_text = "those that are here"),
    BMF_FLOAT("plan-bandwidth", "GBIT", settings, plan_bandwidth, 0, 1e5,
              OF_PLAN "what a host sends to others, in Gbit/s", .above_low = true),
    BMF_FLOAT("plan-latency", "US", settings, plan_latency, 0, 1e6,
              OF_PLAN "what a message between hosts takes at least, in microseconds"),
    BMF_STALL_OPTION(settings),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.train = bmf_train_defaults(), .plan_bandwidth = 10, .plan_latency = 50};
    s->train.threads = 0; /* known when the number of ranks is */
}

/* Where epochs are told as they end. */
typedef struct telling {
    bmf_output *output;
    const char *log_path;
    bool append; /* to a log that an earlier part of the run began */
    bmf_train_plan plan;
    bool told_memory;
    FILE *log; /* opened at the first epoch, so that a run that never starts leaves no log */
    bool log_failed;
    bmf_error err; /* first failure of the log */
} telling;

static void fail_log(telling *t)
{
    t->log_failed = true;
    bmf_fail(&t->err, BMF_ERR_IO, "cannot write %s: %s", t->log_path, strerror(errno));
}

/* Says what was decided, and what memory it takes on the rank that holds the most. */
static void tell_plan(const bmf_train_plan *plan, void *context)
{
    telling *t = context;
    t->plan = *plan;
    char parts[512];
    int length = 0;
    for (int p = 0; p < BMF_MEMORY_PARTS; p++)
        length += snprintf(parts + length, sizeof parts - (size_t)length, "%s%s %.1f", p > 0 ? ", " : "",
                           bmf_memory_part_name((bmf_memory_part)p), (double)plan->memory.bytes[p] / MIB);
    bmf_log_info("merges per epoch: %" PRId64 "; memory of training, MiB on a rank: %.1f (%s)", plan->merges_per_epoch,
                 (double)bmf_memory_plan_total(&plan->memory) / MIB, parts);
    if (!plan->copies)
        bmf_log_info("the item side is too large for a copy for each thread: threads share it, and runs differ in the "
                     "last digits");
}

/* One line; takes the object. */
static void log_line(telling *t, json_t *json)
{
    if (!t->log && !(t->log = fopen(t->log_path, t->append ? "a" : "w"))) {
        json_decref(json);
        fail_log(t);
        return;
    }
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (!text)
        errno = ENOMEM;
    if (!text || fprintf(t->log, "%s\n", text) < 0 || fflush(t->log) != 0)
        fail_log(t);
    free(text);
    json_decref(json);
}

/* Training is not ended by a log or a reader that went away; it is reported after the model is saved. */
static void observe(const bmf_epoch_record *record, bool best, void *context)
{
    telling *t = context;
    bmf_epoch_print(t->output, record);
    if (!t->log_path || t->log_failed)
        return;
    bmf_json json = {.object = bmf_epoch_json(record)};
    bmf_json_bool(&json, "best", best);
    if (!t->told_memory)
        bmf_json_put(&json, "memory", bmf_memory_json(&t->plan.memory));
    t->told_memory = true;
    log_line(t, bmf_json_done(&json));
}

/* Everything that would fail after hours is looked at now. */
static int check_paths(const settings *s, bmf_error *err)
{
    char previous[PATH_MAX + 16];
    snprintf(previous, sizeof previous, "%s" BMF_PREVIOUS_SUFFIX, s->files.checkpoint ? s->files.checkpoint : "");
    const bmf_path_use use[] = {
        {"DATA.h5", s->files.dataset, BMF_PATH_INPUT},
        {"-o", s->files.model, BMF_PATH_FILE},
        {"--checkpoint", s->files.checkpoint, BMF_PATH_FILE},
        {"--checkpoint, for the one before", s->files.checkpoint ? previous : NULL, BMF_PATH_OLDER},
        {"--json", s->common.json, BMF_PATH_STREAM},
        {"--log-json", s->log, BMF_PATH_STREAM},
    };
    if (s->log && strcmp(s->log, "-") == 0)
        return bmf_fail(err, BMF_ERR_USAGE, "--log-json needs a file; epochs are printed to stdout anyway");
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

/* On rank 0, before the work: checks the paths, reads the data set through once, so that damage anywhere in it is met
 * now and not when the model is saved, and says what is going to happen. */
static int announce(const bmf_run *run, const settings *s, int ranks, bmf_error *err)
{
    bmf_dataset_file *file = NULL;
    int status = check_paths(s, err);
    if (status != BMF_OK)
        return status;
    status = bmf_dataset_file_open(s->files.dataset, &file, err);
    if (status != BMF_OK)
        return status;
    bmf_dataset_shape shape = bmf_dataset_file_shape(file);
    bmf_dataset_file_close(&file);
    bmf_content_mode content = shape.features > 0 ? s->train.content : BMF_CONTENT_NONE;
    bmf_log_info("%s: %" PRId64 " users x %" PRId64 " items, %" PRId64 " train and %" PRId64 " val ratings, %" PRId64
                 " features; %d rank%s x %" PRId64 " thread%s, content %s, %" PRId64 " factors",
                 bmf_base_name(s->files.dataset), shape.users, shape.items, shape.ratings[BMF_TRAIN],
                 shape.ratings[BMF_VAL], shape.features, ranks, ranks == 1 ? "" : "s", s->train.threads,
                 s->train.threads == 1 ? "" : "s", bmf_content_mode_name(content), s->train.factors);
    if (shape.user_features > 0)
        bmf_log_info("%" PRId64 " features of users: %s", shape.user_features,
                     bmf_user_content_name(s->train.user_content));
    else if (s->train.user_content == BMF_USER_CONTENT_EMBED &&
             bmf_options_given(&bmf_command_train.syntax, run->given, "user-content"))
        bmf_log_warning("%s has no features of users for --user-content embed", bmf_base_name(s->files.dataset));
    return BMF_OK;
}

static json_t *result_json(const settings *s, const bmf_train_result *result)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "model", s->files.model);
    bmf_json_int(&json, "best_epoch", result->meta.best_epoch);
    bmf_json_number(&json, "val_mse", result->meta.val_mse);
    bmf_json_number(&json, "val_rmse", result->meta.val_rmse);
    bmf_json_text(&json, "stopped", bmf_stop_reason_name(result->stopped));
    bmf_json_int(&json, "epochs_run", result->epochs_run);
    bmf_json_int(&json, "rollbacks", result->rollbacks);
    bmf_json_int(&json, "checkpoints", result->checkpoints);
    bmf_json_number(&json, "checkpoint_seconds", result->checkpoint_seconds);
    bmf_json_number(&json, "seconds", result->seconds);
    bmf_json_put(&json, "memory", bmf_memory_json(&result->plan.memory));
    bmf_json_int(&json, "peak_bytes", result->peak_bytes);
    bmf_json_put(&json, "options", bmf_model_meta_json(&result->meta));
    bmf_json_put(&json, "history", bmf_epochs_json(result->history, result->epochs_run));
    return bmf_json_done(&json);
}

static int report_result(const settings *s, const bmf_train_result *result, telling *t, bmf_error *err)
{
    char number[32];
    bmf_log_info("memory of training: at most %.1f MiB on a rank, %.1f were predicted",
                 (double)result->peak_bytes / MIB, (double)bmf_memory_plan_total(&result->plan.memory) / MIB);
    if (result->checkpoints > 0)
        bmf_log_info("checkpoints: %" PRId64 ", %.3f s each", result->checkpoints,
                     result->checkpoint_seconds / (double)result->checkpoints);
    bmf_output_print(t->output, "best_epoch=%" PRId64 " val_mse=%s stopped=%s\n", result->meta.best_epoch,
                     bmf_output_number(result->meta.val_mse, 5, number), bmf_stop_reason_name(result->stopped));
    if (t->log && fclose(t->log) != 0 && !t->log_failed)
        fail_log(t);
    t->log = NULL;
    bmf_json_write(result_json(s, result), s->common.json, t->output, err);
    return t->log_failed ? bmf_fail(err, t->err.status, "%s", t->err.text) : err->status;
}

/* `--regularization` alone is meant for every role. */
static void spread_regularization(const bmf_run *run, bmf_train_options *train)
{
    const bmf_syntax *syntax = &bmf_command_train.syntax;
    if (!bmf_options_given(syntax, run->given, "regularization"))
        return;
    if (!bmf_options_given(syntax, run->given, "bias-regularization"))
        train->bias_regularization = train->regularization;
    if (!bmf_options_given(syntax, run->given, "content-regularization"))
        train->content_regularization = train->regularization;
}

/* "5": epochs; "600s": seconds. Without the option once a minute. */
static int read_interval(settings *s, bmf_error *err)
{
    bmf_train_files *files = &s->files;
    const char *text = s->checkpoint_every ? s->checkpoint_every : CHECKPOINT_EVERY;
    const size_t length = strlen(text);
    const bool seconds = length > 0 && text[length - 1] == 's';
    bool good;
    if (!files->checkpoint && (files->resume || s->checkpoint_every))
        return bmf_fail(err, BMF_ERR_USAGE, "--%s needs --checkpoint FILE",
                        files->resume ? "resume" : "checkpoint-every");
    if (seconds)
        good = bmf_parse_double(text, length - 1, &files->checkpoint_seconds) == BMF_PARSE_OK &&
               files->checkpoint_seconds > 0 && files->checkpoint_seconds <= 1e9;
    else
        good = bmf_parse_int64(text, length, &files->checkpoint_epochs) == BMF_PARSE_OK &&
               files->checkpoint_epochs >= 1 && files->checkpoint_epochs <= 1000000;
    if (good)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE,
                    "--checkpoint-every: \"%s\" is no interval (allowed: 1 to 1000000 epochs, as in 5, or above 0 "
                    "to 1e9 seconds, as in 600s)",
                    text);
}

/* Where a run that was stopped is, and what it left. */
static int report_stop(const settings *s, const bmf_train_result *result, bmf_error *err)
{
    const bool epochs = result->windows_run == 0;
    char where[96], holds[64];
    if (epochs)
        snprintf(where, sizeof where, "after epoch %" PRId64, result->epochs_run);
    else
        snprintf(where, sizeof where, "in epoch %" PRId64 " after %" PRId64 " of %" PRId64 " merges",
                 result->epochs_run + 1, result->windows_run, result->meta.merges_per_epoch);
    if (result->meta.best_epoch > 0)
        snprintf(holds, sizeof holds, "epoch %" PRId64, result->meta.best_epoch);
    else
        snprintf(holds, sizeof holds, "the parameters of this moment");
    return bmf_fail(err, BMF_ERR_STOPPED, "stopped %s %s; %s holds %s%s%s",
                    result->stopped == BMF_STOP_TIME ? "by --max-seconds" : "on a signal", where, s->files.model, holds,
                    s->files.checkpoint ? ", --resume goes on from " : "",
                    s->files.checkpoint ? s->files.checkpoint : "");
}

static int plan_and_report(const bmf_run *run, const settings *s, bmf_error *err)
{
    const int here = bmf_comm_size(run->comm);
    const bmf_plan_request request = {.ranks = s->plan_ranks > 0 ? s->plan_ranks : here,
                                      .bandwidth = s->plan_bandwidth * BYTES_PER_GBIT,
                                      .latency = s->plan_latency * 1e-6,
                                      .seconds = PLAN_SECONDS};
    bmf_plan plan;
    if (request.ranks != here && here > 1)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--plan-ranks %" PRId64
                        ": here are %d ranks, and a plan for others is made by one process alone",
                        request.ranks, here);
    int status = bmf_train_plan_run(run->comm, s->files.dataset, &s->train, &request, &plan, err);
    if (status == BMF_OK && run->root) {
        bmf_plan_print(run->output, &plan, request.ranks, s->train.threads);
        bmf_json_write(bmf_plan_json(&plan, request.ranks, s->train.threads), s->common.json, run->output, err);
    }
    return status == BMF_OK ? bmf_run_share(run, err) : status;
}

/* What only one of training and planning has use for. */
static int check_plan(const bmf_run *run, settings *s, bmf_error *err)
{
    static const char *const of_plan[] = {"plan-ranks", "plan-bandwidth", "plan-latency"};
    static const char *const of_training[] = {"output", "checkpoint", "checkpoint-every",
                                              "resume", "log-json",   "max-seconds"};
    const bmf_syntax *syntax = &bmf_command_train.syntax;
    if (!s->plan && !s->files.model)
        return bmf_fail(err, BMF_ERR_USAGE, "missing -o MODEL.h5 (usage: blendmf train %s)", syntax->usage);
    for (size_t i = 0; i < sizeof of_plan / sizeof *of_plan; i++)
        if (!s->plan && bmf_options_given(syntax, run->given, of_plan[i]))
            return bmf_fail(err, BMF_ERR_USAGE, "--%s is for --plan", of_plan[i]);
    for (size_t i = 0; i < sizeof of_training / sizeof *of_training; i++)
        if (s->plan && run->root && bmf_options_given(syntax, run->given, of_training[i]))
            bmf_log_info("--plan only plans: --%s is left alone", of_training[i]);
    if (s->plan) {
        s->files = (bmf_train_files){.dataset = s->files.dataset};
        s->log = s->checkpoint_every = NULL;
        s->train.max_seconds = 0;
    }
    return BMF_OK;
}

static int train_and_report(const bmf_run *run, const settings *s, bmf_error *err)
{
    telling t = {.output = run->output, .log_path = s->log, .append = s->files.resume, .err = BMF_ERROR_INIT};
    bmf_train_result result = {0};
    bmf_signals_catch();
    const bmf_train_observer observer = {.begins = tell_plan, .epoch = observe, .context = &t};
    int status =
        bmf_train(run->comm, &s->files, &s->train, run->root ? &observer : NULL, bmf_signals_wanted(), &result, err);
    if (status == BMF_OK && run->root)
        report_result(s, &result, &t, err);
    if (t.log)
        fclose(t.log);
    if (status == BMF_OK)
        status = bmf_run_share(run, err);
    if (status == BMF_OK && (result.stopped == BMF_STOP_SIGNAL || result.stopped == BMF_STOP_TIME))
        status = report_stop(s, &result, err);
    bmf_train_result_clear(&result);
    return status;
}

static int run_train(const bmf_run *run, bmf_error *err)
{
    settings *s = run->settings;
    int ranks = bmf_comm_size(run->comm);
    if (s->train.threads == 0)
        s->train.threads = bmf_threads_default(ranks);
    spread_regularization(run, &s->train);
    s->train = bmf_train_resolved(&s->train);
    int status = check_plan(run, s, err);
    if (status == BMF_OK)
        status = bmf_run_watch_stalls(run, "train", s->stall_timeout, err);
    if (status == BMF_OK)
        status = bmf_train_check(&s->train, err);
    if (status == BMF_OK)
        status = read_interval(s, err);
    if (status == BMF_OK && s->train.io == BMF_IO_COLLECTIVE)
        status = bmf_comm_check_file_io(err);
    if (status != BMF_OK)
        return status;
    /* With the result on stdout, epochs are still worth seeing. */
    if (run->root && !run->output->text && !s->common.quiet)
        run->output->text = stderr;
    if (run->root)
        announce(run, s, s->plan && s->plan_ranks > 0 ? (int)s->plan_ranks : ranks, err);
    status = bmf_run_share(run, err);
    if (status != BMF_OK)
        return status;
    return s->plan ? plan_and_report(run, s, err) : train_and_report(run, s, err);
}

const bmf_command bmf_command_train = {
    .syntax = {.command = "train",
               .summary = "a model from a data set, in any number of ranks and threads",
               .usage = "DATA.h5 -o MODEL.h5 [options]",
               .description =
                   "Trains matrix factorization with biases, blended with content of items and users, by stochastic "
                   "gradient descent. Prints one line per epoch and writes the best epoch. Runs alone or under mpirun. "
                   "INT, TERM or USR1 stop it after the next merge, with checkpoint and model saved (exit code 7).",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .parallel = true,
    .defaults = defaults,
    .run = run_train,
};
