/* Planted data: exact where it is promised to be, and close where it is random. */
#include "support/assert_close.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/import.h"
#include "data/share.h"
#include "data/stopwords.h"
#include "data/synth_plan.h"

static bmf_error err;

static bmf_synth_options options_of(int64_t users, int64_t items, int64_t ratings)
{
    bmf_synth_options o = bmf_synth_defaults();
    o.users = users;
    o.items = items;
    o.ratings = ratings;
    return o;
}

static bmf_dataset make(const bmf_synth_options *o)
{
    bmf_dataset d;
    assert_ok(bmf_synth(o, &d, &err), err);
    return d;
}

static int64_t count_of(const bmf_dataset *d, int64_t user)
{
    int64_t count = 0;
    for (int s = 0; s < BMF_SPLITS; s++)
        count += d->split[s].matrix.indptr[user + 1] - d->split[s].matrix.indptr[user];
    return count;
}

/* What must hold for any options: totals, no pair twice, half stars, times ascending through the splits. */
static void expect_proper(const bmf_dataset *d, const bmf_synth_options *o)
{
    int64_t total = 0;
    int64_t *seen_by = calloc((size_t)o->items, sizeof *seen_by);
    assert_int_equal(d->users.count, o->users);
    assert_int_equal(d->items.count, o->items);
    for (int s = 0; s < BMF_SPLITS; s++) {
        assert_ok(bmf_csr_check(&d->split[s].matrix, bmf_split_name((bmf_split)s), 1, &err), err);
        total += bmf_csr_count(&d->split[s].matrix);
    }
    assert_int_equal(total, o->ratings);
    for (int64_t u = 0; u < o->users; u++) {
        int64_t before = INT64_MIN;
        assert_true(count_of(d, u) >= 1);
        for (int s = 0; s < BMF_SPLITS; s++) {
            const bmf_ratings *part = &d->split[s];
            for (int64_t e = part->matrix.indptr[u]; e < part->matrix.indptr[u + 1]; e++) {
                double halves = 2.0 * (double)part->matrix.data[e];
                assert_true(halves >= 1 && halves <= 10 && halves == floor(halves));
                assert_true(part->timestamp[e] > before);
                before = part->timestamp[e];
                assert_int_not_equal(seen_by[part->matrix.indices[e]], u + 1);
                seen_by[part->matrix.indices[e]] = u + 1;
            }
        }
    }
    free(seen_by);
}

static void totals_are_exact(void **state)
{
    (void)state;
    const int64_t size[][3] = {{1, 1, 1},      {1, 9, 4},      {7, 1, 7},         {5, 3, 15},         {300, 40, 300},
                               {30, 40, 1199}, {30, 40, 1200}, {1000, 50, 47003}, {2000, 900, 123457}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        bmf_synth_options o = options_of(size[i][0], size[i][1], size[i][2]);
        bmf_dataset d = make(&o);
        expect_proper(&d, &o);
        bmf_dataset_clear(&d);
    }
}

static void record_and_ids(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(20, 30, 200);
    o.seed = 77;
    bmf_dataset d = make(&o);
    assert_string_equal(d.import.source, "synthetic");
    assert_string_equal(d.import.format, "synth");
    assert_string_equal(d.import.split, "temporal");
    assert_int_equal(d.import.seed, 77);
    assert_true(bmf_dataset_report_of(&d).totals_consistent);
    assert_close(d.import.split_ratio[BMF_VAL], 0.15, 0);
    assert_ok(bmf_ids_check(&d.users, "users", &err), err);
    assert_int_equal(d.users.number[0], 1);
    assert_int_equal(d.items.number[29], 30);
    assert_int_equal(d.title.count, 30);
    int year = 0;
    assert_int_equal(sscanf(bmf_strings_get(&d.title, 11), "Item 12 (%d)", &year), 1);
    assert_in_range(year, 1920, 1995);
    bmf_dataset_clear(&d);
}

