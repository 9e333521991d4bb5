#include "data/synth.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/share.h"
#include "data/split.h"
#include "data/synth_plan.h"
#include "data/tfidf.h"

/* Standard deviations in stars. With noise of 0.7 a rating's is about 1.0 around 3.5, as MovieLens has it. */
#define MEAN 3.55
#define USER_BIAS_SD 0.40
#define ITEM_BIAS_SD 0.40
#define POPULAR_SD 0.15 /* popular items are liked a little more */
#define TASTE_SD 0.55   /* of P_u·Q_i */
#define CONTENT_SHARE                                                                                                  \
    0.6 /* of the variance of an item's factors and bias that its features explain, and a user's groups */

#define ZIPF_EXPONENT 0.9
#define ACTIVITY_SD 1.1 /* of the logarithm of a user's ratings */
#define MOST_DRAWS 4    /* for each rating wanted, before the race */

/* Options */

bmf_synth_options bmf_synth_defaults(void)
{
    return (bmf_synth_options){
        .factors = 16, .features = 200, .noise = 0.7, .split_ratio = {0.7, 0.15, 0.15}, .seed = 1};
}

static int check_range(const char *option, int64_t value, int64_t low, int64_t high, bmf_error *err)
{
    if (value >= low && value <= high)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE, "%s %" PRId64 ": must be %" PRId64 " to %" PRId64, option, value, low, high);
}

static int check_total(const bmf_synth_options *o, bmf_error *err)
{
    if (o->ratings < o->users)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--ratings %" PRId64 ": must be at least --users %" PRId64 ", every user has a rating",
                        o->ratings, o->users);
    int64_t pairs = 0;
    if (!__builtin_mul_overflow(o->users, o->items, &pairs) && o->ratings > pairs)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--ratings %" PRId64 ": there are only %" PRId64 " pairs of %" PRId64 " users and %" PRId64
                        " items, and none is rated twice",
                        o->ratings, pairs, o->users, o->items);
    return BMF_OK;
}

int bmf_synth_check(const bmf_synth_options *o, bmf_error *err)
{
    int status = check_range("--users", o->users, 1, INT64_C(1) << 40, err);
    if (status == BMF_OK)
        status = check_range("--items", o->items, 1, INT32_MAX, err);
    if (status == BMF_OK)
        status = check_total(o, err);
    if (status == BMF_OK)
        status = check_range("--factors", o->factors, 1, BMF_SYNTH_MAX_FACTORS, err);
    if (status == BMF_OK)
        status = check_range("--features", o->features, 0, BMF_SYNTH_MAX_FEATURES, err);
    if (status == BMF_OK)
        status = check_range("--user-features", o->user_features, 0,
                             o->users < BMF_SYNTH_MAX_FEATURES ? o->users : BMF_SYNTH_MAX_FEATURES, err);
    if (status == BMF_OK && !(o->noise >= 0 && o->noise <= 5))
        status = bmf_fail(err, BMF_ERR_USAGE, "--noise %g: must be 0 to 5 stars", o->noise);
    if (status == BMF_OK)
        status = bmf_split_check_ratios(o->split_ratio, err);
    return status;
}

uint64_t bmf_synth_key(const bmf_synth_options *options, bmf_synth_purpose purpose, int64_t index)
{
    uint64_t key = bmf_rng_key(options->seed, BMF_STREAM_SYNTH);
    return bmf_rng_subkey(bmf_rng_subkey(key, (uint64_t)purpose), (uint64_t)index);
}

/* How many ratings each user has */

static int plan_activity(bmf_synth_plan *plan, bmf_error *err)
{
    const bmf_synth_options *o = &plan->options;
    double *weight = bmf_alloc(o->users, sizeof *weight, "users", err);
    plan->start = bmf_alloc(o->users + 1, sizeof *plan->start, "users", err);
    if (!weight || !plan->start) {
        bmf_free(weight);
        return BMF_ERR_MEMORY;
    }
    uint64_t key = bmf_synth_key(o, BMF_SYNTH_ACTIVITY, 0);
    for (int64_t u = 0; u < o->users; u++)
        weight[u] = exp(ACTIVITY_SD * bmf_rng_gauss(key, (uint64_t)u));
    bmf_share(weight, o->users, o->items - 1, o->ratings - o->users, plan->start + 1); /* above the one that all have */
    bmf_free(weight);
    plan->start[0] = 0;
    for (int64_t u = 0; u < o->users; u++) {
        int64_t count = 1 + plan->start[u + 1];
        plan->longest = count > plan->longest ? count : plan->longest;
        plan->start[u + 1] = plan->start[u] + count;
    }
    return BMF_OK;
}

