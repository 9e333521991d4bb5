#include "cli/output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "cli/paths.h"

#define LONGEST_PRINT 16384 /* bytes; more is cut off */

/* Keeps the first failure of stdout; one of stderr has nobody to be told. */
static void note_failure(bmf_output *output, FILE *stream)
{
    if (stream == stdout && output->error == 0)
        output->error = errno ? errno : EIO;
}

void bmf_output_print(bmf_output *output, const char *format, ...)
{
    if (!output->text)
        return;
    char raw[LONGEST_PRINT], text[LONGEST_PRINT];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    bmf_printable(raw, "\n\t", text, sizeof text); /* names from files and paths may hold anything */
    if (fputs(text, output->text) == EOF)
        note_failure(output, output->text);
}

void bmf_output_flush(bmf_output *output)
{
    if (output->text && fflush(output->text) != 0)
        note_failure(output, output->text);
}

int bmf_output_finish(bmf_output *output, bmf_error *err)
{
    if (fflush(stdout) != 0)
        note_failure(output, stdout);
    else if (ferror(stdout) && output->error == 0)
        output->error = EIO;
    if (output->error == 0)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_IO, "cannot write to standard output: %s", strerror(output->error));
}

const char *bmf_output_number(double value, int decimals, char buffer[32])
{
    if (!isfinite(value))
        return "-";
    snprintf(buffer, 32, fabs(value) < 1e12 ? "%.*f" : "%.*g", decimals, value);
    return buffer;
}

bmf_json bmf_json_start(void)
{
    json_t *object = json_object();
    return (bmf_json){object, object == NULL};
}

void bmf_json_put(bmf_json *json, const char *key, json_t *value)
{
    /* jansson drops the reference to value even if it fails */
    if (!value || json_object_set_new(json->object, key, value) != 0)
        json->failed = true;
}

void bmf_json_int(bmf_json *json, const char *key, int64_t value)
{
    bmf_json_put(json, key, json_integer((json_int_t)value));
}

void bmf_json_number(bmf_json *json, const char *key, double value)
{
    bmf_json_put(json, key, isfinite(value) ? json_real(value) : json_null());
}

void bmf_json_bool(bmf_json *json, const char *key, bool value)
{
    bmf_json_put(json, key, json_boolean(value));
}

void bmf_json_text(bmf_json *json, const char *key, const char *value)
{
    if (!value) {
        bmf_json_put(json, key, json_null());
        return;
    }
    json_t *string = json_string(value);
    if (!string) { /* a path need not be UTF-8 */
        char *copy = bmf_copy_string(value, "a string", NULL);
        for (char *at = copy; at && *at; at++)
            if ((unsigned char)*at >= 0x80)
                *at = '?';
        string = copy ? json_string(copy) : NULL;
        bmf_free(copy);
    }
    bmf_json_put(json, key, string);
}

json_t *bmf_json_done(bmf_json *json)
{
    json_t *object = json->object;
    if (json->failed) {
        json_decref(object);
        object = NULL;
    }
    *json = (bmf_json){NULL, true};
    return object;
}

int bmf_json_write(json_t *value, const char *path, bmf_output *output, bmf_error *err)
{
    char *text = NULL;
    int status = BMF_OK;
    if (value && path)
        text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (!value || (path && !text)) {
        status = bmf_fail(err, BMF_ERR_MEMORY, "no memory for the JSON result");
    } else if (path && strcmp(path, "-") == 0) {
        if (printf("%s\n", text) < 0)
            note_failure(output, stdout);
    } else if (path) {
        status = bmf_path_write_line(path, text, err);
    }
    free(text);
    json_decref(value);
    return status;
}
