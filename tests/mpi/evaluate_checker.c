/* Slow and plain: one user, one candidate at a time, everything in double, lists by sorting. */
#include "evaluate_world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define MAX_USERS 512
#define MAX_ITEMS 64
#define SUBJECTS (1 + BMF_BASELINES)

typedef struct checker {
    const test_world *world;
    const bmf_evaluate_options *options;
    int64_t m, n;
    float rating[BMF_SPLITS][MAX_USERS][MAX_ITEMS];      /* 0: none */
    double item_count[MAX_ITEMS], user_count[MAX_USERS]; /* in train */
    double mean, item_bias[MAX_ITEMS], user_bias[MAX_USERS];
    bool listed[SUBJECTS][MAX_ITEMS];
} checker;

static int64_t index_of(const bmf_ids *ids, int64_t number)
{
    for (int64_t j = 0; j < ids->count; j++)
        if (ids->number[j] == number)
            return j;
    return -1;
}

static double model_score(const checker *c, int64_t user, int64_t item)
{
    const test_world *w = c->world;
    int64_t u = index_of(&w->users, w->dataset.users.number[user]);
    int64_t i = index_of(&w->items, w->dataset.items.number[item]);
    double score =
        w->meta.global_mean + (u >= 0 ? (double)w->user_bias[u] : 0) + (i >= 0 ? (double)w->item_bias[i] : 0);
    if (u < 0 || i < 0)
        return score;
    for (int f = 0; f < WORLD_FACTORS; f++)
        score += (double)w->P[u * WORLD_FACTORS + f] * (double)w->Q[i * WORLD_FACTORS + f];
    if (w->meta.content != BMF_CONTENT_CONCAT)
        return score;
    const bmf_csr *x = &w->content.matrix;
    for (int64_t e = x->indptr[i]; e < x->indptr[i + 1]; e++)
        score += (double)w->W[u * WORLD_FEATURES + x->indices[e]] * w->meta.content_weight * (double)x->data[e];
    return score;
}

/* What subject s ranks by. */
static double rank_score(const checker *c, int s, int64_t user, int64_t item)
{
    uint64_t key = bmf_rng_key(c->options->seed, BMF_STREAM_RANDOM_BASELINE);
    switch (s - 1) {
    case BMF_BASELINE_GLOBAL_MEAN:
        return 0;
    case BMF_BASELINE_BIAS:
        return c->item_bias[item];
    case BMF_BASELINE_POPULARITY:
        return c->item_count[item];
    case BMF_BASELINE_RANDOM:
        return bmf_rng_uniform(bmf_rng_subkey(key, (uint64_t)user), (uint64_t)item);
    default:
        return model_score(c, user, item);
    }
}

static double prediction(const checker *c, int s, int64_t user, int64_t item)
{
    switch (s - 1) {
    case BMF_BASELINE_GLOBAL_MEAN:
        return c->mean;
    case BMF_BASELINE_BIAS:
        return c->mean + c->user_bias[user] + c->item_bias[item];
    case BMF_BASELINE_POPULARITY:
    case BMF_BASELINE_RANDOM:
        return NAN;
    default:
        return model_score(c, user, item);
    }
}

static bool is_candidate(const checker *c, int64_t user, int64_t item)
{
    if (c->options->candidates == BMF_CANDIDATES_RATED)
        return c->rating[c->options->split][user][item] > 0;
    for (int split = 0; split < (int)c->options->split; split++)
        if (c->rating[split][user][item] > 0)
            return false;
    return true;
}

static int64_t make_list(const checker *c, int s, int64_t user, int64_t list[MAX_ITEMS])
{
    double score[MAX_ITEMS];
    int64_t count = 0;
    for (int64_t i = 0; i < c->n; i++) {
        if (!is_candidate(c, user, i))
            continue;
        int64_t at = count++;
        double mine = rank_score(c, s, user, i);
        for (; at > 0 && score[at - 1] < mine; at--) { /* insertion: later items stay behind equals */
            score[at] = score[at - 1];
            list[at] = list[at - 1];
        }
        score[at] = mine;
        list[at] = i;
    }
    return count < c->options->top ? count : c->options->top;
}

static void add_ranking(checker *c, int s, int64_t user, bmf_metrics *sum)
{
    int64_t list[MAX_ITEMS], relevant = 0, hits = 0, count = make_list(c, s, user, list);
    const float *rating = c->rating[c->options->split][user];
    double gain = 0, ideal = 0, precisions = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (rating[i] > 0 && (double)rating[i] >= c->options->threshold)
            relevant++;
    for (int64_t j = 0; j < count; j++) {
        c->listed[s][list[j]] = true;
        if (rating[list[j]] > 0 && (double)rating[list[j]] >= c->options->threshold) {
            gain += log(2) / log((double)j + 2);
            precisions += (double)++hits / (double)(j + 1);
        }
    }
    int64_t reachable = relevant < c->options->top ? relevant : c->options->top;
    for (int64_t j = 0; j < reachable; j++)
        ideal += log(2) / log((double)j + 2);
    sum->users++;
    sum->precision += (double)hits / (double)c->options->top;
    sum->recall += relevant ? (double)hits / (double)relevant : 0;
    sum->ndcg += relevant ? gain / ideal : 0;
    sum->map += relevant ? precisions / (double)reachable : 0;
}

