#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/scores.h"
#include "linalg/topn.h"
#include "serve/serve.h"

/* The scores of a tile, users × items, are made by one matrix product and looked through while they are still in the
 * second-level cache. Many users share the packing of the items that the product begins with. */
#define TILE_USERS 256
#define TILE_ITEMS 512
#define SPARE 4 /* entries kept beyond those asked for: their order by float scores may not be the exact one */
#define DEFAULT_MEMORY ((int64_t)256 << 20)

/* What one thread works in. */
typedef struct work_bench {
    int64_t capacity; /* users at a time */
    float *P;         /* (capacity, stride) */
    float *score;     /* (capacity × TILE_ITEMS) */
    int64_t
        *next; /* (capacity, F) for each weight of a user where its entries still to come are; NULL without content */
    bmf_ranked *entry; /* (capacity × kept) of the lists */
    bmf_topn *list;    /* (capacity) */
    int64_t *to_skip;  /* (capacity) how much of a user's excluded items lies before the tile */
} work_bench;

/* The whole job. */
typedef struct recommend_job {
    const blendmf_model *model;
    const bmf_serve_request *request;
    bmf_item_side items;
    int64_t kept; /* entries of a list */
    int64_t at_once;
    blendmf_ranked *out;
    int64_t *found;
} recommend_job;

static int64_t bytes_per_user(const recommend_job *job)
{
    const int64_t features = job->model->model.W ? job->model->meta.features : 0;
    return (job->items.stride + TILE_ITEMS) * (int64_t)sizeof(float) + job->kept * (int64_t)sizeof(bmf_ranked) +
           (int64_t)sizeof(bmf_topn) + (1 + features) * (int64_t)sizeof(int64_t);
}

static void bench_clear(work_bench *bench)
{
    bmf_free(bench->P);
    bmf_free(bench->score);
    bmf_free(bench->next);
    bmf_free(bench->entry);
    bmf_free(bench->list);
    bmf_free(bench->to_skip);
}

static int bench_create(const recommend_job *job, work_bench *bench, bmf_error *err)
{
    const int64_t users = bench->capacity = job->at_once;
    bench->P = bmf_alloc(users * job->items.stride, sizeof *bench->P, "factors of users", err);
    bench->score = bmf_alloc(users * TILE_ITEMS, sizeof *bench->score, "scores", err);
    bench->entry = bmf_alloc(users * job->kept, sizeof *bench->entry, "lists", err);
    bench->list = bmf_alloc(users, sizeof *bench->list, "lists", err);
    bench->to_skip = bmf_alloc(users, sizeof *bench->to_skip, "excluded items", err);
    bool complete = bench->P && bench->score && bench->entry && bench->list && bench->to_skip;
    if (complete && job->model->model.W) {
        bench->next = bmf_alloc(users * job->model->meta.features, sizeof *bench->next, "places in the content", err);
        complete = bench->next != NULL;
    }
    return complete ? BMF_OK : BMF_ERR_MEMORY;
}

static bmf_serve_user user_at(const recommend_job *job, int64_t u)
{
    return job->request->user ? bmf_serve_user_of(job->model, job->request->user[u]) : *job->request->single;
}

static void begin_users(const recommend_job *job, int64_t first, int64_t users, work_bench *bench)
{
    const int64_t stride = job->items.stride;
    for (int64_t u = 0; u < users; u++) {
        const bmf_serve_user user = user_at(job, first + u);
        if (user.P)
            memcpy(bench->P + u * stride, user.P, (size_t)stride * sizeof *bench->P);
        else
            memset(bench->P + u * stride, 0, (size_t)stride * sizeof *bench->P);
        bench->list[u] = (bmf_topn){.capacity = job->kept, .entry = bench->entry + u * job->kept};
        bench->to_skip[u] = 0;
        for (int64_t w = 0; w < user.weights; w++)
            bench->next[u * job->model->meta.features + w] = job->model->by_feature.indptr[user.feature[w]];
    }
}

/* Adds W_u·x_i to the scores of the items of a tile, weight by weight: a user has weights of few features. next: for each of
 * them where the entries of this tile begin, and afterwards those of the one behind. */