/* How popular each item is */

/* Puts popularity 1 / place^exponent on the items in a random order, and the places (from 0) into place. */
static void deal_popularity(bmf_synth_plan *plan, int32_t *place)
{
    int64_t n = plan->options.items;
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_POPULARITY, 0);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) { /* Fisher–Yates, inside out */
        int64_t j = (int64_t)bmf_rng_below(key, (uint64_t)i, (uint64_t)i + 1);
        place[i] = place[j];
        place[j] = (int32_t)i;
    }
    for (int64_t i = 0; i < n; i++) {
        plan->popularity[i] = pow(place[i] + 1.0, -ZIPF_EXPONENT);
        sum += plan->popularity[i];
    }
    for (int64_t i = 0; i < n; i++)
        plan->popularity[i] /= sum;
}

static int plan_popularity(bmf_synth_plan *plan, bmf_error *err)
{
    int64_t n = plan->options.items;
    plan->popularity = bmf_alloc(n, sizeof *plan->popularity, "items", err);
    plan->alias = bmf_alloc(n, sizeof *plan->alias, "items", err);
    plan->item_bias = bmf_alloc(n, sizeof *plan->item_bias, "items", err);
    double *mass = bmf_alloc(n, sizeof *mass, "items", err);
    int32_t *place = bmf_alloc_zero(n, sizeof *place, "items", err);
    int status = plan->popularity && plan->alias && plan->item_bias && mass && place ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        deal_popularity(plan, place);
        for (int64_t i = 0; i < n; i++) /* uniform with standard deviation 1, the most popular on top */
            plan->item_bias[i] = (float)(POPULAR_SD * sqrt(12.0) * (0.5 - (place[i] + 0.5) / (double)n));
        bmf_alias_fill(plan->popularity, n, mass, place, plan->alias);
    }
    bmf_free(mass);
    bmf_free(place);
    return status;
}

/* What items and users are like */

/* Adds one item's bias and writes its factors, from those of its features (features × (k + 1), the bias last) and its own. */
static void fill_item(bmf_synth_plan *plan, int64_t item, const float *of_feature, int32_t *feature, float *own)
{
    int64_t k = plan->options.factors, count = bmf_synth_item_features(plan, item, feature);
    bmf_rng_normal(bmf_synth_key(&plan->options, BMF_SYNTH_ITEM, item), 0, 1, own, k + 1);
    double from_content = count ? sqrt(CONTENT_SHARE / (double)count) : 0;
    double from_own = count ? sqrt(1 - CONTENT_SHARE) : 1;
    for (int64_t c = 0; c <= k; c++) {
        double sum = 0;
        for (int64_t f = 0; f < count; f++)
            sum += of_feature[feature[f] * (k + 1) + c];
        double value = from_content * sum + from_own * own[c];
        if (c < k)
            plan->factor[item * k + c] = (float)(TASTE_SD / sqrt((double)k) * value);
        else
            plan->item_bias[item] += (float)(ITEM_BIAS_SD * value);
    }
}

static void centre_item_bias(bmf_synth_plan *plan)
{
    double mean = 0;
    for (int64_t i = 0; i < plan->options.items; i++)
        mean += plan->popularity[i] * plan->item_bias[i];
    for (int64_t i = 0; i < plan->options.items; i++)
        plan->item_bias[i] -= (float)mean;
}

