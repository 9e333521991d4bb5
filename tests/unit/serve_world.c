#include "unit/serve_world.h"

#include "support/assert_close.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

static float *normals(int64_t count, uint64_t seed, uint64_t stream, double sd)
{
    float *out = bmf_alloc(count, sizeof *out, "test values", NULL);
    bmf_rng_normal(bmf_rng_subkey(seed, stream), 0, sd, out, count);
    return out;
}

static void make_ids(serve_world *world)
{
    bmf_error err = BMF_ERROR_INIT;
    world->users.kind = BMF_ID_STRING;
    world->users.count = world->meta.users;
    for (int64_t u = 0; u < world->meta.users; u++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "u%06d", (int)u);
        assert_ok(bmf_strings_add(&world->users.text, name, length, &err), err);
    }
    world->items.kind = BMF_ID_INT64;
    world->items.count = world->meta.items;
    world->items.number = bmf_alloc(world->meta.items, sizeof(int64_t), "ids", &err);
    for (int64_t i = 0; i < world->meta.items; i++)
        world->items.number[i] = 1 + 3 * i;
}

/* Names descend, so that nobody can rely on their order. */
static void make_content(serve_world *world, uint64_t seed)
{
    bmf_error err = BMF_ERROR_INIT;
    const int64_t items = world->meta.items, features = world->meta.features;
    bmf_csr *x = &world->content.matrix;
    int64_t at = 0;
    assert_ok(bmf_csr_create(x, items, features, items * features, "content", &err), err);
    for (int64_t i = 0; i < items; i++) {
        for (int32_t f = 0; f < features && i % 4 != 1; f++)
            if (bmf_rng_below(seed, (uint64_t)(i * features + f), 3) == 0) {
                x->indices[at] = f;
                x->data[at++] = 0.25f + 0.125f * (float)((i + f) % 5);
            }
        x->indptr[i + 1] = at;
    }
    for (int64_t f = 0; f < features; f++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "f%03d", (int)(features - f));
        assert_ok(bmf_strings_add(&world->content.feature, name, length, &err), err);
    }
    world->content.idf = bmf_alloc_zero(features, sizeof(double), "idf", &err);
}

static void make_weights(serve_world *world, uint64_t seed)
{
    const int64_t features = world->meta.features;
    world->W = normals(world->meta.users * features, seed, 5, 0.7);
    for (int64_t j = 0; j < world->meta.users * features; j++)
        if (WORLD_IS_UNRATED_USER(j / features) || bmf_rng_below(seed, (uint64_t)j, 2) == 0)
            world->W[j] = 0;
}

const double world_learning_rate[3] = {0.25, 0.125, 0.0625};

void world_make(serve_world *world, bmf_content_mode mode, int64_t users, int64_t items, int64_t factors, uint64_t seed)
{
    const int64_t features = mode == BMF_CONTENT_NONE ? 0 : WORLD_FEATURES;
    *world = (serve_world){.tells_counts = true};
    world->meta = (bmf_model_meta){.users = users, .items = items, .features = features, .factors = factors};
    world->meta.content = mode;
    world->meta.best_epoch = 2;
    world->meta.global_mean = 3.4375;
    world->meta.content_weight = 0.75;
    world->meta.learning_rate = 0.25;
    world->meta.bias_learning_rate = 0.125;
    world->meta.user_regularization = 0.04;
    world->meta.item_regularization = 0.06;
    world->meta.user_bias_regularization = 0.001;
    world->meta.item_bias_regularization = 0.002;
    world->meta.content_regularization = 0.01;
    world->meta.rating_min = 0.5;
    world->meta.rating_max = 5;
    strcpy(world->meta.merge, "saturating");
    make_ids(world);
    world->P = normals(users * factors, seed, 1, 0.4);
    world->Q = normals(items * factors, seed, 2, 0.4);
    world->user_bias = normals(users, seed, 3, 0.5);
    world->item_bias = normals(items, seed, 4, 0.5);
    world->user_ratings = bmf_alloc(users, sizeof(int32_t), "counts", NULL);
    world->item_ratings = bmf_alloc(items, sizeof(int32_t), "counts", NULL);
    for (int64_t u = 0; u < users; u++)
        world->user_ratings[u] = WORLD_IS_UNRATED_USER(u) ? 0 : 5;
    for (int64_t i = 0; i < items; i++)
        world->item_ratings[i] = WORLD_IS_UNRATED_ITEM(i) ? 0 : 7;
    for (int64_t u = 0; u < users; u++)
        world->user_bias[u] *= (float)(world->user_ratings[u] > 0);
    for (int64_t i = 0; i < items; i++)
        world->item_bias[i] *= (float)(world->item_ratings[i] > 0);
    if (features > 0)
        make_content(world, seed + 1);
    if (mode == BMF_CONTENT_CONCAT)
        make_weights(world, seed);
    if (mode == BMF_CONTENT_EMBED) {
        world->V = normals(features * factors, seed, 6, 0.3);
        world->feature_bias = normals(features, seed, 7, 0.3);
    }
}

