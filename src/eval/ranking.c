#include "eval/ranking.h"

#include <math.h>
#include <omp.h>

#include "base/memory.h"
#include "linalg/scores.h"
#include "linalg/topn.h"

/* What one thread works in; allocated before the threads start. */
typedef struct work_bench {
    bmf_topn top;
    bool *hit;        /* (top.capacity) */
    bool *relevant;   /* (items) of the user at hand; all false between users */
    bool *seen;       /* (items) rated in an earlier split; all false between users */
    int64_t batch;    /* users scored at once; 0: scores are not needed */
    float *P;         /* (batch, stride) */
    float *user_base; /* (batch) */
    float *score;     /* (batch × items of the model) */
    float *weights;   /* (features + 1) of the user at hand; all 0 between users */
} work_bench;

static void bench_clear(work_bench *bench)
{
    bmf_topn_clear(&bench->top);
    bmf_free(bench->hit);
    bmf_free(bench->relevant);
    bmf_free(bench->seen);
    bmf_free(bench->P);
    bmf_free(bench->user_base);
    bmf_free(bench->score);
    bmf_free(bench->weights);
}

static int bench_create(const bmf_eval_task *task, work_bench *bench, bmf_error *err)
{
    int64_t items = task->inputs->shape.items, places = task->options->top < items ? task->options->top : items;
    const bmf_model *model = &task->inputs->model;
    int status = bmf_topn_create(&bench->top, places > 0 ? places : 1, err);
    bench->hit = bmf_alloc(bench->top.capacity, sizeof *bench->hit, "hits of a list", err);
    bench->relevant = bmf_alloc_zero(items, sizeof *bench->relevant, "marks of items", err);
    bench->seen = bmf_alloc_zero(items, sizeof *bench->seen, "marks of items", err);
    if (status != BMF_OK || !bench->hit || !bench->relevant || !bench->seen)
        return BMF_ERR_MEMORY;
    if (task->options->candidates != BMF_CANDIDATES_ALL)
        return BMF_OK;
    bench->batch = bmf_scores_batch(model->items);
    bench->P = bmf_alloc(bench->batch * model->stride, sizeof(float), "factors of a batch of users", err);
    bench->user_base = bmf_alloc(bench->batch, sizeof(float), "biases of a batch of users", err);
    bench->score = bmf_alloc(bench->batch * model->items, sizeof(float), "scores of a batch of users", err);
    bench->weights = bmf_alloc_zero(model->features + 1, sizeof(float), "content weights of a user", err);
    return bench->P && bench->user_base && bench->score && bench->weights ? BMF_OK : BMF_ERR_MEMORY;
}

void bmf_eval_sums_merge(bmf_eval_sums *sums, const bmf_eval_sums *other)
{
    for (int s = 0; s < BMF_EVAL_SUBJECTS; s++)
        bmf_metric_sums_merge(&sums->subject[s], &other->subject[s]);
    for (int s = 0; s < BMF_SEGMENTS; s++) {
        sums->segment_count[s] += other->segment_count[s];
        sums->segment_squared[s] += other->segment_squared[s];
    }
    sums->without_content += other->without_content;
}

static bmf_segment segment_of(const bmf_eval_task *task, int64_t user, int64_t item)
{
    if (bmf_eval_count(task->inputs, BMF_TRAIN, user) == 0)
        return BMF_SEGMENT_NEW_USER;
    return task->item_count[item] == 0 ? BMF_SEGMENT_NEW_ITEM : BMF_SEGMENT_WARM;
}

static void add_errors(const bmf_eval_task *task, int64_t user, bmf_eval_sums *sums)
{
    const bmf_csr *rated = &task->inputs->ratings[task->options->split].matrix;
    for (int64_t e = rated->indptr[user]; e < rated->indptr[user + 1]; e++) {
        int32_t item = rated->indices[e];
        double rating = rated->data[e], drift = bmf_eval_time_effect(task->inputs, task->options->split, user, e);
        double error = rating - (bmf_eval_predict(task->inputs, user, item) + drift);
        bmf_metric_sums_add_error(&sums->subject[BMF_EVAL_MODEL], error);
        bmf_segment segment = segment_of(task, user, item);
        sums->segment_count[segment]++;
        sums->segment_squared[segment] += error * error;
        if (task->inputs->model.content != BMF_CONTENT_NONE) {
            error = rating - (bmf_eval_predict_without_content(task->inputs, user, item) + drift);
            sums->without_content += error * error;
        }
        for (int b = 0; task->baselines && b < BMF_BASELINES; b++)
            bmf_metric_sums_add_error(&sums->subject[1 + b],
                                      rating - bmf_baseline_predict(task->baselines, (bmf_baseline)b, user, item));
    }
}