static int plan_items(bmf_synth_plan *plan, bmf_error *err)
{
    int64_t n = plan->options.items, k = plan->options.factors, features = plan->options.features;
    plan->factor = bmf_alloc(n * k, sizeof *plan->factor, "factors of the items", err);
    float *of_feature = bmf_alloc(features * (k + 1), sizeof *of_feature, "factors of the features", err);
    int32_t *feature = bmf_alloc(plan->item_feature_room, sizeof *feature, "features of an item", err);
    float *own = bmf_alloc(k + 2, sizeof *own, "factors of an item", err);
    int status = plan->factor && of_feature && feature && own ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        for (int64_t f = 0; f < features; f++)
            bmf_rng_normal(bmf_synth_key(&plan->options, BMF_SYNTH_FEATURE, f), 0, 1, of_feature + f * (k + 1), k + 1);
        for (int64_t i = 0; i < n; i++)
            fill_item(plan, i, of_feature, feature, own);
        centre_item_bias(plan);
    }
    bmf_free(of_feature);
    bmf_free(feature);
    bmf_free(own);
    return status;
}

static int plan_groups(bmf_synth_plan *plan, bmf_error *err)
{
    int64_t k = plan->options.factors, groups = plan->options.user_features;
    plan->of_group = bmf_alloc(groups * (k + 1), sizeof *plan->of_group, "factors of the groups", err);
    for (int64_t g = 0; plan->of_group && g < groups; g++)
        bmf_rng_normal(bmf_synth_key(&plan->options, BMF_SYNTH_GROUP, g), 0, 1, plan->of_group + g * (k + 1), k + 1);
    return plan->of_group ? BMF_OK : BMF_ERR_MEMORY;
}

/* Component c of what a user's groups give him, scaled to the variance that is theirs; his own has the rest. */
static double of_groups(const bmf_synth_plan *plan, const int32_t *group, int64_t count, int64_t c)
{
    double sum = 0;
    for (int64_t g = 0; g < count; g++)
        sum += plan->of_group[group[g] * (plan->options.factors + 1) + c];
    return sqrt(CONTENT_SHARE / (double)count) * sum;
}

static double user_bias(const bmf_synth_plan *plan, int64_t user)
{
    int32_t group[BMF_SYNTH_MOST_GROUPS];
    int64_t count = bmf_synth_user_groups(plan, user, group);
    double value = bmf_rng_gauss(bmf_synth_key(&plan->options, BMF_SYNTH_USER, user), BMF_SYNTH_MAX_FACTORS);
    if (count > 0)
        value = of_groups(plan, group, count, plan->options.factors) + sqrt(1 - CONTENT_SHARE) * value;
    return USER_BIAS_SD * value - plan->user_bias_mean;
}

static void fill_user(const bmf_synth_plan *plan, int64_t user, float *factor)
{
    int32_t group[BMF_SYNTH_MOST_GROUPS];
    int64_t k = plan->options.factors, count = bmf_synth_user_groups(plan, user, group);
    bmf_rng_normal(bmf_synth_key(&plan->options, BMF_SYNTH_USER, user), 0, 1, factor, k);
    for (int64_t c = 0; count > 0 && c < k; c++)
        factor[c] = (float)(of_groups(plan, group, count, c) + sqrt(1 - CONTENT_SHARE) * factor[c]);
}

static void centre_user_bias(bmf_synth_plan *plan)
{
    double sum = 0;
    for (int64_t u = 0; u < plan->options.users; u++)
        sum += (double)(plan->start[u + 1] - plan->start[u]) * user_bias(plan, u);
    plan->user_bias_mean = sum / (double)plan->options.ratings;
}

int bmf_synth_plan_create(const bmf_synth_options *options, bmf_synth_plan *plan, bmf_error *err)
{
    *plan = (bmf_synth_plan){.options = *options};
    int status = bmf_synth_check(options, err);
    if (status != BMF_OK)
        return status;
    plan->genres = options->features < BMF_SYNTH_GENRES ? options->features : BMF_SYNTH_GENRES;
    plan->tags = options->features - plan->genres;
    plan->item_feature_room = BMF_SYNTH_ITEM_GENRES + BMF_SYNTH_ITEM_TAGS + 2 + options->features / options->items;
    status = plan_activity(plan, err);
    if (status == BMF_OK)
        status = plan_popularity(plan, err);
    if (status == BMF_OK)
        status = plan_items(plan, err);
    if (status == BMF_OK)
        status = plan_groups(plan, err);
    if (status == BMF_OK)
        centre_user_bias(plan);
    else
        bmf_synth_plan_clear(plan);
    return status;
}

