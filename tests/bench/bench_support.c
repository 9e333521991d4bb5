#include "bench/bench_support.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

void bench_add(bench_samples *samples, double seconds)
{
    if (samples->count < BENCH_MOST_ROUNDS)
        samples->seconds[samples->count++] = seconds;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that a share of the samples is below, by interpolation. */
static double quantile(const bench_samples *samples, double share)
{
    if (samples->count == 0)
        return NAN;
    bench_samples sorted = *samples;
    qsort(sorted.seconds, (size_t)sorted.count, sizeof *sorted.seconds, compare_doubles);
    double at = share * (sorted.count - 1);
    int low = (int)at, high = low + 1 < sorted.count ? low + 1 : low;
    return sorted.seconds[low] + (at - low) * (sorted.seconds[high] - sorted.seconds[low]);
}

double bench_median(const bench_samples *samples)
{
    return quantile(samples, 0.5);
}

double bench_spread(const bench_samples *samples)
{
    return (quantile(samples, 0.75) - quantile(samples, 0.25)) / bench_median(samples);
}

int bench_output_start(bench_output *output, bmf_error *err)
{
    *output = (bench_output){.rows = json_array()};
    return output->rows ? BMF_OK : bmf_fail(err, BMF_ERR_MEMORY, "out of memory for results");
}

int bench_row_begin(bench_output *output, bmf_error *err)
{
    output->row = json_object();
    if (!output->row || json_array_append_new(output->rows, output->row) != 0) {
        output->row = NULL;
        return bmf_fail(err, BMF_ERR_MEMORY, "out of memory for results");
    }
    return BMF_OK;
}

void bench_put_int(bench_output *output, const char *key, int64_t value)
{
    json_object_set_new(output->row, key, json_integer(value));
}

void bench_put_number(bench_output *output, const char *key, double value)
{
    json_object_set_new(output->row, key, isfinite(value) ? json_real(value) : json_null());
}

void bench_put_text(bench_output *output, const char *key, const char *value)
{
    json_object_set_new(output->row, key, json_string(value));
}

void bench_row_print(const bench_output *output)
{
    const char *key, *gap = "";
    json_t *value;
    json_object_foreach(output->row, key, value)
    {
        printf("%s%s=", gap, key);
        if (json_is_integer(value))
            printf("%" PRId64, (int64_t)json_integer_value(value));
        else if (json_is_real(value))
            printf("%.4g", json_real_value(value));
        else
            printf("%s", json_is_string(value) ? json_string_value(value) : "-");
        gap = " ";
    }
    printf("\n");
    fflush(stdout);
}

int bench_output_write(const bench_output *output, const char *path, bmf_error *err)
{
    if (!path)
        return BMF_OK;
    json_t *whole = json_object();
    bool written = whole && json_object_set(whole, "rows", output->rows) == 0 &&
                   json_dump_file(whole, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
    json_decref(whole);
    return written ? BMF_OK : bmf_fail(err, BMF_ERR_IO, "cannot write %s", path);
}

void bench_output_clear(bench_output *output)
{
    json_decref(output->rows);
    *output = (bench_output){0};
}

int bench_parse_list(const char *option, const char *text, int64_t low, int64_t high, int64_t *value, int *count,
                     bmf_error *err)
{
    *count = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        int64_t parsed = 0;
        if (*count == BENCH_MOST_VALUES)
            return bmf_fail(err, BMF_ERR_USAGE, "%s: more than %d values", option, BENCH_MOST_VALUES);
        if (bmf_parse_int64(at, length, &parsed) != BMF_PARSE_OK || parsed < low || parsed > high)
            return bmf_fail(err, BMF_ERR_USAGE, "%s: '%.*s' (allowed: integers from %" PRId64 " to %" PRId64 ")",
                            option, (int)length, at, low, high);
        value[(*count)++] = parsed;
        at += length;
        if (!*at)
            return BMF_OK;
    }
}

int bench_parse_int(const char *option, const char *text, int64_t low, int64_t high, int64_t *value, bmf_error *err)
{
    int64_t all[BENCH_MOST_VALUES];
    int count;
    int status = bench_parse_list(option, text, low, high, all, &count, err);
    if (status == BMF_OK && count != 1)
        status = bmf_fail(err, BMF_ERR_USAGE, "%s takes one value", option);
    if (status == BMF_OK)
        *value = all[0];
    return status;
}

int64_t bench_l2_bytes(void)
{
    long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? bytes : 1 << 20;
}
