/* predict: ratings of the pairs in a file, piece by piece, so that memory does not grow with the file. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/results.h"
#include "cli/serving.h"
#include "cli/threads.h"
#include "data/table_stream.h"

typedef struct settings {
    bmf_common common;
    const char *model, *pairs, *output;
    bool clip;
    int64_t threads;
} settings;

static const bmf_positional positionals[] = {
    {.name = "MODEL.h5", .offset = offsetof(settings, model), .help = "model or checkpoint that train has written"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_TEXT("pairs", "FILE", settings, pairs,
             "pairs to predict, one a line: user, item; csv or tsv, with or without a header; - reads standard input",
             .required = true),
    BMF_TEXT("output", "FILE", settings, output, "write the predictions to this file instead of standard output",
             .letter = 'o'),
    BMF_FLAG("clip-to-range", settings, clip,
             "cut predictions to the range of the training ratings, which evaluate does not do"),
    BMF_INT("threads", "T", settings, threads, 1, BMF_THREADS_MAX, "threads",
            .default_text = BMF_THREADS_DEFAULT_ALONE),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){0};
}

static const char *const columns[] = {"user", "item", "prediction", "basis"};
#define COLUMNS ((int)(sizeof columns / sizeof *columns))
#define BASES (BLENDMF_MEAN + 1)

/* The pairs of one piece; arrays of `capacity`. */
typedef struct batch {
    int64_t count, capacity;
    bmf_id_text *user_id, *item_id;
    int64_t *user, *item;
    double *rating;
    blendmf_basis *basis;
} batch;

typedef struct job {
    const settings *settings;
    blendmf_model *model;
    bmf_table_stream stream;
    bmf_results results;
    batch batch;
    bmf_rows *rows; /* (threads) */
    int64_t pairs, of_basis[BASES];
} job;

static void batch_clear(batch *b)
{
    bmf_free(b->user_id);
    bmf_free(b->item_id);
    bmf_free(b->user);
    bmf_free(b->item);
    bmf_free(b->rating);
    bmf_free(b->basis);
}

static int batch_grow(batch *b, bmf_error *err)
{
    void **array[] = {(void **)&b->user_id, (void **)&b->item_id, (void **)&b->user,
                      (void **)&b->item,    (void **)&b->rating,  (void **)&b->basis};
    const size_t size[] = {sizeof *b->user_id, sizeof *b->item_id, sizeof *b->user,
                           sizeof *b->item,    sizeof *b->rating,  sizeof *b->basis};
    int64_t capacity = b->capacity;
    int status = BMF_OK;
    for (int i = 0; i < 6 && status == BMF_OK; i++) {
        capacity = b->capacity;
        status = bmf_grow(array[i], &capacity, b->count + 1, size[i], "pairs", err);
    }
    if (status == BMF_OK)
        b->capacity = capacity;
    return status;
}

/* The ids of all pairs of the piece. */
static int read_batch(job *j, bmf_error *err)
{
    batch *b = &j->batch;
    bool more = true;
    b->count = 0;
    for (;;) {
        int status = bmf_table_stream_next(&j->stream, &more, err);
        if (status != BMF_OK || !more)
            return status;
        if (b->count == b->capacity)
            status = batch_grow(b, err);
        bmf_field user = bmf_table_stream_field(&j->stream, BMF_COLUMN_USER);
        bmf_field item = bmf_table_stream_field(&j->stream, BMF_COLUMN_ITEM);
        if (status == BMF_OK)
            status = bmf_id_text_read(&user, "user", &j->model->users, &b->user_id[b->count], err);
        if (status == BMF_OK)
            status = bmf_id_text_read(&item, "item", &j->model->items, &b->item_id[b->count], err);
        if (status != BMF_OK)
            return bmf_table_stream_context(&j->stream, j->stream.here, err);
        b->count++;
    }
}

/* Pairs [first, last): indices, predictions, and their rows. */
static int predict_part(job *j, int64_t first, int64_t last, bmf_rows *rows, bmf_error *err)
{
    batch *b = &j->batch;
    const bmf_ids *users = &j->model->users, *items = &j->model->items;
    blendmf_info info = blendmf_model_info(j->model);
    for (int64_t p = first; p < last; p++) {
        b->user[p] = bmf_id_text_find(&b->user_id[p], users);
        b->item[p] = bmf_id_text_find(&b->item_id[p], items);
    }
    blendmf_error why = {0};
    int status = blendmf_predict(j->model, b->user + first, b->item + first, last - first, b->rating + first,
                                 b->basis + first, &why);
    if (status != BMF_OK)
        return bmf_fail(err, status, "%s", why.text);
    for (int64_t p = first; p < last; p++) {
        double rating = b->rating[p];
        if (j->settings->clip)
            rating = rating < info.rating_min ? info.rating_min : rating > info.rating_max ? info.rating_max : rating;
        bmf_id_text_put(&b->user_id[p], users, rows);
        bmf_id_text_put(&b->item_id[p], items, rows);
        bmf_rows_number(rows, rating);
        const char *basis = blendmf_basis_name(b->basis[p]);
        bmf_rows_text(rows, basis, (int64_t)strlen(basis));
    }
    return rows->status == BMF_OK ? BMF_OK
                                  : bmf_fail(err, rows->status, "no memory for %" PRId64 " rows", last - first);
}

