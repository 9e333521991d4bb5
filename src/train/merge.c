#include "train/merge.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "train/exchange.h"
#include "train/saturation.h"
#include "train/touched.h"

#define PIECE_BYTES ((int64_t)2 << 20) /* of a reduction: larger ones make the MPI library allocate afresh each time */
#define SIDE BMF_EXCHANGE_SIDES        /* floats beside the k deltas of a row: bias delta, steps, two saturations */
#define SUMS 7                         /* floats behind the rows of each piece: bmf_window_sums, copies */

struct bmf_merge {
    bmf_comm *comm;
    const bmf_item_copies *copies;
    bmf_merge_settings settings;
    int64_t rows_per_piece;
    bmf_exchange *exchange;
    int64_t agreed_bytes; /* sent to agree on rows, since anybody asked */
    int32_t *totals;      /* (items) of the window, or NULL */
    float *buffer;        /* (rows_per_piece, k + SIDE) and the sums */
    bmf_touched touched;
    bmf_merge_pulls pulls; /* of the window */
    bmf_saturation of_factors, of_bias;
};

double bmf_merge_saturation(double a, double n)
{
    return -expm1(n * log1p(-a));
}

double bmf_merge_coefficient(double a, double total_steps, double sum_of_saturations)
{
    return sum_of_saturations > 0 ? bmf_merge_saturation(a, total_steps) / sum_of_saturations : 1;
}

double bmf_merge_pull(double learning_rate, double regularization, double h)
{
    double a = learning_rate * (regularization + h);
    return a < 0.999 ? a : 0.999;
}

double bmf_merge_row_pull(float eta, float decay, double h)
{
    return bmf_merge_pull(1, (double)decay, (double)eta * h);
}

static int64_t rows_per_piece(int64_t items, int64_t factors)
{
    const int64_t rows = PIECE_BYTES / ((factors + SIDE) * (int64_t)sizeof(float));
    return rows < 1 ? 1 : rows > items ? items : rows;
}

int64_t bmf_merge_bytes(const bmf_merge_settings *settings, int64_t items, int64_t hosts)
{
    const int64_t rows = rows_per_piece(items, settings->factors);
    const int64_t buffer = rows * (settings->factors + SIDE) + SUMS;
    return buffer * (int64_t)sizeof(float) + items * (int64_t)sizeof(int32_t) + items / 8 +
           bmf_exchange_bytes(settings->precision, settings->factors, rows, hosts);
}

static int create_exchange(bmf_comm *comm, bmf_merge *merge, bmf_error *err)
{
    const bmf_merge_settings *s = &merge->settings;
    const bmf_exchange_settings exchange = {.precision = s->precision,
                                            .group = s->group,
                                            .factors = s->factors,
                                            .rows = merge->rows_per_piece,
                                            .tail = SUMS,
                                            .threads = s->threads};
    return bmf_exchange_create(comm, &exchange, &merge->exchange, err);
}

int bmf_merge_create(bmf_comm *comm, const bmf_item_copies *copies, const bmf_merge_settings *settings,
                     const int32_t *steps, int32_t *totals, bmf_merge **out, bmf_error *err)
{
    *out = NULL;
    bmf_merge *merge = bmf_alloc_zero(1, sizeof *merge, "merge", err);
    bool complete = merge != NULL;
    if (complete) {
        merge->comm = comm;
        merge->copies = copies;
        merge->settings = *settings;
        merge->totals = totals;
        merge->rows_per_piece = rows_per_piece(copies->items, settings->factors);
        if (bmf_merge_is_needed(merge))
            complete = (merge->buffer = bmf_alloc(merge->rows_per_piece * (settings->factors + SIDE) + SUMS,
                                                  sizeof(float), "merge buffer", err));
    }
    int status = bmf_comm_agree(comm, complete ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status == BMF_OK)
        status = bmf_touched_create(comm, steps, copies->items, settings->windows, &merge->touched, err);
    if (status == BMF_OK)
        status = create_exchange(comm, merge, err);
    if (status != BMF_OK)
        bmf_merge_destroy(&merge);
    *out = merge;
    return status;
}

void bmf_merge_destroy(bmf_merge **merge)
{
    if (!*merge)
        return;
    bmf_touched_clear(&(*merge)->touched);
    bmf_exchange_destroy(&(*merge)->exchange);
    bmf_free((*merge)->buffer);
    bmf_free(*merge);
    *merge = NULL;
}

