#include "train/save.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "train/save_parts.h"
#include "train/time_effects.h"

_Static_assert(BMF_PIECE_FLOATS >= BMF_MOST_WEIGHTS, "a piece has room for any user");

_Static_assert(BMF_PIECE_FLOATS >= BMF_TIME_BINS_MOST, "a piece has room for any row of effects of time");

static void add_user_part(bmf_save_parts *list, bmf_role role, bool of_weights, const void *data, int64_t width,
                          int64_t stride)
{
    list->of_users[list->user_parts++] = (bmf_save_part){role, of_weights, 0, data, width, stride};
}

static void add_shared_part(bmf_save_parts *list, bmf_role role, int64_t rows, const void *data, int64_t width,
                            int64_t stride)
{
    list->shared[list->shared_parts++] = (bmf_save_part){role, false, rows, data, width, stride};
}

/* The factors and biases of a model, under the roles they have in the file. whole: what users have beside their features too. */
static void add_model(bmf_save_parts *list, const bmf_model *model, const bmf_model_roles *as, bool whole)
{
    const int64_t word = (int64_t)sizeof(float), width = model->factors * word, stride = model->stride * word;
    add_user_part(list, as->P, false, model->P, width, stride);
    add_user_part(list, as->user_bias, false, model->user_bias, word, word);
    add_shared_part(list, as->Q, model->items, model->V ? model->own_Q : model->Q, width, stride);
    add_shared_part(list, as->item_bias, model->items, model->V ? model->own_bias : model->item_bias, word, word);
    if (model->V) {
        add_shared_part(list, as->V, model->features, model->V, width, stride);
        add_shared_part(list, as->feature_bias, model->features, model->feature_bias, word, word);
    }
    if (model->user_features > 0) {
        add_shared_part(list, as->user_V, model->user_features, model->U, width, stride);
        add_shared_part(list, as->user_feature_bias, model->user_features, model->user_feature_bias, word, word);
    }
    if (model->implicit > 0)
        add_shared_part(list, as->implicit_V, model->implicit, model->U + model->user_features * model->stride, width,
                        stride);
    if (model->U && whole) {
        add_user_part(list, as->own_P, false, model->own_P, width, stride);
        add_user_part(list, as->own_user_bias, false, model->own_user_bias, word, word);
    }
}

/* W as it lies in memory. */
static void add_weights(bmf_save_parts *list, const bmf_model *model, bmf_role W, bmf_role scale, bmf_role norm2)
{
    const int64_t word = (int64_t)sizeof(float), wide = (int64_t)sizeof(double);
    if (!model->W)
        return;
    add_user_part(list, W, true, model->W, word, word);
    add_user_part(list, scale, false, model->W_scale, wide, wide);
    add_user_part(list, norm2, false, model->W_norm2, wide, wide);
}

static void add_time(bmf_save_parts *list, const bmf_time_effects *time)
{
    const int64_t word = (int64_t)sizeof(float), wide = (int64_t)sizeof(double), row = time->bins * word;
    if (time->item_effect) {
        add_shared_part(list, BMF_ROLE_TIME_BEGIN, time->bins, time->begin, wide, wide);
        add_shared_part(list, BMF_ROLE_TIME_ITEM, time->items, time->item_effect, row, row);
    }
    if (time->user_slope) {
        add_user_part(list, BMF_ROLE_TIME_SLOPE, false, time->user_slope, word, word);
        add_user_part(list, BMF_ROLE_TIME_FIRST, false, time->user_first, wide, wide);
        add_user_part(list, BMF_ROLE_TIME_MEAN, false, time->user_mean, wide, wide);
        add_user_part(list, BMF_ROLE_TIME_LAST, false, time->user_last, wide, wide);
    }
}