static void add_content(const recommend_job *job, int64_t u, int64_t first, int64_t count, int64_t *next, float *score)
{
    const bmf_csr *content = &job->model->by_feature;
    const bmf_serve_user user = user_at(job, u);
    for (int64_t w = 0; w < user.weights; w++) {
        const int64_t end = content->indptr[user.feature[w] + 1];
        const float weight = (float)(user.W_scale * (double)user.W[w]);
        int64_t at = next[w];
        for (; at < end && content->indices[at] < first + count; at++)
            score[content->indices[at] - first] += weight * content->data[at];
        next[w] = at;
    }
}

/* Items that shall not be in the list get the lowest score of all. */
static void mark_excluded(const blendmf_items *exclude, int64_t first, int64_t count, int64_t *at, float *score)
{
    for (; *at < exclude->count && exclude->item[*at] < first + count; ++*at)
        score[exclude->item[*at] - first] = -INFINITY;
}

static void offer_tile(const recommend_job *job, int64_t first_user, int64_t users, int64_t first, int64_t count,
                       work_bench *bench)
{
    bmf_scores_tile(&job->items, first, count, bench->P, users, bench->score);
    for (int64_t u = 0; u < users; u++) {
        float *score = bench->score + u * count;
        if (job->model->model.W)
            add_content(job, first_user + u, first, count, bench->next + u * job->model->meta.features, score);
        if (job->request->exclude)
            mark_excluded(&job->request->exclude[first_user + u], first, count, &bench->to_skip[u], score);
        bmf_topn_offer_all(&bench->list[u], score, count, (int32_t)first);
    }
}