static void split_is_temporal(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(100, 300, 4321);
    bmf_dataset d = make(&o);
    for (int64_t u = 0; u < o.users; u++) {
        int64_t n = count_of(&d, u), train = (int64_t)((double)n * 0.7), val = (int64_t)((double)n * (0.7 + 0.15));
        assert_int_equal(d.split[BMF_TRAIN].matrix.indptr[u + 1] - d.split[BMF_TRAIN].matrix.indptr[u], train);
        assert_int_equal(d.split[BMF_VAL].matrix.indptr[u + 1] - d.split[BMF_VAL].matrix.indptr[u], val - train);
    }
    bmf_dataset_clear(&d);
}

static bool same_ratings(const bmf_dataset *a, const bmf_dataset *b)
{
    bool same = true;
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_csr *x = &a->split[s].matrix, *y = &b->split[s].matrix;
        size_t count = (size_t)bmf_csr_count(x);
        same = same && bmf_csr_count(y) == (int64_t)count &&
               !memcmp(x->indptr, y->indptr, (size_t)(x->rows + 1) * sizeof *x->indptr) &&
               !memcmp(x->indices, y->indices, count * sizeof *x->indices) &&
               !memcmp(x->data, y->data, count * sizeof *x->data) &&
               !memcmp(a->split[s].timestamp, b->split[s].timestamp, count * sizeof(int64_t));
    }
    return same;
}

