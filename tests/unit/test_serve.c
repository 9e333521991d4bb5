/* The serving library beside plain loops over the same parameters. */
#include "support/assert_close.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blendmf/model.h"
#include "unit/serve_world.h"
#include "unit/store_faults.h"

#define USERS 57
#define ITEMS 1203 /* more than two tiles, the last one no multiple of sixteen */

static const bmf_content_mode modes[3] = {BMF_CONTENT_NONE, BMF_CONTENT_CONCAT, BMF_CONTENT_EMBED};
static blendmf_error error;

static blendmf_model *open_world(const serve_world *world)
{
    blendmf_model *model = NULL;
    const char *path = test_path("model.h5");
    world_write(world, path);
    assert_ok(blendmf_open(path, &model, &error), error);
    assert_non_null(model);
    return model;
}

static void it_says_what_it_is(void **state)
{
    (void)state;
    serve_world world;
    char text[16];
    world_make(&world, BMF_CONTENT_CONCAT, USERS, 40, 5, 11);
    blendmf_model *model = open_world(&world);
    const blendmf_info info = blendmf_model_info(model);
    assert_true(info.users == USERS && info.items == 40 && info.features == WORLD_FEATURES && info.factors == 5);
    assert_string_equal(info.content, "concat");
    assert_true(info.global_mean == 3.4375 && info.rating_min == 0.5 && info.rating_max == 5);
    assert_int_equal(blendmf_user_index(model, "u000012"), 12);
    assert_int_equal(blendmf_user_index(model, "u00001"), -1);
    assert_int_equal(blendmf_user_index(model, NULL), -1);
    assert_int_equal(blendmf_item_index(model, "22"), 7);
    assert_int_equal(blendmf_item_index(model, "23"), -1);
    assert_int_equal(blendmf_item_index(model, "x"), -1);
    assert_int_equal(blendmf_user_id(model, 12, text, sizeof text), 7);
    assert_string_equal(text, "u000012");
    assert_int_equal(blendmf_item_id(model, 7, text, 2), 2);
    assert_string_equal(text, "2");
    assert_int_equal(blendmf_item_id(model, 40, text, sizeof text), -1);
    assert_int_equal(blendmf_user_id(model, -1, text, sizeof text), -1);
    for (int f = 0; f < WORLD_FEATURES; f++) {
        snprintf(text, sizeof text, "f%03d", WORLD_FEATURES - f);
        assert_int_equal(blendmf_feature_index(model, text), f);
    }
    assert_int_equal(blendmf_feature_index(model, "f"), -1);
    assert_int_equal(blendmf_feature_index(model, NULL), -1);
    assert_string_equal(blendmf_basis_name(BLENDMF_CONTENT), "content");
    blendmf_close(&model);
    assert_null(model);
    blendmf_close(&model);
    world_clear(&world);
}

static bool has_content(const serve_world *world, int64_t item)
{
    const bmf_csr *x = &world->content.matrix;
    return world->meta.features > 0 && x->indptr[item + 1] > x->indptr[item];
}

static blendmf_basis expected_basis(const serve_world *world, int64_t user, int64_t item)
{
    const bool user_known = user >= 0 && !WORLD_IS_UNRATED_USER(user);
    if (item >= 0 && !WORLD_IS_UNRATED_ITEM(item))
        return user_known ? BLENDMF_FACTORS : BLENDMF_BIAS;
    if (item >= 0 && has_content(world, item) && (user_known || world->V))
        return user_known ? BLENDMF_CONTENT : BLENDMF_BIAS;
    return user_known ? BLENDMF_BIAS : BLENDMF_MEAN;
}

static void predictions_follow_the_formula(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        serve_world world;
        world_make(&world, modes[variant % 3], USERS, 40, variant == 3 ? 33 : 5, 3);
        blendmf_model *model = open_world(&world);
        for (int64_t u = -1; u < USERS; u++)
            for (int64_t i = -1; i < 40; i++) {
                double rating;
                blendmf_basis basis;
                assert_ok(blendmf_predict(model, &u, &i, 1, &rating, &basis, &error), error);
                assert_close(rating, world_predict(&world, u, i), 1e-6);
                assert_int_equal(basis, expected_basis(&world, u, i));
            }
        blendmf_close(&model);
        world_clear(&world);
    }
}

