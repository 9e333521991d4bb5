/* The model file: every part read. */
#include <hdf5.h>

#include "base/log.h"
#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "store/model_file.h"

static void read_rows(bmf_model_file *file, bmf_role role, bmf_error *err)
{
    bmf_extent extent = bmf_role_extent(bmf_model_file_meta(file), bmf_model_file_state(file), role);
    if (extent.columns == 0)
        return;
    int64_t first = extent.rows / 3, rows = extent.rows - first;
    void *out = bmf_alloc(rows, (size_t)(extent.columns * bmf_role_size(role)), "rows", err);
    fuzz_require(out != NULL, "what the extents declare can be held", err);
    fuzz_require_answer(bmf_model_file_read_rows(file, role, first, rows, out, err), err);
    bmf_free(out);
}

static void read_parts(bmf_model_file *file, bmf_error *err)
{
    bmf_ids users, items;
    bmf_content content = {0}, user_content;
    bmf_projection projection;
    bmf_epoch_record *history;
    int64_t epochs;
    fuzz_require_answer(bmf_model_file_read_users(file, &users, err), err);
    fuzz_require_answer(bmf_model_file_read_items(file, &items, err), err);
    if (bmf_model_file_meta(file)->features > 0)
        fuzz_require_answer(bmf_model_file_read_content(file, &content, err), err);
    fuzz_require_answer(bmf_model_file_read_user_content(file, &user_content, err), err);
    fuzz_require_answer(bmf_model_file_read_projection(file, &projection, err), err);
    fuzz_require_answer(bmf_model_file_read_history(file, &history, &epochs, err), err);
    for (int role = 0; role < BMF_ROLES; role++)
        read_rows(file, (bmf_role)role, err);
    bmf_csr weights = {0};
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    if (bmf_model_meta_has_weights(meta))
        fuzz_require_answer(bmf_model_file_read_weights(file, meta->users / 3, meta->users, &weights, err), err);
    bmf_csr_clear(&weights);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_content_clear(&content);
    bmf_content_clear(&user_content);
    bmf_projection_clear(&projection);
    bmf_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_model_file *file = NULL;
    bmf_log_set_level(BMF_LOG_SILENT);
    int status = bmf_model_file_open(fuzz_file(0, data, size), &file, &err);
    fuzz_require_seed(status, &err);
    fuzz_require_answer(status, &err);
    if (status == BMF_OK)
        read_parts(file, &err);
    bmf_model_file_close(&file);
    fuzz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "everything of HDF5 is closed", NULL);
    return 0;
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_hdf5(data, size, room, seed);
}