void bmf_synth_plan_clear(bmf_synth_plan *plan)
{
    bmf_free(plan->start);
    bmf_free(plan->popularity);
    bmf_free(plan->alias);
    bmf_free(plan->factor);
    bmf_free(plan->item_bias);
    bmf_free(plan->of_group);
    *plan = (bmf_synth_plan){0};
}

/* One user's ratings */

/* An item in the race for the places that draws did not fill. */
typedef struct bmf_synth_racer {
    double time;
    int32_t item;
} racer;

int bmf_synth_row_create(const bmf_synth_plan *plan, bmf_synth_row *row, bmf_error *err)
{
    int64_t n = plan->options.items, longest = plan->longest, k = plan->options.factors;
    *row = (bmf_synth_row){0};
    row->item = bmf_alloc(longest, sizeof *row->item, "ratings of a user", err);
    row->rating = bmf_alloc(longest, sizeof *row->rating, "ratings of a user", err);
    row->timestamp = bmf_alloc(longest, sizeof *row->timestamp, "ratings of a user", err);
    row->noise = bmf_alloc(longest + 1, sizeof *row->noise, "ratings of a user", err);
    row->user = bmf_alloc(k + 1, sizeof *row->user, "factors of a user", err);
    row->taken = bmf_alloc_zero(n / 64 + 1, sizeof *row->taken, "items of a user", err);
    row->racer = bmf_alloc(n, sizeof *row->racer, "items of a user", err);
    if (row->item && row->rating && row->timestamp && row->noise && row->user && row->taken && row->racer)
        return BMF_OK;
    bmf_synth_row_clear(row);
    return BMF_ERR_MEMORY;
}

void bmf_synth_row_clear(bmf_synth_row *row)
{
    bmf_free(row->item);
    bmf_free(row->rating);
    bmf_free(row->timestamp);
    bmf_free(row->noise);
    bmf_free(row->user);
    bmf_free(row->taken);
    bmf_free(row->racer);
    *row = (bmf_synth_row){0};
}

static int compare_racers(const void *a, const void *b)
{
    const racer *x = a, *y = b;
    return x->time != y->time ? (x->time > y->time) - (x->time < y->time) : (x->item > y->item) - (x->item < y->item);
}

/* The rest of the row, without a further draw that misses: the items that are left arrive after exponential times, the
 * popular ones sooner. That is the order in which repeated draws would find them (Efraimidis and Spirakis 2006). */
static void race_for_rest(const bmf_synth_plan *plan, int64_t user, int64_t got, bmf_synth_row *row)
{
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_RACE, user);
    int64_t racers = 0;
    for (int64_t i = 0; i < plan->options.items; i++)
        if (!(row->taken[i / 64] >> i % 64 & 1))
            row->racer[racers++] =
                (racer){-log(1 - bmf_rng_uniform(key, (uint64_t)i)) / plan->popularity[i], (int32_t)i};
    qsort(row->racer, (size_t)racers, sizeof *row->racer, compare_racers);
    for (int64_t j = got; j < row->count; j++)
        row->item[j] = row->racer[j - got].item;
}

/* Distinct items by popularity. Draws that hit a taken item are repeated, within limits. */
static void choose_items(const bmf_synth_plan *plan, int64_t user, bmf_synth_row *row)
{
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_CHOICE, user);
    int64_t got = 0, n = plan->options.items, draws = MOST_DRAWS * row->count;
    for (int64_t d = 0; d < draws && got < row->count; d++) {
        int32_t item = bmf_alias_draw(plan->alias, n, bmf_rng_draw(key, (uint64_t)d));
        uint64_t bit = UINT64_C(1) << item % 64, *word = &row->taken[item / 64];
        row->item[got] = item;
        got += !(*word & bit);
        *word |= bit;
    }
    if (got < row->count)
        race_for_rest(plan, user, got, row);
    for (int64_t j = 0; j < got; j++)
        row->taken[row->item[j] / 64] = 0;
}