void world_clear(serve_world *world)
{
    bmf_ids_clear(&world->users);
    bmf_ids_clear(&world->items);
    bmf_content_clear(&world->content);
    bmf_free(world->P);
    bmf_free(world->Q);
    bmf_free(world->user_bias);
    bmf_free(world->item_bias);
    bmf_free(world->W);
    bmf_free(world->V);
    bmf_free(world->feature_bias);
    bmf_free(world->user_ratings);
    bmf_free(world->item_ratings);
}

static void write_weights(const serve_world *world, bmf_model_writer *writer, int64_t weights)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_csr rows;
    const int64_t features = world->meta.features;
    assert_ok(bmf_csr_create(&rows, world->meta.users, features, weights, "weights", &err), err);
    int64_t at = 0;
    for (int64_t u = 0; u < world->meta.users; u++) {
        for (int32_t f = 0; f < features; f++)
            if (world->W[u * features + f] != 0) {
                rows.indices[at] = f;
                rows.data[at++] = world->W[u * features + f];
            }
        rows.indptr[u + 1] = at;
    }
    assert_ok(bmf_model_writer_weights(writer, &rows, &err), err);
    bmf_csr_clear(&rows);
}

void world_write(const serve_world *world, const char *path)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_model_writer *writer = NULL;
    const bmf_model_meta *meta = &world->meta;
    int64_t weights = 0;
    for (int64_t j = 0; world->W && j < meta->users * meta->features; j++)
        weights += world->W[j] != 0;
    assert_ok(bmf_model_writer_create(path, meta, &world->users, &world->items, meta->features ? &world->content : NULL,
                                      weights, NULL, &writer, &err),
              err);
    if (world->tells_counts)
        assert_ok(bmf_model_writer_counts(writer, world->user_ratings, world->item_ratings, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_P, 0, meta->users, world->P, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_Q, 0, meta->items, world->Q, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_USER_BIAS, 0, meta->users, world->user_bias, &err), err);
    assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_ITEM_BIAS, 0, meta->items, world->item_bias, &err), err);
    if (world->W)
        write_weights(world, writer, weights);
    if (world->V) {
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_V, 0, meta->features, world->V, &err), err);
        assert_ok(bmf_model_writer_rows(writer, BMF_ROLE_FEATURE_BIAS, 0, meta->features, world->feature_bias, &err),
                  err);
    }
    const bmf_epoch_record history[3] = {{.epoch = 1, .learning_rate = world_learning_rate[0]},
                                         {.epoch = 2, .learning_rate = world_learning_rate[1]},
                                         {.epoch = 3, .learning_rate = world_learning_rate[2]}};
    assert_ok(bmf_model_writer_history(writer, history, 3, &err), err);
    assert_ok(bmf_model_writer_commit(&writer, &err), err);
}

double world_item(const serve_world *world, int64_t item, double *Q)
{
    const int64_t k = world->meta.factors;
    const bool rated = !(world->tells_counts && WORLD_IS_UNRATED_ITEM(item));
    const bmf_csr *x = &world->content.matrix;
    double bias = (double)world->item_bias[item];
    for (int64_t f = 0; f < k; f++)
        Q[f] = rated ? (double)world->Q[item * k + f] : 0;
    for (int64_t j = world->V ? x->indptr[item] : 0; world->V && j < x->indptr[item + 1]; j++) {
        const double value = world->meta.content_weight * (double)x->data[j];
        bias += value * (double)world->feature_bias[x->indices[j]];
        for (int64_t f = 0; f < k; f++)
            Q[f] += value * (double)world->V[x->indices[j] * k + f];
    }
    return bias;
}

double world_predict(const serve_world *world, int64_t user, int64_t item)
{
    const int64_t k = world->meta.factors, features = world->meta.features;
    const bool rated_user = user >= 0 && !(world->tells_counts && WORLD_IS_UNRATED_USER(user));
    const bmf_csr *x = &world->content.matrix;
    double Q[64], r = world->meta.global_mean;
    r += user >= 0 ? (double)world->user_bias[user] : 0;
    if (item < 0)
        return r;
    r += world_item(world, item, Q);
    for (int64_t f = 0; f < k && rated_user; f++)
        r += (double)world->P[user * k + f] * Q[f];
    for (int64_t j = world->W ? x->indptr[item] : 0; world->W && user >= 0 && j < x->indptr[item + 1]; j++)
        r += (double)world->W[user * features + x->indices[j]] * world->meta.content_weight * (double)x->data[j];
    return r;
}