bmf_save_parts bmf_save_list(const bmf_save *save)
{
    bmf_save_parts list = {.user_parts = 0};
    add_model(&list, save->model, &bmf_model_roles_now, save->state != NULL);
    if (save->state)
        add_weights(&list, save->model, BMF_ROLE_W, BMF_ROLE_W_SCALE, BMF_ROLE_W_NORM2);
    if (save->best) {
        add_model(&list, save->best, &bmf_model_roles_best, true);
        add_weights(&list, save->best, BMF_ROLE_BEST_W, BMF_ROLE_BEST_W_SCALE, BMF_ROLE_BEST_W_NORM2);
    }
    add_time(&list, save->time);
    return list;
}

void bmf_save_pack_rows(const bmf_save_part *of, int64_t first, int64_t rows, char *to)
{
    if (of->width == of->stride) {
        memcpy(to, of->data + first * of->stride, (size_t)(rows * of->width));
        return;
    }
    for (int64_t r = 0; r < rows; r++, to += of->width)
        memcpy(to, of->data + (first + r) * of->stride, (size_t)of->width);
}

int64_t bmf_save_rows_per_piece(const bmf_save_part *of)
{
    int64_t rows = BMF_PIECE_BYTES / of->width;
    return rows < 1 ? 1 : rows;
}

int64_t bmf_save_next_piece(const bmf_save_part *of, int64_t left)
{
    const int64_t most = bmf_save_rows_per_piece(of);
    return left < most ? left : most;
}

/* Writes `rows` rows of this process, at `first_global` in the file. */
static int write_own(bmf_model_writer *writer, const bmf_save_part *of, int64_t first_global, int64_t rows,
                     char *buffer, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t r = 0, piece; r < rows && status == BMF_OK; r += piece) {
        piece = bmf_save_next_piece(of, rows - r);
        bmf_save_pack_rows(of, r, piece, buffer);
        status = bmf_model_writer_rows(writer, of->role, first_global + r, piece, buffer, err);
    }
    return status;
}

/* Receives and writes the rows of another rank. After a failed write the rest is received all the same: the sender does not
 * know. */
static int write_received(bmf_comm *comm, bmf_model_writer *writer, const bmf_save_part *of, int from,
                          int64_t first_global, int64_t rows, char *buffer, int status, bmf_error *err)
{
    for (int64_t r = 0, piece; r < rows; r += piece) {
        piece = bmf_save_next_piece(of, rows - r);
        bmf_comm_receive(comm, buffer, piece * of->width, from);
        if (status == BMF_OK)
            status = bmf_model_writer_rows(writer, of->role, first_global + r, piece, buffer, err);
    }
    return status;
}

static void send_rows(bmf_comm *comm, const bmf_save_part *of, int64_t rows, char *buffer)
{
    for (int64_t r = 0, piece; r < rows; r += piece) {
        piece = bmf_save_next_piece(of, rows - r);
        bmf_save_pack_rows(of, r, piece, buffer);
        bmf_comm_send(comm, buffer, piece * of->width, 0);
    }
}

void bmf_save_pack_weights(const bmf_model *model, int64_t first, bmf_csr *piece)
{
    const int64_t *indptr = model->pattern->indptr;
    piece->rows = 0;
    for (int64_t u = first; u < model->users && piece->rows < BMF_PIECE_USERS; u++, piece->rows++) {
        const int64_t count = indptr[u + 1] - indptr[u] - 1, at = piece->indptr[piece->rows];
        if (at + count > BMF_PIECE_FLOATS)
            break;
        memcpy(piece->indices + at, model->pattern->index + indptr[u], (size_t)count * sizeof *piece->indices);
        for (int64_t j = 0; j < count; j++)
            piece->data[at + j] = (float)(model->W_scale[u] * (double)model->W[indptr[u] + j]);
        piece->indptr[piece->rows + 1] = at + count;
    }
}

static int write_own_weights(bmf_model_writer *writer, const bmf_model *model, bmf_csr *piece, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t u = 0; u < model->users && status == BMF_OK; u += piece->rows) {
        bmf_save_pack_weights(model, u, piece);
        status = bmf_model_writer_weights(writer, piece, err);
    }
    return status;
}

