#include <inttypes.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/export_arrays.h"
#include "cli/paths.h"
#include "model/model.h"
#include "model/time_effects.h"

typedef struct settings {
    bmf_common common;
    const char *model, *output;
    bmf_export_form form;
} settings;

static const char *form_word(int index)
{
    static const char *const words[] = {[BMF_EXPORT_NPY] = "npy", [BMF_EXPORT_CSV] = "csv"};
    return BMF_WORD_AT(words, index);
}

static const bmf_positional positionals[] = {
    {.name = "MODEL.h5", .offset = offsetof(settings, model), .help = "model or checkpoint that train has written"},
    {.name = NULL},
};

static const bmf_option options[] = {
    BMF_CHOICE("to", settings, form, form_word, "arrays for NumPy, or text with ids"),
    BMF_TEXT("output", "DIR", settings, output, "directory to make; it must not be there, or be empty", .letter = 'o',
             .required = true),
    BMF_COMMON_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *into)
{
    settings *s = into;
    *s = (settings){.form = BMF_EXPORT_NPY};
}

/* A model as its file has it. */
typedef struct job {
    const settings *settings;
    bmf_model_file *file;
    bmf_model model;
    bmf_time_effects time;
    bmf_ids users, items, features, user_features; /* features: their names */
    bmf_content content, user_content;
    bmf_csr W;
    float *U, *gamma, *Y; /* what features of users have; NULL where there are none */
    bmf_export out;
} job;

static void job_clear(job *j)
{
    bmf_model_clear(&j->model);
    bmf_time_effects_clear(&j->time);
    bmf_ids_clear(&j->users);
    bmf_ids_clear(&j->items);
    bmf_ids_clear(&j->features);
    bmf_ids_clear(&j->user_features);
    bmf_content_clear(&j->content);
    bmf_content_clear(&j->user_content);
    bmf_free(j->U);
    bmf_free(j->gamma);
    bmf_free(j->Y);
    bmf_csr_clear(&j->W);
    bmf_strings_clear(&j->out.written);
    bmf_model_file_close(&j->file);
}

/* The content as scoring takes it, times its weight, and the names of the features out of it. */
static void take_content(double weight, bmf_content *content, bmf_ids *features)
{
    for (int64_t e = 0; e < bmf_csr_count(&content->matrix); e++)
        content->matrix.data[e] = (float)(content->matrix.data[e] * weight);
    *features = (bmf_ids){.kind = BMF_ID_STRING, .count = content->feature.count, .text = content->feature};
    content->feature = (bmf_strings){0};
}

static int read_content(job *j, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(j->file);
    int status = bmf_model_file_read_content(j->file, &j->content, err);
    if (status != BMF_OK)
        return status;
    take_content(meta->content_weight, &j->content, &j->features);
    if (bmf_model_meta_has_weights(meta))
        status = bmf_model_file_read_weights(j->file, 0, meta->users, &j->W, err);
    return status;
}

/* All rows of an array, packed, into *out; nothing if the model has none. */
static int read_rows(job *j, bmf_role role, float **out, bmf_error *err)
{
    const bmf_extent extent = bmf_role_extent(bmf_model_file_meta(j->file), NULL, role);
    if (extent.columns == 0)
        return BMF_OK;
    *out = bmf_alloc(extent.rows * extent.columns, sizeof **out, bmf_role_name(role), err);
    return *out ? bmf_model_file_read_rows(j->file, role, 0, extent.rows, *out, err) : BMF_ERR_MEMORY;
}

static int read_user_features(job *j, bmf_error *err)
{
    int status = bmf_model_file_read_user_content(j->file, &j->user_content, err);
    if (status == BMF_OK) {
        take_content(bmf_model_file_meta(j->file)->user_content_weight, &j->user_content, &j->user_features);
        status = read_rows(j, BMF_ROLE_USER_V, &j->U, err);
    }
    if (status == BMF_OK)
        status = read_rows(j, BMF_ROLE_USER_FEATURE_BIAS, &j->gamma, err);
    if (status == BMF_OK)
        status = read_rows(j, BMF_ROLE_IMPLICIT_V, &j->Y, err);
    return status;
}

