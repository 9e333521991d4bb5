/* What the benchmark programs share: samples and their medians, results as key=value lines and as JSON, arguments.
 * One thread; nothing in here is timed. */
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define BENCH_MOST_ROUNDS 101
#define BENCH_MOST_VALUES 16 /* of an option that takes several */

/* Seconds of one contender, a value per round. */
typedef struct bench_samples {
    int count;
    double seconds[BENCH_MOST_ROUNDS];
} bench_samples;

void bench_add(bench_samples *samples, double seconds);
double bench_median(const bench_samples *samples);

/* Distance between the first and the third quartile, relative to the median: what the median may be trusted to. */
double bench_spread(const bench_samples *samples);

/* Rows of results: each is printed as one line `key=value key=value ..` and kept for the JSON file. */
typedef struct bench_output {
    json_t *rows; /* array of objects, the last of which is being filled */
    json_t *row;  /* borrowed from rows */
} bench_output;

int bench_output_start(bench_output *output, bmf_error *err);
int bench_row_begin(bench_output *output, bmf_error *err);
void bench_put_int(bench_output *output, const char *key, int64_t value);
void bench_put_number(bench_output *output, const char *key, double value); /* null if not finite */
void bench_put_text(bench_output *output, const char *key, const char *value);
void bench_row_print(const bench_output *output);

/* Writes {"rows": [...]} to the path (NULL: nowhere). */
int bench_output_write(const bench_output *output, const char *path, bmf_error *err);
void bench_output_clear(bench_output *output);

/* "32,64,128" into value (BENCH_MOST_VALUES) and *count; every one in low .. high. BMF_ERR_USAGE naming the option. */
int bench_parse_list(const char *option, const char *text, int64_t low, int64_t high, int64_t *value, int *count,
                     bmf_error *err);
int bench_parse_int(const char *option, const char *text, int64_t low, int64_t high, int64_t *value, bmf_error *err);

/* Bytes of the second-level cache, or a megabyte where the system does not say. */
int64_t bench_l2_bytes(void);

#endif
