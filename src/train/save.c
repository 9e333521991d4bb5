#include "train/save.h"

#include <string.h>

#include "base/memory.h"

#define PIECE_FLOATS ((int64_t)1 << 18)
#define PIECE_USERS ((int64_t)1 << 14) /* whose weights go together, if they are no more than PIECE_FLOATS */
_Static_assert((1 << 18) >= BMF_MOST_WEIGHTS, "a piece has room for any user");

/* One user-wise array as the file wants it: rows × columns, packed. */
typedef struct part {
    bmf_role role;
    const float *data;
    int64_t columns, stride;
} part;

static void pack_rows(const part *of, int64_t first, int64_t rows, float *to)
{
    for (int64_t r = 0; r < rows; r++, to += of->columns)
        memcpy(to, of->data + (first + r) * of->stride, (size_t)of->columns * sizeof *to);
}

static int64_t rows_per_piece(const part *of)
{
    int64_t rows = PIECE_FLOATS / of->columns;
    return rows < 1 ? 1 : rows;
}

/* Writes `rows` rows of this process, at `first_global` in the file. */
static int write_own(bmf_model_writer *writer, const part *of, int64_t first_global, int64_t rows, float *buffer,
                     bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t r = 0, piece; r < rows && status == BMF_OK; r += piece) {
        piece = rows - r < rows_per_piece(of) ? rows - r : rows_per_piece(of);
        pack_rows(of, r, piece, buffer);
        status = bmf_model_writer_rows(writer, of->role, first_global + r, piece, buffer, err);
    }
    return status;
}

/* Receives and writes the rows of another rank. After a failed write the rest is received all the same: the sender does not
 * know. */
static int write_received(bmf_comm *comm, bmf_model_writer *writer, const part *of, int from, int64_t first_global,
                          int64_t rows, float *buffer, int status, bmf_error *err)
{
    for (int64_t r = 0, piece; r < rows; r += piece) {
        piece = rows - r < rows_per_piece(of) ? rows - r : rows_per_piece(of);
        bmf_comm_receive(comm, buffer, piece * of->columns * (int64_t)sizeof(float), from);
        if (status == BMF_OK)
            status = bmf_model_writer_rows(writer, of->role, first_global + r, piece, buffer, err);
    }
    return status;
}

static void send_rows(bmf_comm *comm, const part *of, int64_t rows, float *buffer)
{
    for (int64_t r = 0, piece; r < rows; r += piece) {
        piece = rows - r < rows_per_piece(of) ? rows - r : rows_per_piece(of);
        pack_rows(of, r, piece, buffer);
        bmf_comm_send(comm, buffer, piece * of->columns * (int64_t)sizeof(float), 0);
    }
}

/* The weights of users from `first` on as the file has them, as many as fit into the piece. */
static void pack_weights(const bmf_model *model, int64_t first, bmf_csr *piece)
{
    const int64_t *indptr = model->pattern->indptr;
    piece->rows = 0;
    for (int64_t u = first; u < model->users && piece->rows < PIECE_USERS; u++, piece->rows++) {
        const int64_t count = indptr[u + 1] - indptr[u] - 1, at = piece->indptr[piece->rows];
        if (at + count > PIECE_FLOATS)
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
        pack_weights(model, u, piece);
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
        pack_weights(model, u, piece);
        const int64_t count = bmf_csr_count(piece);
        bmf_comm_send(comm, &piece->rows, (int64_t)sizeof piece->rows, 0);
        bmf_comm_send(comm, piece->indptr, (piece->rows + 1) * (int64_t)sizeof *piece->indptr, 0);
        bmf_comm_send(comm, piece->indices, count * (int64_t)sizeof *piece->indices, 0);
        bmf_comm_send(comm, piece->data, count * (int64_t)sizeof *piece->data, 0);
    }
}

