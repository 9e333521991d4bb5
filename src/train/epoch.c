#include "train/epoch.h"

#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define STEP_BYTES ((int64_t)sizeof(int32_t))
#define LINE_INTS 16
#define PREFETCHED_RATINGS 512
#define CHUNKS_PER_THREAD 16
#define LONGEST_RUN 32
#define FEWEST_RUNS 2048
#define SMALLEST_CHUNK 2048 /* ratings: below that the interleaved kernel spends its time starting and ending */

/* The users of one thread. */
typedef struct part {
    int64_t first, last;   /* positions in order */
    int32_t *bucket;       /* (2 · users + 1), for sorting */
    int64_t *window_bound; /* (windows + 1) positions in order */
    double squares;        /* of the window swept last */
} part;

typedef struct chunk {
    int64_t first, last; /* positions in order */
} chunk;

struct bmf_epoch {
    const bmf_shard *shard;
    int64_t windows, threads, copies;
    part *part;       /* (threads) */
    int32_t *order;   /* (users) local users in the order of this epoch */
    int32_t *scratch; /* (users) */
    uint64_t *key;    /* (users) sort keys */
    uint64_t run;     /* users that follow one another in memory and stay together in the order */
    chunk *chunk;     /* (threads × CHUNKS_PER_THREAD), where the threads share the item side */
    int32_t *steps;   /* (counted windows, threads, items); NULL if the shard's own will do */
    bool steps_keep;  /* every window has been counted; else the last one asked for */
};

/* Users in a run: their ratings, weights and factors are read as a stream, which the processor fetches ahead by itself. One
 * where there are so few users that the order would suffer. The same on any number of processes. */
static uint64_t run_length(int64_t all_users)
{
    const int64_t run = all_users / FEWEST_RUNS;
    return (uint64_t)(run < 1 ? 1 : run > LONGEST_RUN ? LONGEST_RUN : run);
}

/* The run draws a random place, its users keep theirs in it. */
static uint64_t sort_key(const bmf_epoch *epoch, uint64_t key, int32_t local_user)
{
    const uint64_t user = (uint64_t)(epoch->shard->first_user + local_user);
    const uint64_t place = (bmf_rng_draw(key, user / epoch->run) >> 1) / LONGEST_RUN * LONGEST_RUN;
    return place + user % epoch->run;
}

/* Sorts the users at positions [first, last) of the order by their keys: spread over as many buckets as users by the leading
 * bits, then an insertion sort of the few in each, linear in all. */
static void order_positions(bmf_epoch *epoch, const part *p, int64_t first, int64_t last, uint64_t key)
{
    int log2 = 0;
    while (((int64_t)1 << log2) < last - first)
        log2++;
    const int64_t buckets = (int64_t)1 << log2;
    const int shift = 63 - log2;
    memset(p->bucket, 0, (size_t)(buckets + 1) * sizeof *p->bucket);
    for (int64_t i = first; i < last; i++) {
        const int32_t u = epoch->scratch[i] = epoch->order[i];
        epoch->key[u] = sort_key(epoch, key, u);
        p->bucket[(epoch->key[u] >> shift) + 1]++;
    }
    for (int64_t b = 0; b < buckets; b++)
        p->bucket[b + 1] += p->bucket[b];
    for (int64_t i = first; i < last; i++)
        epoch->order[first + p->bucket[epoch->key[epoch->scratch[i]] >> shift]++] = epoch->scratch[i];
    for (int64_t i = first + 1; i < last; i++) {
        int32_t user = epoch->order[i];
        int64_t j = i;
        for (; j > first && epoch->key[epoch->order[j - 1]] > epoch->key[user]; j--)
            epoch->order[j] = epoch->order[j - 1];
        epoch->order[j] = user;
    }
}

static int64_t ratings_of(const bmf_epoch *epoch, int64_t position)
{
    const int64_t *indptr = epoch->shard->train.matrix.indptr;
    return indptr[epoch->order[position] + 1] - indptr[epoch->order[position]];
}

