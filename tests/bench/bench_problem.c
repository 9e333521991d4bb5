#include "bench/bench_problem.h"

#include "base/memory.h"
#include "base/rng.h"

#define SEED 1
#define INIT_STD 0.05

int bench_load(bmf_comm *comm, const char *path, bmf_shard *shard, bmf_error *err)
{
    bmf_dataset_file *file = NULL;
    int status = bmf_dataset_file_open(path, &file, err);
    if (status == BMF_OK)
        status = bmf_shard_load(comm, file, bmf_dataset_file_shape(file).features > 0, 1, SEED, 0, shard, err);
    bmf_dataset_file_close(&file);
    return status;
}

int bench_cached(const bmf_shard *like, uint64_t seed, bmf_shard *shard, bmf_error *err)
{
    const uint64_t key = bmf_rng_key(seed, BMF_STREAM_TEST);
    const int64_t *indptr = like->train.matrix.indptr;
    int64_t count[BENCH_CACHED_USERS], total = 0;
    for (int u = 0; u < BENCH_CACHED_USERS; u++) {
        int64_t drawn = (int64_t)bmf_rng_below(key, (uint64_t)u, (uint64_t)like->users);
        count[u] = indptr[drawn + 1] - indptr[drawn];
        total += count[u];
    }
    *shard = (bmf_shard){
        .users = BENCH_CACHED_USERS, .all_users = BENCH_CACHED_USERS, .items = BENCH_CACHED_ITEMS, .all_train = total};
    int status = bmf_ratings_create(&shard->train, BENCH_CACHED_USERS, BENCH_CACHED_ITEMS, total, 0, err);
    if (status != BMF_OK)
        return status;
    bmf_csr *ratings = &shard->train.matrix;
    for (int u = 0; u < BENCH_CACHED_USERS; u++)
        ratings->indptr[u + 1] = ratings->indptr[u] + count[u];
    const uint64_t of_ratings = bmf_rng_subkey(key, 0);
    for (int64_t j = 0; j < total; j++) {
        ratings->indices[j] = (int32_t)bmf_rng_below(of_ratings, (uint64_t)(2 * j), BENCH_CACHED_ITEMS);
        ratings->data[j] = 0.5f * (float)(1 + bmf_rng_below(of_ratings, (uint64_t)(2 * j + 1), 10));
    }
    return BMF_OK;
}

int bench_find_weights(const bmf_shard *shard, int threads, bench_weights *out, bmf_error *err)
{
    const bmf_csr *train = &shard->train.matrix;
    *out = (bench_weights){0};
    if (shard->rows.features == 0)
        return BMF_OK;
    int status = bmf_content_pattern_create(train, &shard->rows, shard->first_user, threads, &out->pattern, err);
    if (status == BMF_OK)
        status =
            bmf_content_slots_create(train, &shard->rows, &out->pattern, shard->first_user, threads, &out->slots, err);
    return status;
}

void bench_weights_clear(bench_weights *weights)
{
    bmf_content_pattern_clear(&weights->pattern);
    bmf_content_slots_clear(&weights->slots);
}

int bench_model(const bmf_shard *shard, const bench_weights *weights, int64_t factors, bmf_model *model, bmf_error *err)
{
    const bool blended = weights && weights->slots.rating;
    int status =
        bmf_model_create(model, 0, shard->users, shard->items, factors, blended ? &weights->pattern : NULL, err);
    if (status == BMF_OK)
        bmf_model_init(model, SEED, INIT_STD);
    return status;
}

bmf_sweep bench_sweep(const bmf_shard *shard, const bench_weights *weights, const bmf_model *model, uint64_t round)
{
    const bmf_csr *train = &shard->train.matrix;
    return (bmf_sweep){.indptr = train->indptr,
                       .item = train->indices,
                       .value = train->data,
                       .stride = model->stride,
                       .P = model->P,
                       .user_bias = model->user_bias,
                       .Q = model->Q,
                       .item_bias = model->item_bias,
                       .content = weights ? &shard->rows : NULL,
                       .slots = weights ? &weights->slots : NULL,
                       .W_indptr = weights ? weights->pattern.indptr : NULL,
                       .W = model->W,
                       .W_scale = model->W_scale,
                       .W_norm2 = model->W_norm2,
                       .mean = 3.5f,
                       .learning_rate = 0.005f,
                       .bias_learning_rate = 0.005f,
                       .user_regularization = 0.02f,
                       .item_regularization = 0.02f,
                       .user_bias_regularization = 0.02f,
                       .item_bias_regularization = 0.02f,
                       .content_regularization = 0.001f,
                       .clip = 5,
                       .order_key = bmf_rng_subkey(bmf_rng_key(SEED, BMF_STREAM_RATING_ORDER), round)};
}
