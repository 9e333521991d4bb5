#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "cli/command.h"
#include "cli/epochs.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "store/dataset_file.h"
#include "store/model_file.h"

#define HISTORY_ROWS 10 /* a screenful has no room for every epoch */

typedef struct settings {
    bmf_common common;
    const char *path;
} settings;

static const bmf_positional positionals[] = {
    {.name = "FILE.h5", .offset = offsetof(settings, path), .help = "data set or model"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    *(settings *)into = (settings){0};
}

/* What every kind of file has. */
typedef struct subject {
    const char *path;
    char kind[32];
    int64_t version;
    bmf_output *output;
} subject;

static void print_head(const subject *s, const char *kind)
{
    bmf_output_print(s->output, "%s: %s, format version %" PRId64 ", %lld bytes\n\n", s->path, kind, s->version,
                     bmf_path_bytes(s->path));
}

static bmf_json head_json(const subject *s)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "file", s->path);
    bmf_json_text(&json, "kind", s->kind);
    bmf_json_int(&json, "format_version", s->version);
    bmf_json_int(&json, "bytes", bmf_path_bytes(s->path));
    return json;
}

/* One line: the name of a thing in a column, then what the format says. */
static void print_line(bmf_output *output, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void print_line(bmf_output *output, const char *name, const char *format, ...)
{
    char raw[512], text[sizeof raw];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    bmf_printable(raw, NULL, text, sizeof text); /* a name in the file shall not begin a line of its own */
    bmf_output_print(output, "%-18s%s\n", name, text);
}

/* What info reads of a data set: shapes, kinds of ids, how it was made. */
typedef struct dataset_facts {
    bmf_dataset_shape shape;
    bmf_id_kind user_kind, item_kind;
    bmf_import_record import;
    uint64_t fingerprint;
} dataset_facts;

static int read_dataset(const char *path, dataset_facts *facts, bmf_error *err)
{
    bmf_dataset_file *file = NULL;
    bmf_ids users = {0}, items = {0};
    int status = bmf_dataset_file_open(path, &file, err);
    if (status != BMF_OK)
        return status;
    facts->shape = bmf_dataset_file_shape(file);
    status = bmf_dataset_file_read_users(file, &users, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_items(file, &items, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_import(file, &facts->import, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_fingerprint(file, &facts->fingerprint, err);
    facts->user_kind = users.kind;
    facts->item_kind = items.kind;
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_dataset_file_close(&file);
    return status;
}

static const char *id_kind_name(bmf_id_kind kind)
{
    return kind == BMF_ID_INT64 ? "int64" : "string";
}

static double sparsity_of(const bmf_dataset_shape *shape)
{
    int64_t ratings = shape->ratings[BMF_TRAIN] + shape->ratings[BMF_VAL] + shape->ratings[BMF_TEST];
    return 1 - (double)ratings / ((double)shape->users * (double)shape->items);
}

static void print_dataset(const subject *s, const dataset_facts *facts)
{
    const bmf_dataset_shape *shape = &facts->shape;
    print_head(s, "data set");
    print_line(s->output, "users", "%" PRId64 " (%s ids)", shape->users, id_kind_name(facts->user_kind));
    print_line(s->output, "items", "%" PRId64 " (%s ids)", shape->items, id_kind_name(facts->item_kind));
    print_line(s->output, "ratings", "train %" PRId64 ", val %" PRId64 ", test %" PRId64, shape->ratings[BMF_TRAIN],
               shape->ratings[BMF_VAL], shape->ratings[BMF_TEST]);
    print_line(s->output, "sparsity", "%.6f", sparsity_of(shape));
    print_line(s->output, "features", "%" PRId64, shape->features);
    if (shape->user_features > 0)
        print_line(s->output, "user features", "%" PRId64, shape->user_features);
    print_line(s->output, "fingerprint", "%016" PRIx64, facts->fingerprint);
    bmf_import_record_print(s->output, &facts->import);
}

static json_t *dataset_json(const subject *s, const dataset_facts *facts)
{
    char fingerprint[24];
    bmf_json json = head_json(s), ratings = bmf_json_start();
    bmf_json_int(&json, "users", facts->shape.users);
    bmf_json_int(&json, "items", facts->shape.items);
    bmf_json_int(&json, "features", facts->shape.features);
    bmf_json_int(&json, "user_features", facts->shape.user_features);
    for (int split = 0; split < BMF_SPLITS; split++)
        bmf_json_int(&ratings, bmf_split_name((bmf_split)split), facts->shape.ratings[split]);
    bmf_json_put(&json, "ratings", bmf_json_done(&ratings));
    bmf_json_number(&json, "sparsity", sparsity_of(&facts->shape));
    bmf_json_text(&json, "user_ids", id_kind_name(facts->user_kind));
    bmf_json_text(&json, "item_ids", id_kind_name(facts->item_kind));
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, facts->fingerprint);
    bmf_json_text(&json, "fingerprint", fingerprint);
    bmf_json_put(&json, "import", bmf_import_record_json(&facts->import));
    return bmf_json_done(&json);
}

static int describe_dataset(const subject *s, json_t **json, bmf_error *err)
{
    dataset_facts facts = {0};
    int status = read_dataset(s->path, &facts, err);
    if (status != BMF_OK)
        return status;
    print_dataset(s, &facts);
    *json = dataset_json(s, &facts);
    return BMF_OK;
}

static void print_time(bmf_output *output, const bmf_model_meta *meta)
{
    const bool items = bmf_time_mode_has_items(meta->time_effects), users = bmf_time_mode_has_users(meta->time_effects);
    char of_items[96] = "", of_users[64] = "";
    if (items)
        snprintf(of_items, sizeof of_items, ", %" PRId64 " ranges, damping of items %g", meta->time_bins,
                 meta->time_item_damping);
    if (users)
        snprintf(of_users, sizeof of_users, ", damping of users %g", meta->time_user_damping);
    if (items || users)
        print_line(output, "effects of time", "%s, times %" PRId64 " to %" PRId64 "%s%s",
                   bmf_time_mode_name(meta->time_effects), meta->time_first, meta->time_last, of_items, of_users);
}

static void print_meta(bmf_output *output, const bmf_model_meta *meta)
{
    print_line(output, "trained on", "%s (fingerprint %016" PRIx64 ")", meta->dataset, meta->dataset_fingerprint);
    print_line(output, "shape", "%" PRId64 " users x %" PRId64 " items, %" PRId64 " factors, %" PRId64 " features",
               meta->users, meta->items, meta->factors, meta->features);
    print_line(output, "content", "%s, weight %g", bmf_content_mode_name(meta->content), meta->content_weight);
    if (bmf_model_meta_has_user_parts(meta))
        print_line(output, "user features", "%" PRId64 ", weight %g, implicit feedback %s", meta->user_features,
                   meta->user_content_weight, meta->implicit_feedback ? "on" : "off");
    print_line(output, "ratings", "%g to %g, mean %.6f", meta->rating_min, meta->rating_max, meta->global_mean);
    print_line(output, "learning rate", "%g, of biases %g, schedule %s, decay %g, clip %g, init std %g",
               meta->learning_rate, meta->bias_learning_rate, meta->schedule, meta->learning_rate_decay, meta->clip,
               meta->init_std);
    print_line(output, "regularization", "P %g, Q %g, user biases %g, item biases %g, content %g, scaling %g",
               meta->user_regularization, meta->item_regularization, meta->user_bias_regularization,
               meta->item_bias_regularization, meta->content_regularization, meta->regularization_scaling);
    print_time(output, meta);
    print_line(output, "ranks",
               "%" PRId64 " x %" PRId64 " threads on %" PRId64 " host%s (%s between them), %s merge %" PRId64
               " times an epoch, seed %" PRId64,
               meta->ranks, meta->threads, meta->hosts, meta->hosts == 1 ? "" : "s", meta->merge_precision, meta->merge,
               meta->merges_per_epoch, meta->seed);
}

/* "P 610 x 42, Q 9742 x 42, ..." */
static void print_arrays(bmf_output *output, const bmf_model_meta *meta, int64_t weights)
{
    bmf_output_print(output, "%-18s", "arrays");
    const char *separator = "";
    for (int role = 0; role < BMF_ROLES; role++) {
        bmf_extent extent = bmf_role_extent(meta, NULL, (bmf_role)role);
        if (extent.rows == 0)
            continue;
        bmf_output_print(output, "%s%s %" PRId64 " x %" PRId64, separator, bmf_role_name((bmf_role)role), extent.rows,
                         extent.columns);
        separator = ", ";
    }
    if (bmf_model_meta_has_weights(meta))
        bmf_output_print(output, "%sW %" PRId64 " x %" PRId64 " with %" PRId64 " entries", separator, meta->users,
                         meta->features, weights);
    bmf_output_print(output, "\n");
}

/* Row `row` of HISTORY_ROWS, spread evenly over the epochs, the first and the last among them. */
static int64_t history_index(int64_t row, int64_t count)
{
    return count <= HISTORY_ROWS ? row : row * (count - 1) / (HISTORY_ROWS - 1);
}

static void print_history(bmf_output *output, const bmf_epoch_record *history, int64_t count, int64_t best)
{
    int64_t rows = count < HISTORY_ROWS ? count : HISTORY_ROWS;
    char train[32], val[32], rmse[32];
    bool shown = false;
    bmf_output_print(output, "\n%5s %10s %10s %10s %14s\n", "epoch", "train_mse", "val_mse", "val_rmse",
                     "learning_rate");
    for (int64_t row = 0; row < rows; row++) {
        int64_t at = history_index(row, count);
        /* the best epoch takes the row of the first one behind it */
        if (!shown && history[at].epoch >= best && best >= 1 && best <= count)
            at = best - 1;
        shown = shown || history[at].epoch == best;
        const bmf_epoch_record *r = &history[at];
        bmf_output_print(output, "%5" PRId64 " %10s %10s %10s %14.6g%s\n", r->epoch,
                         bmf_output_number(r->train_mse, 5, train), bmf_output_number(r->val_mse, 5, val),
                         bmf_output_number(r->val_rmse, 5, rmse), r->learning_rate, r->epoch == best ? "  best" : "");
    }
}

/* Where a checkpoint is, and that the arrays are those of that moment. */
static void print_state(bmf_output *output, const bmf_train_state *state, const bmf_model_meta *meta)
{
    char window[64] = "";
    if (state->window > 0)
        snprintf(window, sizeof window, " and %" PRId64 " of %" PRId64 " merges of the next", state->window,
                 meta->merges_per_epoch);
    print_line(output, "checkpoint", "parameters after epoch %" PRId64 "%s of at most %" PRId64 ", learning rate %g",
               state->epoch, window, state->epochs, state->learning_rate);
    if (state->rollbacks > 0)
        print_line(output, "rollbacks", "%" PRId64, state->rollbacks);
}

static json_t *state_json(const bmf_train_state *state)
{
    bmf_json json = bmf_json_start();
    bmf_json_int(&json, "epoch", state->epoch);
    bmf_json_int(&json, "window", state->window);
    bmf_json_number(&json, "learning_rate", state->learning_rate);
    bmf_json_int(&json, "rollbacks", state->rollbacks);
    bmf_json_int(&json, "patience", state->patience);
    bmf_json_int(&json, "epochs", state->epochs);
    bmf_json_bool(&json, "has_best", state->best);
    return bmf_json_done(&json);
}

static void print_model(const subject *s, const bmf_model_file *file, const bmf_epoch_record *history, int64_t count)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    char mse[32], rmse[32];
    print_head(s, "model");
    print_meta(s->output, meta);
    if (bmf_model_file_content_svd(file) > 0)
        print_line(s->output, "content svd", "features reduced to %" PRId64, bmf_model_file_content_svd(file));
    print_arrays(s->output, meta, bmf_model_file_weights(file));
    if (bmf_model_file_state(file))
        print_state(s->output, bmf_model_file_state(file), meta);
    print_line(s->output, "best epoch", "%" PRId64 " of %" PRId64 ", val_mse %s, val_rmse %s", meta->best_epoch, count,
               bmf_output_number(meta->val_mse, 5, mse), bmf_output_number(meta->val_rmse, 5, rmse));
    if (count > 0)
        print_history(s->output, history, count, meta->best_epoch);
}

static json_t *model_json(const subject *s, const bmf_model_file *file, const bmf_epoch_record *history, int64_t count)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    bmf_json json = head_json(s), arrays = bmf_json_start();
    for (int role = 0; role < BMF_ROLES; role++) {
        bmf_extent extent = bmf_role_extent(meta, NULL, (bmf_role)role);
        if (extent.rows > 0)
            bmf_json_put(&arrays, bmf_role_name((bmf_role)role),
                         json_pack("[I,I]", (json_int_t)extent.rows, (json_int_t)extent.columns));
    }
    if (bmf_model_meta_has_weights(meta)) {
        bmf_json_put(&arrays, "W", json_pack("[I,I]", (json_int_t)meta->users, (json_int_t)meta->features));
        bmf_json_int(&json, "content_weights", bmf_model_file_weights(file));
    }
    bmf_json_int(&json, "users", meta->users);
    bmf_json_int(&json, "items", meta->items);
    bmf_json_int(&json, "features", meta->features);
    bmf_json_int(&json, "content_svd", bmf_model_file_content_svd(file));
    bmf_json_int(&json, "factors", meta->factors);
    bmf_json_text(&json, "content", bmf_content_mode_name(meta->content));
    bmf_json_int(&json, "best_epoch", meta->best_epoch);
    bmf_json_number(&json, "val_mse", meta->val_mse);
    bmf_json_number(&json, "val_rmse", meta->val_rmse);
    bmf_json_put(&json, "arrays", bmf_json_done(&arrays));
    if (bmf_model_file_state(file))
        bmf_json_put(&json, "state", state_json(bmf_model_file_state(file)));
    bmf_json_put(&json, "options", bmf_model_meta_json(meta));
    bmf_json_put(&json, "history", bmf_epochs_json(history, count));
    return bmf_json_done(&json);
}

static int describe_model(const subject *s, json_t **json, bmf_error *err)
{
    bmf_model_file *file = NULL;
    bmf_epoch_record *history = NULL;
    int64_t count = 0;
    int status = bmf_model_file_open(s->path, &file, err);
    if (status != BMF_OK)
        return status;
    status = bmf_model_file_read_history(file, &history, &count, err);
    if (status == BMF_OK) {
        print_model(s, file, history, count);
        *json = model_json(s, file, history, count);
    }
    bmf_free(history);
    bmf_model_file_close(&file);
    return status;
}

static const struct {
    const char *kind;
    int (*describe)(const subject *s, json_t **json, bmf_error *err);
} kinds[] = {{"dataset", describe_dataset}, {"model", describe_model}};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

static int run_info(const bmf_run *run, bmf_error *err)
{
    const settings *s = run->settings;
    subject of = {.path = s->path, .output = run->output};
    json_t *json = NULL;
    const bmf_path_use use[] = {{"FILE.h5", s->path, BMF_PATH_INPUT}, {"--json", s->common.json, BMF_PATH_STREAM}};
    int status = bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
    if (status == BMF_OK)
        status = bmf_file_kind(s->path, of.kind, &of.version, err);
    if (status != BMF_OK)
        return status;
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].kind, of.kind) != 0)
            continue;
        status = kinds[i].describe(&of, &json, err);
        return status == BMF_OK ? bmf_json_write(json, s->common.json, run->output, err) : status;
    }
    return bmf_fail(err, BMF_ERR_INPUT, "%s: files of kind %s cannot be described yet", s->path, of.kind);
}

const bmf_command bmf_command_info = {
    .syntax = {.command = "info",
               .summary = "what is in a file of ours",
               .usage = "FILE.h5 [--json FILE]",
               .description =
                   "Describes a data set or a model in a screenful: shapes, how it was made, for a model its "
                   "best epoch and a short history.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_info,
};
