/* What a command prints for people, and for programs as JSON. A failed write to stdout is remembered and reported once. */
#ifndef BMF_CLI_OUTPUT_H
#define BMF_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef struct bmf_output {
    FILE *text; /* for people: stdout, or stderr, or NULL for nowhere */
    int error;  /* errno of the first failed write to stdout; 0 */
} bmf_output;

/* Prints for people, a line or so at a time. Control characters other than tab and line end are shown as \xNN. */
void bmf_output_print(bmf_output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Brings what was printed to its reader now. */
void bmf_output_flush(bmf_output *output);

/* Flushes; BMF_ERR_IO if any write to stdout has failed. */
int bmf_output_finish(bmf_output *output, bmf_error *err);

/* Numbers for people, into buffer, which is returned: %.*f, "-" for what is not finite. */
const char *bmf_output_number(double value, int decimals, char buffer[32]);

/* A JSON object being filled. One failure (memory) is remembered and makes the whole fail. */
typedef struct bmf_json {
    json_t *object;
    bool failed;
} bmf_json;

bmf_json bmf_json_start(void);
void bmf_json_int(bmf_json *json, const char *key, int64_t value);
void bmf_json_number(bmf_json *json, const char *key, double value);    /* null if not finite */
void bmf_json_text(bmf_json *json, const char *key, const char *value); /* NULL: null; bytes that are not UTF-8: '?' */
void bmf_json_bool(bmf_json *json, const char *key, bool value);

/* Takes ownership of value; NULL counts as a failure. */
void bmf_json_put(bmf_json *json, const char *key, json_t *value);

/* The filled object, to be put into another or written; NULL if anything failed. */
json_t *bmf_json_done(bmf_json *json);

/* Writes value, whose ownership it takes, to path: a file, replaced atomically, or "-" for stdout. A path of NULL writes
 * nothing. BMF_ERR_MEMORY if value is NULL, BMF_ERR_IO. */
int bmf_json_write(json_t *value, const char *path, bmf_output *output, bmf_error *err);

#endif