/* As write_received. */
static int write_received_weights(bmf_comm *comm, bmf_model_writer *writer, int from, int64_t users, bmf_csr *piece,
                                  int status, bmf_error *err)
{
    for (int64_t u = 0; u < users; u += piece->rows) {
        bmf_comm_receive(comm, &piece->rows, (int64_t)sizeof piece->rows, from);
        bmf_comm_receive(comm, piece->indptr, (piece->rows + 1) * (int64_t)sizeof *piece->indptr, from);
        const int64_t count = bmf_csr_count(piece);
        bmf_comm_receive(comm, piece->indices, count * (int64_t)sizeof *piece->indices, from);
        bmf_comm_receive(comm, piece->data, count * (int64_t)sizeof *piece->data, from);
        if (status == BMF_OK)
            status = bmf_model_writer_weights(writer, piece, err);
    }
    return status;
}

static void send_weights(bmf_comm *comm, const bmf_model *model, bmf_csr *piece)
{
    for (int64_t u = 0; u < model->users; u += piece->rows) {
        bmf_save_pack_weights(model, u, piece);
        const int64_t count = bmf_csr_count(piece);
        bmf_comm_send(comm, &piece->rows, (int64_t)sizeof piece->rows, 0);
        bmf_comm_send(comm, piece->indptr, (piece->rows + 1) * (int64_t)sizeof *piece->indptr, 0);
        bmf_comm_send(comm, piece->indices, count * (int64_t)sizeof *piece->indices, 0);
        bmf_comm_send(comm, piece->data, count * (int64_t)sizeof *piece->data, 0);
    }
}

static int write_user_content(const bmf_save *save, bmf_model_writer *writer, bmf_error *err)
{
    bmf_content content = {0};
    if (save->meta->user_features == 0)
        return BMF_OK;
    int status = bmf_dataset_file_read_user_content(save->dataset, 0, bmf_dataset_file_shape(save->dataset).users,
                                                    &content, err);
    if (status == BMF_OK)
        status = bmf_model_writer_user_content(writer, &content, err);
    bmf_content_clear(&content);
    return status;
}

int bmf_save_create_writer(const bmf_save *save, int64_t weights, bmf_model_writer **out, bmf_error *err)
{
    bmf_ids users = {0}, items = {0};
    const bool reduced = save->reduced->projection.rank > 0;
    bmf_content content = {0};
    const bmf_content *used = reduced ? &save->reduced->content : save->meta->features > 0 ? &content : NULL;
    int status = bmf_dataset_file_read_users(save->dataset, &users, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_items(save->dataset, &items, err);
    if (status == BMF_OK && save->meta->features > 0 && !reduced)
        status = bmf_dataset_file_read_content(save->dataset, &content, err);
    if (status == BMF_OK)
        status = bmf_model_writer_create(save->path, save->meta, &users, &items, used, weights, save->state, out, err);
    if (status == BMF_OK && reduced)
        status = bmf_model_writer_projection(*out, &save->reduced->projection, err);
    if (status == BMF_OK)
        status = write_user_content(save, *out, err);
    if (status == BMF_OK)
        status = bmf_model_writer_counts(*out, save->user_ratings, save->item_ratings, err);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_content_clear(&content);
    return status;
}

int bmf_save_bench_create(const bmf_model *model, int ranks, bmf_save_bench *bench, bmf_error *err)
{
    const int64_t row = model->factors * (int64_t)sizeof(float);
    bench->buffer = bmf_alloc(row > BMF_PIECE_BYTES ? row : BMF_PIECE_BYTES, 1, "piece of the model", err);
    bench->held = bmf_alloc_zero(ranks, sizeof *bench->held, "user ranges", err);
    int status = bench->buffer && bench->held ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK && model->W)
        status = bmf_csr_create(&bench->piece, BMF_PIECE_USERS, model->features, BMF_PIECE_FLOATS, "piece of the model",
                                err);
    return status;
}

void bmf_save_bench_clear(bmf_save_bench *bench)
{
    bmf_free(bench->buffer);
    bmf_free(bench->held);
    bmf_csr_clear(&bench->piece);
}

