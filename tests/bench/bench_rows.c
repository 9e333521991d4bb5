/* bench_rows DATA.h5.. [--factors K] [--rounds R] [--json FILE]
 *
 * What the memory gives to a sweep: nanoseconds for a row of Q, read, or read and written, with rows announced in time
 * (prefetched) and no arithmetic to speak of. Which rows: in the order of the training ratings (popular items come often), at
 * random among all items, and at random among as many as fit into half of the second-level cache. Pages: as the program
 * allocates them (2 MiB where the system gives them), and small ones: the difference is what address translation costs.
 * One thread; contenders take turns over all data sets. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/rng.h"
#include "bench/bench_problem.h"
#include "bench/bench_support.h"

#define MOST_DATA 4
#define VISITS 4000000 /* rows a round */
#define AHEAD 12       /* rows announced before their turn, as many as the sweep's lanes announce together */
#define LINE_FLOATS 16

typedef enum choice { BY_RATINGS, UNIFORM, CACHED, CHOICES } choice;
typedef enum pages { LARGE, SMALL, PAGES } pages;
typedef enum access { READ, UPDATE, ACCESSES } access_kind;

static const char *const choice_name[CHOICES] = {"ratings", "uniform", "l2"};
static const char *const pages_name[PAGES] = {"large", "small"};
static const char *const access_name[ACCESSES] = {"read", "update"};

typedef struct rows {
    const char *path;
    int64_t items, stride, count; /* visits in a sequence */
    int32_t *sequence[CHOICES];   /* (count) */
    float *Q[PAGES];              /* (items, stride) */
    int64_t huge_bytes[PAGES];    /* how much of it the system put into pages of 2 MiB; −1 where it does not say */
    bench_samples samples[CHOICES][PAGES][ACCESSES];
} rows;

typedef struct settings {
    const char *path[MOST_DATA];
    int data;
    int64_t factors, rounds;
    const char *json;
} settings;

/* Touches every cache line of each row. */
static float read_rows(const float *Q, int64_t stride, const int32_t *sequence, int64_t count)
{
    float sum = 0;
    for (int64_t j = 0; j + AHEAD < count; j++) {
        const float *row = Q + sequence[j] * stride, *next = Q + sequence[j + AHEAD] * stride;
        for (int64_t f = 0; f < stride; f += LINE_FLOATS) {
            __builtin_prefetch(next + f, 0);
            sum += row[f];
        }
    }
    return sum;
}

static void update_rows(float *Q, int64_t stride, const int32_t *sequence, int64_t count)
{
    for (int64_t j = 0; j + AHEAD < count; j++) {
        float *row = Q + sequence[j] * stride;
        const float *next = Q + sequence[j + AHEAD] * stride;
        for (int64_t f = 0; f < stride; f += LINE_FLOATS) {
            __builtin_prefetch(next + f, 1);
            row[f] += 1;
        }
    }
}

static int64_t bytes_of(const rows *r)
{
    return r->items * r->stride * (int64_t)sizeof(float);
}

/* Bytes of this process in transparent huge pages, or −1. */
static int64_t huge_bytes_now(void)
{
    char line[256];
    long long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "AnonHugePages: %lld kB", &kib) != 1)
            kib = -1;
    if (file)
        fclose(file);
    return kib < 0 ? -1 : (int64_t)kib * 1024;
}

/* Both copies of Q, every page touched; asking for large pages is no promise, so what came of it is counted. */
static int allocate_rows(rows *r, bmf_error *err)
{
    const size_t bytes = (size_t)bytes_of(r);
    int64_t before = huge_bytes_now(), after;
    r->Q[LARGE] = bmf_alloc_zero(r->items * r->stride, sizeof(float), "rows in large pages", err);
    if (!r->Q[LARGE])
        return BMF_ERR_MEMORY;
    memset(r->Q[LARGE], 0, bytes);
    after = huge_bytes_now();
    r->huge_bytes[LARGE] = before < 0 || after < 0 ? -1 : after - before;
    void *small = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (small == MAP_FAILED)
        return bmf_fail(err, BMF_ERR_MEMORY, "out of memory: %zu bytes for rows in small pages", bytes);
    madvise(small, bytes, MADV_NOHUGEPAGE);
    r->Q[SMALL] = small;
    memset(small, 0, bytes);
    before = after;
    after = huge_bytes_now();
    r->huge_bytes[SMALL] = before < 0 || after < 0 ? -1 : after - before;
    return BMF_OK;
}

static int fill_sequences(rows *r, const bmf_shard *shard, bmf_error *err)
{
    const uint64_t key = bmf_rng_key(1, BMF_STREAM_TEST);
    const int64_t cached = bench_l2_bytes() / 2 / (r->stride * (int64_t)sizeof(float));
    const uint64_t range[CHOICES] = {
        [UNIFORM] = (uint64_t)r->items, [CACHED] = (uint64_t)(cached < r->items ? cached : r->items)};
    r->count = VISITS < shard->all_train ? VISITS : shard->all_train;
    for (int c = 0; c < CHOICES; c++) {
        r->sequence[c] = bmf_alloc(r->count, sizeof(int32_t), "order of the rows", err);
        if (!r->sequence[c])
            return BMF_ERR_MEMORY;
        for (int64_t j = 0; j < r->count; j++)
            r->sequence[c][j] =
                c == BY_RATINGS ? shard->train.matrix.indices[j] : (int32_t)bmf_rng_below(key, (uint64_t)j, range[c]);
    }
    return BMF_OK;
}