/* Predicts the batch by threads and writes it in order. */
static int predict_batch(job *j, bmf_error *err)
{
    const int threads = (int)j->settings->threads;
    const int64_t count = j->batch.count;
    int status = BMF_OK;
#pragma omp parallel for num_threads(threads) schedule(static, 1) if (count > 1000)
    for (int t = 0; t < threads; t++) {
        bmf_error mine = BMF_ERROR_INIT;
        bmf_rows_empty(&j->rows[t]);
        if (predict_part(j, count * t / threads, count * (t + 1) / threads, &j->rows[t], &mine) != BMF_OK)
#pragma omp critical(predict_failed)
            status = bmf_fail(err, mine.status, "%s", mine.text);
    }
    for (int t = 0; t < threads && status == BMF_OK; t++)
        status = bmf_results_write(&j->results, &j->rows[t].csv, &j->rows[t].json, err);
    for (int64_t p = 0; p < count; p++)
        j->of_basis[j->batch.basis[p]]++;
    j->pairs += count;
    return status;
}

static json_t *summary_json(const job *j)
{
    bmf_json json = bmf_json_start(), basis = bmf_json_start();
    bmf_json_text(&json, "model", j->settings->model);
    bmf_json_int(&json, "pairs", j->pairs);
    for (int i = 0; i < BASES; i++)
        bmf_json_int(&basis, blendmf_basis_name((blendmf_basis)i), j->of_basis[i]);
    bmf_json_put(&json, "basis", bmf_json_done(&basis));
    return bmf_json_done(&json);
}

static void tell(const job *j)
{
    bmf_log_info("%" PRId64 " pairs predicted: %" PRId64 " by factors, %" PRId64 " by content, %" PRId64
                 " by a bias alone, %" PRId64 " by the mean",
                 j->pairs, j->of_basis[BLENDMF_FACTORS], j->of_basis[BLENDMF_CONTENT], j->of_basis[BLENDMF_BIAS],
                 j->of_basis[BLENDMF_MEAN]);
}

/* Opens what is written once the first piece has been read: most mistakes in a file show there. */
static int begin_results(job *j, const bmf_run *run, bmf_error *err)
{
    bmf_rows_init(j->rows, columns, COLUMNS, false, false);
    int status = bmf_results_begin(&j->results, "predictions", j->rows, j->settings->output, j->settings->common.json,
                                   run->output, err);
    for (int64_t t = 1; t < j->settings->threads; t++)
        j->rows[t] = j->rows[0];
    return status;
}

static int predict_all(job *j, const bmf_run *run, bmf_error *err)
{
    bool more = true;
    int status = read_batch(j, err);
    if (status == BMF_OK)
        status = begin_results(j, run, err);
    if (status != BMF_OK)
        return status;
    while (more) {
        status = predict_batch(j, err);
        if (status == BMF_OK)
            status = bmf_table_stream_fill(&j->stream, &more, err);
        if (status == BMF_OK)
            status = read_batch(j, err);
        if (status != BMF_OK) {
            bmf_results_abandon(&j->results);
            return status;
        }
    }
    return bmf_results_end(&j->results, summary_json(j), err);
}

/* What would fail after the work, or destroy its input, fails now. */
static int check_paths(const settings *s, bmf_error *err)
{
    const bmf_path_use use[] = {
        {"MODEL.h5", s->model, BMF_PATH_INPUT},
        {"--pairs", s->pairs, BMF_PATH_INPUT},
        {"-o", s->output, BMF_PATH_STREAM},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int run_predict(const bmf_run *run, bmf_error *err)
{
    settings *s = run->settings;
    job j = {.settings = s, .stream = {.fd = -1}};
    if (s->threads == 0)
        s->threads = bmf_threads_default(1);
    int status = check_paths(s, err);
    if (status == BMF_OK && !(j.rows = bmf_alloc_zero(s->threads, sizeof *j.rows, "threads", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_serving_open(s->model, &j.model, err);
    if (status == BMF_OK)
        status = bmf_table_stream_open(s->pairs, BMF_TABLE_PAIRS, &j.stream, err);
    if (status == BMF_OK)
        status = predict_all(&j, run, err);
    if (status == BMF_OK)
        tell(&j);
    for (int64_t t = 0; j.rows && t < s->threads; t++)
        bmf_rows_clear(&j.rows[t]);
    bmf_free(j.rows);
    batch_clear(&j.batch);
    bmf_table_stream_close(&j.stream);
    blendmf_close(&j.model);
    return status;
}

const bmf_command bmf_command_predict = {
    .syntax = {.command = "predict",
               .summary = "ratings that a model expects of pairs of a user and an item",
               .usage = "MODEL.h5 --pairs FILE [-o FILE] [options]",
               .description =
                   "Writes user, item, prediction and what it rests on (basis): factors; content, for an item "
                   "without ratings; bias, where only the user or the item is known; mean, where neither is. "
                   "Ids the model does not know are no error, text where it has numbers is.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_predict,
};
