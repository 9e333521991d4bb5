/* bench_read RATINGS.csv DATA.h5 [--threads T,..] [--rounds R] [--json FILE]: how fast data comes in. Import of the text with each
 * number of threads (reading and splitting apart from writing), then loading of a data set by one process as training does
 * before its first epoch. DATA.h5 is loaded, and left as it is; if there is none, the first import makes it. Each
 * measurement is the median of a few, each in a process of its own, so that memory is fresh and its peak is known. */
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/bench_support.h"
#include "comm/comm.h"
#include "data/import.h"
#include "store/dataset_file.h"
#include "train/shard.h"

#define MOST_FIGURES 8
#define USAGE "usage: bench_read RATINGS.csv DATA.h5 [--threads T,..] [--rounds R] [--json FILE]"

/* One measurement: numbers with names. */
typedef struct figures {
    bmf_error err;
    int count;
    const char *name[MOST_FIGURES]; /* literals: the same in the child and here */
    double value[MOST_FIGURES];
} figures;

typedef struct bench_job {
    const char *what, *ratings, *data;
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
        status = bmf_shard_load(comm, file, false, 1, 1, 0, &shard, err);
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
    figures result = {.err = BMF_ERROR_INIT};
    if (pipe(ends) != 0) {
        (void)bmf_fail(&result.err, BMF_ERR_IO, "there is no pipe for the figures");
        return result;
    }
    pid_t child = fork();
    if (child == 0) {
        omp_set_num_threads(job->threads);
        (void)job->measure(job, &result, &result.err);
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &result, sizeof result) != (ssize_t)sizeof result) {
        result = (figures){.err = BMF_ERROR_INIT};
        (void)bmf_fail(&result.err, BMF_ERR_INTERNAL, "%s: the child ended without figures", job->what);
    }
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return result;
}

/* Medians of the rounds, one by one. */
static int report(bench_output *output, const bench_job *job, int64_t rounds, bmf_error *err)
{
    bench_samples samples[MOST_FIGURES] = {{0}};
    figures found = {0};
    for (int64_t r = 0; r < rounds; r++) {
        found = run_apart(job);
        if (found.err.status != BMF_OK)
            return bmf_fail(err, found.err.status, "%s", found.err.text);
        for (int i = 0; i < found.count; i++)
            bench_add(&samples[i], found.value[i]);
    }
    int status = bench_row_begin(output, err);
    if (status != BMF_OK)
        return status;
    bench_put_text(output, "measurement", job->what);
    bench_put_int(output, "threads", job->threads);
    for (int i = 0; i < found.count; i++)
        bench_put_number(output, found.name[i], bench_median(&samples[i]));
    bench_row_print(output);
    return BMF_OK;
}

typedef struct settings {
    const char *ratings, *data, *json;
    int64_t threads[BENCH_MOST_VALUES], rounds;
    int counts;
} settings;

static int parse(int argc, char **argv, settings *s, bmf_error *err)
{
    static const struct option options[] = {{"threads", required_argument, NULL, 't'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"json", required_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    int status = BMF_OK, letter;
    *s = (settings){.threads = {1, 2}, .counts = 2, .rounds = 5};
    while (status == BMF_OK && (letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 't')
            status = bench_parse_list("--threads", optarg, 1, 4096, s->threads, &s->counts, err);
        else if (letter == 'r')
            status = bench_parse_int("--rounds", optarg, 1, BENCH_MOST_ROUNDS, &s->rounds, err);
        else if (letter == 'j')
            s->json = optarg;
        else
            return bmf_fail(err, BMF_ERR_USAGE, USAGE);
    }
    if (status != BMF_OK)
        return status;
    if (argc - optind != 2)
        return bmf_fail(err, BMF_ERR_USAGE, USAGE);
    s->ratings = argv[optind];
    s->data = argv[optind + 1];
    return BMF_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what;
        int (*measure)(const bench_job *job, figures *out, bmf_error *err);
    } kinds[] = {{"import", measure_import}, {"load", measure_load}};
    settings s;
    bench_output output = {0};
    bmf_error err = BMF_ERROR_INIT;
    int status = parse(argc, argv, &s, &err);
    if (status == BMF_OK)
        status = bench_output_start(&output, &err);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int i = 0; i < s.counts && status == BMF_OK; i++) {
            const bench_job job = {kinds[k].what, s.ratings, s.data, (int)s.threads[i], kinds[k].measure};
            status = report(&output, &job, s.rounds, &err);
        }
    if (status == BMF_OK)
        status = bench_output_write(&output, s.json, &err);
    if (status != BMF_OK)
        fprintf(stderr, "bench_read: %s\n", err.text);
    bench_output_clear(&output);
    return status;
}