/* Cuts positions [first, last) that hold `total` ratings into `parts` of even ratings. */
static void cut_evenly(const bmf_epoch *epoch, int64_t first, int64_t last, int64_t total, int64_t parts,
                       int64_t *bound)
{
    int64_t position = first, seen = 0;
    bound[0] = first;
    for (int64_t p = 1; p < parts; p++) {
        for (; position < last && seen * parts < total * p; position++)
            seen += ratings_of(epoch, position);
        bound[p] = position;
    }
    bound[parts] = last;
}

static int create_part(const bmf_epoch *epoch, part *p, int64_t first, int64_t last, bmf_error *err)
{
    p->first = first;
    p->last = last;
    p->bucket = bmf_alloc(2 * (last - first) + 2, sizeof *p->bucket, "sort buckets", err);
    p->window_bound = bmf_alloc(epoch->windows + 1, sizeof *p->window_bound, "windows", err);
    return p->bucket && p->window_bound ? BMF_OK : BMF_ERR_MEMORY;
}

static int create_parts(bmf_epoch *epoch, bmf_error *err)
{
    const bmf_shard *shard = epoch->shard;
    int64_t *bound = bmf_alloc(epoch->threads + 1, sizeof *bound, "users of the threads", err);
    epoch->part = bmf_alloc_zero(epoch->threads, sizeof *epoch->part, "users of the threads", err);
    int status = bound && epoch->part ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        bmf_partition_users(shard->train.matrix.indptr, shard->users, (int)epoch->threads, bound);
    for (int64_t t = 0; t < epoch->threads && status == BMF_OK; t++)
        status = create_part(epoch, &epoch->part[t], bound[t], bound[t + 1], err);
    bmf_free(bound);
    return status;
}

/* Runs of users come in random order: fetches what the next user rated. */
static void prefetch_items(const bmf_csr *ratings, int64_t u)
{
    const int64_t first = ratings->indptr[u], last = ratings->indptr[u + 1];
    const int64_t end = last - first < PREFETCHED_RATINGS ? last : first + PREFETCHED_RATINGS;
    for (int64_t j = first; j < end; j += LINE_INTS)
        __builtin_prefetch(ratings->indices + j, 0);
}

/* Counts the steps of positions [first, last) of the order. */
static void count_steps(const bmf_epoch *epoch, int64_t first, int64_t last, int32_t *steps)
{
    const bmf_csr *ratings = &epoch->shard->train.matrix;
    memset(steps, 0, (size_t)epoch->shard->items * sizeof *steps);
    for (int64_t i = first; i < last; i++) {
        const int64_t u = epoch->order[i];
        if (i + 1 < last)
            prefetch_items(ratings, epoch->order[i + 1]);
        for (int64_t j = ratings->indptr[u]; j < ratings->indptr[u + 1]; j++)
            steps[ratings->indices[j]]++;
    }
}

/* Adds the rows of all parts up in the first, for threads that share one item side. */
static void add_up(const bmf_epoch *epoch, int32_t *steps)
{
    const int64_t items = epoch->shard->items;
    for (int64_t t = 1; epoch->copies < epoch->threads && t < epoch->threads; t++)
        for (int64_t i = 0; i < items; i++)
            steps[i] += steps[t * items + i];
}

/* The steps of a window into steps (threads × items). */
static void count_window(const bmf_epoch *epoch, int64_t window, int32_t *steps)
{
#pragma omp parallel for schedule(static, 1) num_threads((int)epoch->threads) if (epoch->threads > 1)
    for (int64_t t = 0; t < epoch->threads; t++) {
        const int64_t *bound = epoch->part[t].window_bound + window;
        count_steps(epoch, bound[0], bound[1], steps + t * epoch->shard->items);
    }
    add_up(epoch, steps);
}

