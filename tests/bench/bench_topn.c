/* bench_topn MODEL.h5 [--top N] [--threads T,..] [--rounds R] [--json FILE]: lists for all users of a model, as the library
 * makes them, beside the bare matrix product P Qᵀ by the same BLAS with as many threads, which keeps nothing of what it
 * computes: once into tiles that stay in the second-level cache, once into blocks of users × all items. The ratio is to the
 * faster of the two. Contenders take turns. Memory is the peak while lists are made, less what was taken before. */
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/bench_support.h"
#include "blendmf/model.h"
#include "linalg/scores.h"
#include "serve/serve.h"
#include "train/memory_plan.h"

#define TILE_USERS 256
#define TILE_ITEMS 512
#define USAGE "usage: bench_topn MODEL.h5 [--top N] [--threads T,..] [--rounds R] [--json FILE]"

typedef struct settings {
    const char *model, *json;
    int64_t top, rounds, threads[BENCH_MOST_VALUES];
    int thread_counts;
} settings;

typedef struct topn_job {
    blendmf_model *model;
    int64_t *user, *found; /* (users) */
    blendmf_ranked *out;   /* (users × top) */
    float *score;          /* (most threads, TILE_USERS × items) */
} topn_job;

static int start_job(const settings *set, topn_job *job, bmf_error *err)
{
    blendmf_error error;
    if (blendmf_open(set->model, &job->model, &error) != BMF_OK)
        return bmf_fail(err, error.status, "%s", error.text);
    const int64_t users = job->model->meta.users;
    job->user = bmf_alloc(users, sizeof *job->user, "users", err);
    job->found = bmf_alloc_zero(users, sizeof *job->found, "lengths of lists", err);
    job->out = bmf_alloc_zero(users * set->top, sizeof *job->out, "lists", err);
    if (!job->user || !job->found || !job->out)
        return BMF_ERR_MEMORY;
    for (int64_t u = 0; u < users; u++)
        job->user[u] = u;
    memset(job->out, 0, (size_t)(users * set->top) * sizeof *job->out);
    return BMF_OK;
}

static void end_job(topn_job *job)
{
    blendmf_close(&job->model);
    bmf_free(job->user);
    bmf_free(job->found);
    bmf_free(job->out);
    bmf_free(job->score);
}

static int make_lists(const settings *set, topn_job *job, int threads, bmf_error *err)
{
    blendmf_error error;
    if (blendmf_recommend_many(job->model, job->user, job->model->meta.users, NULL, set->top, threads, 0, job->out,
                               job->found, &error) != BMF_OK)
        return bmf_fail(err, error.status, "%s", error.text);
    return BMF_OK;
}

/* The product alone, `count` items at a time. */
static void multiply(const topn_job *job, int threads, int64_t count)
{
    const bmf_model *m = &job->model->model;
    const bmf_item_side items = {m->Q, m->item_bias, m->items, m->factors, m->stride};
    const int64_t blocks = (m->users + TILE_USERS - 1) / TILE_USERS;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t b = 0; b < blocks; b++) {
        float *score = job->score + omp_get_thread_num() * TILE_USERS * m->items;
        const int64_t first = b * TILE_USERS, users = m->users - first < TILE_USERS ? m->users - first : TILE_USERS;
        for (int64_t i = 0; i < m->items; i += count)
            bmf_scores_tile(&items, i, m->items - i < count ? m->items - i : count, m->P + first * m->stride, users,
                            score);
    }
}