bool bmf_merge_is_needed(const bmf_merge *merge)
{
    return merge->copies->count > 1 || bmf_comm_size(merge->comm) > 1 || merge->settings.ranks > 1;
}

int64_t bmf_merge_rows(const bmf_merge *merge)
{
    return merge->touched.count;
}

int bmf_merge_hosts(const bmf_merge *merge)
{
    return bmf_exchange_hosts(merge->exchange);
}

int64_t bmf_merge_take_bytes(bmf_merge *merge)
{
    const int64_t sent = merge->agreed_bytes + bmf_exchange_take_bytes(merge->exchange);
    merge->agreed_bytes = 0;
    return sent;
}

static void put_sums(float *at, const bmf_window_sums *sums)
{
    at[0] = (float)sums->squares;
    at[1] = (float)sums->P_squares;
    at[2] = (float)sums->failed;
    at[3] = (float)sums->signals;
    at[4] = (float)sums->late;
    at[5] = (float)sums->save;
}

static void get_sums(const float *at, bmf_window_sums *sums)
{
    *sums = (bmf_window_sums){(double)at[0], (double)at[1], (double)at[2], (double)at[3], (double)at[4], (double)at[5]};
}

/* Saturations of row i after n steps: factors and bias. */
static void saturations_of(const bmf_merge *merge, int64_t i, int64_t n, double out[2])
{
    const bmf_merge_pulls *pulls = &merge->pulls;
    if (!pulls->rows) {
        out[0] = bmf_saturation_of(&merge->of_factors, n);
        out[1] = bmf_saturation_of(&merge->of_bias, n);
        return;
    }
    const bmf_row_rates *own = &pulls->rows[i];
    out[0] = bmf_merge_saturation(bmf_merge_row_pull(own->eta, own->decay, pulls->h), (double)n);
    out[1] = bmf_merge_saturation(bmf_merge_row_pull(own->bias_eta, own->bias_decay, 1), (double)n);
}

/* Adds one copy's change of row i in n steps. The weighted average weighs here. */
static void add_copy(const bmf_merge *merge, const bmf_item_side *copy, int64_t i, int32_t n, float *to)
{
    const int64_t k = merge->settings.factors, stride = merge->copies->stride;
    const float *Q = copy->Q + i * stride, *Q0 = merge->copies->start.Q + i * stride;
    double saturation[2];
    saturations_of(merge, i, n, saturation);
    const float weight = merge->settings.rule == BMF_MERGE_WEIGHTED ? (float)n : 1;
    for (int64_t f = 0; f < k; f++)
        to[f] += weight * (Q[f] - Q0[f]);
    to[k] += weight * (copy->bias[i] - merge->copies->start.bias[i]);
    to[k + 1] += (float)n;
    to[k + 2] += (float)saturation[0];
    to[k + 3] += (float)saturation[1];
}

/* A row's message: k factor deltas, bias delta, steps, saturations of factors and bias, each summed over the copies. */
static void pack_row(const bmf_merge *merge, int64_t i, const int32_t *steps, float *to)
{
    memset(to, 0, (size_t)(merge->settings.factors + SIDE) * sizeof *to);
    for (int64_t c = 0; c < merge->copies->count; c++)
        if (steps[c * merge->copies->items + i] > 0)
            add_copy(merge, &merge->copies->copy[c], i, steps[c * merge->copies->items + i], to);
}

/* What bmf_merge_coefficient says. */
static float quotient(double saturation, float saturations)
{
    return saturations > 0 ? (float)(saturation / (double)saturations) : 1;
}

/* What the summed deltas of row i are multiplied by: factors and bias. `everyone`: copies of all ranks. */
static void coefficients_of(const bmf_merge *merge, int64_t i, const float *side, float everyone, float out[2])
{
    out[0] = out[1] = 1; /* BMF_MERGE_SUM */
    if (merge->settings.rule == BMF_MERGE_SATURATING) {
        double saturation[2];
        saturations_of(merge, i, (int64_t)side[1], saturation);
        out[0] = quotient(saturation[0], side[2]);
        out[1] = quotient(saturation[1], side[3]);
    } else if (merge->settings.rule == BMF_MERGE_AVERAGE) {
        out[0] = out[1] = 1 / everyone;
    } else if (merge->settings.rule == BMF_MERGE_WEIGHTED && side[1] > 0) {
        out[0] = out[1] = 1 / side[1];
    }
}

