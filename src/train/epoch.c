#include "train/epoch.h"

#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define CHUNKS_PER_THREAD 16
#define SMALLEST_CHUNK 2048 /* ratings: below that the interleaved kernel spends its time starting and ending */

struct bmf_epoch {
    const bmf_shard *shard;
    int64_t windows, threads;
    int32_t *order;  /* (users) local users in the order of this epoch */
    uint64_t *key;   /* (users) sort keys */
    int32_t *bucket; /* (buckets + 1) */
    int buckets_log2;
    int64_t *window_bound; /* (windows + 1) positions in order */
    int64_t *chunk_bound;  /* (most_chunks + 1) */
    int64_t most_chunks;
    int32_t *steps; /* (items) of a window; the shard's own when there is one window */
};

int bmf_epoch_create(const bmf_shard *shard, int64_t windows, int64_t threads, bmf_epoch **out, bmf_error *err)
{
    *out = NULL;
    bmf_epoch *epoch = bmf_alloc_zero(1, sizeof *epoch, "epoch", err);
    if (!epoch)
        return BMF_ERR_MEMORY;
    epoch->shard = shard;
    epoch->windows = windows;
    epoch->threads = threads;
    while (((int64_t)1 << epoch->buckets_log2) < shard->users)
        epoch->buckets_log2++;
    epoch->most_chunks = threads * CHUNKS_PER_THREAD + 1;
    epoch->order = bmf_alloc(shard->users, sizeof *epoch->order, "order of the users", err);
    epoch->key = bmf_alloc(shard->users, sizeof *epoch->key, "sort keys of the users", err);
    epoch->bucket = bmf_alloc(((int64_t)1 << epoch->buckets_log2) + 1, sizeof *epoch->bucket, "sort buckets", err);
    epoch->window_bound = bmf_alloc(windows + 1, sizeof *epoch->window_bound, "windows", err);
    epoch->chunk_bound = bmf_alloc(epoch->most_chunks + 1, sizeof *epoch->chunk_bound, "chunks", err);
    epoch->steps = windows > 1 ? bmf_alloc(shard->items, sizeof *epoch->steps, "steps of a window", err) : NULL;
    if (!epoch->order || !epoch->key || !epoch->bucket || !epoch->window_bound || !epoch->chunk_bound ||
        (windows > 1 && !epoch->steps)) {
        bmf_epoch_destroy(&epoch);
        return BMF_ERR_MEMORY;
    }
    *out = epoch;
    return BMF_OK;
}

void bmf_epoch_destroy(bmf_epoch **epoch)
{
    if (!*epoch)
        return;
    bmf_free((*epoch)->order);
    bmf_free((*epoch)->key);
    bmf_free((*epoch)->bucket);
    bmf_free((*epoch)->window_bound);
    bmf_free((*epoch)->chunk_bound);
    bmf_free((*epoch)->steps);
    bmf_free(*epoch);
    *epoch = NULL;
}

/* Sorts the users by random keys: spread over as many buckets as users by the leading bits, then an insertion sort of the
 * few in each, linear in all. */
static void order_users(bmf_epoch *epoch, uint64_t key)
{
    const int64_t users = epoch->shard->users, buckets = (int64_t)1 << epoch->buckets_log2;
    const int shift = 63 - epoch->buckets_log2;
    memset(epoch->bucket, 0, (size_t)(buckets + 1) * sizeof *epoch->bucket);
    for (int64_t u = 0; u < users; u++) {
        epoch->key[u] = bmf_rng_draw(key, (uint64_t)(epoch->shard->first_user + u)) >> 1;
        epoch->bucket[(epoch->key[u] >> shift) + 1]++;
    }
    for (int64_t b = 0; b < buckets; b++)
        epoch->bucket[b + 1] += epoch->bucket[b];
    for (int64_t u = 0; u < users; u++)
        epoch->order[epoch->bucket[epoch->key[u] >> shift]++] = (int32_t)u;
    for (int64_t i = 1; i < users; i++) {
        int32_t user = epoch->order[i];
        int64_t j = i;
        for (; j > 0 && epoch->key[epoch->order[j - 1]] > epoch->key[user]; j--)
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

void bmf_epoch_begin(bmf_epoch *epoch, uint64_t key)
{
    order_users(epoch, key);
    cut_evenly(epoch, 0, epoch->shard->users, bmf_csr_count(&epoch->shard->train.matrix), epoch->windows,
               epoch->window_bound);
}

double bmf_epoch_sweep(bmf_epoch *epoch, const bmf_kernel *kernel, const bmf_sweep *sweep, int64_t window)
{
    const int64_t first = epoch->window_bound[window], last = epoch->window_bound[window + 1];
    if (epoch->threads == 1)
        return kernel->sweep(sweep, epoch->order + first, last - first);
    int64_t total = 0, chunks = epoch->most_chunks - 1;
    for (int64_t i = first; i < last; i++)
        total += ratings_of(epoch, i);
    if (chunks > total / SMALLEST_CHUNK + epoch->threads)
        chunks = total / SMALLEST_CHUNK + epoch->threads;
    cut_evenly(epoch, first, last, total, chunks, epoch->chunk_bound);
    double squares = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : squares) num_threads((int)epoch->threads)
    for (int64_t c = 0; c < chunks; c++)
        squares += kernel->sweep(sweep, epoch->order + epoch->chunk_bound[c],
                                 epoch->chunk_bound[c + 1] - epoch->chunk_bound[c]);
    return squares;
}

const int32_t *bmf_epoch_steps(bmf_epoch *epoch, int64_t window)
{
    if (epoch->windows == 1)
        return epoch->shard->item_steps;
    const bmf_csr *ratings = &epoch->shard->train.matrix;
    memset(epoch->steps, 0, (size_t)epoch->shard->items * sizeof *epoch->steps);
    for (int64_t i = epoch->window_bound[window]; i < epoch->window_bound[window + 1]; i++) {
        int32_t u = epoch->order[i];
        for (int64_t j = ratings->indptr[u]; j < ratings->indptr[u + 1]; j++)
            epoch->steps[ratings->indices[j]]++;
    }
    return epoch->steps;
}