/* Which window a user belongs to is settled here for all epochs: by a random order of its own and even shares of ratings. */
static void settle_windows(bmf_epoch *epoch, uint64_t key)
{
    const int64_t *indptr = epoch->shard->train.matrix.indptr;
    for (int64_t t = 0; t < epoch->threads; t++) {
        const part *p = &epoch->part[t];
        for (int64_t u = p->first; u < p->last; u++)
            epoch->order[u] = (int32_t)u;
        order_positions(epoch, p, p->first, p->last, key);
        cut_evenly(epoch, p->first, p->last, indptr[p->last] - indptr[p->first], epoch->windows, p->window_bound);
    }
}

bool bmf_epoch_keeps_steps(int64_t windows, int64_t threads, int64_t items, int64_t ratings)
{
    return windows == 1 || (__int128)windows * threads * items * STEP_BYTES <= ratings;
}

int bmf_epoch_create(const bmf_shard *shard, int64_t windows, int64_t threads, int64_t copies, uint64_t key,
                     bmf_epoch **out, bmf_error *err)
{
    *out = NULL;
    bmf_epoch *epoch = bmf_alloc_zero(1, sizeof *epoch, "epoch", err);
    if (!epoch)
        return BMF_ERR_MEMORY;
    epoch->shard = shard;
    epoch->run = run_length(shard->all_users);
    epoch->windows = windows;
    epoch->threads = threads;
    epoch->copies = copies;
    epoch->steps_keep = bmf_epoch_keeps_steps(windows, threads, shard->items, bmf_csr_count(&shard->train.matrix));
    const int64_t counted = windows == 1 && copies == 1 ? 0 : epoch->steps_keep ? windows : 1;
    epoch->order = bmf_alloc(shard->users, sizeof *epoch->order, "order of the users", err);
    epoch->scratch = bmf_alloc(shard->users, sizeof *epoch->scratch, "order of the users", err);
    epoch->key = bmf_alloc(shard->users, sizeof *epoch->key, "sort keys of the users", err);
    bool complete = epoch->order && epoch->scratch && epoch->key && create_parts(epoch, err) == BMF_OK;
    if (complete && copies < threads)
        complete = (epoch->chunk = bmf_alloc(threads * CHUNKS_PER_THREAD, sizeof *epoch->chunk, "chunks", err));
    if (complete && counted > 0)
        complete = (epoch->steps =
                        bmf_alloc(counted * threads * shard->items, sizeof *epoch->steps, "steps of a window", err));
    if (!complete) {
        bmf_epoch_destroy(&epoch);
        return BMF_ERR_MEMORY;
    }
    settle_windows(epoch, key);
    for (int64_t w = 0; w < counted && epoch->steps_keep; w++)
        count_window(epoch, w, epoch->steps + w * threads * shard->items);
    *out = epoch;
    return BMF_OK;
}

void bmf_epoch_destroy(bmf_epoch **epoch)
{
    if (!*epoch)
        return;
    for (int64_t t = 0; (*epoch)->part && t < (*epoch)->threads; t++) {
        bmf_free((*epoch)->part[t].bucket);
        bmf_free((*epoch)->part[t].window_bound);
    }
    bmf_free((*epoch)->part);
    bmf_free((*epoch)->order);
    bmf_free((*epoch)->scratch);
    bmf_free((*epoch)->key);
    bmf_free((*epoch)->chunk);
    bmf_free((*epoch)->steps);
    bmf_free(*epoch);
    *epoch = NULL;
}

void bmf_epoch_window_of(const bmf_epoch *epoch, int32_t *window_of)
{
    for (int64_t t = 0; t < epoch->threads; t++)
        for (int64_t w = 0; w < epoch->windows; w++)
            for (int64_t i = epoch->part[t].window_bound[w]; i < epoch->part[t].window_bound[w + 1]; i++)
                window_of[epoch->order[i]] = (int32_t)w;
}