static void old_files_count_as_trained(void **state)
{
    (void)state;
    serve_world world;
    world_make(&world, BMF_CONTENT_NONE, USERS, 40, 5, 3);
    world.tells_counts = false;
    blendmf_model *model = open_world(&world);
    const int64_t user[2] = {3, 5}, item[2] = {2, 12};
    double rating[2];
    blendmf_basis basis[2];
    assert_ok(blendmf_predict(model, user, item, 2, rating, basis, &error), error);
    for (int j = 0; j < 2; j++) {
        assert_close(rating[j], world_predict(&world, user[j], item[j]), 1e-6);
        assert_int_equal(basis[j], BLENDMF_FACTORS);
    }
    blendmf_close(&model);
    world_clear(&world);
}

static void wrong_indices_are_refused(void **state)
{
    (void)state;
    serve_world world;
    world_make(&world, BMF_CONTENT_NONE, USERS, 40, 5, 3);
    blendmf_model *model = open_world(&world);
    int64_t user[2] = {0, USERS}, item[2] = {0, 0}, found;
    double rating[2];
    blendmf_ranked out[3];
    assert_int_equal(blendmf_predict(model, user, item, 2, rating, NULL, &error), BMF_ERR_USAGE);
    assert_string_equal(error.text, "user index 57 at position 1 is not allowed; the model has 57, and -1 stands for "
                                    "others");
    assert_int_equal(error.status, BMF_ERR_USAGE);
    user[1] = 0;
    item[1] = -2;
    assert_int_equal(blendmf_predict(model, user, item, 2, rating, NULL, NULL), BMF_ERR_USAGE);
    assert_int_equal(blendmf_predict(model, user, item, -1, rating, NULL, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_recommend(model, 57, (blendmf_items){NULL, 0}, 3, out, &found, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_recommend(model, 0, (blendmf_items){NULL, 0}, 0, out, &found, &error), BMF_ERR_USAGE);
    const int64_t wrong[2] = {7, 5}, unknown[1] = {-1};
    assert_int_equal(blendmf_recommend(model, 0, (blendmf_items){wrong, 2}, 3, out, &found, &error), BMF_ERR_USAGE);
    assert_string_equal(error.text, "items to exclude: item 5 follows 7; excluded items must ascend");
    assert_int_equal(blendmf_recommend(model, 0, (blendmf_items){unknown, 1}, 3, out, &found, &error), BMF_ERR_USAGE);
    const int64_t one = 0;
    assert_int_equal(blendmf_recommend_many(model, &one, 1, NULL, 3, 0, 0, out, &found, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_recommend_many(model, &one, 1, NULL, 3, 1, -1, out, &found, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_recommend_many(model, &one, 1, NULL, 3, 1, 100, out, &found, &error), BMF_ERR_USAGE);
    assert_non_null(strstr(error.text, "a memory of 100 bytes is not allowed; one user takes "));
    assert_ok(blendmf_recommend_many(model, &one, 0, NULL, 3, 4, 0, out, &found, &error), error);
    assert_int_equal(error.status, BMF_OK);
    assert_string_equal(error.text, "");
    blendmf_close(&model);
    world_clear(&world);
}

/* What a user is not to see: every third item, or all but two. */
static int64_t exclusions(int64_t user, int64_t *item)
{
    int64_t count = 0;
    for (int64_t i = 0; i < ITEMS; i++)
        if (user % 7 == 0 ? i != 600 && i != 2 : (i + user) % 3 == 0)
            item[count++] = i;
    return count;
}

static int before(const void *a, const void *b)
{
    const blendmf_ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* All candidates by sorting. Scores come from blendmf_predict, which lists must agree with to the bit. */
static int64_t sorted_candidates(const blendmf_model *model, int64_t user, blendmf_items exclude, blendmf_ranked *out)
{
    int64_t count = 0, at = 0;
    for (int64_t i = 0; i < ITEMS; i++) {
        if (at < exclude.count && exclude.item[at] == i) {
            at++;
            continue;
        }
        blendmf_ranked *entry = &out[count++];
        entry->item = i;
        assert_ok(blendmf_predict(model, &user, &i, 1, &entry->score, &entry->basis, &error), error);
    }
    qsort(out, (size_t)count, sizeof *out, before);
    return count;
}

static void assert_list(const blendmf_ranked *list, int64_t found, const blendmf_ranked *wanted, int64_t count,
                        int64_t top)
{
    assert_int_equal(found, count < top ? count : top);
    for (int64_t j = 0; j < found; j++) {
        assert_int_equal(list[j].item, wanted[j].item);
        assert_true(list[j].score == wanted[j].score);
        assert_int_equal(list[j].basis, wanted[j].basis);
    }
}

#define TOP 25

static void lists_are_those_of_sorting(void **state)
{
    (void)state;
    static int64_t item[USERS + 1][ITEMS];
    static blendmf_ranked wanted[ITEMS], many[(USERS + 1) * TOP], one[ITEMS + 9];
    blendmf_items exclude[USERS + 1];
    int64_t user[USERS + 1], found[USERS + 1], alone;
    for (int variant = 0; variant < 3; variant++) {
        serve_world world;
        world_make(&world, modes[variant], USERS, ITEMS, variant == 2 ? 33 : 5, 5);
        blendmf_model *model = open_world(&world);
        for (int64_t j = 0; j <= USERS; j++) {
            user[j] = USERS - 1 - j;
            exclude[j] = (blendmf_items){item[j], exclusions(j, item[j])};
        }
        const int64_t memory[3] = {0, 40000, 900000}; /* all at once; a user at a time; some */
        for (int threads = 1; threads <= 3; threads++) {
            assert_ok(blendmf_recommend_many(model, user, USERS + 1, exclude, TOP, threads, memory[threads - 1], many,
                                             found, &error),
                      error);
            for (int64_t j = 0; j <= USERS; j++) {
                const int64_t count = sorted_candidates(model, user[j], exclude[j], wanted);
                assert_list(many + j * TOP, found[j], wanted, count, TOP);
                if (threads > 1 || j % 8)
                    continue;
                assert_ok(blendmf_recommend(model, user[j], exclude[j], ITEMS + 9, one, &alone, &error), error);
                assert_list(one, alone, wanted, count, ITEMS + 9);
            }
        }
        assert_ok(blendmf_recommend_many(model, user, 1, NULL, TOP, 2, 0, many, found, &error), error);
        assert_list(many, found[0], wanted, sorted_candidates(model, user[0], (blendmf_items){NULL, 0}, wanted), TOP);
        blendmf_close(&model);
        world_clear(&world);
    }
}

/* The dense vectors, and all cosines with the item sorted. */
static int64_t sorted_cosines(const serve_world *world, int64_t item, blendmf_ranked *out)
{
    const int64_t k = world->meta.factors, n = world->meta.items, d = k + WORLD_FEATURES;
    const bmf_csr *x = &world->content.matrix;
    double *v = calloc((size_t)(n * d), sizeof *v), factors = 0, content = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        world_item(world, i, v + i * d);
        for (int64_t f = 0; f < k; f++)
            factors += v[i * d + f] * v[i * d + f];
        for (int64_t j = world->W ? x->indptr[i] : 0; world->W && j < x->indptr[i + 1]; j++) {
            v[i * d + k + x->indices[j]] = (double)x->data[j];
            content += WORLD_IS_UNRATED_ITEM(i) ? 0 : (double)x->data[j] * (double)x->data[j];
        }
    }
    for (int64_t i = 0; i < n * d; i++)
        v[i] *= i % d < k ? 1 : content > 0 ? sqrt(factors / content) : 0;
    for (int64_t i = 0; i < n; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t f = 0; f < d; f++) {
            ab += v[i * d + f] * v[item * d + f];
            aa += v[i * d + f] * v[i * d + f];
            bb += v[item * d + f] * v[item * d + f];
        }
        if (i != item && aa > 0 && bb > 0)
            out[count++] = (blendmf_ranked){i, ab / sqrt(aa * bb), BLENDMF_FACTORS};
    }
    free(v);
    qsort(out, (size_t)count, sizeof *out, before);
    return count;
}

static void similar_items_have_the_largest_cosine(void **state)
{
    (void)state;
    static blendmf_ranked wanted[ITEMS], out[ITEMS];
    int64_t found;
    for (int variant = 0; variant < 3; variant++) {
        serve_world world;
        world_make(&world, modes[variant], USERS, ITEMS, 5, 13);
        blendmf_model *model = open_world(&world);
        for (int64_t item = 0; item < 30; item++) {
            const int64_t count = sorted_cosines(&world, item, wanted), top = item < 3 ? ITEMS : TOP;
            assert_ok(blendmf_similar(model, item, top, out, &found, &error), error);
            assert_int_equal(found, count < top ? count : top);
            for (int64_t j = 0; j < found; j++)
                assert_close(out[j].score, wanted[j].score, 1e-6);
            for (int64_t j = 0; j < found; j++) {
                assert_true(out[j].item != item);
                assert_true(j == 0 || before(&out[j - 1], &out[j]) < 0);
            }
        }
        assert_int_equal(blendmf_similar(model, -1, 3, out, &found, &error), BMF_ERR_USAGE);
        assert_int_equal(blendmf_similar(model, ITEMS, 3, out, &found, &error), BMF_ERR_USAGE);
        assert_int_equal(blendmf_similar(model, 0, 0, out, &found, &error), BMF_ERR_USAGE);
        blendmf_close(&model);
        world_clear(&world);
    }
}

#define MOST_UNKNOWNS 64

/* Gaussian elimination with pivots: x from A x = y, n unknowns. */
static void eliminate(double A[][MOST_UNKNOWNS], double *y, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        int64_t pivot = c;
        for (int64_t r = c; r < n; r++)
            pivot = fabs(A[r][c]) > fabs(A[pivot][c]) ? r : pivot;
        for (int64_t j = 0; j < n; j++) {
            const double swapped = A[c][j];
            A[c][j] = A[pivot][j];
            A[pivot][j] = swapped;
        }
        const double swapped = y[c];
        y[c] = y[pivot];
        y[pivot] = swapped;
        for (int64_t r = 0; r < n; r++) {
            const double times = A[r][c] / A[c][c];
            for (int64_t j = c; r != c && j < n; j++)
                A[r][j] -= times * A[c][j];
            y[r] -= r != c ? times * y[c] : 0;
        }
    }
    for (int64_t r = 0; r < n; r++)
        y[r] /= A[r][r];
}

/* What the header promises, from the normal equations: theta = b, P (k), W (F, all of them). */
static void expected_user(const serve_world *world, const int64_t *item, const double *rating, int64_t count,
                          double *theta)
{
    static double A[MOST_UNKNOWNS][MOST_UNKNOWNS];
    const int64_t k = world->meta.factors, n = 1 + k + world->meta.features;
    const double start = 1 / (world_learning_rate[0] + world_learning_rate[1]), r = (double)count;
    double centre[MOST_UNKNOWNS] = {0}, known = 0;
    for (int64_t u = 0; u < world->meta.users; u++) {
        known += !WORLD_IS_UNRATED_USER(u);
        centre[0] += WORLD_IS_UNRATED_USER(u) ? 0 : (double)world->user_bias[u];
        for (int64_t f = 0; f < k; f++)
            centre[1 + f] += WORLD_IS_UNRATED_USER(u) ? 0 : (double)world->P[u * k + f];
    }
    memset(A, 0, sizeof A);
    for (int64_t j = 0; j < n; j++) {
        A[j][j] = j == 0 ? 2 * start + r * world->meta.user_bias_regularization /* biases move half as fast */
                         : start + r * (j <= k ? world->meta.user_regularization : world->meta.content_regularization);
        theta[j] = A[j][j] * centre[j] / known;
    }
    for (int64_t i = 0; i < count; i++) {
        double z[MOST_UNKNOWNS] = {1}, y = rating[i] - world->meta.global_mean - world_item(world, item[i], z + 1);
        const bmf_csr *x = &world->content.matrix;
        for (int64_t j = world->W ? x->indptr[item[i]] : 0; world->W && j < x->indptr[item[i] + 1]; j++)
            z[1 + k + x->indices[j]] = world->meta.content_weight * (double)x->data[j];
        for (int64_t a = 0; a < n; a++) {
            theta[a] += z[a] * y;
            for (int64_t b = 0; b < n; b++)
                A[a][b] += z[a] * z[b];
        }
    }
    eliminate(A, theta, n);
}

static double expected_rating(const serve_world *world, const double *theta, int64_t item)
{
    const int64_t k = world->meta.factors;
    const bmf_csr *x = &world->content.matrix;
    double Q[MOST_UNKNOWNS], r = world->meta.global_mean + theta[0];
    if (item < 0)
        return r;
    r += world_item(world, item, Q);
    for (int64_t f = 0; f < k; f++)
        r += theta[1 + f] * Q[f];
    for (int64_t j = world->W ? x->indptr[item] : 0; world->W && j < x->indptr[item + 1]; j++)
        r += theta[1 + k + x->indices[j]] * world->meta.content_weight * (double)x->data[j];
    return r;
}

static void assert_folded_in(const serve_world *world, const blendmf_model *model, const int64_t *item,
                             const double *rating, int64_t count)
{
    static blendmf_ranked wanted[64], list[64];
    double theta[MOST_UNKNOWNS];
    blendmf_user *user = NULL;
    int64_t found;
    expected_user(world, item, rating, count, theta);
    assert_ok(blendmf_fold_in_user(model, item, rating, count, &user, &error), error);
    for (int64_t i = -1; i < world->meta.items; i++) {
        double r;
        blendmf_basis basis;
        assert_ok(blendmf_user_predict(user, &i, 1, &r, &basis, &error), error);
        assert_close(r, expected_rating(world, theta, i), 1e-5);
        assert_int_equal(basis, expected_basis(world, count > 0 ? 0 : -1, i));
        if (i >= 0)
            wanted[i] = (blendmf_ranked){i, r, basis};
    }
    const int64_t hidden = 4;
    assert_ok(blendmf_user_recommend(user, (blendmf_items){&hidden, 1}, 10, list, &found, &error), error);
    wanted[hidden].score = -99;
    qsort(wanted, (size_t)world->meta.items, sizeof *wanted, before);
    assert_list(list, found, wanted, world->meta.items, 10);
    blendmf_user_free(&user);
    assert_null(user);
    blendmf_user_free(&user);
}

static void new_users_are_fitted(void **state)
{
    (void)state;
    int64_t item[40];
    double rating[40];
    for (int64_t i = 0; i < 40; i++) {
        item[i] = (7 * i + 2) % 40;
        rating[i] = 1 + (double)(i * i % 9) / 2;
    }
    for (int mode = 0; mode < 3; mode++) {
        serve_world world;
        world_make(&world, modes[mode], USERS, 40, 5, 21);
        blendmf_model *model = open_world(&world);
        for (int64_t count = 0; count <= 40; count += count < 4 ? 1 : 12)
            assert_folded_in(&world, model, item, rating, count);
        blendmf_close(&model);
        world_clear(&world);
    }
}

static void wrong_ratings_are_refused(void **state)
{
    (void)state;
    serve_world world;
    blendmf_user *user = (void *)&error;
    blendmf_item *folded = (void *)&error;
    blendmf_ranked out[3];
    int64_t item[2] = {3, 40}, found;
    double rating[2] = {4, 3}, bad[2] = {1, NAN};
    world_make(&world, BMF_CONTENT_CONCAT, USERS, 40, 5, 21);
    blendmf_model *model = open_world(&world);
    assert_int_equal(blendmf_fold_in_user(model, item, rating, 2, &user, &error), BMF_ERR_USAGE);
    assert_null(user);
    item[1] = -1;
    assert_int_equal(blendmf_fold_in_user(model, item, rating, 2, &user, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_fold_in_user(model, item, rating, -2, &user, &error), BMF_ERR_USAGE);
    item[1] = 5;
    assert_int_equal(blendmf_fold_in_user(model, item, bad, 2, &user, &error), BMF_ERR_USAGE);
    assert_string_equal(error.text, "rating nan at position 1 is not a finite number");
    bad[1] = 1e300;
    assert_int_equal(blendmf_fold_in_user(model, item, bad, 2, &user, &error), BMF_ERR_INPUT);
    assert_null(user);
    assert_ok(blendmf_fold_in_user(model, item, rating, 2, &user, &error), error);
    item[1] = 40;
    assert_int_equal(blendmf_user_predict(user, item, 2, rating, NULL, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_user_recommend(user, (blendmf_items){NULL, 0}, 0, out, &found, &error), BMF_ERR_USAGE);
    assert_int_equal(blendmf_user_recommend(user, (blendmf_items){item, 2}, 1, out, &found, &error), BMF_ERR_USAGE);
    blendmf_user_free(&user);

    item[1] = 5;
    bad[1] = INFINITY;
    const int64_t wrong[1] = {WORLD_FEATURES};
    assert_int_equal(blendmf_fold_in_item(model, wrong, rating, 1, NULL, NULL, 0, &folded, &error), BMF_ERR_USAGE);
    assert_null(folded);
    assert_int_equal(blendmf_fold_in_item(model, item, bad, 2, NULL, NULL, 0, &folded, &error), BMF_ERR_USAGE);
    assert_string_equal(error.text, "feature value inf at position 1 is not a finite number");
    assert_int_equal(blendmf_fold_in_item(model, item, rating, 2, item, bad, 2, &folded, &error), BMF_ERR_USAGE);
    item[1] = -1;
    assert_int_equal(blendmf_fold_in_item(model, NULL, NULL, 0, item, rating, 2, &folded, &error), BMF_ERR_USAGE);
    assert_ok(blendmf_fold_in_item(model, NULL, NULL, 0, NULL, NULL, 0, &folded, &error), error);
    item[1] = USERS;
    assert_int_equal(blendmf_item_predict(folded, item, 2, rating, &error), BMF_ERR_USAGE);
    blendmf_item_free(&folded);
    blendmf_item_free(&folded);
    blendmf_close(&model);
    world_clear(&world);
}

/* The same for an item: theta = b, Q (k), held at what its content says. */
static void expected_item(const serve_world *world, const int64_t *user, const double *rating, int64_t count,
                          const double *prior, const double *content_part, double *theta)
{
    static double A[MOST_UNKNOWNS][MOST_UNKNOWNS];
    const int64_t k = world->meta.factors, n = 1 + k;
    const double start = 1 / (world_learning_rate[0] + world_learning_rate[1]), r = (double)count;
    memset(A, 0, sizeof A);
    for (int64_t j = 0; j < n; j++) {
        A[j][j] =
            j == 0 ? 2 * start + r * world->meta.item_bias_regularization : start + r * world->meta.item_regularization;
        theta[j] = A[j][j] * prior[j];
    }
    for (int64_t i = 0; i < count; i++) {
        double z[MOST_UNKNOWNS] = {1}, y = rating[i] - world->meta.global_mean - content_part[user[i]];
        for (int64_t f = 0; f < k && !WORLD_IS_UNRATED_USER(user[i]); f++)
            z[1 + f] = (double)world->P[user[i] * k + f];
        y -= (double)world->user_bias[user[i]];
        for (int64_t a = 0; a < n; a++) {
            theta[a] += z[a] * y;
            for (int64_t b = 0; b < n; b++)
                A[a][b] += z[a] * z[b];
        }
    }
    eliminate(A, theta, n);
}

/* A copy of item 12, which has content but no ratings, must be as that one; with ratings, as the equations say. */
static void new_items_are_fitted(void **state)
{
    (void)state;
    const int64_t rater[6] = {0, 5, 3, 17, 44, 20}, twin = 12;
    const double rating[6] = {1, 5, 3.5, 2, 4.5, 4};
    for (int mode = 0; mode < 3; mode++) {
        serve_world world;
        world_make(&world, modes[mode], USERS, 40, 5, 21);
        blendmf_model *model = open_world(&world);
        const bmf_csr *x = &world.content.matrix;
        int64_t feature[WORLD_FEATURES], features = 0;
        double value[WORLD_FEATURES], prior[MOST_UNKNOWNS], theta[MOST_UNKNOWNS], content_part[USERS];
        for (int64_t j = mode ? x->indptr[twin + 1] - 1 : -1; mode && j >= x->indptr[twin]; j--) {
            feature[features] = x->indices[j];
            value[features++] = (double)x->data[j];
        }
        assert_true(features > 0 || mode == 0);
        prior[0] = world_item(&world, twin, prior + 1);
        for (int64_t u = 0; u < USERS; u++) {
            content_part[u] = 0;
            for (int64_t j = 0; j < features && world.W; j++)
                content_part[u] +=
                    (double)world.W[u * WORLD_FEATURES + feature[j]] * world.meta.content_weight * value[j];
        }
        for (int64_t ratings = 0; ratings <= 6; ratings += 3) {
            blendmf_item *item = NULL;
            assert_ok(blendmf_fold_in_item(model, feature, value, features, rater, rating, ratings, &item, &error),
                      error);
            expected_item(&world, rater, rating, ratings, prior, content_part, theta);
            for (int64_t u = -1; u < USERS; u++) {
                double r, wanted = world.meta.global_mean + theta[0] + (u >= 0 ? content_part[u] : 0);
                wanted += u >= 0 ? (double)world.user_bias[u] : 0;
                for (int64_t f = 0; f < 5 && u >= 0 && !WORLD_IS_UNRATED_USER(u); f++)
                    wanted += theta[1 + f] * (double)world.P[u * 5 + f];
                assert_ok(blendmf_item_predict(item, &u, 1, &r, &error), error);
                assert_close(r, wanted, 1e-5);
                if (ratings == 0)
                    assert_close(r, world_predict(&world, u, twin), 1e-5);
            }
            blendmf_item_free(&item);
        }
        blendmf_close(&model);
        world_clear(&world);
    }
}

static void equal_scores_go_by_index(void **state)
{
    (void)state;
    serve_world world;
    blendmf_ranked out[TOP];
    int64_t found;
    world_make(&world, BMF_CONTENT_NONE, USERS, ITEMS, 5, 5);
    for (int64_t i = 0; i < ITEMS; i++)
        world.item_bias[i] = (float)(i % 2);
    blendmf_model *model = open_world(&world);
    assert_ok(blendmf_recommend(model, -1, (blendmf_items){NULL, 0}, TOP, out, &found, &error), error);
    assert_int_equal(found, TOP);
    for (int64_t j = 0; j < TOP; j++) {
        assert_int_equal(out[j].item, 2 * j + 1);
        assert_int_equal(out[j].basis, BLENDMF_BIAS);
    }
    blendmf_close(&model);
    world_clear(&world);
}

static void files_that_are_no_models_are_refused(void **state)
{
    (void)state;
    blendmf_model *model = (void *)&error;
    const char *path = test_path("not.h5");
    assert_int_equal(blendmf_open(path, &model, &error), BMF_ERR_IO);
    assert_null(model);
    assert_non_null(strstr(error.text, "not.h5"));
    write_text(path, "no model\n");
    assert_int_equal(blendmf_open(path, &model, NULL), BMF_ERR_INPUT);
    assert_null(model);
}

static int open_and_ask(const char *path, const void *context, bmf_error *err)
{
    (void)context;
    blendmf_model *model = NULL;
    blendmf_ranked out[3];
    int64_t found;
    int status = blendmf_open(path, &model, &error);
    if (status == BMF_OK)
        status = blendmf_recommend(model, 5, (blendmf_items){NULL, 0}, 3, out, &found, &error);
    blendmf_close(&model);
    return status == BMF_OK ? status : bmf_fail(err, status, "%s", error.text);
}

static void damage_is_an_error(void **state)
{
    (void)state;
    serve_world world;
    world_make(&world, BMF_CONTENT_CONCAT, 19, 40, 5, 11);
    const char *path = test_path("damaged.h5");
    world_write(&world, path);
    check_flips(path, 211, open_and_ask, NULL);
    check_truncations(path, 1999, open_and_ask, NULL);
    check_nothing_open();
    world_clear(&world);
}

#define ASKERS 8

typedef struct asker {
    pthread_t thread;
    const blendmf_model *model;
    const char *path;
    int64_t first;
    bool same;
} asker;

/* Lists of its own users, one by one, in two threads of its own, and from a model opened meanwhile. */
static void *ask(void *data)
{
    asker *a = data;
    int64_t user[6], found[6], alone;
    blendmf_ranked many[6 * TOP], one[TOP];
    blendmf_model *own = NULL;
    for (int64_t j = 0; j < 6; j++)
        user[j] = a->first + j;
    a->same = blendmf_open(a->path, &own, NULL) == BMF_OK;
    for (int round = 0; round < 20 && a->same; round++) {
        const blendmf_model *model = round % 2 ? own : a->model;
        a->same = blendmf_recommend_many(model, user, 6, NULL, TOP, 2, 0, many, found, NULL) == BMF_OK;
        for (int64_t j = 0; j < 6 && a->same; j++) {
            a->same =
                blendmf_recommend(a->model, user[j], (blendmf_items){NULL, 0}, TOP, one, &alone, NULL) == BMF_OK &&
                alone == found[j];
            for (int64_t t = 0; t < TOP && a->same; t++)
                a->same = one[t].item == many[j * TOP + t].item && one[t].score == many[j * TOP + t].score;
        }
    }
    blendmf_close(&own);
    return NULL;
}

static void threads_may_share_a_model(void **state)
{
    (void)state;
    serve_world world;
    asker askers[ASKERS];
    world_make(&world, BMF_CONTENT_CONCAT, USERS, ITEMS, 20, 9);
    blendmf_model *model = open_world(&world);
    for (int t = 0; t < ASKERS; t++) {
        askers[t] = (asker){.model = model, .path = test_path("model.h5"), .first = 6 * t};
        assert_int_equal(pthread_create(&askers[t].thread, NULL, ask, &askers[t]), 0);
    }
    for (int t = 0; t < ASKERS; t++)
        assert_int_equal(pthread_join(askers[t].thread, NULL), 0);
    for (int t = 0; t < ASKERS; t++)
        assert_true(askers[t].same);
    blendmf_close(&model);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_it_is),
        cmocka_unit_test(predictions_follow_the_formula),
        cmocka_unit_test(old_files_count_as_trained),
        cmocka_unit_test(wrong_indices_are_refused),
        cmocka_unit_test(lists_are_those_of_sorting),
        cmocka_unit_test(similar_items_have_the_largest_cosine),
        cmocka_unit_test(equal_scores_go_by_index),
        cmocka_unit_test(new_users_are_fitted),
        cmocka_unit_test(new_items_are_fitted),
        cmocka_unit_test(wrong_ratings_are_refused),
        cmocka_unit_test(files_that_are_no_models_are_refused),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(threads_may_share_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
