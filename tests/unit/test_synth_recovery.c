/* A planted model can be found again by factorization: the data is neither noise nor trivial. */
#include "support/assert_close.h"

#include <stdlib.h>

#include "base/rng.h"
#include "data/synth.h"

static bmf_error err;

/* A plain factorization in double precision, for reference only: test RMSE after `epochs`. */
typedef struct plain {
    int64_t k;
    double mean, *user, *item; /* rows of k factors and a bias */
} plain;

static double predict(const plain *m, int64_t u, int64_t i)
{
    const double *p = m->user + u * (m->k + 1), *q = m->item + i * (m->k + 1);
    double sum = m->mean + p[m->k] + q[m->k];
    for (int64_t c = 0; c < m->k; c++)
        sum += p[c] * q[c];
    return sum;
}

static void step(plain *m, int64_t u, int64_t i, double rating, double rate, double decay)
{
    double *p = m->user + u * (m->k + 1), *q = m->item + i * (m->k + 1), e = rating - predict(m, u, i);
    for (int64_t c = 0; c < m->k; c++) {
        double old = p[c];
        p[c] += rate * (e * q[c] - decay * p[c]);
        q[c] += rate * (e * old - decay * q[c]);
    }
    p[m->k] += rate * (e - 0.01 * p[m->k]);
    q[m->k] += rate * (e - 0.01 * q[m->k]);
}

static double rmse(const plain *m, const bmf_csr *r)
{
    double squares = 0;
    for (int64_t u = 0; u < r->rows; u++)
        for (int64_t e = r->indptr[u]; e < r->indptr[u + 1]; e++) {
            double off = r->data[e] - predict(m, u, r->indices[e]);
            squares += off * off;
        }
    return sqrt(squares / (double)bmf_csr_count(r));
}

static double fit(const bmf_dataset *d, int64_t k, int epochs)
{
    const bmf_csr *r = &d->split[BMF_TRAIN].matrix;
    plain m = {.k = k, .mean = 3.5};
    m.user = calloc((size_t)(r->rows * (k + 1)), sizeof *m.user);
    m.item = calloc((size_t)(r->columns * (k + 1)), sizeof *m.item);
    uint64_t key = bmf_rng_key(1, BMF_STREAM_TEST);
    for (int64_t j = 0; j < r->rows * (k + 1); j++)
        m.user[j] = 0.1 * bmf_rng_gauss(key, (uint64_t)j);
    for (int64_t j = 0; j < r->columns * (k + 1); j++)
        m.item[j] = 0.1 * bmf_rng_gauss(key, (uint64_t)j + (1u << 30));
    for (int epoch = 0; epoch < epochs; epoch++)
        for (int64_t u = 0; u < r->rows; u++)
            for (int64_t e = r->indptr[u]; e < r->indptr[u + 1]; e++)
                step(&m, u, r->indices[e], r->data[e], 0.02 * pow(0.95, epoch), 0.03);
    double result = rmse(&m, &d->split[BMF_TEST].matrix);
    free(m.user);
    free(m.item);
    return result;
}

/* The floor is the noise and the rounding to half stars (0.25 / 12 in variance). */
static void planted_model_is_recovered(void **state)
{
    (void)state;
    bmf_synth_options o = bmf_synth_defaults();
    o.users = 1500;
    o.items = 400;
    o.ratings = 250000;
    o.factors = 4;
    o.noise = 0.5;
    bmf_dataset d;
    assert_ok(bmf_synth(&o, &d, &err), err);
    double floor_rmse = sqrt(0.25 + 0.25 / 12), plain_rmse = fit(&d, 4, 40), biases_only = fit(&d, 0, 40);
    print_message("test RMSE %.4f with the planted factors, %.4f with biases only, floor %.4f\n", plain_rmse,
                  biases_only, floor_rmse);
    assert_true(plain_rmse < 1.1 * floor_rmse);
    assert_true(plain_rmse > 0.9 * floor_rmse);
    assert_true(biases_only > 1.3 * floor_rmse);
    bmf_dataset_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(planted_model_is_recovered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
