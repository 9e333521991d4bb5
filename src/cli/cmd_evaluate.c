#include <inttypes.h>
#include <math.h>

#include "cli/command.h"
#include "cli/paths.h"
#include "cli/threads.h"
#include "eval/evaluate.h"

typedef struct settings {
    bmf_common common;
    double stall_timeout; /* seconds; 0: none */
    const char *model, *dataset;
    bmf_evaluate_options evaluate;
} settings;

static const char *split_word(int index)
{
    return index < BMF_SPLITS ? bmf_split_name((bmf_split)index) : NULL;
}

static const char *candidates_word(int index)
{
    static const char *const words[] = {[BMF_CANDIDATES_RATED] = "rated", [BMF_CANDIDATES_ALL] = "all"};
    return BMF_WORD_AT(words, index);
}

static const bmf_positional positionals[] = {
    {.name = "MODEL.h5", .offset = offsetof(settings, model), .help = "model that train has written"},
    {.name = "DATA.h5", .offset = offsetof(settings, dataset), .help = "data set to evaluate it on"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_CHOICE("split", settings, evaluate.split, split_word, "which ratings to evaluate on"),
    BMF_INT("top", "K", settings, evaluate.top, 1, 100000, "length of the ranked lists"),
    BMF_FLOAT("threshold", "R", settings, evaluate.threshold, -INFINITY, INFINITY,
              "a rating of at least R makes an item relevant"),
    BMF_CHOICE("candidates", settings, evaluate.candidates, candidates_word,
               "what is ranked: the user's own ratings in the split, or the whole catalogue less what the user rated "
               "in earlier splits"),
    BMF_FLAG("baselines", settings, evaluate.baselines,
             "also evaluate the global mean, biases only, popularity and a random order"),
    BMF_INT("seed", "N", settings, evaluate.seed, 0, INT64_MAX, "seed of the random baseline"),
    BMF_INT("threads", "T", settings, evaluate.threads, 1, BMF_THREADS_MAX, "threads per rank",
            .default_text = BMF_THREADS_DEFAULT),
    BMF_STALL_OPTION(settings),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.evaluate = {.split = BMF_TEST, .top = 10, .threshold = 3.5, .seed = 1}};
}

/* A row of the table: one metric of the model and of the baselines. */
typedef struct metric {
    const char *key, *label;
    size_t offset; /* of a double in bmf_metrics */
    bool at_k;     /* the label gets "@K" */
} metric;

static const metric metrics[] = {
    {"rmse", "RMSE", offsetof(bmf_metrics, rmse), false},
    {"mae", "MAE", offsetof(bmf_metrics, mae), false},
    {"precision", "precision", offsetof(bmf_metrics, precision), true},
    {"recall", "recall", offsetof(bmf_metrics, recall), true},
    {"ndcg", "NDCG", offsetof(bmf_metrics, ndcg), true},
    {"map", "MAP", offsetof(bmf_metrics, map), true},
    {"coverage", "coverage", offsetof(bmf_metrics, coverage), true},
};
#define METRICS (sizeof metrics / sizeof *metrics)

static double metric_of(const bmf_metrics *of, const metric *m)
{
    return *(const double *)((const char *)of + m->offset);
}

static void print_metrics(bmf_output *output, const bmf_evaluation *e)
{
    int baselines = e->options.baselines ? BMF_BASELINES : 0;
    char label[48], number[32];
    bmf_output_print(output, "%-16s%12s", "", "model");
    for (int b = 0; b < baselines; b++)
        bmf_output_print(output, "%13s", bmf_baseline_name((bmf_baseline)b));
    for (size_t i = 0; i < METRICS; i++) {
        const metric *m = &metrics[i];
        if (m->at_k)
            snprintf(label, sizeof label, "%s@%" PRId64, m->label, e->options.top);
        else
            snprintf(label, sizeof label, "%s", m->label);
        bmf_output_print(output, "\n%-16s%12s", label, bmf_output_number(metric_of(&e->model, m), 4, number));
        for (int b = 0; b < baselines; b++)
            bmf_output_print(output, "%13s", bmf_output_number(metric_of(&e->baseline[b], m), 4, number));
    }
    bmf_output_print(output, "\n");
}