static bool is_excluded(const blendmf_items *exclude, int64_t item)
{
    int64_t low = 0, high = exclude ? exclude->count : 0;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (exclude->item[middle] == item)
            return true;
        if (exclude->item[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* From the kept entries to the list, by exact scores. */
static void finish_user(const recommend_job *job, int64_t u, bmf_topn *list)
{
    const bmf_serve_request *request = job->request;
    const bmf_serve_user user = user_at(job, u);
    const blendmf_items *exclude = request->exclude ? &request->exclude[u] : NULL;
    blendmf_ranked *out = job->out + u * request->top;
    const int64_t kept = list->count;
    bmf_topn_reset(list);
    for (int64_t j = 0; j < kept; j++) { /* in place: an entry goes to where one was read before */
        const bmf_ranked entry = list->entry[j];
        if (entry.score > -INFINITY || !is_excluded(exclude, entry.index))
            bmf_topn_keep(list, bmf_serve_score(job->model, &user, entry.index), entry.index);
    }
    bmf_topn_sort(list);
    const int64_t found = list->count < request->top ? list->count : request->top;
    for (int64_t j = 0; j < found; j++) {
        const bmf_ranked entry = list->entry[j];
        out[j] = (blendmf_ranked){entry.index, entry.score, bmf_serve_basis(job->model, &user, entry.index)};
    }
    job->found[u] = found;
}

static void do_block(const recommend_job *job, int64_t first_user, int64_t users, work_bench *bench)
{
    begin_users(job, first_user, users, bench);
    for (int64_t first = 0; first < job->items.items; first += TILE_ITEMS) {
        const int64_t left = job->items.items - first;
        offer_tile(job, first_user, users, first, left < TILE_ITEMS ? left : TILE_ITEMS, bench);
    }
    for (int64_t u = 0; u < users; u++)
        finish_user(job, first_user + u, &bench->list[u]);
}

/* How many users a thread takes at a time, and how many threads there is room for. */
static int plan(recommend_job *job, int *threads, int64_t memory, bmf_error *err)
{
    const int64_t room = memory > 0 ? memory : DEFAULT_MEMORY, each = bytes_per_user(job);
    const int64_t users = job->request->users;
    if (room < each)
        return bmf_fail(err, BMF_ERR_USAGE, "a memory of %" PRId64 " bytes is not allowed; one user takes %" PRId64,
                        memory, each);
    if (*threads > users)
        *threads = users > 0 ? (int)users : 1;
    if (room / *threads < each)
        *threads = (int)(room / each);
    const int64_t fit = room / *threads / each, share = (users + *threads - 1) / *threads;
    job->at_once = fit < TILE_USERS ? fit : TILE_USERS;
    if (job->at_once > share)
        job->at_once = share > 0 ? share : 1;
    return BMF_OK;
}

static int run(const recommend_job *job, int threads, bmf_error *err)
{
    const int64_t users = job->request->users, blocks = (users + job->at_once - 1) / job->at_once;
    work_bench *benches = bmf_alloc_zero(threads, sizeof *benches, "work spaces of threads", err);
    int status = benches ? BMF_OK : BMF_ERR_MEMORY;
    for (int t = 0; t < threads && status == BMF_OK; t++)
        status = bench_create(job, &benches[t], err);
    if (status == BMF_OK) {
#pragma omp parallel for num_threads(threads) schedule(dynamic) if (threads > 1)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t first = b * job->at_once, left = users - first;
            do_block(job, first, left < job->at_once ? left : job->at_once, &benches[omp_get_thread_num()]);
        }
    }
    for (int t = 0; benches && t < threads; t++)
        bench_clear(&benches[t]);
    bmf_free(benches);
    return status;
}

int bmf_serve_recommend(const blendmf_model *model, const bmf_serve_request *request, int threads, int64_t memory,
                        blendmf_ranked *out, int64_t *found, bmf_error *err)
{
    const bmf_model *m = &model->model;
    recommend_job job = {
        .model = model,
        .request = request,
        .items = {m->Q, m->item_bias, m->items, m->factors, m->stride},
        .kept = (request->top < m->items ? request->top : m->items) + SPARE,
        .out = out,
        .found = found,
    };
    int status = plan(&job, &threads, memory, err);
    return status == BMF_OK ? run(&job, threads, err) : status;
}

int bmf_serve_check_exclude(const blendmf_model *model, blendmf_items exclude, bmf_error *err)
{
    int status = bmf_serve_check(exclude.item, exclude.count, model->meta.items, false, "item", err);
    for (int64_t j = 1; j < exclude.count && status == BMF_OK; j++)
        if (exclude.item[j] < exclude.item[j - 1])
            status = bmf_fail(err, BMF_ERR_USAGE, "item %" PRId64 " follows %" PRId64 "; excluded items must ascend",
                              exclude.item[j], exclude.item[j - 1]);
    if (status != BMF_OK)
        bmf_context(err, "items to exclude");
    return status;
}

int bmf_serve_check_top(int64_t top, bmf_error *err)
{
    if (top >= 1)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE, "top %" PRId64 " is not allowed; it must be at least 1", top);
}

int blendmf_recommend(const blendmf_model *model, int64_t user, blendmf_items exclude, int64_t top, blendmf_ranked *out,
                      int64_t *found, blendmf_error *error)
{
    return blendmf_recommend_many(model, &user, 1, &exclude, top, 1, 0, out, found, error);
}

static int check_request(const blendmf_model *model, const bmf_serve_request *request, int threads, int64_t memory,
                         bmf_error *err)
{
    int status = bmf_serve_check_top(request->top, err);
    if (status == BMF_OK)
        status = bmf_serve_check(request->user, request->users, model->meta.users, true, "user", err);
    for (int64_t u = 0; request->exclude && u < request->users && status == BMF_OK; u++)
        status = bmf_serve_check_exclude(model, request->exclude[u], err);
    if (status == BMF_OK && threads < 1)
        status = bmf_fail(err, BMF_ERR_USAGE, "threads %d is not allowed; it must be at least 1", threads);
    if (status == BMF_OK && memory < 0)
        status = bmf_fail(err, BMF_ERR_USAGE, "a memory of %" PRId64 " bytes is not allowed; 0 or more is", memory);
    return status;
}

int blendmf_recommend_many(const blendmf_model *model, const int64_t *user, int64_t count, const blendmf_items *exclude,
                           int64_t top, int threads, int64_t memory, blendmf_ranked *out, int64_t *found,
                           blendmf_error *error)
{
    bmf_error err = BMF_ERROR_INIT;
    const bmf_serve_request request = {.user = user, .exclude = exclude, .users = count, .top = top};
    int status = check_request(model, &request, threads, memory, &err);
    if (status == BMF_OK)
        status = bmf_serve_recommend(model, &request, threads, memory, out, found, &err);
    return bmf_serve_finish(status, &err, error);
}
