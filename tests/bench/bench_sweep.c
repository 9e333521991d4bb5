/* bench_sweep DATA.h5.. [--factors K,..] [--threads T,..] [--rounds R] [--json FILE]
 *
 * The sweep alone, in updates per second of wall time: the kernel of this processor (or BMF_KERNEL) on the training ratings,
 * plain and with content if there is any; the plain reference loop on a part of the same users; and the bound, the same
 * kernel where every row stays in the second-level cache. Contenders take turns, round after round, over all data sets and
 * thread counts, so that a machine whose speed drifts is fair to all. One line for each data set, k and thread count. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/rng.h"
#include "bench/bench_problem.h"
#include "bench/bench_support.h"

#define MOST_DATA 4
#define MOST_THREADS 64
#define REFERENCE_UPDATES 1000000 /* the plain loop sweeps about as many, not the whole epoch: it is slow */
#define FEWEST_UPDATES 2000000 /* a measurement makes as many or more, in several passes: shorter ones measure noise */

typedef enum contender { FAST, CONCAT, REFERENCE, CACHED, CONTENDERS } contender;

typedef struct settings {
    const char *path[MOST_DATA];
    int data;
    int64_t factors[BENCH_MOST_VALUES], threads[BENCH_MOST_VALUES];
    int factor_counts, thread_counts;
    int64_t rounds;
    const char *json;
} settings;

/* One data set with one thread count, at the k that is being measured. */
typedef struct lineup {
    const bmf_shard *shard;
    const bmf_model *model;
    int threads;
    bmf_item_copies copies; /* as training would have them; nothing is merged here */
    bmf_epoch *epoch;       /* one window: a whole epoch */
    bmf_epoch *reference;   /* windows of REFERENCE_UPDATES */
    int64_t reference_windows, passes, cached_passes;
    double updates[CONTENDERS]; /* of a round */
    bench_samples samples[CONTENDERS];
} lineup;

/* A thread's own problem that fits into its cache. */
typedef struct cached {
    bmf_shard shard;
    bmf_model model;
    bmf_epoch *epoch;
} cached;

typedef struct bench {
    settings settings;
    bmf_shard shard[MOST_DATA];
    bench_weights weights[MOST_DATA];
    bmf_model model[MOST_DATA];
    bmf_kernel plain, concat, reference;
    cached cached[MOST_DATA][MOST_THREADS];
    lineup lineup[MOST_DATA][BENCH_MOST_VALUES];
    bench_output output;
} bench;

static bool has_content(const bmf_shard *shard)
{
    return shard->rows.features > 0;
}

static int64_t most_threads(const settings *s)
{
    int64_t most = 1;
    for (int i = 0; i < s->thread_counts; i++)
        most = s->threads[i] > most ? s->threads[i] : most;
    return most;
}

/* Sweeps the first window of `epoch`, one after the other in several orders, and returns the seconds; the users' order is
 * made before. */
static double time_sweep(bmf_epoch *epoch, const bmf_kernel *kernel, bmf_sweep sweep, const bmf_item_copies *copies,
                         int64_t passes)
{
    bmf_epoch_begin(epoch, sweep.order_key);
    double start = bmf_clock_seconds();
    for (int64_t pass = 0; pass < passes; pass++) {
        sweep.order_key = bmf_rng_subkey(sweep.order_key, (uint64_t)pass);
        bmf_epoch_sweep(epoch, kernel, &sweep, copies, 0);
    }
    return bmf_clock_seconds() - start;
}

/* Every thread sweeps its own cached problem as often as the bound wants. */
static double time_cached(cached *of_thread, const lineup *l, const bmf_kernel *kernel, uint64_t round)
{
    for (int t = 0; t < l->threads; t++)
        bmf_epoch_begin(of_thread[t].epoch, bmf_rng_subkey(round, (uint64_t)t));
    double start = bmf_clock_seconds();
#pragma omp parallel for schedule(static, 1) num_threads(l->threads)
    for (int t = 0; t < l->threads; t++)
        for (int64_t pass = 0; pass < l->cached_passes; pass++) {
            uint64_t order = round * (uint64_t)l->cached_passes + (uint64_t)pass;
            bmf_sweep sweep = bench_sweep(&of_thread[t].shard, NULL, &of_thread[t].model, order);
            bmf_item_side side = {of_thread[t].model.Q, of_thread[t].model.item_bias};
            const bmf_item_copies own = {.count = 1, .copy = &side};
            bmf_epoch_sweep(of_thread[t].epoch, kernel, &sweep, &own, 0);
        }
    return bmf_clock_seconds() - start;
}

