/* bench_sweep DATA.h5 [FACTORS ...]: one thread sweeps the training ratings with the plain and the concat kernel and with the
 * plain reference, in turn, so that a machine whose speed drifts is fair to all. Prints medians of updates per second and
 * their ratios. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/sweep.h"
#include "model/model.h"
#include "train/shard.h"

#define ROUNDS 15

typedef enum contender { FAST_PLAIN, FAST_CONCAT, REFERENCE_PLAIN, CONTENDERS } contender;

typedef struct bench {
    bmf_shard shard;
    int32_t *user;
    double seconds[CONTENDERS][ROUNDS];
} bench;

/* Processor time of this thread: what others do with the machine meanwhile counts only through the caches. */
static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare_doubles);
    return values[ROUNDS / 2];
}

static int load(bmf_comm *comm, const char *path, bench *b, bmf_error *err)
{
    bmf_dataset_file *file = NULL;
    int status = bmf_dataset_file_open(path, &file, err);
    if (status == BMF_OK)
        status = bmf_shard_load(comm, file, bmf_dataset_file_shape(file).features > 0, 1, 1, &b->shard, err);
    bmf_dataset_file_close(&file);
    if (status == BMF_OK && !(b->user = bmf_alloc(b->shard.users, sizeof *b->user, "users", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t u = 0; status == BMF_OK && u < b->shard.users; u++)
        b->user[u] = (int32_t)u;
    for (int64_t n = b->shard.users; status == BMF_OK && n > 1; n--) {
        int64_t j = (int64_t)bmf_rng_below(1, (uint64_t)n, (uint64_t)n);
        int32_t other = b->user[j];
        b->user[j] = b->user[n - 1];
        b->user[n - 1] = other;
    }
    return status;
}

static bmf_sweep sweep_of(const bench *b, bmf_model *model, bool concat)
{
    const bmf_csr *train = &b->shard.train.matrix;
    return (bmf_sweep){.indptr = train->indptr,
                       .item = train->indices,
                       .value = train->data,
                       .stride = model->stride,
                       .P = model->P,
                       .user_bias = model->user_bias,
                       .Q = model->Q,
                       .item_bias = model->item_bias,
                       .content = concat ? &b->shard.rows : NULL,
                       .W = model->W,
                       .W_scale = model->W_scale,
                       .W_norm2 = model->W_norm2,
                       .mean = 3.5f,
                       .learning_rate = 0.005f,
                       .regularization = 0.02f,
                       .bias_regularization = 0.02f,
                       .content_regularization = 0.001f,
                       .clip = 5};
}

static int run(bench *b, int64_t factors, bmf_error *err)
{
    const int64_t m = b->shard.users, n = b->shard.items, F = b->shard.rows.features;
    const double ratings = (double)b->shard.all_train;
    bmf_model models[CONTENDERS] = {{0}};
    bmf_kernel kernels[CONTENDERS];
    int status = BMF_OK;
    for (int c = 0; c < CONTENDERS && status == BMF_OK; c++) {
        const bool concat = c == FAST_CONCAT && F > 0;
        status = bmf_model_create(&models[c], 0, m, n, factors, concat ? BMF_CONTENT_CONCAT : BMF_CONTENT_NONE, F, err);
        if (status == BMF_OK)
            status = bmf_kernel_choose(models[c].stride, concat, c == REFERENCE_PLAIN ? "ref" : getenv("BMF_KERNEL"),
                                       &kernels[c], err);
        if (status == BMF_OK)
            bmf_model_init(&models[c], 1, 0.05);
    }
    for (int round = 0; round < ROUNDS && status == BMF_OK; round++)
        for (int c = 0; c < CONTENDERS; c++) {
            bmf_sweep sweep = sweep_of(b, &models[c], c == FAST_CONCAT && F > 0);
            sweep.order_key = (uint64_t)round;
            double start = thread_seconds();
            kernels[c].sweep(&sweep, b->user, m);
            b->seconds[c][round] = thread_seconds() - start;
        }
    if (status == BMF_OK) {
        const double plain = median(b->seconds[FAST_PLAIN]), concat = median(b->seconds[FAST_CONCAT]);
        const double reference = median(b->seconds[REFERENCE_PLAIN]);
        printf("factors=%lld kernel=%s plain_updates_per_second=%.3g concat_updates_per_second=%.3g "
               "reference_updates_per_second=%.3g plain_to_reference=%.2f concat_cost=%.2f\n",
               (long long)factors, kernels[FAST_PLAIN].name, ratings / plain, ratings / concat, ratings / reference,
               reference / plain, concat / plain);
    }
    for (int c = 0; c < CONTENDERS; c++)
        bmf_model_clear(&models[c]);
    return status;
}

int main(int argc, char **argv)
{
    static bench b;
    bmf_error err = BMF_ERROR_INIT;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_sweep DATA.h5 [FACTORS ...]\n");
        return 2;
    }
    bmf_comm *comm = NULL;
    int status = bmf_comm_start(&argc, &argv, &comm, &err);
    if (status == BMF_OK)
        status = load(comm, argv[1], &b, &err);
    if (status == BMF_OK && argc == 2)
        status = run(&b, 32, &err);
    for (int i = 2; i < argc && status == BMF_OK; i++)
        status = run(&b, strtol(argv[i], NULL, 10), &err);
    if (status != BMF_OK)
        fprintf(stderr, "bench_sweep: %s\n", err.text);
    bmf_shard_clear(&b.shard);
    bmf_free(b.user);
    bmf_comm_finish(&comm);
    return status;
}
