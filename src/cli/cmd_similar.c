#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/results.h"
#include "cli/serving.h"
#include "cli/titles.h"

typedef struct settings {
    bmf_common common;
    const char *model, *item, *titles, *output;
    int64_t top;
} settings;

static const bmf_positional positionals[] = {
    {.name = "MODEL.h5", .offset = offsetof(settings, model), .help = "model or checkpoint that train has written"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_TEXT("item", "ID", settings, item, "find what is like this item", .required = true),
    BMF_INT("top", "N", settings, top, 1, 100000, "how many items"),
    BMF_TEXT("titles", "DATA.h5", settings, titles, "add a column with the items' titles from this data set"),
    BMF_TEXT("output", "FILE", settings, output, "write the list to this file instead of standard output",
             .letter = 'o'),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.top = 10};
}

static const char *const columns[] = {"rank", "item", "similarity", "title"};
#define COLUMNS ((int)(sizeof columns / sizeof *columns)) /* the title is there if it is wanted */

typedef struct job {
    const settings *settings;
    blendmf_model *model;
    bmf_titles titles;
    blendmf_ranked *list; /* (top) */
    int64_t item, found;
    bmf_rows rows;
} job;

static int find_similar(job *j, bmf_error *err)
{
    const settings *s = j->settings;
    bmf_id_text id;
    int status =
        bmf_id_text_read(&(bmf_field){s->item, (int64_t)strlen(s->item), false}, "item", &j->model->items, &id, err);
    if (status != BMF_OK)
        return status;
    j->item = bmf_id_text_find(&id, &j->model->items);
    if (j->item < 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s knows no item %s", s->model, s->item);
    j->list = bmf_alloc(s->top, sizeof *j->list, "list", err);
    if (!j->list)
        return BMF_ERR_MEMORY;
    blendmf_error why = {0};
    status = blendmf_similar(j->model, j->item, s->top, j->list, &j->found, &why);
    return bmf_serving_status(status, &why, err);
}

static void put_rows(job *j)
{
    for (int64_t i = 0; i < j->found; i++) {
        bmf_rows_int(&j->rows, i + 1);
        bmf_rows_id(&j->rows, &j->model->items, j->list[i].item);
        bmf_rows_number(&j->rows, j->list[i].score);
        if (j->titles.of_item) {
            const char *title = bmf_titles_get(&j->titles, j->list[i].item);
            bmf_rows_text(&j->rows, title, (int64_t)strlen(title));
        }
    }
}

static json_t *summary_json(const job *j)
{
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "model", j->settings->model);
    if (j->model->items.kind == BMF_ID_INT64)
        bmf_json_int(&json, "item", j->model->items.number[j->item]);
    else
        bmf_json_text(&json, "item", j->settings->item);
    if (j->titles.of_item)
        bmf_json_text(&json, "title", bmf_titles_get(&j->titles, j->item));
    bmf_json_int(&json, "top", j->settings->top);
    return bmf_json_done(&json);
}

static int write_list(job *j, const bmf_run *run, bmf_error *err)
{
    bmf_results results;
    bmf_rows_init(&j->rows, columns, j->settings->titles ? COLUMNS : COLUMNS - 1, false, false);
    int status = bmf_results_begin(&results, "similar", &j->rows, j->settings->output, j->settings->common.json,
                                   run->output, err);
    if (status != BMF_OK)
        return status;
    put_rows(j);
    status = j->rows.status != BMF_OK ? bmf_fail(err, j->rows.status, "no memory for the list as text")
                                      : bmf_results_write(&results, &j->rows.csv, &j->rows.json, err);
    if (status == BMF_OK)
        return bmf_results_end(&results, summary_json(j), err);
    bmf_results_abandon(&results);
    return status;
}

static int check_paths(const settings *s, bmf_error *err)
{
    const bmf_path_use use[] = {
        {"MODEL.h5", s->model, BMF_PATH_INPUT},
        {"--titles", s->titles, BMF_PATH_INPUT},
        {"-o", s->output, BMF_PATH_STREAM},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int run_similar(const bmf_run *run, bmf_error *err)
{
    job j = {.settings = run->settings};
    int status = check_paths(j.settings, err);
    if (status == BMF_OK)
        status = bmf_serving_open(j.settings->model, &j.model, err);
    if (status == BMF_OK)
        status = find_similar(&j, err);
    if (status == BMF_OK && j.settings->titles)
        status = bmf_titles_read(j.settings->titles, &j.model->items, &j.titles, err);
    if (status == BMF_OK)
        status = write_list(&j, run, err);
    bmf_rows_clear(&j.rows);
    bmf_free(j.list);
    bmf_titles_clear(&j.titles);
    blendmf_close(&j.model);
    return status;
}

const bmf_command bmf_command_similar = {
    .syntax = {.command = "similar",
               .summary = "the items that are most like an item to a model",
               .usage = "MODEL.h5 --item ID [-o FILE] [options]",
               .description =
                   "Writes rank, item and similarity, the cosine between what the model has of the two items: their "
                   "factors, and their content if it is trained with that. Equal ones come in the order of the "
                   "items' ids.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_similar,
};