static void mark(const bmf_csr *ratings, int64_t user, float threshold, bool value, bool *marks)
{
    for (int64_t e = ratings->indptr[user]; e < ratings->indptr[user + 1]; e++)
        if (ratings->data[e] >= threshold)
            marks[ratings->indices[e]] = value;
}

/* Marks (or unmarks) the user's relevant items and the ones that are no candidates. The threshold is compared in the
 * ratings' own precision, so that a rating typed as 4.1 reaches a threshold typed as 4.1. */
static void mark_user(const bmf_eval_task *task, int64_t user, bool value, work_bench *bench)
{
    const bmf_ratings *ratings = task->inputs->ratings;
    mark(&ratings[task->options->split].matrix, user, (float)task->options->threshold, value, bench->relevant);
    if (task->options->candidates == BMF_CANDIDATES_ALL)
        for (int split = 0; split < (int)task->options->split; split++)
            mark(&ratings[split].matrix, user, -INFINITY, value, bench->seen);
}

static int64_t relevant_count(const bmf_eval_task *task, int64_t user)
{
    const bmf_csr *rated = &task->inputs->ratings[task->options->split].matrix;
    int64_t count = 0;
    for (int64_t e = rated->indptr[user]; e < rated->indptr[user + 1]; e++)
        count += rated->data[e] >= (float)task->options->threshold;
    return count;
}

/* What a subject ranks entry e of the user's ratings in the split by. */
static double key_of(const bmf_eval_task *task, int subject, int64_t user, int64_t e)
{
    const int32_t item = task->inputs->ratings[task->options->split].matrix.indices[e];
    bmf_baseline baseline = (bmf_baseline)(subject - 1);
    if (subject == BMF_EVAL_MODEL)
        return bmf_eval_predict(task->inputs, user, item) +
               bmf_eval_time_effect(task->inputs, task->options->split, user, e);
    if (baseline < BMF_BASELINES_FIXED)
        return -(double)task->baselines->place[baseline][item];
    return bmf_baseline_draw(task->baselines, user, item);
}

static void rank_rated(const bmf_eval_task *task, int subject, int64_t user, bmf_topn *top)
{
    const bmf_csr *rated = &task->inputs->ratings[task->options->split].matrix;
    for (int64_t e = rated->indptr[user]; e < rated->indptr[user + 1]; e++)
        bmf_topn_offer(top, key_of(task, subject, user, e), rated->indices[e]);
}

/* An order that all users share needs only its first places. */
static void rank_fixed(const int32_t *order, int64_t items, const bool *seen, bmf_topn *top)
{
    for (int64_t p = 0; p < items && top->count < top->capacity; p++)
        if (!seen[order[p]])
            bmf_topn_offer(top, -(double)p, order[p]);
}

/* row: the user's scores for all items of the model; base: for those it does not know. */
static void rank_scores(const bmf_eval_inputs *inputs, const float *row, float base, const bool *seen, bmf_topn *top)
{
    for (int64_t i = 0; i < inputs->shape.items; i++) {
        int32_t known = inputs->item_in_model[i];
        if (!seen[i])
            bmf_topn_offer(top, known >= 0 ? row[known] : base, (int32_t)i);
    }
}

static void rank_draws(const bmf_eval_task *task, int64_t user, const bool *seen, bmf_topn *top)
{
    for (int64_t i = 0; i < task->inputs->shape.items; i++)
        if (!seen[i])
            bmf_topn_offer(top, bmf_baseline_draw(task->baselines, user, i), (int32_t)i);
}

/* Fills bench->top for one subject and user; slot: the user's row of the scored batch. */
static void rank_user(const bmf_eval_task *task, int subject, int64_t user, int64_t slot, work_bench *bench)
{
    const bmf_eval_inputs *inputs = task->inputs;
    bmf_topn_reset(&bench->top);
    if (task->options->candidates == BMF_CANDIDATES_RATED)
        rank_rated(task, subject, user, &bench->top);
    else if (subject == BMF_EVAL_MODEL)
        rank_scores(inputs, bench->score + slot * inputs->model.items, bench->user_base[slot], bench->seen,
                    &bench->top);
    else if (subject - 1 < BMF_BASELINES_FIXED)
        rank_fixed(task->baselines->order[subject - 1], inputs->shape.items, bench->seen, &bench->top);
    else
        rank_draws(task, user, bench->seen, &bench->top);
    bmf_topn_sort(&bench->top);
}

