#include "evaluate_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

/* A test cannot go on without memory. */
static void *need(int64_t count, size_t size)
{
    void *block = bmf_alloc_zero(count > 0 ? count : 1, size, "test world", NULL);
    if (!block)
        abort();
    return block;
}

static bmf_ids number_ids(int64_t capacity)
{
    return (bmf_ids){.kind = BMF_ID_INT64, .number = need(capacity, sizeof(int64_t))};
}

static uint64_t draw_of(int64_t user, int64_t item)
{
    return bmf_rng_draw(bmf_rng_subkey(bmf_rng_key(4, BMF_STREAM_TEST), (uint64_t)user), (uint64_t)item);
}

/* The split that holds user and item, or BMF_SPLITS. Every 8th item and every 11th user have no training rating. */
static bmf_split split_of(int64_t users, int64_t user, int64_t item)
{
    uint64_t draw = draw_of(user, item);
    if (users == 1)
        return BMF_TEST;
    if (draw % 10 >= 4 || user % 17 == 5)
        return BMF_SPLITS;
    bmf_split split = (draw >> 8) % 10 < 6 ? BMF_TRAIN : (draw >> 8) % 10 < 8 ? BMF_VAL : BMF_TEST;
    if (split == BMF_TRAIN && item % 8 == 3)
        return BMF_TEST;
    return split == BMF_TRAIN && user % 11 == 4 ? BMF_VAL : split;
}

static void fill_split(bmf_dataset *dataset, bmf_split split)
{
    int64_t m = dataset->users.count, n = dataset->items.count, count = 0;
    bmf_csr *matrix = &dataset->split[split].matrix;
    if (bmf_ratings_create(&dataset->split[split], m, n, m * n, 0, NULL) != BMF_OK)
        abort();
    for (int64_t u = 0; u < m; u++) {
        for (int64_t j = 0; j < n; j++) {
            int64_t i = u % 2 ? j : n - 1 - j; /* rows are in no order of items */
            if (split_of(m, u, i) != split)
                continue;
            matrix->indices[count] = (int32_t)i;
            matrix->data[count++] = 0.5f * (float)(1 + (draw_of(u, i) >> 16) % 10);
        }
        matrix->indptr[u + 1] = count;
    }
}

/* Four features of 1/2 an item: rows of norm 1. */
static bmf_content make_content(int64_t items)
{
    bmf_content content = {.idf = need(WORLD_FEATURES, sizeof(double))};
    if (bmf_csr_create(&content.matrix, items, WORLD_FEATURES, items * 4, "content", NULL) != BMF_OK)
        abort();
    for (int64_t i = 0; i < items; i++) {
        for (int32_t j = 0; j < 4; j++) {
            content.matrix.indices[i * 4 + j] = 2 * j + (int32_t)(draw_of(i, 1000 + j) % 2);
            content.matrix.data[i * 4 + j] = 0.5f;
        }
        content.matrix.indptr[i + 1] = (i + 1) * 4;
    }
    for (int f = 0; f < WORLD_FEATURES; f++) {
        char name[2] = {(char)('a' + f), '\0'};
        content.idf[f] = 1;
        if (bmf_strings_add(&content.feature, name, 1, NULL) != BMF_OK)
            abort();
    }
    return content;
}

static void make_dataset(bmf_dataset *dataset, int64_t users, int64_t items)
{
    dataset->users = number_ids(users);
    dataset->items = number_ids(items);
    for (int64_t u = 0; u < users; u++)
        dataset->users.number[dataset->users.count++] = 7 * u + 1;
    for (int64_t i = 0; i < items; i++)
        dataset->items.number[dataset->items.count++] = 5 * i + 2;
    for (int split = 0; split < BMF_SPLITS; split++)
        fill_split(dataset, (bmf_split)split);
    dataset->content = make_content(items);
    dataset->import = (bmf_import_record){.source = "synthetic",
                                          .format = "synth",
                                          .split = "random",
                                          .split_ratio = {0.6, 0.2, 0.2},
                                          .duplicates = "error"};
}

/* The model lacks every 5th user and all of 128 .. 255, every 6th item, and has users and items of its own. */
static void make_model_ids(test_world *world)
{
    const bmf_ids *users = &world->dataset.users, *items = &world->dataset.items;
    world->users = number_ids(2 * users->count);
    world->items = number_ids(2 * items->count);
    for (int64_t u = 0; u < users->count; u++) {
        if (u % 5 != 0 && (u < 128 || u >= 256))
            world->users.number[world->users.count++] = users->number[u];
        if (u % 9 == 0)
            world->users.number[world->users.count++] = users->number[u] + 2;
    }
    for (int64_t i = 0; i < items->count; i++) {
        if (i % 6 != 0)
            world->items.number[world->items.count++] = items->number[i];
        if (i % 4 == 0)
            world->items.number[world->items.count++] = items->number[i] + 2;
    }
}