static void same_seed_same_data_on_any_threads(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(700, 200, 40000);
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    bmf_dataset one = make(&o);
    omp_set_num_threads(3);
    bmf_dataset three = make(&o);
    o.seed++;
    bmf_dataset other = make(&o);
    omp_set_num_threads(before);
    assert_true(same_ratings(&one, &three));
    assert_false(same_ratings(&one, &other));
    bmf_dataset_clear(&one);
    bmf_dataset_clear(&three);
    bmf_dataset_clear(&other);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Slope of y over x by least squares. */
static double slope(const double *x, const double *y, int64_t count)
{
    double n = (double)count, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int64_t i = 0; i < count; i++) {
        sx += x[i];
        sy += y[i];
        sxx += x[i] * x[i];
        sxy += x[i] * y[i];
    }
    return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

/* Few ratings a user, so that the head is not worn down: the logarithm of the count falls straight with that of the place. */
static void items_are_zipf(void **state)
{
    (void)state;
    enum { ITEMS = 2000, PLACES = 200 };
    bmf_synth_options o = options_of(100000, ITEMS, 200000);
    bmf_dataset d = make(&o);
    double uses[ITEMS] = {0}, x[PLACES], y[PLACES];
    for (int s = 0; s < BMF_SPLITS; s++)
        for (int64_t e = 0; e < bmf_csr_count(&d.split[s].matrix); e++)
            uses[d.split[s].matrix.indices[e]]++;
    qsort(uses, ITEMS, sizeof *uses, descending);
    for (int i = 0; i < PLACES; i++) {
        x[i] = log(i + 1);
        y[i] = log(uses[i]);
    }
    assert_close(slope(x, y, PLACES), -0.9, 0.08);
    bmf_dataset_clear(&d);
}

static void users_are_lognormal(void **state)
{
    (void)state;
    enum { USERS = 4000 };
    bmf_synth_options o = options_of(USERS, 30000, 800000);
    o.factors = 2;
    bmf_synth_plan plan;
    assert_ok(bmf_synth_plan_create(&o, &plan, &err), err);
    double sum = 0, squares = 0, cubes = 0;
    for (int64_t u = 0; u < USERS; u++)
        sum += log((double)(plan.start[u + 1] - plan.start[u]));
    for (int64_t u = 0; u < USERS; u++) {
        double z = log((double)(plan.start[u + 1] - plan.start[u])) - sum / USERS;
        squares += z * z;
        cubes += z * z * z;
    }
    double sd = sqrt(squares / USERS);
    assert_close(sd, 1.1, 0.1);
    assert_close(cubes / USERS / (sd * sd * sd), 0, 0.2);
    bmf_synth_plan_clear(&plan);
}

static void ratings_look_like_movielens(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(3000, 1500, 300000);
    bmf_dataset d = make(&o);
    double sum = 0, squares = 0;
    int64_t level[11] = {0};
    for (int s = 0; s < BMF_SPLITS; s++)
        for (int64_t e = 0; e < bmf_csr_count(&d.split[s].matrix); e++) {
            double r = (double)d.split[s].matrix.data[e];
            sum += r;
            squares += r * r;
            level[(int)(2 * r)]++;
        }
    double n = (double)o.ratings, mean = sum / n;
    assert_close(mean, 3.5, 0.15);
    assert_close(sqrt(squares / n - mean * mean), 1.0, 0.08);
    for (int h = 1; h <= 10; h++)
        assert_true(level[h] > 0);
    bmf_dataset_clear(&d);
}

/* Counts, in hits (items), which items `count` distinct draws find when each miss is simply drawn again. */
static void draw_plainly(const bmf_synth_plan *plan, uint64_t key, int64_t count, double *hits)
{
    bool *taken = calloc((size_t)plan->options.items, sizeof *taken);
    for (uint64_t draw = 0; count > 0; draw++) {
        double left = bmf_rng_uniform(key, draw);
        int64_t i = 0;
        while (i + 1 < plan->options.items && (left -= plan->popularity[i]) >= 0)
            i++;
        hits[i] += !taken[i];
        count -= !taken[i];
        taken[i] = true;
    }
    free(taken);
}

/* Light users (draws alone) and heavy ones (mostly the race) get the items that plain repeated draws would give. */
static void choice_equals_repeated_draws(void **state)
{
    (void)state;
    enum { USERS = 4000, ITEMS = 60 };
    for (int64_t each = 3; each <= 51; each += 24) {
        bmf_synth_options o = options_of(USERS, ITEMS, USERS * each);
        bmf_synth_plan plan;
        bmf_synth_row row;
        double hits[ITEMS] = {0}, plain_hits[ITEMS] = {0};
        assert_ok(bmf_synth_plan_create(&o, &plan, &err), err);
        assert_ok(bmf_synth_row_create(&plan, &row, &err), err);
        for (int64_t u = 0; u < USERS; u++) {
            bmf_synth_row_fill(&plan, u, &row);
            for (int64_t j = 0; j < row.count; j++)
                hits[row.item[j]]++;
            draw_plainly(&plan, bmf_rng_subkey(bmf_rng_key(5, BMF_STREAM_TEST), (uint64_t)u), row.count, plain_hits);
        }
        for (int i = 0; i < ITEMS; i++)
            assert_close(hits[i], plain_hits[i], 5 * sqrt(2 * plain_hits[i] * (1 - plain_hits[i] / (USERS + 1))) + 1);
        bmf_synth_row_clear(&row);
        bmf_synth_plan_clear(&plan);
    }
}

static void every_feature_is_a_column(void **state)
{
    (void)state;
    const int64_t features[] = {0, 1, 7, 20, 21, 300, 5000};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        bmf_synth_options o = options_of(40, 60, 400);
        o.features = features[i];
        bmf_dataset d = make(&o);
        assert_int_equal(d.content.matrix.rows, 60);
        assert_int_equal(d.content.matrix.columns, features[i]);
        assert_int_equal(d.content.feature.count, features[i]);
        for (int64_t r = 0; features[i] && r < 60; r++)
            assert_true(d.content.matrix.indptr[r + 1] > d.content.matrix.indptr[r]);
        bmf_dataset_clear(&d);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void words_are_distinct_and_no_stop_words(void **state)
{
    (void)state;
    bmf_synth_plan plan = {.genres = BMF_SYNTH_GENRES};
    char(*word)[BMF_SYNTH_WORD] = calloc(BMF_SYNTH_MAX_FEATURES, BMF_SYNTH_WORD), buffer[BMF_SYNTH_WORD];
    for (int64_t f = 0; f < BMF_SYNTH_MAX_FEATURES; f++) {
        (void)snprintf(word[f], sizeof word[f], "%s", bmf_synth_word(&plan, f, buffer));
        if (f < BMF_SYNTH_GENRES)
            word[f][0] = (char)(word[f][0] + 32);
        assert_false(bmf_stopword_is(word[f]));
        assert_int_equal(strspn(word[f], "abcdefghijklmnopqrstuvwxyz"), strlen(word[f]));
    }
    qsort(word, BMF_SYNTH_MAX_FEATURES, sizeof *word, by_text);
    for (int64_t f = 1; f < BMF_SYNTH_MAX_FEATURES; f++)
        assert_string_not_equal(word[f], word[f - 1]);
    free(word);
}

static double cosine(const float *a, const float *b, int64_t k)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = 0; c < k; c++) {
        ab += (double)a[c] * b[c];
        aa += (double)a[c] * a[c];
        bb += (double)b[c] * b[c];
    }
    return ab / sqrt(aa * bb);
}