static void add_rankings(const bmf_eval_task *task, int64_t user, int64_t slot, work_bench *bench, bmf_eval_sums *sums,
                         int64_t *covered)
{
    int64_t items = task->inputs->shape.items, relevant = relevant_count(task, user);
    int subjects = task->baselines ? BMF_EVAL_SUBJECTS : 1;
    mark_user(task, user, true, bench);
    for (int s = 0; s < subjects; s++) {
        rank_user(task, s, user, slot, bench);
        for (int64_t j = 0; j < bench->top.count; j++) {
            int32_t item = bench->top.entry[j].index;
            bench->hit[j] = bench->relevant[item];
            __atomic_store_n(&covered[s * items + item], 1, __ATOMIC_RELAXED);
        }
        bmf_metric_sums_add_user(&sums->subject[s],
                                 bmf_ranking_quality_of(bench->hit, bench->top.count, task->options->top, relevant));
    }
    mark_user(task, user, false, bench);
}

/* Scores of `count` users for all items of the model, into bench->score. A user it does not know has factors 0. */
static void score_batch(const bmf_eval_inputs *inputs, const int64_t *user, int64_t count, work_bench *bench)
{
    const bmf_model *model = &inputs->model;
    bmf_item_side items = {model->Q, model->item_bias, model->items, model->factors, model->stride};
    for (int64_t j = 0; j < count; j++) {
        int64_t known = inputs->user_in_model[user[j]];
        for (int64_t f = 0; f < model->stride; f++)
            bench->P[j * model->stride + f] = known >= 0 ? model->P[known * model->stride + f] : 0.0f;
        bench->user_base[j] = (float)(model->global_mean + (known >= 0 ? (double)model->user_bias[known] : 0.0));
    }
    bmf_scores_block(&items, bench->P, bench->user_base, count, bench->score);
    for (int64_t j = 0; model->W && j < count; j++) {
        int64_t known = inputs->user_in_model[user[j]];
        if (known < 0)
            continue;
        bmf_model_spread_weights(model, known, bench->weights);
        bmf_scores_add_content(&inputs->content, bench->weights, model->W_scale[known],
                               bench->score + j * model->items);
        bmf_model_wipe_weights(model, known, bench->weights);
    }
}

/* One block of users, in their order. Batches are cut from the block's rated users, so that their shapes (and with them
 * the rounding of the matrix product) depend on the data alone. */
static void measure_block(const bmf_eval_task *task, int64_t block, work_bench *bench, bmf_eval_sums *sums,
                          int64_t *covered)
{
    const bmf_eval_inputs *inputs = task->inputs;
    bmf_eval_range users = bmf_eval_block_users(inputs->shape.users, (bmf_eval_range){block, block + 1});
    int64_t rated[BMF_EVAL_BLOCK], count = 0, batch = bench->batch ? bench->batch : BMF_EVAL_BLOCK;
    for (int64_t u = users.first - inputs->user.first; u < users.last - inputs->user.first; u++)
        if (bmf_eval_count(inputs, task->options->split, u) > 0)
            rated[count++] = u;
    for (int64_t first = 0; first < count; first += batch) {
        int64_t size = count - first < batch ? count - first : batch;
        if (bench->batch)
            score_batch(inputs, rated + first, size, bench);
        for (int64_t slot = 0; slot < size; slot++) {
            add_errors(task, rated[first + slot], sums);
            add_rankings(task, rated[first + slot], slot, bench, sums, covered);
        }
    }
}

int bmf_eval_run(const bmf_eval_task *task, bmf_eval_sums *sums, int64_t *covered, bmf_error *err)
{
    bmf_eval_range blocks = task->inputs->blocks;
    int64_t count = blocks.last - blocks.first;
    int threads = (int)(task->options->threads < count ? task->options->threads : count);
    work_bench *benches = bmf_alloc_zero(threads, sizeof *benches, "work spaces of threads", err);
    int status = benches ? BMF_OK : BMF_ERR_MEMORY;
    for (int t = 0; t < threads && status == BMF_OK; t++)
        status = bench_create(task, &benches[t], err);
    bmf_linalg_begin_threads();
    if (status == BMF_OK && threads > 0) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
        for (int64_t b = 0; b < count; b++) {
            sums[b] = (bmf_eval_sums){0};
            measure_block(task, blocks.first + b, &benches[omp_get_thread_num()], &sums[b], covered);
        }
    }
    for (int t = 0; benches && t < threads; t++)
        bench_clear(&benches[t]);
    bmf_free(benches);
    return status;
}
