#include "cli/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_standard(const bmf_target *target)
{
    return strcmp(target->path, "-") == 0;
}

static int fail_writing(const bmf_target *target, bmf_error *err)
{
    if (!is_standard(target))
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: %s", target->path, strerror(errno));
    target->output->error = errno ? errno : EIO;
    return bmf_fail(err, BMF_ERR_IO, "cannot write to standard output: %s", strerror(target->output->error));
}

static int open_target(bmf_target *target, const char *path, bmf_output *output, bmf_error *err)
{
    struct stat info;
    *target = (bmf_target){.path = path, .output = output, .fd = -1, .file = BMF_ATOMIC_FILE_INIT};
    if (!path || is_standard(target))
        return BMF_OK;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        target->fd = open(path, O_WRONLY | O_CLOEXEC);
        return target->fd < 0 ? fail_writing(target, err) : BMF_OK;
    }
    return bmf_atomic_file_create(&target->file, path, err) == BMF_OK ? BMF_OK
                                                                      : bmf_context(err, "cannot write %s", path);
}

static int write_target(bmf_target *target, const char *bytes, int64_t size, bmf_error *err)
{
    if (!target->path || size == 0)
        return BMF_OK;
    if (is_standard(target))
        return fwrite(bytes, 1, (size_t)size, stdout) == (size_t)size ? BMF_OK : fail_writing(target, err);
    int fd = target->fd >= 0 ? target->fd : target->file.fd;
    for (int64_t done = 0; done < size;) {
        ssize_t put = write(fd, bytes + done, (size_t)(size - done));
        if (put < 0 && errno != EINTR)
            return fail_writing(target, err);
        done += put < 0 ? 0 : put;
    }
    return BMF_OK;
}

static void abandon_target(bmf_target *target)
{
    if (target->fd >= 0)
        close(target->fd);
    bmf_atomic_file_abandon(&target->file);
    *target = (bmf_target){.fd = -1, .file = BMF_ATOMIC_FILE_INIT};
}

static int close_target(bmf_target *target, bmf_error *err)
{
    int status = BMF_OK;
    if (target->path && is_standard(target)) {
        status = fflush(stdout) == 0 ? BMF_OK : fail_writing(target, err);
    } else if (target->fd >= 0) {
        status = close(target->fd) == 0 ? BMF_OK : fail_writing(target, err);
        target->fd = -1;
    } else if (target->path && bmf_atomic_file_commit(&target->file, err) != BMF_OK) {
        status = bmf_context(err, "cannot write %s", target->path);
    }
    abandon_target(target);
    return status;
}

static int write_header(bmf_results *results, const char *name, const bmf_rows *rows, bmf_error *err)
{
    bmf_text csv = {0}, json = {0};
    int status = BMF_OK;
    for (int c = 0; c < rows->columns && status == BMF_OK; c++) {
        status = bmf_text_add(&csv, rows->column[c], (int64_t)strlen(rows->column[c]), err);
        if (status == BMF_OK)
            status = bmf_text_add(&csv, c + 1 < rows->columns ? "," : "\n", 1, err);
    }
    const char *part[] = {"{\n  \"", name, "\": ["};
    for (int i = 0; i < 3 && status == BMF_OK; i++)
        status = bmf_text_add(&json, part[i], (int64_t)strlen(part[i]), err);
    if (status == BMF_OK)
        status = write_target(&results->csv, csv.bytes, csv.size, err);
    if (status == BMF_OK)
        status = write_target(&results->json, json.bytes, json.size, err);
    bmf_text_clear(&csv);
    bmf_text_clear(&json);
    return status;
}

int bmf_results_begin(bmf_results *results, const char *name, bmf_rows *rows, const char *output_path,
                      const char *json_path, bmf_output *output, bmf_error *err)
{
    bool json_takes_stdout = json_path && strcmp(json_path, "-") == 0;
    *results = (bmf_results){.json = {.fd = -1, .file = BMF_ATOMIC_FILE_INIT}};
    int status = open_target(&results->csv, output_path || json_takes_stdout ? output_path : "-", output, err);
    if (status == BMF_OK)
        status = open_target(&results->json, json_path, output, err);
    rows->as_csv = results->csv.path != NULL;
    rows->as_json = results->json.path != NULL;
    if (status == BMF_OK)
        status = write_header(results, name, rows, err);
    if (status != BMF_OK)
        bmf_results_abandon(results);
    return status;
}

int bmf_results_write(bmf_results *results, const bmf_text *csv, const bmf_text *json, bmf_error *err)
{
    int status = write_target(&results->csv, csv->bytes, csv->size, err);
    int64_t comma = results->begun ? 0 : 1; /* none before the first */
    if (status == BMF_OK && json->size > 0) {
        status = write_target(&results->json, json->bytes + comma, json->size - comma, err);
        results->begun = true;
    }
    return status;
}

/* "\n  ],\n" and the members of the summary: its text behind the brace. */
static int end_json(bmf_results *results, const json_t *summary, bmf_error *err)
{
    char *text = summary ? json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    if (!text)
        return bmf_fail(err, BMF_ERR_MEMORY, "no memory for the JSON result");
    const char *close = results->begun ? "\n  ],\n" : "],\n";
    int status = write_target(&results->json, close, (int64_t)strlen(close), err);
    if (status == BMF_OK)
        status = write_target(&results->json, text + 2, (int64_t)strlen(text + 2), err);
    if (status == BMF_OK)
        status = write_target(&results->json, "\n", 1, err);
    free(text);
    return status;
}

int bmf_results_end(bmf_results *results, json_t *summary, bmf_error *err)
{
    int status = results->json.path ? end_json(results, summary, err) : BMF_OK;
    json_decref(summary);
    if (status == BMF_OK)
        status = close_target(&results->csv, err);
    if (status == BMF_OK)
        status = close_target(&results->json, err);
    bmf_results_abandon(results);
    return status;
}

void bmf_results_abandon(bmf_results *results)
{
    abandon_target(&results->csv);
    abandon_target(&results->json);
}