/* Updates in the window that the reference swept: whole users, so a little more or less than its share. */
static double window_updates(bmf_epoch *epoch, const bmf_item_copies *copies)
{
    const int32_t *steps = bmf_epoch_steps(epoch, 0);
    double updates = 0;
    for (int64_t i = 0; i < copies->count * copies->items; i++)
        updates += steps[i];
    return updates;
}

/* One measurement, as seconds for l->updates[c] updates. */
static void run_contender(bench *b, int data, lineup *l, contender c, uint64_t round)
{
    const bmf_sweep sweep = bench_sweep(l->shard, c == CONCAT ? &b->weights[data] : NULL, l->model, round);
    double seconds;
    if (c == CACHED) {
        seconds = time_cached(b->cached[data], l, &b->plain, round);
    } else if (c == REFERENCE) {
        seconds = time_sweep(l->reference, &b->reference, sweep, &l->copies, 1);
        seconds *= l->updates[REFERENCE] / window_updates(l->reference, &l->copies);
    } else {
        seconds = time_sweep(l->epoch, c == CONCAT ? &b->concat : &b->plain, sweep, &l->copies, l->passes);
    }
    bench_add(&l->samples[c], seconds);
}

static int start_lineup(bench *b, int data, lineup *l, int64_t threads, bmf_error *err)
{
    const double all = (double)b->shard[data].all_train;
    int64_t cached_updates = 0;
    for (int64_t t = 0; t < threads; t++)
        cached_updates += b->cached[data][t].shard.all_train;
    *l = (lineup){.shard = &b->shard[data], .model = &b->model[data], .threads = (int)threads};
    l->reference_windows = b->shard[data].all_train / REFERENCE_UPDATES + 1;
    l->passes = (FEWEST_UPDATES - 1) / b->shard[data].all_train + 1;
    l->cached_passes = (threads * FEWEST_UPDATES - 1) / cached_updates + 1;
    l->updates[FAST] = l->updates[CONCAT] = all * (double)l->passes;
    l->updates[REFERENCE] = all / (double)l->reference_windows;
    l->updates[CACHED] = (double)(l->cached_passes * cached_updates);
    const int64_t copies = bmf_item_copies_wanted(threads, l->shard->items, l->model->stride, l->shard->all_train);
    int status = bmf_item_copies_create(l->model, copies, 1, &l->copies, err);
    if (status == BMF_OK)
        status = bmf_epoch_create(l->shard, 1, threads, copies, 1, &l->epoch, err);
    if (status == BMF_OK)
        status = bmf_epoch_create(l->shard, l->reference_windows, threads, copies, 1, &l->reference, err);
    return status;
}

static void end_lineup(lineup *l)
{
    bmf_item_copies_clear(&l->copies);
    bmf_epoch_destroy(&l->epoch);
    bmf_epoch_destroy(&l->reference);
}

static int descending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x < y) - (x > y);
}

/* The share of the updates that find their row of Q in the second-level cache if that holds the most rated items. */
static double share_in_l2(const bmf_shard *shard, int64_t stride, bmf_error *err)
{
    int64_t rows = bench_l2_bytes() / (stride * (int64_t)sizeof(float)), inside = 0;
    int32_t *steps = bmf_alloc(shard->items, sizeof *steps, "steps of the items", err);
    if (!steps)
        return 0;
    memcpy(steps, shard->item_steps, (size_t)shard->items * sizeof *steps);
    qsort(steps, (size_t)shard->items, sizeof *steps, descending);
    for (int64_t i = 0; i < shard->items && i < rows; i++)
        inside += steps[i];
    bmf_free(steps);
    return (double)inside / (double)shard->all_train;
}

static double rate(const lineup *l, contender c)
{
    return l->updates[c] / bench_median(&l->samples[c]);
}

/* The models. Bytes: an update reads its rating (8) and reads and writes its row of Q (2 × 4 k), wherever that lies; of this
 * only what is not in the second-level cache has to come from beyond it. Operations, from the equations in kernels/sweep.h:
 * 2 k for P_u·Q_i, 4 k for each of the two rows (η e q, ηλ p, difference, sum), 13 for e and the biases. */
