#include "data/split.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

void bmf_split_counts(int64_t count, const double ratio[BMF_SPLITS], int64_t out[BMF_SPLITS])
{
    double n = (double)count;
    int64_t train_end = (int64_t)(n * ratio[BMF_TRAIN]);
    int64_t val_end = (int64_t)(n * (ratio[BMF_TRAIN] + ratio[BMF_VAL]));
    if (ratio[BMF_TEST] <= 0 || val_end > count)
        val_end = count;
    if (ratio[BMF_TEST] <= 0 && ratio[BMF_VAL] <= 0)
        train_end = count;
    out[BMF_TRAIN] = train_end;
    out[BMF_VAL] = val_end - train_end;
    out[BMF_TEST] = count - val_end;
}

int bmf_split_check_ratios(const double ratio[BMF_SPLITS], bmf_error *err)
{
    double sum = 0;
    for (int s = 0; s < BMF_SPLITS; s++) {
        if (!(ratio[s] >= 0 && ratio[s] <= 1))
            return bmf_fail(err, BMF_ERR_USAGE, "--split-ratios: %g for %s must be 0 to 1", ratio[s],
                            bmf_split_name((bmf_split)s));
        sum += ratio[s];
    }
    if (fabs(sum - 1) > 1e-9)
        return bmf_fail(err, BMF_ERR_USAGE, "--split-ratios: %g, %g, %g add up to %.12g, they must add up to 1",
                        ratio[0], ratio[1], ratio[2], sum);
    return BMF_OK;
}

/* Sifts draws down a max-heap: the root is the largest of the smallest `size`. */
static void sift(int64_t *heap, const uint64_t *draw, int64_t size, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && draw[heap[child + 1]] > draw[heap[child]])
            child++;
        if (draw[heap[at]] >= draw[heap[child]])
            return;
        int64_t swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* Marks the `wanted` rated items with the smallest draws. */
static int choose_cold(unsigned char *cold, const unsigned char *rated, int64_t items, int64_t wanted, uint64_t seed,
                       bmf_error *err)
{
    uint64_t *draw = bmf_alloc(items, sizeof *draw, "cold items", err);
    int64_t *heap = bmf_alloc(wanted, sizeof *heap, "cold items", err);
    int status = draw && heap ? BMF_OK : BMF_ERR_MEMORY;
    uint64_t key = bmf_rng_key(seed, BMF_STREAM_COLD_ITEMS);
    int64_t size = 0;
    for (int64_t i = 0; status == BMF_OK && i < items; i++) {
        draw[i] = bmf_rng_draw(key, (uint64_t)i);
        if (!rated[i])
            continue;
        if (size < wanted) {
            heap[size++] = i;
            for (int64_t at = size / 2 - 1; size == wanted && at >= 0; at--)
                sift(heap, draw, size, at);
        } else if (wanted > 0 && draw[i] < draw[heap[0]]) {
            heap[0] = i;
            sift(heap, draw, size, 0);
        }
    }
    for (int64_t h = 0; h < size; h++)
        cold[heap[h]] = 1;
    bmf_free(draw);
    bmf_free(heap);
    return status;
}

/* cold is (items), zeroed. */
static int mark_cold(const bmf_grouped *grouped, int64_t items, double fraction, uint64_t seed, unsigned char *cold,
                     bmf_error *err)
{
    if (fraction <= 0)
        return BMF_OK;
    unsigned char *rated = bmf_alloc_zero(items, 1, "rated items", err);
    if (!rated)
        return BMF_ERR_MEMORY;
    int64_t count = 0;
    for (int64_t u = 0; u < grouped->users; u++)
        for (int64_t at = grouped->begin[u]; at < grouped->begin[u] + grouped->kept[u]; at++)
            rated[grouped->item[at]] = 1;
    for (int64_t i = 0; i < items; i++)
        count += rated[i];
    int status = choose_cold(cold, rated, items, (int64_t)llround(fraction * (double)count), seed, err);
    bmf_free(rated);
    return status;
}