/* Asks the system to count the peak anew. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

static int measure(const settings *set, topn_job *job, int threads, bench_output *output, bmf_error *err)
{
    const bmf_model_meta *meta = &job->model->meta;
    bench_samples lists = {0}, tiles = {0}, blocks = {0};
    forget_peak();
    const int64_t before = bmf_memory_now();
    int status = make_lists(set, job, threads, err);
    const int64_t taken = bmf_memory_peak() - before;
    job->score = bmf_alloc(threads * TILE_USERS * meta->items, sizeof *job->score, "scores", err);
    if (!job->score)
        status = BMF_ERR_MEMORY;
    for (int64_t r = 0; r < set->rounds && status == BMF_OK; r++) {
        const double start = bmf_clock_seconds();
        status = make_lists(set, job, threads, err);
        const double listed = bmf_clock_seconds();
        multiply(job, threads, TILE_ITEMS);
        const double tiled = bmf_clock_seconds();
        multiply(job, threads, meta->items);
        bench_add(&lists, listed - start);
        bench_add(&tiles, tiled - listed);
        bench_add(&blocks, bmf_clock_seconds() - tiled);
    }
    bmf_free(job->score);
    job->score = NULL;
    if (status == BMF_OK)
        status = bench_row_begin(output, err);
    if (status != BMF_OK)
        return status;
    const double flops = 2.0 * (double)meta->users * (double)meta->items * (double)meta->factors;
    const double tile = bench_median(&tiles), block = bench_median(&blocks), product = tile < block ? tile : block;
    bench_put_text(output, "content", bmf_content_mode_name(meta->content));
    bench_put_int(output, "users", meta->users);
    bench_put_int(output, "items", meta->items);
    bench_put_int(output, "factors", meta->factors);
    bench_put_int(output, "top", set->top);
    bench_put_int(output, "threads", threads);
    bench_put_number(output, "users_per_second", (double)meta->users / bench_median(&lists));
    bench_put_number(output, "gigaflops", flops / bench_median(&lists) / 1e9);
    bench_put_number(output, "sgemm_gigaflops", flops / product / 1e9);
    bench_put_number(output, "sgemm_blocks_gigaflops", flops / block / 1e9);
    bench_put_number(output, "to_sgemm", product / bench_median(&lists));
    bench_put_number(output, "spread", bench_spread(&lists));
    bench_put_int(output, "memory_bytes", taken > 0 ? taken : 0);
    bench_row_print(output);
    return BMF_OK;
}

static int parse(int argc, char **argv, settings *set, bmf_error *err)
{
    static const struct option options[] = {{"top", 1, NULL, 't'},
                                            {"threads", 1, NULL, 'T'},
                                            {"rounds", 1, NULL, 'r'},
                                            {"json", 1, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    *set = (settings){.top = 10, .rounds = 5, .threads = {1}, .thread_counts = 1};
    int status = BMF_OK, option;
    while (status == BMF_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            status = bench_parse_int("--top", optarg, 1, 1000000, &set->top, err);
        else if (option == 'T')
            status = bench_parse_list("--threads", optarg, 1, 1024, set->threads, &set->thread_counts, err);
        else if (option == 'r')
            status = bench_parse_int("--rounds", optarg, 1, BENCH_MOST_ROUNDS, &set->rounds, err);
        else if (option == 'j')
            set->json = optarg;
        else
            status = bmf_fail(err, BMF_ERR_USAGE, USAGE);
    }
    if (status == BMF_OK && optind != argc - 1)
        status = bmf_fail(err, BMF_ERR_USAGE, USAGE);
    if (status == BMF_OK)
        set->model = argv[optind];
    return status;
}

int main(int argc, char **argv)
{
    bmf_error err = BMF_ERROR_INIT;
    settings set;
    topn_job job = {0};
    bench_output output = {0};
    int status = parse(argc, argv, &set, &err);
    if (status == BMF_OK)
        status = start_job(&set, &job, &err);
    if (status == BMF_OK)
        status = bench_output_start(&output, &err);
    for (int t = 0; t < set.thread_counts && status == BMF_OK; t++)
        status = measure(&set, &job, (int)set.threads[t], &output, &err);
    if (status == BMF_OK)
        status = bench_output_write(&output, set.json, &err);
    if (status != BMF_OK)
        fprintf(stderr, "bench_topn: %s\n", err.text);
    bench_output_clear(&output);
    end_job(&job);
    return status;
}
