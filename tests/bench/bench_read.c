/* bench_read RATINGS.csv DATA.h5 [--json FILE] [--threads T ...]: how fast data comes in. Import of the text with each
 * number of threads (reading and splitting apart from writing), then loading of a data set by one process as training does
 * before its first epoch. DATA.h5 is loaded, and left as it is; if there is none, the first import makes it. Each
 * measurement is the median of a few, each in a process of its own, so that memory is fresh and its peak is known. */
#include <jansson.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "comm/comm.h"
#include "data/import.h"
#include "store/dataset_file.h"
#include "train/shard.h"

#define ROUNDS 5
#define MOST_VALUES 8
#define MOST_COUNTS 16

/* One measurement: numbers with names. */
typedef struct figures {
    int status;
    int count;
    const char *name[MOST_VALUES]; /* literals: the same in the child and here */
    double value[MOST_VALUES];
} figures;

typedef struct bench_job {
    const char *ratings, *data;
    int threads;
    int (*measure)(const struct bench_job *job, figures *out, bmf_error *err);
} bench_job;

static void put(figures *out, const char *name, double value)
{
    out->name[out->count] = name;
    out->value[out->count++] = value;
}

static double peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

/* The large arrays of a data set. */
static double bytes_of(const bmf_dataset *dataset)
{
    double bytes = 0;
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_ratings *split = &dataset->split[s];
        double entry = sizeof(float) + sizeof(int32_t) + (split->timestamp ? sizeof(int64_t) : 0);
        bytes += (double)bmf_csr_count(&split->matrix) * entry + (double)(split->matrix.rows + 1) * sizeof(int64_t);
    }
    return bytes;
}

static int measure_import(const bench_job *job, figures *out, bmf_error *err)
{
    char scratch[4096];
    bmf_dataset dataset;
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = job->ratings;
    options.threads = job->threads;
    snprintf(scratch, sizeof scratch, "%s.bench-%ld", job->data, (long)getpid());
    double start = bmf_clock_seconds();
    int status = bmf_import(&options, &dataset, err);
    if (status != BMF_OK)
        return status;
    double read = bmf_clock_seconds();
    bmf_dataset_report report = bmf_dataset_report_of(&dataset);
    double reported = bmf_clock_seconds();
    status = bmf_dataset_write(scratch, &dataset, err);
    double written = bmf_clock_seconds();
    put(out, "ratings", (double)report.all.ratings);
    put(out, "ratings_per_second", (double)dataset.import.ratings_read / (written - start));
    put(out, "text_to_data_set_ratings_per_second", (double)dataset.import.ratings_read / (read - start));
    put(out, "read_seconds", read - start);
    put(out, "report_seconds", reported - read);
    put(out, "write_seconds", written - reported);
    put(out, "peak_to_arrays", peak_bytes() / bytes_of(&dataset));
    bmf_dataset_clear(&dataset);
    if (status == BMF_OK && access(job->data, F_OK) != 0)
        status = rename(scratch, job->data) == 0 ? BMF_OK : BMF_ERR_IO;
    else
        (void)unlink(scratch);
    return status;
}

/* As a rank that is alone: read and check the ratings of training and validation, then the whole of what training does. */
static int measure_load(const bench_job *job, figures *out, bmf_error *err)
{
    bmf_comm *comm = NULL;
    bmf_dataset_file *file = NULL;
    bmf_ratings ratings[2];
    bmf_shard shard = {0};
    memset(ratings, 0, sizeof ratings);
    int status = bmf_comm_start(&(int){0}, &(char **){NULL}, &comm, err);
    if (status != BMF_OK)
        return status;
    double start = bmf_clock_seconds(), opened = start, read = start;
    status = bmf_dataset_file_open(job->data, &file, err);
    if (status == BMF_OK) {
        opened = bmf_clock_seconds();
        bmf_dataset_file_use_threads(file, job->threads);
        bmf_dataset_shape shape = bmf_dataset_file_shape(file);
        for (int s = BMF_TRAIN; s <= BMF_VAL && status == BMF_OK; s++)
            status = bmf_dataset_file_read_ratings(file, (bmf_split)s, 0, shape.users, 0, &ratings[s], err);
        read = bmf_clock_seconds();
    }
    double bytes = 0;
    for (int s = BMF_TRAIN; s <= BMF_VAL && status == BMF_OK; s++) {
        bytes += (double)bmf_csr_count(&ratings[s].matrix) * (sizeof(float) + sizeof(int32_t));
        bytes += (double)(ratings[s].matrix.rows + 1) * sizeof(int64_t);
        bmf_ratings_clear(&ratings[s]);
    }
    double again = bmf_clock_seconds();
    if (status == BMF_OK)
        status = bmf_shard_load(comm, file, false, 1, 1, &shard, err);
    double loaded = bmf_clock_seconds();
    put(out, "bytes", bytes);
    put(out, "open_seconds", opened - start);
    put(out, "read_seconds", read - opened);
    put(out, "read_gigabytes_per_second", bytes / (read - opened) / 1e9);
    put(out, "shard_seconds", loaded - again);
    put(out, "shard_gigabytes_per_second", bytes / (loaded - again) / 1e9);
    bmf_shard_clear(&shard);
    bmf_dataset_file_close(&file);
    bmf_comm_finish(&comm);
    return status;
}