/* What one thread needs for the longest user. */
typedef struct labels {
    unsigned char *label; /* (longest) split of each of the user's ratings */
    int64_t *order;       /* (longest) the warm ones */
} labels;

static void shuffle(int64_t *order, int64_t count, uint64_t key)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)bmf_rng_below(key, (uint64_t)i, (uint64_t)i + 1);
        int64_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

/* Labels user u's ratings and counts them per split. */
static void label_user(const bmf_grouped *grouped, int64_t u, const bmf_split_rule *rule, const unsigned char *cold,
                       const labels *work, int64_t count[BMF_SPLITS])
{
    int64_t begin = grouped->begin[u], warm = 0;
    for (int64_t i = 0; i < grouped->kept[u]; i++) {
        work->label[i] = BMF_TEST;
        if (!cold[grouped->item[begin + i]])
            work->order[warm++] = i;
    }
    static const double all_train[BMF_SPLITS] = {1, 0, 0};
    bmf_split_counts(warm, rule->kind == BMF_SPLIT_NONE ? all_train : rule->ratio, count);
    if (rule->kind == BMF_SPLIT_RANDOM)
        shuffle(work->order, warm, bmf_rng_subkey(bmf_rng_key(rule->seed, BMF_STREAM_SPLIT), (uint64_t)u));
    for (int64_t i = 0; i < count[BMF_TRAIN] + count[BMF_VAL]; i++)
        work->label[work->order[i]] = i < count[BMF_TRAIN] ? BMF_TRAIN : BMF_VAL;
    count[BMF_TEST] += grouped->kept[u] - warm;
}

typedef struct split_job {
    bmf_grouped *grouped;
    const bmf_split_rule *rule;
    const unsigned char *cold;
    int64_t longest;
    int64_t *counts; /* (users × BMF_SPLITS) */
    int parts;       /* stretches of users with about equal ratings */
} split_job;

/* Where the next training rating of a stretch goes: its ratings move to the front of the stretch, in place. Never behind
 * the rating that is being dealt out. */
static int64_t deal_user(const bmf_grouped *grouped, int64_t u, const unsigned char *label, int64_t train,
                         bmf_ratings out[BMF_SPLITS])
{
    int64_t to[BMF_SPLITS] = {[BMF_TRAIN] = train};
    bmf_ratings front = {.matrix = {.indices = grouped->item, .data = grouped->rating},
                         .timestamp = grouped->timestamp};
    for (int s = 0; s < BMF_SPLITS; s++)
        if (s != BMF_TRAIN)
            to[s] = out[s].matrix.indptr[u];
    for (int64_t i = 0; i < grouped->kept[u]; i++) {
        int64_t from = grouped->begin[u] + i, at = to[label[i]]++;
        bmf_ratings *split = label[i] == BMF_TRAIN ? &front : &out[label[i]];
        split->matrix.indices[at] = grouped->item[from];
        split->matrix.data[at] = grouped->rating[from];
        if (split->timestamp)
            split->timestamp[at] = grouped->timestamp[from];
    }
    return to[BMF_TRAIN];
}

static void split_stretch(const split_job *job, int part, const labels *work, bmf_ratings *out)
{
    int64_t first = bmf_grouped_stretch(job->grouped, part, job->parts);
    int64_t last = bmf_grouped_stretch(job->grouped, part + 1, job->parts), train = job->grouped->begin[first];
    for (int64_t u = first; u < last; u++) {
        label_user(job->grouped, u, job->rule, job->cold, work, job->counts + u * BMF_SPLITS);
        if (out)
            train = deal_user(job->grouped, u, work->label, train, out);
    }
}

/* Counts the users' splits (out NULL), or deals the ratings out; the labels are cheap enough to make twice. */
static int split_users(const split_job *job, bmf_ratings *out, bmf_error *err)
{
    labels *work = bmf_alloc_zero(job->parts, sizeof *work, "split", err);
    int status = work ? BMF_OK : BMF_ERR_MEMORY;
    for (int part = 0; part < job->parts && status == BMF_OK; part++) {
        work[part].label = bmf_alloc(job->longest, 1, "split", err);
        work[part].order = bmf_alloc(job->longest, sizeof *work[part].order, "split", err);
        if (!work[part].label || !work[part].order)
            status = BMF_ERR_MEMORY;
    }
    if (status == BMF_OK) {
#pragma omp parallel for schedule(static, 1) num_threads(job->parts)
        for (int part = 0; part < job->parts; part++)
            split_stretch(job, part, &work[part], out);
    }
    for (int part = 0; work && part < job->parts; part++) {
        bmf_free(work[part].label);
        bmf_free(work[part].order);
    }
    bmf_free(work);
    return status;
}