static int load(rows *r, bmf_comm *comm, const char *path, int64_t factors, bmf_error *err)
{
    bmf_shard shard = {0};
    int status = bench_load(comm, path, &shard, err);
    *r = (rows){.path = path, .items = shard.items, .stride = bmf_model_stride(factors)};
    if (status == BMF_OK)
        status = fill_sequences(r, &shard, err);
    if (status == BMF_OK)
        status = allocate_rows(r, err);
    bmf_shard_clear(&shard);
    return status;
}

static void unload(rows *r)
{
    for (int c = 0; c < CHOICES; c++)
        bmf_free(r->sequence[c]);
    bmf_free(r->Q[LARGE]);
    if (r->Q[SMALL])
        munmap(r->Q[SMALL], (size_t)bytes_of(r));
}

static void run(rows *r, choice c, pages p, access_kind a)
{
    double start = bmf_clock_seconds();
    if (a == READ) {
        float sum = read_rows(r->Q[p], r->stride, r->sequence[c], r->count);
        __asm__ volatile("" : : "m"(sum)); /* the reads have to be made */
    } else {
        update_rows(r->Q[p], r->stride, r->sequence[c], r->count);
    }
    bench_add(&r->samples[c][p][a], bmf_clock_seconds() - start);
}

static int report(bench_output *out, const rows *r, int64_t factors, choice c, pages p, bmf_error *err)
{
    int status = bench_row_begin(out, err);
    if (status != BMF_OK)
        return status;
    bench_put_text(out, "data", bmf_base_name(r->path));
    bench_put_int(out, "factors", factors);
    bench_put_int(out, "bytes", bytes_of(r));
    bench_put_text(out, "rows", choice_name[c]);
    bench_put_text(out, "pages", pages_name[p]);
    bench_put_int(out, "huge_bytes", r->huge_bytes[p]);
    for (int a = 0; a < ACCESSES; a++) {
        char key[64];
        const double seconds = bench_median(&r->samples[c][p][a]) / (double)r->count;
        snprintf(key, sizeof key, "%s_nanoseconds", access_name[a]);
        bench_put_number(out, key, 1e9 * seconds);
        snprintf(key, sizeof key, "%s_gigabytes_per_second", access_name[a]);
        bench_put_number(out, key, 4e-9 * (double)((a + 1) * r->stride) / seconds); /* an update reads and writes */
        snprintf(key, sizeof key, "%s_spread", access_name[a]);
        bench_put_number(out, key, bench_spread(&r->samples[c][p][a]));
    }
    bench_row_print(out);
    return BMF_OK;
}

static void measure(rows *all, int data, int64_t rounds)
{
    for (int64_t round = 0; round < rounds; round++)
        for (int c = 0; c < CHOICES; c++)
            for (int p = 0; p < PAGES; p++)
                for (int a = 0; a < ACCESSES; a++)
                    for (int d = 0; d < data; d++)
                        run(&all[d], (choice)c, (pages)p, (access_kind)a);
}

static int parse(int argc, char **argv, settings *s, bmf_error *err)
{
    static const struct option options[] = {{"factors", required_argument, NULL, 'f'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"json", required_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    int status = BMF_OK, letter;
    *s = (settings){.factors = 64, .rounds = 5};
    while (status == BMF_OK && (letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'f')
            status = bench_parse_int("--factors", optarg, 1, 4096, &s->factors, err);
        else if (letter == 'r')
            status = bench_parse_int("--rounds", optarg, 1, BENCH_MOST_ROUNDS, &s->rounds, err);
        else if (letter == 'j')
            s->json = optarg;
        else
            status =
                bmf_fail(err, BMF_ERR_USAGE, "usage: bench_rows DATA.h5.. [--factors K] [--rounds R] [--json FILE]");
    }
    if (status == BMF_OK && (optind == argc || argc - optind > MOST_DATA))
        status = bmf_fail(err, BMF_ERR_USAGE, "name 1 to %d data sets", MOST_DATA);
    for (; status == BMF_OK && optind < argc; optind++)
        s->path[s->data++] = argv[optind];
    return status;
}

int main(int argc, char **argv)
{
    static rows all[MOST_DATA];
    settings s;
    bench_output output = {0};
    bmf_error err = BMF_ERROR_INIT;
    bmf_comm *comm = NULL;
    int status = parse(argc, argv, &s, &err);
    if (status == BMF_OK)
        status = bench_output_start(&output, &err);
    if (status == BMF_OK)
        status = bmf_comm_start(&argc, &argv, &comm, &err);
    for (int d = 0; d < s.data && status == BMF_OK; d++)
        status = load(&all[d], comm, s.path[d], s.factors, &err);
    if (status == BMF_OK)
        measure(all, s.data, s.rounds);
    for (int d = 0; d < s.data; d++)
        for (int c = 0; c < CHOICES; c++)
            for (int p = 0; p < PAGES && status == BMF_OK; p++)
                status = report(&output, &all[d], s.factors, (choice)c, (pages)p, &err);
    if (status == BMF_OK)
        status = bench_output_write(&output, s.json, &err);
    if (status != BMF_OK)
        fprintf(stderr, "bench_rows: %s\n", err.text);
    for (int d = 0; d < s.data; d++)
        unload(&all[d]);
    bench_output_clear(&output);
    bmf_comm_finish(&comm);
    return status;
}
