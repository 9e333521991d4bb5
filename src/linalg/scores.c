#include "linalg/scores.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

#define BATCH_BYTES ((int64_t)32 << 20)
#define BATCH_USERS 128

int64_t bmf_scores_batch(int64_t items)
{
    int64_t users = items > 0 ? BATCH_BYTES / (items * (int64_t)sizeof(float)) : BATCH_USERS;
    if (users < 1)
        return 1;
    return users < BATCH_USERS ? users : BATCH_USERS;
}

void bmf_linalg_begin_threads(void)
{
    if (openblas_get_parallel() == OPENBLAS_THREAD)
        openblas_set_num_threads(1);
}

/* scores += P Qᵀ. The OpenMP build of OpenBLAS takes as many threads as the calling task would get, and a team of one
 * does not count as a parallel region for it; the setting made here belongs to the calling task alone. */
static void add_products(const bmf_item_side *items, int64_t first, int64_t count, const float *P, int64_t users,
                         float *scores)
{
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    int stride = (int)items->stride;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)users, (int)count, (int)items->factors, 1.0f, P, stride,
                items->Q + first * items->stride, stride, 1.0f, scores, (int)count);
    omp_set_num_threads(threads);
}

void bmf_scores_block(const bmf_item_side *items, const float *P, const float *user_base, int64_t users, float *scores)
{
    for (int64_t u = 0; u < users; u++)
        for (int64_t i = 0; i < items->items; i++)
            scores[u * items->items + i] = user_base[u] + items->bias[i];
    if (users > 0 && items->items > 0 && items->factors > 0)
        add_products(items, 0, items->items, P, users, scores);
}

void bmf_scores_tile(const bmf_item_side *items, int64_t first, int64_t count, const float *P, int64_t users,
                     float *scores)
{
    const size_t bytes = (size_t)count * sizeof *scores;
    for (int64_t u = 0; u < users && bytes > 0; u++) {
        if (items->bias)
            memcpy(scores + u * count, items->bias + first, bytes);
        else
            memset(scores + u * count, 0, bytes);
    }
    if (users > 0 && count > 0)
        add_products(items, first, count, P, users, scores);
}

void bmf_scores_add_content(const bmf_csr *content, const float *weights, double scale, float *scores)
{
    for (int64_t i = 0; i < content->rows; i++) {
        double sum = 0;
        for (int64_t e = content->indptr[i]; e < content->indptr[i + 1]; e++)
            sum += (double)content->data[e] * weights[content->indices[e]];
        scores[i] += (float)(scale * sum);
    }
}
