/* For the Python oracle: `write DIR` makes sample files and tells their arrays as text, `read FILE` reads everything of a
 * data set or a model and ends with the status, its message on stdout. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "unit/store_samples.h"

static void print_csr(const char *file, const char *name, const bmf_csr *matrix)
{
    printf("%s %s shape %" PRId64 " %" PRId64 "\n", file, name, matrix->rows, matrix->columns);
    for (int64_t row = 0; row < matrix->rows; row++)
        for (int64_t at = matrix->indptr[row]; at < matrix->indptr[row + 1]; at++)
            printf("%s %s entry %" PRId64 " %" PRId32 " %.9g\n", file, name, row, matrix->indices[at],
                   (double)matrix->data[at]);
}

static void print_dataset(const char *file, const bmf_dataset *dataset)
{
    char buffer[24];
    for (int s = 0; s < BMF_SPLITS; s++) {
        char name[32];
        snprintf(name, sizeof name, "ratings/%s", bmf_split_name((bmf_split)s));
        print_csr(file, name, &dataset->split[s].matrix);
    }
    print_csr(file, "content", &dataset->content.matrix);
    print_csr(file, "user_content", &dataset->user_content.matrix);
    for (int64_t i = 0; i < dataset->users.count; i++)
        printf("%s users/id text %s\n", file, bmf_ids_print(&dataset->users, i, buffer));
    for (int64_t i = 0; i < dataset->title.count; i++)
        printf("%s items/title text %s\n", file, bmf_strings_get(&dataset->title, i));
    for (int64_t i = 0; i < dataset->content.feature.count; i++)
        printf("%s content/feature text %s\n", file, bmf_strings_get(&dataset->content.feature, i));
    for (int64_t i = 0; i < dataset->user_content.feature.count; i++)
        printf("%s user_content/feature text %s\n", file, bmf_strings_get(&dataset->user_content.feature, i));
}

static int write_one(const char *directory, const char *name, bool text_ids, bmf_error *err)
{
    char path[1024];
    bmf_dataset dataset;
    sample_options options = sample_defaults();
    options.users = 40;
    options.items = 60;
    options.text_ids = text_ids;
    options.empty_test = text_ids;
    int status = sample_dataset(&options, &dataset, err);
    snprintf(path, sizeof path, "%s/%s.h5", directory, name);
    if (status == BMF_OK)
        status = bmf_dataset_write(path, &dataset, err);
    bmf_model_meta meta = sample_meta(&dataset, text_ids ? BMF_CONTENT_EMBED : BMF_CONTENT_CONCAT, 4);
    snprintf(path, sizeof path, "%s/%s-model.h5", directory, name);
    if (status == BMF_OK)
        status = sample_model_write(path, &meta, &dataset, err);
    if (status == BMF_OK)
        print_dataset(name, &dataset);
    bmf_csr weights = {0};
    if (status == BMF_OK && bmf_model_meta_has_weights(&meta))
        status = sample_weights(&meta, 0, meta.users, &weights, err);
    snprintf(path, sizeof path, "%s-model", name);
    if (weights.indptr)
        print_csr(path, "W", &weights);
    bmf_csr_clear(&weights);
    bmf_dataset_clear(&dataset);
    return status;
}

static int read_dataset(const char *path, bmf_error *err)
{
    bmf_dataset dataset;
    int status = bmf_dataset_read(path, &dataset, err);
    bmf_dataset_clear(&dataset);
    return status;
}

static int read_file(const char *path, bmf_error *err)
{
    char kind[32];
    int64_t version;
    int status = bmf_file_kind(path, kind, &version, err);
    if (status != BMF_OK)
        return status;
    return strcmp(kind, "model") == 0 ? bmf_model_file_verify(path, err) : read_dataset(path, err);
}

int main(int argc, char **argv)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = BMF_ERR_USAGE;
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        status = write_one(argv[2], "numbers", false, &err);
        if (status == BMF_OK)
            status = write_one(argv[2], "strings", true, &err);
    } else if (argc == 3 && strcmp(argv[1], "read") == 0) {
        status = read_file(argv[2], &err);
    }
    if (status != BMF_OK)
        printf("%s\n", err.text);
    return status;
}