/* Runs the job in a child; its figures come back through a pipe. */
static figures run_apart(const bench_job *job)
{
    int ends[2];
    figures result = {.status = BMF_ERR_IO};
    if (pipe(ends) != 0)
        return result;
    pid_t child = fork();
    if (child == 0) {
        bmf_error err = BMF_ERROR_INIT;
        omp_set_num_threads(job->threads);
        result.status = job->measure(job, &result, &err);
        if (result.status != BMF_OK)
            fprintf(stderr, "bench_read: %s\n", err.text);
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &result, sizeof result) != (ssize_t)sizeof result)
        result = (figures){.status = BMF_ERR_IO};
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return result;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Medians of several runs, one by one. */
static figures median_of_runs(const bench_job *job)
{
    figures run[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        run[r] = run_apart(job);
        if (run[r].status != BMF_OK)
            return run[r];
    }
    figures out = run[0];
    for (int i = 0; i < out.count; i++) {
        double value[ROUNDS];
        for (int r = 0; r < ROUNDS; r++)
            value[r] = run[r].value[i];
        qsort(value, ROUNDS, sizeof *value, compare_doubles);
        out.value[i] = value[ROUNDS / 2];
    }
    return out;
}

static int report(const bench_job *job, const char *what, json_t *list)
{
    figures result = median_of_runs(job);
    if (result.status != BMF_OK)
        return result.status;
    json_t *object = json_pack("{s:s, s:i}", "measurement", what, "threads", job->threads);
    printf("measurement=%s threads=%d", what, job->threads);
    for (int i = 0; i < result.count; i++) {
        printf(" %s=%.4g", result.name[i], result.value[i]);
        json_object_set_new(object, result.name[i], json_real(result.value[i]));
    }
    printf("\n");
    fflush(stdout);
    return json_array_append_new(list, object) == 0 ? BMF_OK : BMF_ERR_MEMORY;
}

typedef struct bench_arguments {
    const char *ratings, *data, *json;
    int threads[MOST_COUNTS], counts;
} bench_arguments;

static bool parse(int argc, char **argv, bench_arguments *out)
{
    *out = (bench_arguments){0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            out->json = argv[++i];
        } else if (strcmp(argv[i], "--threads") == 0) {
            int64_t count = 0;
            while (i + 1 < argc && out->counts < MOST_COUNTS &&
                   bmf_parse_int64(argv[i + 1], strlen(argv[i + 1]), &count) == BMF_PARSE_OK && count >= 1 &&
                   count <= 4096) {
                out->threads[out->counts++] = (int)count;
                i++;
            }
        } else if (!out->ratings && argv[i][0] != '-') {
            out->ratings = argv[i];
        } else if (!out->data && argv[i][0] != '-') {
            out->data = argv[i];
        } else {
            return false;
        }
    }
    if (out->counts == 0) {
        out->threads[0] = 1;
        out->threads[1] = 2;
        out->counts = 2;
    }
    return out->ratings && out->data;
}

int main(int argc, char **argv)
{
    bench_arguments arguments;
    int status = BMF_OK;
    if (!parse(argc, argv, &arguments)) {
        fprintf(stderr, "usage: bench_read RATINGS.csv DATA.h5 [--json FILE] [--threads T ...]\n");
        return 2;
    }
    json_t *list = json_array();
    bench_job job = {.ratings = arguments.ratings, .data = arguments.data, .measure = measure_import};
    for (int i = 0; i < arguments.counts && status == BMF_OK; i++) {
        job.threads = arguments.threads[i];
        status = report(&job, "import", list);
    }
    job.measure = measure_load;
    for (int i = 0; i < arguments.counts && status == BMF_OK; i++) {
        job.threads = arguments.threads[i];
        status = report(&job, "load", list);
    }
    if (status == BMF_OK && arguments.json && json_dump_file(list, arguments.json, JSON_INDENT(2)) != 0) {
        fprintf(stderr, "bench_read: %s cannot be written\n", arguments.json);
        status = BMF_ERR_IO;
    }
    json_decref(list);
    return status;
}
