#include "train/curvature.h"

#include <math.h>
#include <string.h>

#define SAMPLE 4096   /* users */
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
