/* The data-set file: every part read, whole and by ranges of users. */
#include <hdf5.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/import.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "store/dataset_file.h"
#include "store/model_file.h"

static void read_split(bmf_dataset_file *file, bmf_split split, bmf_error *err)
{
    int64_t *indptr = NULL, users = bmf_dataset_file_shape(file).users;
    fuzz_require_answer(bmf_dataset_file_read_indptr(file, split, &indptr, err), err);
    bmf_free(indptr);
    for (int half = 0; half < 2; half++) {
        bmf_ratings ratings;
        int64_t first = half ? users / 2 : 0, last = half ? users : users / 2;
        int status = bmf_dataset_file_read_ratings(file, split, first, last, 1, &ratings, err);
        if (status == BMF_OK)
            fuzz_require(bmf_csr_check(&ratings.matrix, "ratings", 1, err) == BMF_OK, "ratings are sound", err);
        fuzz_require_answer(status, err);
        bmf_ratings_clear(&ratings);
    }
}

/* Each part, whatever became of the others. */
static void read_parts(bmf_dataset_file *file, bmf_error *err)
{
    bmf_ids users, items;
    bmf_strings titles;
    bmf_content content, user_content;
    bmf_import_record record;
    uint64_t fingerprint;
    fuzz_require_answer(bmf_dataset_file_read_users(file, &users, err), err);
    fuzz_require_answer(bmf_dataset_file_read_items(file, &items, err), err);
    fuzz_require_answer(bmf_dataset_file_read_titles(file, &titles, err), err);
    fuzz_require_answer(bmf_dataset_file_read_content(file, &content, err), err);
    fuzz_require_answer(
        bmf_dataset_file_read_user_content(file, 0, bmf_dataset_file_shape(file).users, &user_content, err), err);
    fuzz_require_answer(bmf_dataset_file_read_import(file, &record, err), err);
    fuzz_require_answer(bmf_dataset_file_fingerprint(file, &fingerprint, err), err);
    for (int split = 0; split < BMF_SPLITS; split++)
        read_split(file, (bmf_split)split, err);
    bmf_ids_clear(&users);
    bmf_ids_clear(&items);
    bmf_strings_clear(&titles);
    bmf_content_clear(&content);
    bmf_content_clear(&user_content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset_file *file = NULL;
    bmf_dataset dataset;
    char kind[32];
    int64_t version;
    bmf_log_set_level(BMF_LOG_SILENT);
    const char *path = fuzz_file(0, data, size);
    fuzz_require_answer(bmf_file_kind(path, kind, &version, &err), &err);
    int status = bmf_dataset_file_open(path, &file, &err);
    fuzz_require_seed(status, &err);
    fuzz_require_answer(status, &err);
    if (status == BMF_OK)
        read_parts(file, &err);
    bmf_dataset_file_close(&file);
    if (status == BMF_OK) {
        status = bmf_dataset_read(path, &dataset, &err);
        fuzz_require_seed(status, &err);
        if (status == BMF_OK)
            (void)bmf_dataset_report_of(&dataset);
        fuzz_require_answer(status, &err);
        bmf_dataset_clear(&dataset);
    }
    fuzz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "everything of HDF5 is closed", NULL);
    return 0;
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_hdf5(data, size, room, seed);
}