static void put_models(bench_output *out, const lineup *l, int64_t k, bmf_error *err)
{
    const double row = 8.0 * (double)k, rating = 8, flops = 10.0 * (double)k + 13, speed = rate(l, FAST);
    const double in_l2 = share_in_l2(l->shard, l->model->stride, err), beyond = (1 - in_l2) * row + rating;
    bench_put_number(out, "bytes_per_update", row + rating);
    bench_put_number(out, "gigabytes_per_second", 1e-9 * speed * (row + rating));
    bench_put_number(out, "in_l2_share", in_l2);
    bench_put_number(out, "beyond_l2_bytes_per_update", beyond);
    bench_put_number(out, "beyond_l2_gigabytes_per_second", 1e-9 * speed * beyond);
    bench_put_number(out, "flops_per_update", flops);
    bench_put_number(out, "gigaflops", 1e-9 * speed * flops);
    bench_put_int(out, "in_cache_bytes", (BENCH_CACHED_ITEMS + BENCH_CACHED_USERS) * l->model->stride * 4);
    bench_put_int(out, "l2_bytes", bench_l2_bytes());
}

static int report(bench *b, int data, const lineup *l, int64_t k, bmf_error *err)
{
    static const char *const name[CONTENDERS] = {"", "concat_", "reference_", "in_cache_"};
    bench_output *out = &b->output;
    int status = bench_row_begin(out, err);
    if (status != BMF_OK)
        return status;
    bench_put_text(out, "data", bmf_base_name(b->settings.path[data]));
    bench_put_int(out, "factors", k);
    bench_put_int(out, "threads", l->threads);
    bench_put_text(out, "kernel", b->plain.name);
    bench_put_int(out, "ratings", l->shard->all_train);
    for (int c = 0; c < CONTENDERS; c++) {
        char key[64];
        if (l->samples[c].count == 0)
            continue;
        snprintf(key, sizeof key, "%supdates_per_second", name[c]);
        bench_put_number(out, key, rate(l, (contender)c));
        snprintf(key, sizeof key, "%sspread", name[c]);
        bench_put_number(out, key, bench_spread(&l->samples[c]));
    }
    bench_put_number(out, "to_reference", rate(l, FAST) / rate(l, REFERENCE));
    bench_put_number(out, "to_in_cache", rate(l, FAST) / rate(l, CACHED));
    if (l->samples[CONCAT].count > 0)
        bench_put_number(out, "concat_cost", rate(l, FAST) / rate(l, CONCAT));
    put_models(out, l, k, err);
    bench_row_print(out);
    return err->status;
}

static int choose_kernels(bench *b, bmf_error *err)
{
    const char *want = getenv("BMF_KERNEL");
    const int64_t stride = b->model[0].stride;
    int status = bmf_kernel_choose(stride, false, want, &b->plain, err);
    if (status == BMF_OK)
        status = bmf_kernel_choose(stride, true, want, &b->concat, err);
    if (status == BMF_OK)
        status = bmf_kernel_choose(stride, false, "ref", &b->reference, err);
    return status;
}

/* Models of all problems for k factors. */
static int start_factors(bench *b, int64_t k, bmf_error *err)
{
    const settings *s = &b->settings;
    int status = BMF_OK;
    for (int d = 0; d < s->data && status == BMF_OK; d++) {
        status = bench_model(&b->shard[d], &b->weights[d], k, &b->model[d], err);
        for (int64_t t = 0; t < most_threads(s) && status == BMF_OK; t++)
            status = bench_model(&b->cached[d][t].shard, NULL, k, &b->cached[d][t].model, err);
        for (int i = 0; i < s->thread_counts && status == BMF_OK; i++)
            status = start_lineup(b, d, &b->lineup[d][i], s->threads[i], err);
    }
    return status == BMF_OK ? choose_kernels(b, err) : status;
}

static void end_factors(bench *b)
{
    for (int d = 0; d < b->settings.data; d++) {
        bmf_model_clear(&b->model[d]);
        for (int64_t t = 0; t < most_threads(&b->settings); t++)
            bmf_model_clear(&b->cached[d][t].model);
        for (int i = 0; i < b->settings.thread_counts; i++)
            end_lineup(&b->lineup[d][i]);
    }
}