static void rate_items(const bmf_synth_plan *plan, int64_t user, bmf_synth_row *row)
{
    int64_t k = plan->options.factors;
    fill_user(plan, user, row->user);
    bmf_rng_normal(bmf_synth_key(&plan->options, BMF_SYNTH_NOISE, user), 0, plan->options.noise, row->noise,
                   row->count);
    double base = MEAN + user_bias(plan, user);
    for (int64_t j = 0; j < row->count; j++) {
        const float *factor = plan->factor + row->item[j] * k;
        float taste = 0;
#pragma omp simd reduction(+ : taste)
        for (int64_t c = 0; c < k; c++)
            taste += row->user[c] * factor[c];
        double stars = base + plan->item_bias[row->item[j]] + taste + row->noise[j];
        row->rating[j] = 0.5f * (float)floor(2 * fmin(5, fmax(0.5, stars)) + 0.5);
    }
}

/* Users begin at any time, rate again within a minute or so, and come back within 40 days after one rating in 64. */
static void time_ratings(const bmf_synth_plan *plan, int64_t user, bmf_synth_row *row)
{
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_TIME, user);
    int64_t now =
        BMF_SYNTH_FIRST_TIME + (int64_t)bmf_rng_below(key, 0, (uint64_t)(BMF_SYNTH_LAST_TIME - BMF_SYNTH_FIRST_TIME));
    for (int64_t j = 0; j < row->count; j++) {
        uint64_t bits = bmf_rng_draw(key, (uint64_t)j + 1);
        row->timestamp[j] = now;
        now += 1 + (int64_t)(bits & 63);
        if (bits >> 58 == 0)
            now += (int64_t)((bits >> 6) % (40 * 86400));
    }
}

void bmf_synth_row_fill(const bmf_synth_plan *plan, int64_t user, bmf_synth_row *row)
{
    row->count = plan->start[user + 1] - plan->start[user];
    choose_items(plan, user, row);
    rate_items(plan, user, row);
    time_ratings(plan, user, row);
}

/* The data set */

static int create_splits(const bmf_synth_plan *plan, bmf_dataset *out, bmf_error *err)
{
    const bmf_synth_options *o = &plan->options;
    int64_t total[BMF_SPLITS] = {0}, count[BMF_SPLITS];
    for (int64_t u = 0; u < o->users; u++) {
        bmf_split_counts(plan->start[u + 1] - plan->start[u], o->split_ratio, count);
        for (int s = 0; s < BMF_SPLITS; s++)
            total[s] += count[s];
    }
    for (int s = 0; s < BMF_SPLITS; s++) {
        int status = bmf_ratings_create(&out->split[s], o->users, o->items, total[s], 1, err);
        if (status != BMF_OK)
            return status;
    }
    for (int64_t u = 0; u < o->users; u++) {
        bmf_split_counts(plan->start[u + 1] - plan->start[u], o->split_ratio, count);
        for (int s = 0; s < BMF_SPLITS; s++)
            out->split[s].matrix.indptr[u + 1] = out->split[s].matrix.indptr[u] + count[s];
    }
    return BMF_OK;
}

static void copy_row(const bmf_synth_row *row, int64_t user, bmf_dataset *out)
{
    int64_t from = 0;
    for (int s = 0; s < BMF_SPLITS; s++) {
        bmf_ratings *part = &out->split[s];
        int64_t at = part->matrix.indptr[user], count = part->matrix.indptr[user + 1] - at;
        memcpy(part->matrix.indices + at, row->item + from, (size_t)count * sizeof *row->item);
        memcpy(part->matrix.data + at, row->rating + from, (size_t)count * sizeof *row->rating);
        memcpy(part->timestamp + at, row->timestamp + from, (size_t)count * sizeof *row->timestamp);
        from += count;
    }
}