static int read_model(job *j, bmf_error *err)
{
    int status = bmf_model_file_open(j->settings->model, &j->file, err);
    if (status == BMF_OK)
        status = bmf_model_load(j->file, 0, bmf_model_file_meta(j->file)->users, &j->model, err);
    if (status == BMF_OK)
        status = bmf_time_effects_read(j->file, 0, bmf_model_file_meta(j->file)->users, &j->time, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_users(j->file, &j->users, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_items(j->file, &j->items, err);
    if (status == BMF_OK && bmf_model_file_meta(j->file)->features > 0)
        status = read_content(j, err);
    if (status == BMF_OK)
        status = read_user_features(j, err);
    return status;
}

static int write_factors(job *j, bmf_error *err)
{
    const bmf_model *m = &j->model;
    const bmf_export_axis users = {"user", &j->users}, items = {"item", &j->items};
    int status = bmf_export_ids(&j->out, "user_ids", &j->users, err);
    if (status == BMF_OK)
        status = bmf_export_ids(&j->out, "item_ids", &j->items, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "P_matrix", users, "f", m->P, m->factors, m->stride, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "Q_matrix", items, "f", m->Q, m->factors, m->stride, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "b_u", users, "b_u", m->user_bias, 0, 1, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "b_i", items, "b_i", m->item_bias, 0, 1, err);
    if (status == BMF_OK)
        status = bmf_export_doubles(&j->out, "mu", (bmf_export_axis){NULL, NULL}, &m->global_mean, -1, err);
    return status;
}

/* embed: Q_matrix and b_i have the content's part in them; these are the parts by themselves. */
static int write_embedding(job *j, bmf_error *err)
{
    const bmf_model *m = &j->model;
    const bmf_export_axis items = {"item", &j->items}, features = {"feature", &j->features};
    int status = bmf_export_matrix(&j->out, "Q_own", items, "f", m->own_Q, m->factors, m->stride, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "b_i_own", items, "b_i_own", m->own_bias, 0, 1, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "V_matrix", features, "f", m->V, m->factors, m->stride, err);
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "beta", features, "beta", m->feature_bias, 0, 1, err);
    return status;
}

static int write_content(job *j, bmf_error *err)
{
    const bmf_export_axis users = {"user", &j->users}, items = {"item", &j->items},
                          features = {"feature", &j->features};
    int status = bmf_export_ids(&j->out, "feature_names", &j->features, err);
    if (status == BMF_OK)
        status = bmf_export_doubles(&j->out, "idf", features, j->content.idf, j->features.count, err);
    if (status == BMF_OK)
        status = bmf_export_sparse(&j->out, "content", items, features, "value", &j->content.matrix, err);
    if (status == BMF_OK && j->W.indptr)
        status = bmf_export_sparse(&j->out, "W", users, features, "weight", &j->W, err);
    if (status == BMF_OK && j->model.V)
        status = write_embedding(j, err);
    return status;
}

/* What time adds to the rest. */
static int write_time(job *j, bmf_error *err)
{
    const bmf_time_effects *e = &j->time;
    const bmf_export_axis users = {"user", &j->users}, items = {"item", &j->items}, none = {NULL, NULL};
    int status = BMF_OK;
    if (e->item_effect)
        status = bmf_export_doubles(&j->out, "time_begin", none, e->begin, e->bins, err);
    if (e->item_effect && status == BMF_OK)
        status = bmf_export_matrix(&j->out, "time_item_effect", items, "t", e->item_effect, e->bins, e->bins, err);
    if (!e->user_slope)
        return status;
    if (status == BMF_OK)
        status = bmf_export_matrix(&j->out, "time_user_slope", users, "slope", e->user_slope, 0, 1, err);
    if (status == BMF_OK)
        status = bmf_export_doubles(&j->out, "time_user_first", users, e->user_first, e->users, err);
    if (status == BMF_OK)
        status = bmf_export_doubles(&j->out, "time_user_mean", users, e->user_mean, e->users, err);
    if (status == BMF_OK)
        status = bmf_export_doubles(&j->out, "time_user_last", users, e->user_last, e->users, err);
    return status;
}

/* P_matrix and b_u have these in them. */
static int write_user_features(job *j, bmf_error *err)
{
    const int64_t k = j->model.factors;
    const bmf_export_axis users = {"user", &j->users}, items = {"item", &j->items},
                          features = {"feature", &j->user_features};
    int status = BMF_OK;
    if (j->U) {
        status = bmf_export_ids(&j->out, "user_feature_names", &j->user_features, err);
        if (status == BMF_OK)
            status = bmf_export_sparse(&j->out, "user_content", users, features, "value", &j->user_content.matrix, err);
        if (status == BMF_OK)
            status = bmf_export_matrix(&j->out, "U_matrix", features, "f", j->U, k, k, err);
        if (status == BMF_OK)
            status = bmf_export_matrix(&j->out, "gamma", features, "gamma", j->gamma, 0, 1, err);
    }
    if (status == BMF_OK && j->Y)
        status = bmf_export_matrix(&j->out, "Y_matrix", items, "f", j->Y, k, k, err);
    return status;
}

static int write_directory(job *j, bmf_error *err)
{
    j->out.form = j->settings->form;
    int status = bmf_atomic_directory_create(&j->out.directory, j->settings->output, err);
    if (status == BMF_OK)
        status = write_factors(j, err);
    if (status == BMF_OK && j->features.count > 0)
        status = write_content(j, err);
    if (status == BMF_OK)
        status = write_time(j, err);
    if (status == BMF_OK)
        status = write_user_features(j, err);
    if (status == BMF_OK)
        status = bmf_atomic_directory_commit(&j->out.directory, err);
    if (status == BMF_OK)
        return BMF_OK;
    bmf_atomic_directory_abandon(&j->out.directory);
    return bmf_context(err, "cannot write %s", j->settings->output);
}

static void print_files(const job *j, bmf_output *output)
{
    bmf_output_print(output, "%s: %" PRId64 " files, %.1f MB\n", j->settings->output, j->out.written.count,
                     (double)j->out.bytes / 1e6);
    for (int64_t i = 0; i < j->out.written.count; i++)
        bmf_output_print(output, "  %s\n", bmf_strings_get(&j->out.written, i));
}

static json_t *summary_json(const job *j)
{
    const bmf_model_meta *meta = bmf_model_file_meta(j->file);
    bmf_json json = bmf_json_start();
    json_t *files = json_array();
    bmf_json_text(&json, "model", j->settings->model);
    bmf_json_text(&json, "directory", j->settings->output);
    bmf_json_text(&json, "form", form_word((int)j->settings->form));
    bmf_json_text(&json, "content", bmf_content_mode_name(meta->content));
    bmf_json_int(&json, "users", meta->users);
    bmf_json_int(&json, "items", meta->items);
    bmf_json_int(&json, "factors", meta->factors);
    bmf_json_int(&json, "features", j->features.count);
    bmf_json_int(&json, "bytes", j->out.bytes);
    for (int64_t i = 0; i < j->out.written.count; i++)
        if (json_array_append_new(files, json_string(bmf_strings_get(&j->out.written, i))) != 0)
            json.failed = true;
    bmf_json_put(&json, "files", files);
    return bmf_json_done(&json);
}

static int check_paths(const settings *s, bmf_error *err)
{
    const bmf_path_use use[] = {
        {"MODEL.h5", s->model, BMF_PATH_INPUT},
        {"-o", s->output, BMF_PATH_MADE},
        {"--json", s->common.json, BMF_PATH_STREAM},
    };
    return bmf_path_check_outputs(use, (int)(sizeof use / sizeof *use), err);
}

static int run_export(const bmf_run *run, bmf_error *err)
{
    job j = {.settings = run->settings, .out = {.directory = BMF_ATOMIC_DIRECTORY_INIT}};
    int status = check_paths(j.settings, err);
    if (status == BMF_OK)
        status = read_model(&j, err);
    if (status == BMF_OK)
        status = write_directory(&j, err);
    if (status == BMF_OK) {
        print_files(&j, run->output);
        status = bmf_json_write(summary_json(&j), j.settings->common.json, run->output, err);
    }
    job_clear(&j);
    return status;
}

const bmf_command bmf_command_export = {
    .syntax = {.command = "export",
               .summary = "the arrays of a model for NumPy, or as text",
               .usage = "MODEL.h5 -o DIR [--to npy|csv]",
               .description =
                   "Writes P_matrix, Q_matrix, b_u, b_i and mu, the ids of the rows, and where the model has content "
                   "also its "
                   "content rows, times content_weight, the users' weights W or the features' factors, the features' "
                   "names and idf: all that a prediction takes.",
               .positionals = positionals,
               .options = options},
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run_export,
};