static int measure(bench *b, int64_t k, bmf_error *err)
{
    const settings *s = &b->settings;
    int status = start_factors(b, k, err);
    for (int64_t round = 0; round < s->rounds && status == BMF_OK; round++)
        for (int c = 0; c < CONTENDERS; c++)
            for (int d = 0; d < s->data; d++)
                for (int i = 0; i < s->thread_counts; i++)
                    if (c != CONCAT || has_content(&b->shard[d]))
                        run_contender(b, d, &b->lineup[d][i], (contender)c, (uint64_t)round);
    for (int d = 0; d < s->data && status == BMF_OK; d++)
        for (int i = 0; i < s->thread_counts && status == BMF_OK; i++)
            status = report(b, d, &b->lineup[d][i], k, err);
    end_factors(b);
    return status;
}

static int load(bench *b, bmf_comm *comm, bmf_error *err)
{
    const settings *s = &b->settings;
    int status = BMF_OK;
    for (int d = 0; d < s->data && status == BMF_OK; d++) {
        status = bench_load(comm, s->path[d], &b->shard[d], err);
        if (status == BMF_OK)
            status = bench_find_weights(&b->shard[d], (int)most_threads(s), &b->weights[d], err);
        for (int64_t t = 0; t < most_threads(s) && status == BMF_OK; t++) {
            cached *of_thread = &b->cached[d][t];
            status = bench_cached(&b->shard[d], (uint64_t)t, &of_thread->shard, err);
            if (status == BMF_OK)
                status = bmf_epoch_create(&of_thread->shard, 1, 1, 1, 1, &of_thread->epoch, err);
        }
    }
    return status;
}

static void unload(bench *b)
{
    for (int d = 0; d < b->settings.data; d++) {
        for (int64_t t = 0; t < most_threads(&b->settings); t++) {
            bmf_epoch_destroy(&b->cached[d][t].epoch);
            bmf_shard_clear(&b->cached[d][t].shard);
        }
        bench_weights_clear(&b->weights[d]);
        bmf_shard_clear(&b->shard[d]);
    }
    bench_output_clear(&b->output);
}

static int parse(int argc, char **argv, settings *s, bmf_error *err)
{
    static const struct option options[] = {{"factors", required_argument, NULL, 'f'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"json", required_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    int status = BMF_OK, letter;
    *s = (settings){.factors = {32, 64, 128}, .factor_counts = 3, .threads = {1}, .thread_counts = 1, .rounds = 5};
    while (status == BMF_OK && (letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'f')
            status = bench_parse_list("--factors", optarg, 1, 4096, s->factors, &s->factor_counts, err);
        else if (letter == 't')
            status = bench_parse_list("--threads", optarg, 1, MOST_THREADS, s->threads, &s->thread_counts, err);
        else if (letter == 'r')
            status = bench_parse_int("--rounds", optarg, 1, BENCH_MOST_ROUNDS, &s->rounds, err);
        else if (letter == 'j')
            s->json = optarg;
        else
            status = bmf_fail(err, BMF_ERR_USAGE,
                              "usage: bench_sweep DATA.h5.. [--factors K,..] [--threads T,..] "
                              "[--rounds R] [--json FILE]");
    }
    if (status == BMF_OK && (optind == argc || argc - optind > MOST_DATA))
        status = bmf_fail(err, BMF_ERR_USAGE, "name 1 to %d data sets", MOST_DATA);
    for (; status == BMF_OK && optind < argc; optind++)
        s->path[s->data++] = argv[optind];
    return status;
}

int main(int argc, char **argv)
{
    static bench b;
    bmf_error err = BMF_ERROR_INIT;
    bmf_comm *comm = NULL;
    int status = parse(argc, argv, &b.settings, &err);
    if (status == BMF_OK)
        status = bench_output_start(&b.output, &err);
    if (status == BMF_OK)
        status = bmf_comm_start(&argc, &argv, &comm, &err);
    if (status == BMF_OK)
        status = load(&b, comm, &err);
    for (int i = 0; i < b.settings.factor_counts && status == BMF_OK; i++)
        status = measure(&b, b.settings.factors[i], &err);
    if (status == BMF_OK)
        status = bench_output_write(&b.output, b.settings.json, &err);
    if (status != BMF_OK)
        fprintf(stderr, "bench_sweep: %s\n", err.text);
    unload(&b);
    if (comm)
        bmf_comm_finish(&comm);
    return status;
}