/* Items that share all their features have like factors; items that share none do not. */
static void content_carries_signal(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(10, 800, 100);
    o.features = 40;
    bmf_synth_plan plan;
    assert_ok(bmf_synth_plan_create(&o, &plan, &err), err);
    double like[2] = {0};
    int64_t pairs[2] = {0};
    for (int64_t i = 0; i < o.items; i++)
        for (int64_t j = 0; j < i; j++) {
            int32_t a[32], b[32];
            int64_t na = bmf_synth_item_features(&plan, i, a), nb = bmf_synth_item_features(&plan, j, b), shared = 0;
            for (int64_t x = 0; x < na; x++)
                for (int64_t y = 0; y < nb; y++)
                    shared += a[x] == b[y];
            if (shared == 0 || (shared == na && shared == nb)) {
                like[shared > 0] += cosine(plan.factor + i * o.factors, plan.factor + j * o.factors, o.factors);
                pairs[shared > 0]++;
            }
        }
    assert_true(pairs[0] > 1000 && pairs[1] > 30);
    assert_close(like[0] / (double)pairs[0], 0, 0.05);
    assert_close(like[1] / (double)pairs[1], 0.6, 0.1);
    bmf_synth_plan_clear(&plan);
}

/* Users of the same groups have like factors; users of none in common do not. */
static void groups_carry_signal(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(400, 50, 800);
    o.user_features = 12;
    bmf_synth_plan plan;
    bmf_synth_row row;
    assert_ok(bmf_synth_plan_create(&o, &plan, &err), err);
    assert_ok(bmf_synth_row_create(&plan, &row, &err), err);
    const int64_t k = o.factors;
    float *factor = calloc((size_t)(o.users * k), sizeof *factor);
    double like[2] = {0};
    int64_t pairs[2] = {0}, members[12] = {0};
    for (int64_t u = 0; u < o.users; u++) {
        int32_t a[BMF_SYNTH_MOST_GROUPS], b[BMF_SYNTH_MOST_GROUPS];
        bmf_synth_row_fill(&plan, u, &row);
        memcpy(factor + u * k, row.user, (size_t)k * sizeof *factor);
        int64_t na = bmf_synth_user_groups(&plan, u, a);
        assert_true(na >= 1 && na <= BMF_SYNTH_MOST_GROUPS);
        for (int64_t x = 0; x < na; x++)
            members[a[x]]++;
        for (int64_t v = 0; v < u; v++) {
            int64_t nb = bmf_synth_user_groups(&plan, v, b), shared = 0;
            for (int64_t x = 0; x < na; x++)
                for (int64_t y = 0; y < nb; y++)
                    shared += a[x] == b[y];
            if (shared == 0 || (shared == na && shared == nb)) {
                like[shared > 0] += cosine(factor + u * k, factor + v * k, k);
                pairs[shared > 0]++;
            }
        }
    }
    for (int g = 0; g < 12; g++)
        assert_true(members[g] > 0);
    assert_true(pairs[0] > 1000 && pairs[1] > 30);
    assert_close(like[0] / (double)pairs[0], 0, 0.05);
    assert_close(like[1] / (double)pairs[1], 0.6, 0.1);
    free(factor);
    bmf_synth_row_clear(&row);
    bmf_synth_plan_clear(&plan);
}

