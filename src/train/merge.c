#include "train/merge.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define PIECE_BYTES ((int64_t)2 << 20) /* of a reduction: larger ones make the MPI library allocate afresh each time */
#define SIDE 4                         /* floats beside the k deltas of a row: bias delta, steps, two saturations */
#define SUMS 3                         /* floats behind the rows of the first piece: bmf_window_sums */

struct bmf_merge {
    bmf_comm *comm;
    bmf_merge_rule rule;
    int64_t rows_per_piece;
    float *Q0, *bias0; /* (n, stride), (n) */
    float *buffer;     /* (rows_per_piece, k + SIDE) and the sums */
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

int bmf_merge_create(bmf_comm *comm, const bmf_model *model, bmf_merge_rule rule, bmf_merge **out, bmf_error *err)
{
    *out = NULL;
    bmf_merge *merge = bmf_alloc_zero(1, sizeof *merge, "merge", err);
    if (!merge)
        return BMF_ERR_MEMORY;
    merge->comm = comm;
    merge->rule = rule;
    int64_t row = model->factors + SIDE;
    merge->rows_per_piece = PIECE_BYTES / (row * (int64_t)sizeof(float));
    if (merge->rows_per_piece < 1)
        merge->rows_per_piece = 1;
    if (merge->rows_per_piece > model->items)
        merge->rows_per_piece = model->items;
    if (bmf_comm_size(comm) > 1) {
        merge->Q0 = bmf_alloc(model->items * model->stride, sizeof(float), "item factors at a window's start", err);
        merge->bias0 = bmf_alloc(model->items, sizeof(float), "item biases at a window's start", err);
        merge->buffer = bmf_alloc(merge->rows_per_piece * row + SUMS, sizeof(float), "merge buffer", err);
        if (!merge->Q0 || !merge->bias0 || !merge->buffer) {
            bmf_merge_destroy(&merge);
            return BMF_ERR_MEMORY;
        }
        memcpy(merge->Q0, model->Q, (size_t)(model->items * model->stride) * sizeof(float));
        memcpy(merge->bias0, model->item_bias, (size_t)model->items * sizeof(float));
    }
    *out = merge;
    return BMF_OK;
}

void bmf_merge_destroy(bmf_merge **merge)
{
    if (!*merge)
        return;
    bmf_free((*merge)->Q0);
    bmf_free((*merge)->bias0);
    bmf_free((*merge)->buffer);
    bmf_free(*merge);
    *merge = NULL;
}

static void put_sums(float *at, const bmf_window_sums *sums)
{
    at[0] = (float)sums->squares;
    at[1] = (float)sums->P_squares;
    at[2] = (float)sums->failed;
}

static void get_sums(const float *at, bmf_window_sums *sums)
{
    *sums = (bmf_window_sums){(double)at[0], (double)at[1], (double)at[2]};
}

/* A row's message: k factor deltas, bias delta, steps, saturations of factors and bias. The weighted average weighs here. */
static void pack_row(const bmf_merge *merge, const bmf_model *model, int64_t i, int32_t steps, double a_factor,
                     double a_bias, float *to)
{
    const float *Q = model->Q + i * model->stride, *Q0 = merge->Q0 + i * model->stride;
    const int64_t k = model->factors;
    if (steps == 0) {
        memset(to, 0, (size_t)(k + SIDE) * sizeof *to);
        return;
    }
    const float weight = merge->rule == BMF_MERGE_WEIGHTED ? (float)steps : 1;
    for (int64_t f = 0; f < k; f++)
        to[f] = weight * (Q[f] - Q0[f]);
    to[k] = weight * (model->item_bias[i] - merge->bias0[i]);
    to[k + 1] = (float)steps;
    to[k + 2] = (float)bmf_merge_saturation(a_factor, steps);
    to[k + 3] = (float)bmf_merge_saturation(a_bias, steps);
}

/* What the summed deltas of a row are multiplied by: factors and bias. */
static void coefficients_of(const bmf_merge *merge, const float *side, double a_factor, double a_bias, float out[2])
{
    const double steps = (double)side[1];
    switch (merge->rule) {
    case BMF_MERGE_SATURATING:
        out[0] = (float)bmf_merge_coefficient(a_factor, steps, (double)side[2]);
        out[1] = (float)bmf_merge_coefficient(a_bias, steps, (double)side[3]);
        break;
    case BMF_MERGE_AVERAGE:
        out[0] = out[1] = 1.0f / (float)bmf_comm_size(merge->comm);
        break;
    case BMF_MERGE_WEIGHTED:
        out[0] = out[1] = steps > 0 ? 1.0f / (float)steps : 1.0f;
        break;
    default: /* BMF_MERGE_SUM */
        out[0] = out[1] = 1;
    }
}

/* Applies a summed row; false if it is not finite. */
static bool unpack_row(bmf_merge *merge, bmf_model *model, int64_t i, double a_factor, double a_bias, const float *from)
{
    float *Q = model->Q + i * model->stride, *Q0 = merge->Q0 + i * model->stride, c[2], check = 0;
    const int64_t k = model->factors;
    if (from[k + 1] == 0)
        return true;
    coefficients_of(merge, from + k, a_factor, a_bias, c);
    for (int64_t f = 0; f < k; f++) {
        Q0[f] += c[0] * from[f];
        Q[f] = Q0[f];
        check += Q0[f] * Q0[f];
    }
    merge->bias0[i] += c[1] * from[k];
    model->item_bias[i] = merge->bias0[i];
    return isfinite(check) && isfinite(merge->bias0[i]);
}

void bmf_merge_window(bmf_merge *merge, bmf_model *model, const int32_t *steps, double a_factor, double a_bias,
                      bmf_window_sums *sums)
{
    if (bmf_comm_size(merge->comm) == 1)
        return; /* c is 1 and the deltas are in place */
    const int64_t row = model->factors + SIDE;
    bool finite = true;
    for (int64_t first = 0; first < model->items; first += merge->rows_per_piece) {
        int64_t left = model->items - first, rows = left < merge->rows_per_piece ? left : merge->rows_per_piece;
        float *at = merge->buffer, *tail = at + rows * row;
        for (int64_t r = 0; r < rows; r++)
            pack_row(merge, model, first + r, steps[first + r], a_factor, a_bias, at + r * row);
        int64_t extra = first == 0 ? SUMS : 0; /* the sums ride with the first piece */
        if (extra)
            put_sums(tail, sums);
        bmf_comm_sum_float(merge->comm, at, rows * row + extra);
        if (extra)
            get_sums(tail, sums);
        for (int64_t r = 0; r < rows; r++)
            finite &= unpack_row(merge, model, first + r, a_factor, a_bias, at + r * row);
    }
    if (!finite)
        sums->failed++; /* the merged rows are the same on every rank, and so is this */
}