void bmf_save_share_ranges(bmf_comm *comm, const bmf_model *model, bmf_save_range *held)
{
    const int rank = bmf_comm_rank(comm), size = bmf_comm_size(comm);
    held[rank] = (bmf_save_range){
        .first_user = model->first_user,
        .users = model->users,
        .weights = model->W ? model->pattern->indptr[model->users] : 0,
    };
    bmf_comm_sum_int64(comm, (int64_t *)held, (int64_t)(sizeof *held / sizeof(int64_t)) * size);
    for (int r = 1; r < size; r++)
        held[r].first_weight = held[r - 1].first_weight + held[r - 1].weights;
}

/* The user-wise parts from all ranks. Rank 0 only. */
static int write_users(bmf_comm *comm, bmf_model_writer *writer, const bmf_model *model, const bmf_save_parts *list,
                       bmf_save_bench *bench, bmf_error *err)
{
    const bmf_save_range *held = bench->held;
    int status = BMF_OK;
    for (int p = 0; p < list->user_parts; p++) {
        const bmf_save_part *of = &list->of_users[p];
        if (status == BMF_OK)
            status =
                write_own(writer, of, bmf_save_part_first(of, held), bmf_save_part_rows(of, held), bench->buffer, err);
        for (int r = 1; r < bmf_comm_size(comm); r++)
            status = write_received(comm, writer, of, r, bmf_save_part_first(of, &held[r]),
                                    bmf_save_part_rows(of, &held[r]), bench->buffer, status, err);
    }
    if (status == BMF_OK && model->W)
        status = write_own_weights(writer, model, &bench->piece, err);
    for (int r = 1; model->W && r < bmf_comm_size(comm); r++)
        status = write_received_weights(comm, writer, r, held[r].users, &bench->piece, status, err);
    return status;
}

/* The shared parts from this rank after those of the users, and the commit. Rank 0 only. */
static int finish_writing(bmf_model_writer **writer, const bmf_save *save, const bmf_save_parts *list, char *buffer,
                          int status, bmf_error *err)
{
    for (int p = 0; p < list->shared_parts && status == BMF_OK; p++)
        status = write_own(*writer, &list->shared[p], 0, list->shared[p].rows, buffer, err);
    if (status == BMF_OK)
        status = bmf_model_writer_history(*writer, save->history, save->epochs, err);
    if (status == BMF_OK)
        return bmf_model_writer_commit(writer, err);
    bmf_model_writer_abandon(writer);
    return status;
}

int bmf_save_model(bmf_comm *comm, const bmf_save *save, bmf_error *err)
{
    if (save->io == BMF_IO_COLLECTIVE && !bmf_comm_finishes_by_abort())
        return bmf_save_collectively(comm, save, err);
    const bmf_model *model = save->model;
    const bmf_save_parts list = bmf_save_list(save);
    const int rank = bmf_comm_rank(comm);
    int64_t weights = model->W ? model->pattern->indptr[model->users] - model->users : 0;
    bmf_model_writer *writer = NULL;
    bmf_save_bench bench = {0};
    bmf_comm_sum_int64(comm, &weights, 1);
    int status = bmf_save_bench_create(model, bmf_comm_size(comm), &bench, err);
    if (rank == 0 && status == BMF_OK)
        status = bmf_save_create_writer(save, weights, &writer, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK) {
        bmf_model_writer_abandon(&writer);
        goto done;
    }
    bmf_save_share_ranges(comm, model, bench.held);
    if (rank == 0) {
        status = write_users(comm, writer, model, &list, &bench, err);
        status = finish_writing(&writer, save, &list, bench.buffer, status, err);
    } else {
        for (int p = 0; p < list.user_parts; p++)
            send_rows(comm, &list.of_users[p], bmf_save_part_rows(&list.of_users[p], &bench.held[rank]), bench.buffer);
        if (model->W)
            send_weights(comm, model, &bench.piece);
    }
    status = bmf_comm_agree(comm, status, err);
done:
    bmf_save_bench_clear(&bench);
    return status;
}
