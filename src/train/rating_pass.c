#include "train/rating_pass.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"

#define BLOCK 16384           /* ratings: they stay in the second-level cache from the first look to the shuffle */
#define FEW_RATINGS (1 << 18) /* up to here starting threads costs more than it saves */
#define LANES 8               /* sums side by side, so that they may run in vectors */

/* Fisher–Yates on one user's ratings. */
static void shuffle_user(int32_t *item, float *value, int64_t count, uint64_t key)
{
    for (int64_t n = count; n > 1; n--) {
        int64_t j = (int64_t)bmf_rng_below(key, (uint64_t)n, (uint64_t)n);
        int32_t other_item = item[j];
        float other_value = value[j];
        item[j] = item[n - 1];
        value[j] = value[n - 1];
        item[n - 1] = other_item;
        value[n - 1] = other_value;
    }
}

void bmf_rating_shuffle_times(const bmf_csr *ratings, int64_t first_user, uint64_t seed, int64_t *timestamp)
{
    const uint64_t all = bmf_rng_key(seed, BMF_STREAM_RATING_SHUFFLE);
    for (int64_t u = 0; u < ratings->rows; u++) {
        const uint64_t key = bmf_rng_subkey(all, (uint64_t)(first_user + u));
        int64_t *time = timestamp + ratings->indptr[u];
        for (int64_t n = ratings->indptr[u + 1] - ratings->indptr[u]; n > 1; n--) { /* as shuffle_user */
            const int64_t j = (int64_t)bmf_rng_below(key, (uint64_t)n, (uint64_t)n), other = time[j];
            time[j] = time[n - 1];
            time[n - 1] = other;
        }
    }
}

static bmf_rating_statistics statistics_of(const float *value, int64_t count)
{
    bmf_rating_statistics out = {.count = count, .low = HUGE_VAL, .high = -HUGE_VAL};
    double sum[LANES] = {0}, squares[LANES] = {0};
    float low = HUGE_VALF, high = -HUGE_VALF;
    const int64_t whole = count - count % LANES;
    for (int64_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            sum[l] += (double)value[j + l];
    for (int64_t j = whole; j < count; j++)
        sum[j - whole] += (double)value[j];
    for (int l = 0; l < LANES; l++)
        out.sum += sum[l];
    const double mean = count > 0 ? out.sum / (double)count : 0;
    for (int64_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            squares[l] += ((double)value[j + l] - mean) * ((double)value[j + l] - mean);
    for (int64_t j = whole; j < count; j++)
        squares[j - whole] += ((double)value[j] - mean) * ((double)value[j] - mean);
    for (int l = 0; l < LANES; l++)
        out.squares += squares[l];
#pragma omp simd reduction(min : low) reduction(max : high)
    for (int64_t j = 0; j < count; j++) {
        low = value[j] < low ? value[j] : low;
        high = value[j] > high ? value[j] : high;
    }
    out.low = (double)low;
    out.high = (double)high;
    return out;
}

/* Chan, Golub and LeVeque (1983): the squares of both around the mean of both. */
static void add_statistics(bmf_rating_statistics *to, const bmf_rating_statistics *more)
{
    if (more->count == 0)
        return;
    if (to->count > 0) {
        const double a = (double)to->count, b = (double)more->count, apart = more->sum / b - to->sum / a;
        to->squares += apart * apart * (a * b / (a + b));
    }
    to->squares += more->squares;
    to->count += more->count;
    to->sum += more->sum;
    to->low = fmin(to->low, more->low);
    to->high = fmax(to->high, more->high);
}

/* First user of a block: block b has the users whose first rating is one of [b BLOCK, (b + 1) BLOCK). */
static int64_t block_begin(const bmf_csr *ratings, int64_t block)
{
    return bmf_csr_row_from(ratings->indptr, ratings->rows, block * BLOCK);
}

/* What the threads share. */
typedef struct rating_pass {
    bmf_csr *ratings;
    int64_t first_user;
    uint64_t key;
    int64_t blocks;
    bmf_rating_statistics *of_block; /* (blocks) */
} rating_pass;

static void do_block(const rating_pass *pass, int64_t block, int32_t *steps)
{
    const bmf_csr *ratings = pass->ratings;
    const int64_t *indptr = ratings->indptr;
    const int64_t first = block_begin(ratings, block), last = block_begin(ratings, block + 1);
    pass->of_block[block] = statistics_of(ratings->data + indptr[first], indptr[last] - indptr[first]);
    for (int64_t j = indptr[first]; j < indptr[last]; j++)
        steps[ratings->indices[j]]++;
    for (int64_t u = first; u < last; u++)
        shuffle_user(ratings->indices + indptr[u], ratings->data + indptr[u], indptr[u + 1] - indptr[u],
                     bmf_rng_subkey(pass->key, (uint64_t)(pass->first_user + u)));
}

/* Each part but the first has counts of its own; together they take no more room than the ratings. */
static int parts_wanted(const bmf_csr *ratings, int threads)
{
    const int64_t count = bmf_csr_count(ratings), most = count / (ratings->columns + 1);
    if (count <= FEW_RATINGS || most <= 1)
        return 1;
    return most < threads ? (int)most : threads;
}

static void add_steps(int32_t *to, const int32_t *from, int64_t items)
{
    for (int64_t i = 0; i < items; i++)
        to[i] += from[i];
}

int bmf_rating_pass(bmf_csr *ratings, int64_t first_user, uint64_t seed, int threads, int32_t *steps,
                    bmf_rating_statistics *out, bmf_error *err)
{
    const int64_t items = ratings->columns;
    const int parts = parts_wanted(ratings, threads);
    rating_pass pass = {.ratings = ratings,
                        .first_user = first_user,
                        .key = bmf_rng_key(seed, BMF_STREAM_RATING_SHUFFLE),
                        .blocks = (bmf_csr_count(ratings) + BLOCK - 1) / BLOCK};
    *out = (bmf_rating_statistics){.low = HUGE_VAL, .high = -HUGE_VAL};
    pass.of_block = bmf_alloc(pass.blocks, sizeof *pass.of_block, "sums of ratings", err);
    int32_t *own = bmf_alloc_zero((parts - 1) * items, sizeof *own, "steps of items", err);
    const bool complete = pass.of_block && own;
    if (complete) {
#pragma omp parallel for schedule(static, 1) num_threads(parts) if (parts > 1)
        for (int part = 0; part < parts; part++)
            for (int64_t b = pass.blocks * part / parts; b < pass.blocks * (part + 1) / parts; b++)
                do_block(&pass, b, part == 0 ? steps : own + (part - 1) * items);
        for (int part = 1; part < parts; part++)
            add_steps(steps, own + (part - 1) * items, items);
        for (int64_t b = 0; b < pass.blocks; b++)
            add_statistics(out, &pass.of_block[b]);
    }
    bmf_free(pass.of_block);
    bmf_free(own);
    return complete ? BMF_OK : BMF_ERR_MEMORY;
}