/* Opens the writer with the ids and the content of the data set. Rank 0 only. */
static int create_writer(const char *path, const bmf_model_meta *meta, bmf_dataset_file *dataset, int64_t weights,
                         bmf_model_writer **out, bmf_error *err)
{
    bmf_ids users = {0}, items = {0};
    bmf_content content = {0};
    int status = bmf_dataset_file_read_users(dataset, &users, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_items(dataset, &items, err);
    if (status == BMF_OK && meta->features > 0)
        status = bmf_dataset_file_read_content(dataset, &content, err);
    if (status == BMF_OK)
        status = bmf_model_writer_create(path, meta, &users, &items, meta->features > 0 ? &content : NULL, weights, out,
                                         err);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_content_clear(&content);
    return status;
}

/* What a rank works in. */
typedef struct work_bench {
    float *buffer;  /* (the widest row or PIECE_FLOATS) */
    bmf_csr piece;  /* of W; {0} without */
    int64_t *range; /* (2 × ranks) first user and users of each rank */
} work_bench;

static int bench_create(const bmf_model *model, int ranks, work_bench *bench, bmf_error *err)
{
    const int64_t floats = model->factors > PIECE_FLOATS ? model->factors : PIECE_FLOATS;
    bench->buffer = bmf_alloc(floats, sizeof *bench->buffer, "piece of the model", err);
    bench->range = bmf_alloc_zero(2 * ranks, sizeof *bench->range, "user ranges", err);
    int status = bench->buffer && bench->range ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK && model->W)
        status = bmf_csr_create(&bench->piece, PIECE_USERS, model->features, PIECE_FLOATS, "piece of the model", err);
    return status;
}

static void bench_clear(work_bench *bench)
{
    bmf_free(bench->buffer);
    bmf_free(bench->range);
    bmf_csr_clear(&bench->piece);
}

/* The user-wise parts from all ranks. Rank 0 only. */
static int write_users(bmf_comm *comm, bmf_model_writer *writer, const bmf_model *model, const part *user_part,
                       int parts, work_bench *bench, bmf_error *err)
{
    const int64_t *range = bench->range;
    int status = BMF_OK;
    for (int p = 0; p < parts; p++) {
        if (status == BMF_OK)
            status = write_own(writer, &user_part[p], range[0], range[1], bench->buffer, err);
        for (int r = 1; r < bmf_comm_size(comm); r++)
            status = write_received(comm, writer, &user_part[p], r, range[2 * r], range[2 * r + 1], bench->buffer,
                                    status, err);
    }
    if (status == BMF_OK && model->W)
        status = write_own_weights(writer, model, &bench->piece, err);
    for (int r = 1; model->W && r < bmf_comm_size(comm); r++)
        status = write_received_weights(comm, writer, r, range[2 * r + 1], &bench->piece, status, err);
    return status;
}

/* The item-wise parts from this rank after those of the users, and the commit. Rank 0 only. */
static int finish_writing(bmf_model_writer **writer, const bmf_model *model, const bmf_epoch_record *history,
                          int64_t epochs, float *buffer, int status, bmf_error *err)
{
    const part item_part[] = {{BMF_ROLE_Q, model->Q, model->factors, model->stride},
                              {BMF_ROLE_ITEM_BIAS, model->item_bias, 1, 1}};
    for (int p = 0; p < 2 && status == BMF_OK; p++)
        status = write_own(*writer, &item_part[p], 0, model->items, buffer, err);
    if (status == BMF_OK)
        status = bmf_model_writer_history(*writer, history, epochs, err);
    if (status == BMF_OK)
        return bmf_model_writer_commit(writer, err);
    bmf_model_writer_abandon(writer);
    return status;
}

int bmf_save_model(bmf_comm *comm, const char *path, const bmf_model *model, const bmf_model_meta *meta,
                   bmf_dataset_file *dataset, const bmf_epoch_record *history, int64_t epochs, bmf_error *err)
{
    const part user_part[] = {{BMF_ROLE_P, model->P, model->factors, model->stride},
                              {BMF_ROLE_USER_BIAS, model->user_bias, 1, 1}};
    const int rank = bmf_comm_rank(comm), size = bmf_comm_size(comm);
    int64_t weights = model->W ? model->pattern->indptr[model->users] - model->users : 0;
    bmf_model_writer *writer = NULL;
    work_bench bench = {0};
    bmf_comm_sum_int64(comm, &weights, 1);
    int status = bench_create(model, size, &bench, err);
    if (rank == 0 && status == BMF_OK)
        status = create_writer(path, meta, dataset, weights, &writer, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK) {
        bmf_model_writer_abandon(&writer);
        goto done;
    }
    bench.range[2 * rank] = model->first_user;
    bench.range[2 * rank + 1] = model->users;
    bmf_comm_sum_int64(comm, bench.range, 2 * size);
    if (rank == 0) {
        status = write_users(comm, writer, model, user_part, 2, &bench, err);
        status = finish_writing(&writer, model, history, epochs, bench.buffer, status, err);
    } else {
        for (int p = 0; p < 2; p++)
            send_rows(comm, &user_part[p], model->users, bench.buffer);
        if (model->W)
            send_weights(comm, model, &bench.piece);
    }
    status = bmf_comm_agree(comm, status, err);
done:
    bench_clear(&bench);
    return status;
}