/* Multiples of 1/16 within ±1/2. */
static float *sixteenths(int64_t count, uint64_t stream)
{
    float *values = need(count, sizeof *values);
    uint64_t key = bmf_rng_subkey(bmf_rng_key(8, BMF_STREAM_TEST), stream);
    for (int64_t j = 0; j < count; j++)
        values[j] = (float)((int)bmf_rng_below(key, (uint64_t)j, 17) - 8) / 16.0f;
    return values;
}

void world_create(test_world *world, int64_t users, int64_t items, bmf_content_mode mode)
{
    memset(world, 0, sizeof *world);
    make_dataset(&world->dataset, users, items);
    make_model_ids(world);
    int64_t m = world->users.count, n = world->items.count, F = mode == BMF_CONTENT_CONCAT ? WORLD_FEATURES : 0;
    world->content = make_content(n);
    world->P = sixteenths(m * WORLD_FACTORS, 1);
    world->Q = sixteenths(n * WORLD_FACTORS, 2);
    world->W = sixteenths(m * F, 3);
    world->user_bias = sixteenths(m, 4);
    world->item_bias = sixteenths(n, 5);
    world->meta = (bmf_model_meta){.users = m,
                                   .items = n,
                                   .features = F,
                                   .factors = WORLD_FACTORS,
                                   .content = mode,
                                   .global_mean = 3.25,
                                   .content_weight = 2,
                                   .learning_rate = 0.01,
                                   .learning_rate_decay = 1,
                                   .init_std = 0.1,
                                   .clip = 5,
                                   .best_epoch = 1,
                                   .val_mse = 1,
                                   .val_rmse = 1,
                                   .rating_min = 0.5,
                                   .rating_max = 5,
                                   .merge = "saturating",
                                   .merges_per_epoch = 1,
                                   .ranks = 1,
                                   .threads = 1,
                                   .dataset = "world.h5"};
}

void world_clear(test_world *world)
{
    bmf_dataset_clear(&world->dataset);
    bmf_ids_clear(&world->users);
    bmf_ids_clear(&world->items);
    bmf_content_clear(&world->content);
    bmf_free(world->P);
    bmf_free(world->Q);
    bmf_free(world->W);
    bmf_free(world->user_bias);
    bmf_free(world->item_bias);
}

/* W as a sparse matrix: every weight but those that are 0, which must make no difference. */
static int write_weights(const test_world *world, bmf_model_writer *writer, int64_t count, bmf_error *err)
{
    bmf_csr rows;
    int64_t at = 0;
    int status = bmf_csr_create(&rows, world->meta.users, WORLD_FEATURES, count, "weights", err);
    for (int64_t u = 0; u < world->meta.users && status == BMF_OK; u++) {
        for (int32_t f = 0; f < WORLD_FEATURES; f++)
            if (world->W[u * WORLD_FEATURES + f] != 0) {
                rows.indices[at] = f;
                rows.data[at++] = world->W[u * WORLD_FEATURES + f];
            }
        rows.indptr[u + 1] = at;
    }
    if (status == BMF_OK)
        status = bmf_model_writer_weights(writer, &rows, err);
    bmf_csr_clear(&rows);
    return status;
}

int world_write(const test_world *world, const char *dataset_path, const char *model_path, bmf_error *err)
{
    bmf_model_writer *writer = NULL;
    const bmf_content *content = world->meta.features ? &world->content : NULL;
    const float *data[BMF_ROLES] = {[BMF_ROLE_P] = world->P,
                                    [BMF_ROLE_Q] = world->Q,
                                    [BMF_ROLE_USER_BIAS] = world->user_bias,
                                    [BMF_ROLE_ITEM_BIAS] = world->item_bias};
    int64_t weights = 0;
    for (int64_t j = 0; content && j < world->meta.users * WORLD_FEATURES; j++)
        weights += world->W[j] != 0;
    int status = bmf_dataset_write(dataset_path, &world->dataset, err);
    if (status == BMF_OK)
        status = bmf_model_writer_create(model_path, &world->meta, &world->users, &world->items, content, weights, NULL,
                                         &writer, err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        if (data[role])
            status = bmf_model_writer_rows(writer, (bmf_role)role, 0,
                                           bmf_role_extent(&world->meta, NULL, (bmf_role)role).rows, data[role], err);
    if (status == BMF_OK && content)
        status = write_weights(world, writer, weights, err);
    if (status == BMF_OK)
        return bmf_model_writer_commit(&writer, err);
    bmf_model_writer_abandon(&writer);
    return status;
}
