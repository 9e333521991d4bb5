#include "train/content_weights.h"

#include <inttypes.h>
#include <omp.h>
#include <stddef.h>

#include "base/memory.h"

#define USERS_AT_A_TIME 64 /* that a thread takes */

static void destroy_finders(bmf_slot_finder *finder, int threads)
{
    for (int t = 0; finder && t < threads; t++)
        bmf_slot_finder_clear(&finder[t]);
    bmf_free(finder);
}

/* One for each thread; NULL if memory is short. */
static bmf_slot_finder *create_finders(const bmf_content_rows *rows, int threads, bmf_error *err)
{
    bmf_slot_finder *finder = bmf_alloc_zero(threads, sizeof *finder, "slots of features", err);
    for (int t = 0; finder && t < threads; t++)
        if (bmf_slot_finder_create(rows, &finder[t], err) != BMF_OK) {
            destroy_finders(finder, threads);
            return NULL;
        }
    return finder;
}

/* Calls bmf_list_weights for every user: index NULL counts into indptr[u + 1], else lists. */
static void list_all(const bmf_csr *train, bmf_slot_finder *finder, int threads, int64_t *indptr, int32_t *index)
{
#pragma omp parallel for schedule(dynamic, USERS_AT_A_TIME) num_threads(threads) if (threads > 1)
    for (int64_t u = 0; u < train->rows; u++) {
        const int64_t first = train->indptr[u], n = train->indptr[u + 1] - first;
        bmf_slot_finder *own = &finder[omp_get_thread_num()];
        if (index)
            (void)bmf_list_weights(own, train->indices + first, n, index + indptr[u]);
        else
            indptr[u + 1] = bmf_list_weights(own, train->indices + first, n, NULL);
    }
}

/* Turns counts in indptr[u + 1] into positions. */
static int add_up_weights(int64_t *indptr, int64_t users, int64_t first_user, bmf_error *err)
{
    for (int64_t u = 0; u < users; u++) {
        if (indptr[u + 1] - 1 > BMF_MOST_WEIGHTS)
            return bmf_fail(err, BMF_ERR_INPUT,
                            "user %" PRId64 ": the items of his training ratings have %" PRId64
                            " different features (allowed: %d); import with --max-features %d",
                            first_user + u, indptr[u + 1] - 1, BMF_MOST_WEIGHTS, BMF_MOST_WEIGHTS);
        indptr[u + 1] += indptr[u];
    }
    return BMF_OK;
}

int bmf_content_pattern_create(const bmf_csr *train, const bmf_content_rows *rows, int64_t first_user, int threads,
                               bmf_content_pattern *out, bmf_error *err)
{
    *out = (bmf_content_pattern){.users = train->rows, .features = rows->features};
    bmf_slot_finder *finder = create_finders(rows, threads, err);
    out->indptr = finder ? bmf_alloc_zero(train->rows + 1, sizeof *out->indptr, "content weights", err) : NULL;
    int status = out->indptr ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        list_all(train, finder, threads, out->indptr, NULL);
        status = add_up_weights(out->indptr, train->rows, first_user, err);
    }
    if (status == BMF_OK) {
        out->index = bmf_alloc(out->indptr[train->rows], sizeof *out->index, "features of content weights", err);
        status = out->index ? BMF_OK : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK)
        list_all(train, finder, threads, out->indptr, out->index);
    else
        bmf_content_pattern_clear(out);
    destroy_finders(finder, threads);
    return status;
}

/* Where the users' slots beyond the first begin. A slot record counts them in 32 bits from its user's first. */
static int place_rest(const bmf_csr *ratings, const bmf_content_rows *rows, int64_t first_user, int64_t *start,
                      bmf_error *err)
{
    start[0] = 0;
    for (int64_t u = 0; u < ratings->rows; u++) {
        const int64_t first = ratings->indptr[u];
        const int64_t rest = bmf_count_rest(rows, ratings->indices + first, ratings->indptr[u + 1] - first);
        if (rest > UINT32_MAX)
            return bmf_fail(err, BMF_ERR_INPUT,
                            "user %" PRId64 ": the items of his ratings have %" PRId64
                            " features beyond the seventh of each (allowed: %" PRIu32
                            "); import with fewer --max-features",
                            first_user + u, rest, UINT32_MAX);
        start[u + 1] = start[u] + rest;
    }
    return BMF_OK;
}

static void find_all(const bmf_csr *ratings, const bmf_content_pattern *pattern, bmf_slot_finder *finder, int threads,
                     bmf_content_slots *out)
{
#pragma omp parallel for schedule(dynamic, USERS_AT_A_TIME) num_threads(threads) if (threads > 1)
    for (int64_t u = 0; u < ratings->rows; u++) {
        const int64_t first = ratings->indptr[u], begin = pattern->indptr[u];
        bmf_find_slots(&finder[omp_get_thread_num()], pattern->index + begin, pattern->indptr[u + 1] - begin,
                       ratings->indices + first, ratings->indptr[u + 1] - first, out->rating + first,
                       out->rest_at ? out->rest_at + first : NULL, out->rest + out->rest_start[u]);
    }
}

int bmf_content_slots_create(const bmf_csr *ratings, const bmf_content_rows *rows, const bmf_content_pattern *pattern,
                             int64_t first_user, int threads, bmf_content_slots *out, bmf_error *err)
{
    *out = (bmf_content_slots){0};
    bmf_slot_finder *finder = create_finders(rows, threads, err);
    out->rating = bmf_alloc(bmf_csr_count(ratings), sizeof *out->rating, "slots of ratings", err);
    out->rest_start = bmf_alloc(ratings->rows + 1, sizeof *out->rest_start, "slots of ratings", err);
    int status = finder && out->rating && out->rest_start ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = place_rest(ratings, rows, first_user, out->rest_start, err);
    if (status == BMF_OK) {
        const int64_t rest = out->rest_start[ratings->rows];
        out->rest = bmf_alloc(rest, sizeof *out->rest, "slots of ratings", err);
        if (rest > 0)
            out->rest_at = bmf_alloc(bmf_csr_count(ratings), sizeof *out->rest_at, "slots of ratings", err);
        status = out->rest && (out->rest_at || rest == 0) ? BMF_OK : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK)
        find_all(ratings, pattern, finder, threads, out);
    else
        bmf_content_slots_clear(out);
    destroy_finders(finder, threads);
    return status;
}

int64_t bmf_content_slots_bytes(const bmf_content_slots *slots, int64_t users, int64_t ratings)
{
    if (!slots->rating)
        return 0;
    return ratings * (int64_t)(sizeof *slots->rating + (slots->rest_at ? sizeof *slots->rest_at : 0)) +
           (users + 1) * (int64_t)sizeof *slots->rest_start + slots->rest_start[users] * (int64_t)sizeof *slots->rest;
}
