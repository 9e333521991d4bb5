#include "train/curvature.h"

#include <math.h>
#include <string.h>

#define SAMPLE 4096   /* users */
#define ITEMS 2048    /* which are looked at more often */
#define PANEL 64      /* moments summed side by side */
#define ITERATIONS 50 /* of the power method */

int64_t bmf_curvature_room(int64_t factors)
{
    return factors * factors + 2 * factors + 1;
}

/* Adds P_u P_uᵀ of the sampled users held here to moments (k × k) and returns how many they are. */
static double add_moments(const bmf_model *model, int64_t every, double *moments)
{
    const int64_t k = model->factors;
    double users = 0;
    for (int64_t u = (every - model->first_user % every) % every; u < model->users; u += every, users++) {
        const float *P = model->P + u * model->stride;
        for (int64_t f = 0; f < k; f++)
            for (int64_t g = 0; g < k; g++)
                moments[f * k + g] += (double)(P[f] * P[g]);
    }
    return users;
}

/* Power method: x is scaled to length 1 before each product, whose length then goes to the eigenvalue. */
static double largest_eigenvalue(const double *A, int64_t k, double *x, double *product)
{
    double length = 0;
    for (int64_t f = 0; f < k; f++)
        x[f] = 1 + (double)f / (double)k; /* not orthogonal to much */
    for (int iteration = 0; iteration <= ITERATIONS; iteration++) {
        double norm2 = 0;
        for (int64_t f = 0; f < k; f++)
            norm2 += x[f] * x[f];
        length = sqrt(norm2);
        if (!(length > 0))
            return 0;
        for (int64_t f = 0; f < k; f++) {
            product[f] = 0;
            for (int64_t g = 0; g < k; g++)
                product[f] += A[f * k + g] * x[g] / length;
        }
        memcpy(x, product, (size_t)k * sizeof *x);
    }
    return length;
}

double bmf_curvature_of(bmf_comm *comm, const bmf_model *model, int64_t all_users, double *work)
{
    const int64_t k = model->factors, every = (all_users + SAMPLE - 1) / SAMPLE;
    double *users = work + k * k;
    memset(work, 0, (size_t)(k * k + 1) * sizeof *work);
    *users = add_moments(model, every, work);
    bmf_comm_sum_double(comm, work, k * k + 1);
    const double count = *users;
    return count > 0 ? largest_eigenvalue(work, k, work + k * k + 1, work + k * k + 1 + k) / count : 0;
}

/* Row f of the moments of the sampled items, up to the diagonal, and its mirror image. */
static void fill_moments(const bmf_model *model, const int32_t *ratings, int64_t every, int64_t f, double *moments)
{
    const int64_t k = model->factors;
    float sum[PANEL];
    for (int64_t first = 0; first <= f; first += PANEL) {
        const int64_t count = f + 1 - first < PANEL ? f + 1 - first : PANEL;
        memset(sum, 0, sizeof sum);
        for (int64_t i = 0; i < model->items; i += every) {
            const float *Q = model->Q + i * model->stride, weight = (float)ratings[i] * Q[f];
            for (int64_t g = 0; g < count; g++)
                sum[g] += weight * Q[first + g];
        }
        for (int64_t g = 0; g < count; g++)
            moments[f * k + first + g] = moments[(first + g) * k + f] = (double)sum[g];
    }
}

double bmf_curvature_of_items(const bmf_model *model, const int32_t *ratings, int threads, double *mean_square,
                              double *work)
{
    const int64_t k = model->factors, every = (model->items + ITEMS - 1) / ITEMS;
    double count = 0, trace = 0;
#pragma omp parallel for schedule(dynamic, 4) num_threads(threads) if (threads > 1)
    for (int64_t f = 0; f < k; f++)
        fill_moments(model, ratings, every, f, work);
    for (int64_t i = 0; i < model->items; i += every)
        count += (double)ratings[i];
    for (int64_t f = 0; f < k; f++)
        trace += work[f * k + f];
    *mean_square = count > 0 ? trace / count / (double)k : 0;
    return count > 0 ? largest_eigenvalue(work, k, work + k * k + 1, work + k * k + 1 + k) / count : 0;
}