/* A bmf_exchange_finish: the summed row to the change that all apply. */
static void finish_row(int64_t item, float *row, const float *tail, const void *context)
{
    const bmf_merge *merge = context;
    const int64_t k = merge->settings.factors;
    float c[2];
    coefficients_of(merge, item, row + k, tail[SUMS - 1], c);
    for (int64_t f = 0; f < k; f++)
        row[f] *= c[0];
    row[k] *= c[1];
}

/* Applies a merged row; false if it is not finite. */
static bool unpack_row(const bmf_merge *merge, int64_t i, const float *from)
{
    const int64_t k = merge->settings.factors, stride = merge->copies->stride;
    const bmf_item_side *start = &merge->copies->start, *model = &merge->copies->copy[0];
    float *Q = model->Q + i * stride, *Q0 = start->Q + i * stride, change = 0;
    if (from[k + 1] == 0)
        return true;
    for (int64_t f = 0; f < k; f++)
        Q[f] = Q0[f] + from[f];
#pragma omp simd reduction(+ : change)
    for (int64_t f = 0; f < k; f++)
        change += Q[f] * 0; /* 0 unless a value is not finite */
    model->bias[i] = start->bias[i] + from[k];
    if (merge->totals) {
        merge->totals[i] = (int32_t)from[k + 1];
    } else {
        memcpy(Q0, Q, (size_t)k * sizeof *Q);
        start->bias[i] = model->bias[i];
    }
    return isfinite(change) && isfinite(model->bias[i]);
}

/* One piece of the rows: packed and unpacked by all threads. The sums ride along if they are wanted. Returns 1 for a value
 * that is not finite. */
static int merge_piece(bmf_merge *merge, const int32_t *row, int64_t rows, const int32_t *steps, uint64_t key,
                       bmf_window_sums *sums)
{
    const bmf_window_sums none = {0};
    const int64_t width = merge->settings.factors + SIDE, threads = merge->settings.threads;
    float *const at = merge->buffer, *tail = at + rows * width;
    int failed = 0;
#pragma omp parallel for schedule(static) num_threads((int)threads) if (threads > 1)
    for (int64_t r = 0; r < rows; r++)
        pack_row(merge, row[r], steps, at + r * width);
    put_sums(tail, sums ? sums : &none);
    tail[SUMS - 1] = (float)merge->copies->count;
    bmf_exchange_merge(merge->exchange, at, row, rows, key, finish_row, merge);
    if (sums)
        get_sums(tail, sums);
#pragma omp parallel for schedule(static) reduction(| : failed) num_threads((int)threads) if (threads > 1)
    for (int64_t r = 0; r < rows; r++)
        failed |= !unpack_row(merge, row[r], at + r * width);
    return failed;
}

void bmf_merge_window(bmf_merge *merge, const int32_t *steps, const bmf_merge_pulls *pulls, uint64_t key,
                      bmf_window_sums *sums)
{
    if (!bmf_merge_is_needed(merge))
        return; /* c is 1 and the deltas are in place */
    const bmf_touched *touched = &merge->touched;
    if (merge->totals)
        memset(merge->totals, 0, (size_t)merge->copies->items * sizeof *merge->totals);
    bmf_touched_agree(&merge->touched, merge->comm, steps, merge->copies->count);
    merge->agreed_bytes += bmf_touched_bytes(touched, bmf_comm_size(merge->comm));
    merge->pulls = *pulls;
    bmf_saturation_init(&merge->of_factors, pulls->factor, touched->most_steps);
    bmf_saturation_init(&merge->of_bias, pulls->bias, touched->most_steps);
    int failed = 0;
    int64_t first = 0;
    do { /* once at least: the sums ride with the first piece */
        const int64_t left = touched->count - first, rows = left < merge->rows_per_piece ? left : merge->rows_per_piece;
        failed |= merge_piece(merge, touched->row + first, rows, steps, key, first == 0 ? sums : NULL);
        first += rows;
    } while (first < touched->count);
    sums->failed += failed; /* the merged rows are the same on every rank, and so is this */
}