static int fill_splits(const bmf_synth_plan *plan, bmf_dataset *out, bmf_error *err)
{
    int threads = omp_get_max_threads(), status = BMF_OK;
    bmf_synth_row *row = bmf_alloc_zero(threads, sizeof *row, "threads", err);
    if (!row)
        return BMF_ERR_MEMORY;
    for (int t = 0; status == BMF_OK && t < threads; t++)
        status = bmf_synth_row_create(plan, &row[t], err);
    if (status == BMF_OK) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64)
        for (int64_t u = 0; u < plan->options.users; u++) {
            bmf_synth_row_fill(plan, u, &row[omp_get_thread_num()]);
            copy_row(&row[omp_get_thread_num()], u, out);
        }
    }
    for (int t = 0; t < threads; t++)
        bmf_synth_row_clear(&row[t]);
    bmf_free(row);
    return status;
}

static int number_ids(bmf_ids *ids, int64_t count, bmf_error *err)
{
    *ids = (bmf_ids){.kind = BMF_ID_INT64, .count = count};
    ids->number = bmf_alloc(count, sizeof *ids->number, "ids", err);
    if (!ids->number)
        return BMF_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        ids->number[i] = i + 1;
    return BMF_OK;
}

static int fill_content(const bmf_synth_plan *plan, bmf_dataset *out, bmf_error *err)
{
    bmf_strings documents = {0};
    int status = bmf_synth_texts(plan, &out->title, &documents, err);
    if (status == BMF_OK)
        status = bmf_tfidf_build(&documents, 0, &out->content, err);
    bmf_strings_clear(&documents);
    return status;
}

static int fill_user_content(const bmf_synth_plan *plan, bmf_dataset *out, bmf_error *err)
{
    bmf_terms terms = {0};
    int status = BMF_OK;
    for (int64_t u = 0; u < plan->options.users && status == BMF_OK; u++) {
        int32_t group[BMF_SYNTH_MOST_GROUPS];
        int64_t count = bmf_synth_user_groups(plan, u, group);
        for (int64_t g = 0; g < count && status == BMF_OK; g++) {
            char name[BMF_SYNTH_WORD];
            status = bmf_terms_add(&terms, "group", name, bmf_synth_group_name(group[g], name), err);
        }
        if (status == BMF_OK)
            status = bmf_terms_end_row(&terms, err);
    }
    if (status == BMF_OK && plan->options.user_features > 0) {
        bmf_content_source source = {.rows = plan->options.users, .always = &terms};
        status = bmf_content_build(&source, &out->user_content, err);
    }
    bmf_terms_clear(&terms);
    return status;
}

/* A data set numbers its users with 32 bits; text does not care. */
static int check_dataset(const bmf_synth_options *options, bmf_error *err)
{
    int status = bmf_synth_check(options, err);
    if (status == BMF_OK && options->users > INT32_MAX)
        status = bmf_fail(err, BMF_ERR_USAGE,
                          "--users %" PRId64 ": a data set holds at most %" PRId32 " users; --csv writes more",
                          options->users, INT32_MAX);
    return status;
}

int bmf_synth(const bmf_synth_options *options, bmf_dataset *out, bmf_error *err)
{
    bmf_synth_plan plan = {0};
    *out = (bmf_dataset){.import = {.source = "synthetic",
                                    .format = "synth",
                                    .split = "temporal",
                                    .duplicates = "error",
                                    .feature_weighting = "tfidf",
                                    .title_features = "none",
                                    .tag_features = "words",
                                    .seed = (int64_t)options->seed,
                                    .ratings_read = options->ratings}};
    memcpy(out->import.split_ratio, options->split_ratio, sizeof options->split_ratio);
    int status = check_dataset(options, err);
    if (status == BMF_OK)
        status = bmf_synth_plan_create(options, &plan, err);
    if (status == BMF_OK)
        status = number_ids(&out->users, options->users, err);
    if (status == BMF_OK)
        status = number_ids(&out->items, options->items, err);
    if (status == BMF_OK)
        status = fill_content(&plan, out, err);
    if (status == BMF_OK)
        status = fill_user_content(&plan, out, err);
    if (status == BMF_OK)
        status = create_splits(&plan, out, err);
    if (status == BMF_OK)
        status = fill_splits(&plan, out, err);
    bmf_synth_plan_clear(&plan);
    if (status != BMF_OK)
        bmf_dataset_clear(out);
    return status;
}