static void shares_are_exact_and_within_room(void **state)
{
    (void)state;
    const double weight[5] = {1, 2, 3, 1000, 1e-9};
    for (int64_t total = 0; total <= 50; total++) {
        int64_t share[5], sum = 0;
        bmf_share(weight, 5, 10, total, share);
        for (int i = 0; i < 5; i++) {
            assert_in_range(share[i], 0, 10);
            sum += share[i];
        }
        assert_int_equal(sum, total);
    }
    int64_t share[5];
    bmf_share(weight, 5, 1000, 22, share);
    assert_int_equal(share[3], 22); /* 21.87, and the rounded running sum reaches 22 here */
    bmf_share(weight, 5, 10, 22, share);
    assert_int_equal(share[3], 10);
    assert_int_equal(share[0], 2);
    assert_int_equal(share[1], 4);
    assert_int_equal(share[2], 6);
}

static void refuse(bmf_synth_options o, const char *text)
{
    bmf_dataset d;
    bmf_error e = BMF_ERROR_INIT;
    assert_int_equal(bmf_synth_check(&o, &e), BMF_ERR_USAGE);
    assert_string_equal(e.text, text);
    bmf_error_clear(&e);
    assert_int_equal(bmf_synth(&o, &d, &e), BMF_ERR_USAGE);
    assert_int_equal(d.users.count, 0);
    bmf_error_clear(&e);
    assert_int_equal(bmf_synth_write_csv(&o, "/nonexistent", &e), BMF_ERR_USAGE);
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    bmf_synth_options good = options_of(10, 20, 100), o = good;
    assert_ok(bmf_synth_check(&good, &err), err);
    o.users = 0;
    refuse(o, "--users 0: must be 1 to 1099511627776");
    o = good, o.items = -3;
    refuse(o, "--items -3: must be 1 to 2147483647");
    o = good, o.ratings = 9;
    refuse(o, "--ratings 9: must be at least --users 10, every user has a rating");
    o = good, o.ratings = 201;
    refuse(o, "--ratings 201: there are only 200 pairs of 10 users and 20 items, and none is rated twice");
    o = good, o.factors = 0;
    refuse(o, "--factors 0: must be 1 to 1024");
    o = good, o.features = -1;
    refuse(o, "--features -1: must be 0 to 200000");
    o = good, o.user_features = 11;
    refuse(o, "--user-features 11: must be 0 to 10");
    o = good, o.noise = -0.5;
    refuse(o, "--noise -0.5: must be 0 to 5 stars");
    o = good, o.noise = (double)NAN;
    refuse(o, "--noise nan: must be 0 to 5 stars");
    o = good, o.split_ratio[BMF_VAL] = -0.1;
    refuse(o, "--split-ratios: -0.1 for val must be 0 to 1");
    o = good, o.split_ratio[BMF_TEST] = 0.25;
    refuse(o, "--split-ratios: 0.7, 0.15, 0.25 add up to 1.1, they must add up to 1");
}

/* Text may have more users than a data set; refused before anything is allocated for them. */
static void more_users_than_a_data_set_holds_are_refused(void **state)
{
    (void)state;
    bmf_synth_options o = options_of(INT64_C(2147483648), 20, INT64_C(2147483648));
    bmf_dataset d;
    bmf_error e = BMF_ERROR_INIT;
    assert_ok(bmf_synth_check(&o, &e), e);
    assert_int_equal(bmf_synth(&o, &d, &e), BMF_ERR_USAGE);
    assert_string_equal(e.text, "--users 2147483648: a data set holds at most 2147483647 users; --csv writes more");
    assert_int_equal(d.users.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_exact),
        cmocka_unit_test(record_and_ids),
        cmocka_unit_test(split_is_temporal),
        cmocka_unit_test(same_seed_same_data_on_any_threads),
        cmocka_unit_test(items_are_zipf),
        cmocka_unit_test(users_are_lognormal),
        cmocka_unit_test(ratings_look_like_movielens),
        cmocka_unit_test(choice_equals_repeated_draws),
        cmocka_unit_test(every_feature_is_a_column),
        cmocka_unit_test(words_are_distinct_and_no_stop_words),
        cmocka_unit_test(content_carries_signal),
        cmocka_unit_test(groups_carry_signal),
        cmocka_unit_test(shares_are_exact_and_within_room),
        cmocka_unit_test(options_out_of_range_are_named),
        cmocka_unit_test(more_users_than_a_data_set_holds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
