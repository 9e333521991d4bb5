#include "base/memory.h"
#include "store/model_file.h"

#define PIECE_BYTES ((int64_t)4 << 20)
#define PIECE_USERS ((int64_t)1 << 14)

static int verify_ids(bmf_model_file *file, bmf_error *err)
{
    bmf_ids users = {0}, items = {0};
    int status = bmf_model_file_read_users(file, &users, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_items(file, &items, err);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    return status;
}

static int verify_counts(bmf_model_file *file, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    const int64_t most = meta->users > meta->items ? meta->users : meta->items;
    int32_t *count = bmf_alloc(most, sizeof *count, "counts to verify", err);
    int status = count ? bmf_model_file_read_user_counts(file, 0, meta->users, count, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_model_file_read_item_counts(file, 0, meta->items, count, err);
    bmf_free(count);
    return status;
}

static int verify_content(bmf_model_file *file, bmf_error *err)
{
    bmf_content content = {0};
    int status = bmf_model_file_read_content(file, &content, err);
    bmf_content_clear(&content);
    if (status == BMF_OK)
        status = bmf_model_file_read_user_content(file, &content, err);
    bmf_content_clear(&content);
    bmf_projection projection = {.rank = 0};
    if (status == BMF_OK)
        status = bmf_model_file_read_projection(file, &projection, err);
    bmf_projection_clear(&projection);
    return status;
}

static int verify_history(bmf_model_file *file, bmf_error *err)
{
    bmf_epoch_record *history = NULL;
    int64_t count = 0;
    int status = bmf_model_file_read_history(file, &history, &count, err);
    bmf_free(history);
    return status;
}

static int verify_rows(bmf_model_file *file, bmf_role role, bmf_error *err)
{
    const bmf_extent extent = bmf_role_extent(bmf_model_file_meta(file), bmf_model_file_state(file), role);
    if (extent.columns == 0 || extent.rows == 0)
        return BMF_OK;
    const int64_t width = extent.columns * bmf_role_size(role);
    int64_t most = PIECE_BYTES / width;
    most = most < 1 ? 1 : most > extent.rows ? extent.rows : most;
    void *rows = bmf_alloc(most, (size_t)width, "rows to verify", err);
    int status = rows ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t first = 0, piece; first < extent.rows && status == BMF_OK; first += piece) {
        piece = extent.rows - first < most ? extent.rows - first : most;
        status = bmf_model_file_read_rows(file, role, first, piece, rows, err);
    }
    bmf_free(rows);
    return status;
}

static int verify_weights(bmf_model_file *file, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    int status = BMF_OK;
    for (int64_t first = 0; bmf_model_meta_has_weights(meta) && first < meta->users && status == BMF_OK;
         first += PIECE_USERS) {
        const int64_t last = first + PIECE_USERS < meta->users ? first + PIECE_USERS : meta->users;
        bmf_csr weights = {0};
        status = bmf_model_file_read_weights(file, first, last, &weights, err);
        bmf_csr_clear(&weights);
    }
    return status;
}

int bmf_model_file_verify(const char *path, bmf_error *err)
{
    bmf_model_file *file = NULL;
    int status = bmf_model_file_open(path, &file, err);
    if (status != BMF_OK)
        return status;
    status = verify_ids(file, err);
    if (status == BMF_OK)
        status = verify_counts(file, err);
    if (status == BMF_OK)
        status = verify_content(file, err);
    if (status == BMF_OK)
        status = verify_history(file, err);
    for (int role = 0; role < BMF_ROLES && status == BMF_OK; role++)
        status = verify_rows(file, (bmf_role)role, err);
    if (status == BMF_OK)
        status = verify_weights(file, err);
    bmf_model_file_close(&file);
    return status;
}