void bmf_epoch_begin(bmf_epoch *epoch, uint64_t key)
{
#pragma omp parallel for schedule(static, 1) num_threads((int)epoch->threads) if (epoch->threads > 1)
    for (int64_t t = 0; t < epoch->threads; t++)
        for (int64_t w = 0; w < epoch->windows; w++) {
            const part *p = &epoch->part[t];
            order_positions(epoch, p, p->window_bound[w], p->window_bound[w + 1], key);
        }
}

static double sweep_positions(const bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep, int64_t first,
                              int64_t last)
{
    return kernel->sweep(sweep, epoch->order + first, last - first);
}

/* Each thread its part, with its own item side. */
static double sweep_parts(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep,
                          const bmf_item_copies *copies, int64_t window)
{
#pragma omp parallel for schedule(static, 1) num_threads((int)epoch->threads) if (epoch->threads > 1)
    for (int64_t t = 0; t < epoch->threads; t++) {
        part *p = &epoch->part[t];
        bmf_sweep own = *sweep;
        if (t > 0)
            bmf_item_copies_begin(copies, t);
        own.Q = copies->copy[t].Q;
        own.item_bias = copies->copy[t].bias;
        p->squares = sweep_positions(epoch, kernel, &own, p->window_bound[window], p->window_bound[window + 1]);
    }
    double squares = 0;
    for (int64_t t = 0; t < epoch->threads; t++)
        squares += epoch->part[t].squares; /* in order: the same rounding each time */
    return squares;
}

/* The window cut into chunks of about equal work. Returns how many. */
static int64_t cut_chunks(bmf_epoch *epoch, int64_t window)
{
    int64_t chunks = 0, bound[CHUNKS_PER_THREAD + 1];
    for (int64_t t = 0; t < epoch->threads; t++) {
        const int64_t first = epoch->part[t].window_bound[window], last = epoch->part[t].window_bound[window + 1];
        int64_t total = 0;
        for (int64_t i = first; i < last; i++)
            total += ratings_of(epoch, i);
        int64_t parts = total / SMALLEST_CHUNK + 1;
        parts = parts < CHUNKS_PER_THREAD ? parts : CHUNKS_PER_THREAD;
        cut_evenly(epoch, first, last, total, parts, bound);
        for (int64_t c = 0; c < parts; c++)
            epoch->chunk[chunks++] = (chunk){bound[c], bound[c + 1]};
    }
    return chunks;
}

/* One chunk on the item side that all threads update without locks. Hogwild! (Niu et al. 2011) shows that such steps
 * converge where each touches a small part of the parameters, as a rating does. What is raced on are the floats of Q and the item
 * biases alone: they are aligned, so no load sees half of a store, and no index, pointer or count is among them. The race is
 * suppressed by this function's name in tests/threads/tsan.supp, and no other is. */
static double sweep_shared(const bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep, const chunk *c)
{
    return sweep_positions(epoch, kernel, sweep, c->first, c->last);
}

/* All threads on one item side: chunks are taken as threads become free. */
static double sweep_chunks(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep, int64_t window)
{
    const int64_t chunks = cut_chunks(epoch, window);
    double squares = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : squares) num_threads((int)epoch->threads)
    for (int64_t c = 0; c < chunks; c++)
        squares += sweep_shared(epoch, kernel, sweep, &epoch->chunk[c]);
    return squares;
}

double bmf_epoch_sweep(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep,
                       const bmf_item_copies *copies, int64_t window)
{
    return epoch->chunk ? sweep_chunks(epoch, kernel, sweep, window)
                        : sweep_parts(epoch, kernel, sweep, copies, window);
}

const int32_t *bmf_epoch_steps(bmf_epoch *epoch, int64_t window)
{
    if (!epoch->steps)
        return epoch->shard->item_steps;
    if (epoch->steps_keep)
        return epoch->steps + window * epoch->threads * epoch->shard->items;
    count_window(epoch, window, epoch->steps);
    return epoch->steps;
}