static void add_errors(const checker *c, int s, int64_t user, bmf_metrics *sum)
{
    for (int64_t i = 0; i < c->n; i++) {
        double rating = (double)c->rating[c->options->split][user][i];
        if (rating <= 0)
            continue;
        double error = rating - prediction(c, s, user, i);
        sum->ratings++;
        sum->rmse += error * error;
        sum->mae += fabs(error);
    }
}

static bmf_metrics check_subject(checker *c, int s)
{
    bmf_metrics sum = {0};
    double covered = 0;
    for (int64_t u = 0; u < c->m; u++) {
        bool rated = false;
        for (int64_t i = 0; i < c->n; i++)
            rated = rated || c->rating[c->options->split][u][i] > 0;
        if (!rated)
            continue;
        add_errors(c, s, u, &sum);
        add_ranking(c, s, u, &sum);
    }
    for (int64_t i = 0; i < c->n; i++)
        covered += c->listed[s][i];
    double users = sum.users ? (double)sum.users : NAN, ratings = sum.ratings ? (double)sum.ratings : NAN;
    return (bmf_metrics){sum.ratings,
                         sum.users,
                         sqrt(sum.rmse / ratings),
                         sum.mae / ratings,
                         sum.precision / users,
                         sum.recall / users,
                         sum.ndcg / users,
                         sum.map / users,
                         sum.users ? covered / (double)c->n : NAN};
}

static void check_segments(const checker *c, bmf_evaluation *out)
{
    for (int64_t u = 0; u < c->m; u++)
        for (int64_t i = 0; i < c->n; i++) {
            double rating = (double)c->rating[c->options->split][u][i], error = rating - model_score(c, u, i);
            bmf_segment segment = BMF_SEGMENT_WARM;
            if (rating <= 0)
                continue;
            if (c->item_count[i] == 0)
                segment = BMF_SEGMENT_NEW_ITEM;
            if (c->user_count[u] == 0)
                segment = BMF_SEGMENT_NEW_USER;
            out->segment[segment].count++;
            out->segment[segment].rmse += error * error;
        }
    for (int s = 0; s < BMF_SEGMENTS; s++)
        out->segment[s].rmse = out->segment[s].count ? sqrt(out->segment[s].rmse / (double)out->segment[s].count) : NAN;
}

/* One half of a sweep: biases of the rows (users) or columns (items) from those of the others. */
static void fit_half(checker *c, bool of_items)
{
    for (int64_t a = 0; a < (of_items ? c->n : c->m); a++) {
        double sum = 0, count = 0;
        for (int64_t b = 0; b < (of_items ? c->m : c->n); b++) {
            int64_t u = of_items ? b : a, i = of_items ? a : b;
            if (c->rating[BMF_TRAIN][u][i] <= 0)
                continue;
            sum += (double)c->rating[BMF_TRAIN][u][i] - c->mean - (of_items ? c->user_bias[u] : c->item_bias[i]);
            count++;
        }
        if (of_items)
            c->item_bias[a] = sum / (10 + count);
        else
            c->user_bias[a] = sum / (15 + count);
    }
}

static void fit_baselines(checker *c)
{
    double sum = 0, count = 0;
    for (int64_t u = 0; u < c->m; u++)
        for (int64_t i = 0; i < c->n; i++) {
            bool rated = c->rating[BMF_TRAIN][u][i] > 0;
            sum += (double)c->rating[BMF_TRAIN][u][i];
            count += rated;
            c->user_count[u] += rated;
            c->item_count[i] += rated;
        }
    c->mean = count > 0 ? sum / count : NAN;
    for (int sweep = 0; sweep < 10; sweep++) {
        fit_half(c, true);
        fit_half(c, false);
    }
}

static void spread_ratings(checker *c)
{
    for (int split = 0; split < BMF_SPLITS; split++) {
        const bmf_csr *matrix = &c->world->dataset.split[split].matrix;
        for (int64_t u = 0; u < c->m; u++)
            for (int64_t e = matrix->indptr[u]; e < matrix->indptr[u + 1]; e++)
                c->rating[split][u][matrix->indices[e]] = matrix->data[e];
    }
}

void world_check(const test_world *world, const bmf_evaluate_options *options, bmf_evaluation *out)
{
    checker *c = calloc(1, sizeof *c);
    if (!c || world->dataset.users.count > MAX_USERS || world->dataset.items.count > MAX_ITEMS)
        abort();
    c->world = world;
    c->options = options;
    c->m = world->dataset.users.count;
    c->n = world->dataset.items.count;
    memset(out, 0, sizeof *out);
    out->options = *options;
    spread_ratings(c);
    fit_baselines(c);
    out->model = check_subject(c, 0);
    for (int b = 0; options->baselines && b < BMF_BASELINES; b++)
        out->baseline[b] = check_subject(c, 1 + b);
    check_segments(c, out);
    double cells = 0;
    for (int split = 0; split < BMF_SPLITS; split++)
        cells += (double)bmf_csr_count(&world->dataset.split[split].matrix);
    out->sparsity = 1 - cells / ((double)c->m * (double)c->n);
    free(c);
}