/* Matrices of the right size with their indptr filled in; train has no entries yet. */
static int create_splits(const split_job *job, int64_t items, bmf_ratings out[BMF_SPLITS], bmf_error *err)
{
    int64_t users = job->grouped->users, total[BMF_SPLITS] = {0};
    int status = BMF_OK;
    for (int64_t u = 0; u < users; u++)
        for (int s = 0; s < BMF_SPLITS; s++)
            total[s] += s == BMF_TRAIN ? 0 : job->counts[u * BMF_SPLITS + s];
    for (int s = 0; s < BMF_SPLITS && status == BMF_OK; s++) {
        status = bmf_ratings_create(&out[s], users, items, total[s], job->grouped->timestamp != NULL, err);
        for (int64_t u = 0; u < users && status == BMF_OK; u++)
            out[s].matrix.indptr[u + 1] = out[s].matrix.indptr[u] + job->counts[u * BMF_SPLITS + s];
    }
    return status;
}

/* Joins the fronts of the stretches, and gives the arrays to the training matrix. */
static void take_train(const split_job *job, bmf_ratings *train)
{
    bmf_grouped *grouped = job->grouped;
    const int64_t *indptr = train->matrix.indptr;
    for (int part = 1; part < job->parts; part++) {
        int64_t first = bmf_grouped_stretch(grouped, part, job->parts);
        int64_t from = grouped->begin[first], to = indptr[first];
        size_t count = (size_t)(indptr[bmf_grouped_stretch(grouped, part + 1, job->parts)] - to);
        memmove(grouped->item + to, grouped->item + from, count * sizeof *grouped->item);
        memmove(grouped->rating + to, grouped->rating + from, count * sizeof *grouped->rating);
        if (grouped->timestamp)
            memmove(grouped->timestamp + to, grouped->timestamp + from, count * sizeof *grouped->timestamp);
    }
    bmf_free(train->matrix.indices);
    bmf_free(train->matrix.data);
    bmf_free(train->timestamp);
    train->matrix.indices = grouped->item;
    train->matrix.data = grouped->rating;
    train->timestamp = grouped->timestamp;
    grouped->item = NULL;
    grouped->rating = NULL;
    grouped->timestamp = NULL;
}

int bmf_split_ratings(bmf_grouped *grouped, int64_t items, const bmf_split_rule *rule, int threads,
                      bmf_ratings out[BMF_SPLITS], bmf_error *err)
{
    memset(out, 0, BMF_SPLITS * sizeof *out);
    unsigned char *cold = bmf_alloc_zero(items, 1, "cold items", err);
    split_job job = {.grouped = grouped, .rule = rule, .cold = cold, .parts = threads};
    job.counts = bmf_alloc(grouped->users * BMF_SPLITS, sizeof *job.counts, "split", err);
    for (int64_t u = 0; u < grouped->users; u++)
        job.longest = grouped->kept[u] > job.longest ? grouped->kept[u] : job.longest;
    int status = cold && job.counts ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = mark_cold(grouped, items, rule->cold_items, rule->seed, cold, err);
    if (status == BMF_OK)
        status = split_users(&job, NULL, err);
    if (status == BMF_OK)
        status = create_splits(&job, items, out, err);
    if (status == BMF_OK)
        status = split_users(&job, out, err);
    if (status == BMF_OK)
        take_train(&job, &out[BMF_TRAIN]);
    for (int s = 0; s < BMF_SPLITS && status != BMF_OK; s++)
        bmf_ratings_clear(&out[s]);
    bmf_free(cold);
    bmf_free(job.counts);
    return status;
}
