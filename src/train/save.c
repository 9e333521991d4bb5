#include "train/save.h"

#include <string.h>

#include "base/memory.h"

#define PIECE_FLOATS ((int64_t)1 << 18)

/* One user-wise array as the file wants it: rows × columns, packed. */
typedef struct part {
    bmf_role role;
    const float *data;
    int64_t columns, stride;
    const double *scale;   /* W: of each row; else NULL */
    const int32_t *column; /* W: in memory, of each column of the file; else NULL */
} part;

static void pack_rows(const part *of, int64_t first, int64_t rows, float *to)
{
    for (int64_t r = 0; r < rows; r++, to += of->columns) {
        const float *row = of->data + (first + r) * of->stride;
        if (of->column)
            for (int64_t j = 0; j < of->columns; j++)
                to[j] = (float)(of->scale[first + r] * (double)row[of->column[j]]);
        else
            memcpy(to, row, (size_t)of->columns * sizeof *to);
    }
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

/* Opens the writer with the ids and the content of the data set. Rank 0 only. */
static int create_writer(const char *path, const bmf_model_meta *meta, bmf_dataset_file *dataset,
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
        status = bmf_model_writer_create(path, meta, &users, &items, meta->features > 0 ? &content : NULL, out, err);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_content_clear(&content);
    return status;
}

/* The user-wise parts from all ranks, then the item-wise ones from this one, and the commit. Rank 0 only; range (2 × size):
 * first user and users of each rank. */
static int write_everything(bmf_comm *comm, bmf_model_writer **writer, const bmf_model *model, const part *user_part,
                            int user_parts, const int64_t *range, float *buffer, const bmf_epoch_record *history,
                            int64_t epochs, bmf_error *err)
{
    const part item_part[] = {{BMF_ROLE_Q, model->Q, model->factors, model->stride, NULL, NULL},
                              {BMF_ROLE_ITEM_BIAS, model->item_bias, 1, 1, NULL, NULL}};
    int status = BMF_OK;
    for (int p = 0; p < user_parts; p++) {
        if (status == BMF_OK)
            status = write_own(*writer, &user_part[p], range[0], range[1], buffer, err);
        for (int r = 1; r < bmf_comm_size(comm); r++)
            status =
                write_received(comm, *writer, &user_part[p], r, range[2 * r], range[2 * r + 1], buffer, status, err);
    }
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
                   bmf_dataset_file *dataset, const int32_t *feature_column, const bmf_epoch_record *history,
                   int64_t epochs, bmf_error *err)
{
    const part user_part[] = {{BMF_ROLE_P, model->P, model->factors, model->stride, NULL, NULL},
                              {BMF_ROLE_USER_BIAS, model->user_bias, 1, 1, NULL, NULL},
                              {BMF_ROLE_W, model->W, model->features, model->features, model->W_scale, feature_column}};
    const int user_parts = model->W ? 3 : 2, rank = bmf_comm_rank(comm), size = bmf_comm_size(comm);
    int64_t widest = model->features > model->factors ? model->features : model->factors;
    bmf_model_writer *writer = NULL;
    float *buffer = bmf_alloc(widest > PIECE_FLOATS ? widest : PIECE_FLOATS, sizeof *buffer, "piece of the model", err);
    int64_t *range = bmf_alloc_zero(2 * size, sizeof *range, "user ranges", err);
    int status = buffer && range ? BMF_OK : BMF_ERR_MEMORY;
    if (rank == 0 && status == BMF_OK)
        status = create_writer(path, meta, dataset, &writer, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK) {
        bmf_model_writer_abandon(&writer);
        goto done;
    }
    range[2 * rank] = model->first_user;
    range[2 * rank + 1] = model->users;
    bmf_comm_sum_int64(comm, range, 2 * size);
    if (rank == 0)
        status = write_everything(comm, &writer, model, user_part, user_parts, range, buffer, history, epochs, err);
    else
        for (int p = 0; p < user_parts; p++)
            send_rows(comm, &user_part[p], model->users, buffer);
    status = bmf_comm_agree(comm, status, err);
done:
    bmf_free(buffer);
    bmf_free(range);
    return status;
}
