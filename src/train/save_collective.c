/* The file by all ranks at once: rank 0 makes it, every rank writes its own rows into it. */
#include "base/memory.h"
#include "store/parallel_file.h"
#include "train/save_parts.h"

/* Rows of this rank, from `first` of its array on, to `first_global` in the file; in as many rounds as the rank with the most
 * rows needs. */
static int write_rows(bmf_comm *comm, bmf_parallel_file *file, const bmf_save_part *of, int64_t first,
                      int64_t first_global, int64_t rows, char *buffer, bmf_error *err)
{
    const int64_t most = bmf_save_rows_per_piece(of);
    double rounds = (double)((rows + most - 1) / most);
    int status = BMF_OK;
    bmf_comm_max_double(comm, &rounds, 1);
    for (int64_t round = 0, done = 0; round < (int64_t)rounds && status == BMF_OK; round++) {
        int64_t piece = bmf_save_next_piece(of, rows - done);
        bmf_save_pack_rows(of, first + done, piece, buffer);
        status = bmf_parallel_file_rows(file, bmf_role_name(of->role), first_global + done, piece, buffer, err);
        done += piece;
    }
    return status;
}

/* indptr of a piece as the file counts it; the first rank has the 0 in front too. */
static int write_indptr(bmf_parallel_file *file, const bmf_csr *piece, int64_t first_user, int64_t entry, bool lead,
                        int64_t *indptr, bmf_error *err)
{
    int64_t count = 0;
    if (lead)
        indptr[count++] = 0;
    for (int64_t u = 0; u < piece->rows; u++)
        indptr[count++] = entry + piece->indptr[u + 1];
    return bmf_parallel_file_rows(file, "W/indptr", first_user + (lead ? 0 : 1), count, indptr, err);
}

/* W in rounds, until no rank has users left. `entry` is where this rank's weights start in the file. */
static int write_weights(bmf_comm *comm, bmf_parallel_file *file, const bmf_model *model, int64_t entry, bmf_csr *piece,
                         bmf_error *err)
{
    int64_t *indptr = bmf_alloc(BMF_PIECE_USERS + 1, sizeof *indptr, "indptr", err);
    int status = bmf_comm_agree(comm, indptr ? BMF_OK : BMF_ERR_MEMORY, err);
    bool lead = bmf_comm_rank(comm) == 0;
    for (int64_t user = 0, left = 1; left > 0 && status == BMF_OK;) {
        bmf_save_pack_weights(model, user, piece);
        const int64_t count = bmf_csr_count(piece);
        status = write_indptr(file, piece, model->first_user + user, entry, lead, indptr, err);
        if (status == BMF_OK)
            status = bmf_parallel_file_rows(file, "W/indices", entry, count, piece->indices, err);
        if (status == BMF_OK)
            status = bmf_parallel_file_rows(file, "W/data", entry, count, piece->data, err);
        lead = false;
        user += piece->rows;
        entry += count;
        left = model->users - user;
        bmf_comm_sum_int64(comm, &left, 1);
    }
    bmf_free(indptr);
    return status;
}

/* What is shared is the same on all ranks: each writes a share of it. `entry` as above. */
static int write_parts(bmf_comm *comm, bmf_parallel_file *file, const bmf_save *save, int64_t entry,
                       bmf_save_bench *bench, bmf_error *err)
{
    const bmf_save_parts list = bmf_save_list(save);
    const int64_t rank = bmf_comm_rank(comm), size = bmf_comm_size(comm);
    const bmf_save_range *held = &bench->held[rank];
    int status = BMF_OK;
    for (int p = 0; p < list.user_parts && status == BMF_OK; p++) {
        const bmf_save_part *of = &list.of_users[p];
        status = write_rows(comm, file, of, 0, bmf_save_part_first(of, held), bmf_save_part_rows(of, held),
                            bench->buffer, err);
    }
    for (int p = 0; p < list.shared_parts && status == BMF_OK; p++) {
        const bmf_save_part *of = &list.shared[p];
        const int64_t first = of->rows * rank / size, last = of->rows * (rank + 1) / size;
        status = write_rows(comm, file, of, first, first, last - first, bench->buffer, err);
    }
    if (status == BMF_OK && save->model->W)
        status = write_weights(comm, file, save->model, entry, &bench->piece, err);
    return status;
}

/* The part of rank 0: everything but the rows. *temporary: the file's name for now, of about *bytes bytes. */
static int make_file(const bmf_save *save, int64_t weights, bmf_model_writer **writer, const char **temporary,
                     int64_t *bytes, bmf_error *err)
{
    int status = bmf_save_create_writer(save, weights, writer, err);
    if (status == BMF_OK)
        status = bmf_model_writer_history(*writer, save->history, save->epochs, err);
    if (status == BMF_OK)
        status = bmf_model_writer_hand_over(*writer, temporary, bytes, err);
    return status;
}

/* Where this rank's entries of W start in the file, and how many there are: one for each user less than in memory. */
static int64_t place_weights(bmf_comm *comm, const bmf_model *model, const bmf_save_range *held, int64_t *all)
{
    const int rank = bmf_comm_rank(comm), last = bmf_comm_size(comm) - 1;
    *all = model->W ? held[last].first_weight + held[last].weights - held[last].first_user - held[last].users : 0;
    return held[rank].first_weight - held[rank].first_user;
}

int bmf_save_collectively(bmf_comm *comm, const bmf_save *save, bmf_error *err)
{
    const bool root = bmf_comm_rank(comm) == 0;
    bmf_save_bench bench = {0};
    bmf_model_writer *writer = NULL;
    bmf_parallel_file *file = NULL;
    const char *temporary = NULL;
    int64_t bytes = 0, weights = 0, entry = 0;
    int status = bmf_comm_agree(comm, bmf_save_bench_create(save->model, bmf_comm_size(comm), &bench, err), err);
    if (status == BMF_OK) {
        bmf_save_share_ranges(comm, save->model, bench.held);
        entry = place_weights(comm, save->model, bench.held, &weights);
        if (root)
            status = make_file(save, weights, &writer, &temporary, &bytes, err);
        status = bmf_comm_agree(comm, status, err);
    }
    if (status == BMF_OK)
        status = bmf_parallel_file_open(comm, temporary, bytes, save->path, &file, err);
    if (status == BMF_OK)
        status = write_parts(comm, file, save, entry, &bench, err);
    if (status == BMF_OK)
        status = bmf_parallel_file_finish(&file, err);
    bmf_parallel_file_abandon(&file);
    if (status == BMF_OK)
        status = bmf_comm_agree(comm, root ? bmf_model_writer_commit(&writer, err) : BMF_OK, err);
    bmf_model_writer_abandon(&writer);
    bmf_save_bench_clear(&bench);
    return status;
}