static void print_evaluation(bmf_output *output, const settings *s, const bmf_evaluation *e)
{
    char number[32];
    bmf_output_print(output, "%s on the %s ratings of %s: %" PRId64 " ratings of %" PRId64 " users\n", s->model,
                     bmf_split_name(e->options.split), s->dataset, e->model.ratings, e->model.users);
    bmf_output_print(output, "candidates %s, relevant from %g, sparsity %.6f\n\n",
                     candidates_word((int)e->options.candidates), e->options.threshold, e->sparsity);
    print_metrics(output, e);
    if (isfinite(e->rmse_without_content))
        bmf_output_print(output, "\n%-16s%12s  RMSE of factors and biases alone\n", "without content",
                         bmf_output_number(e->rmse_without_content, 4, number));
    bmf_output_print(output, "\n%-16s%12s%13s\n", "segment", "ratings", "RMSE");
    for (int i = 0; i < BMF_SEGMENTS; i++)
        bmf_output_print(output, "%-16s%12" PRId64 "%13s\n", bmf_segment_name((bmf_segment)i), e->segment[i].count,
                         bmf_output_number(e->segment[i].rmse, 4, number));
}

static void put_metrics(bmf_json *json, const bmf_metrics *of, bool ranking)
{
    for (size_t i = 0; i < METRICS; i++)
        if (metrics[i].at_k == ranking)
            bmf_json_number(json, metrics[i].key, metric_of(of, &metrics[i]));
}

static json_t *segments_json(const bmf_evaluation *e)
{
    bmf_json json = bmf_json_start();
    for (int i = 0; i < BMF_SEGMENTS; i++) {
        bmf_json segment = bmf_json_start();
        bmf_json_int(&segment, "count", e->segment[i].count);
        bmf_json_number(&segment, "rmse", e->segment[i].rmse);
        bmf_json_put(&json, bmf_segment_name((bmf_segment)i), bmf_json_done(&segment));
    }
    return bmf_json_done(&json);
}

static json_t *baselines_json(const bmf_evaluation *e)
{
    bmf_json json = bmf_json_start();
    for (int b = 0; b < BMF_BASELINES; b++) {
        bmf_json baseline = bmf_json_start();
        put_metrics(&baseline, &e->baseline[b], false);
        put_metrics(&baseline, &e->baseline[b], true);
        bmf_json_put(&json, bmf_baseline_name((bmf_baseline)b), bmf_json_done(&baseline));
    }
    return bmf_json_done(&json);
}

static json_t *evaluation_json(const bmf_evaluation *e)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "split", bmf_split_name(e->options.split));
    bmf_json_int(&json, "ratings", e->model.ratings);
    bmf_json_int(&json, "users", e->model.users);
    put_metrics(&json, &e->model, false);
    bmf_json_number(&json, "rmse_without_content", e->rmse_without_content);
    bmf_json_int(&json, "top", e->options.top);
    bmf_json_number(&json, "threshold", e->options.threshold);
    bmf_json_text(&json, "candidates", candidates_word((int)e->options.candidates));
    put_metrics(&json, &e->model, true);
    bmf_json_put(&json, "segments", segments_json(e));
    bmf_json_number(&json, "sparsity", e->sparsity);
    if (e->options.baselines)
        bmf_json_put(&json, "baselines", baselines_json(e));
    return bmf_json_done(&json);
}

/* On rank 0, before the work. */
static int check_paths(const settings *s, bmf_error *err)
{
    const bmf_path_use use[] = {
        {"MODEL.h5", s->model, BMF_PATH_INPUT},
        {"DATA.h5", s->dataset, BMF_PATH_INPUT},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int run_evaluate(const bmf_run *run, bmf_error *err)
{
    settings *s = run->settings;
    bmf_evaluation evaluation;
    if (s->evaluate.threads == 0)
        s->evaluate.threads = bmf_threads_default(bmf_comm_size(run->comm));
    int status = bmf_run_watch_stalls(run, "evaluate", s->stall_timeout, err);
    if (status != BMF_OK)
        return status;
    if (run->root)
        check_paths(s, err);
    status = bmf_run_share(run, err);
    if (status == BMF_OK)
        status = bmf_evaluate(run->comm, s->model, s->dataset, &s->evaluate, &evaluation, err);
    if (status != BMF_OK)
        return status;
    if (run->root) {
        print_evaluation(run->output, s, &evaluation);
        bmf_json_write(evaluation_json(&evaluation), s->common.json, run->output, err);
    }
    return bmf_run_share(run, err);
}

const bmf_command bmf_command_evaluate = {
    .syntax = {.command = "evaluate",
               .summary = "errors and ranking metrics of a model on a data set",
               .usage = "MODEL.h5 DATA.h5 [options]",
               .description =
                   "Predicts the ratings of a split and ranks each user's candidates. Means over nothing are "
                   "printed as - and are null in JSON. Runs alone or under mpirun, with the same result.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .parallel = true,
    .defaults = defaults,
    .run = run_evaluate,
};
