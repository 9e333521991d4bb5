#include "train/content_svd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "linalg/svd.h"

void bmf_reduced_content_clear(bmf_reduced_content *reduced)
{
    bmf_content_clear(&reduced->content);
    bmf_projection_clear(&reduced->projection);
}

/* Says how much of the variance the projected rows keep before they are scaled, which scikit-learn sums up as
 * explained_variance_ratio_: mean squares less squared means, of the columns before and of the directions after. */
static int tell(const bmf_csr *given, const bmf_projection *projection, const char *path, bmf_error *err)
{
    const double n = (double)given->rows;
    double before = 0, after = 0, *mean = bmf_alloc_zero(given->columns, sizeof *mean, "means of features", err);
    if (!mean)
        return BMF_ERR_MEMORY;
    for (int64_t e = 0; e < bmf_csr_count(given); e++) {
        before += (double)given->data[e] * (double)given->data[e] / n;
        mean[given->indices[e]] += (double)given->data[e] / n;
    }
    for (int64_t d = 0; d < projection->rank; d++) {
        double along = 0;
        for (int64_t c = 0; c < given->columns; c++)
            along += mean[c] * (double)projection->components[c * projection->rank + d];
        after += projection->singular_value[d] * projection->singular_value[d] / n - along * along;
    }
    for (int64_t c = 0; c < given->columns; c++)
        before -= mean[c] * mean[c];
    bmf_free(mean);
    bmf_log_info("%s: content of %" PRId64 " features reduced to %" PRId64 ", which keep %.1f %% of the variance", path,
                 given->columns, projection->rank, before > 0 ? 100 * after / before : 0.0);
    return BMF_OK;
}

/* n × D: a full row for each item that the directions know something of. */
static int project(const bmf_csr *given, const bmf_projection *projection, bmf_csr *out, bmf_error *err)
{
    const int64_t rank = projection->rank;
    int64_t most = 0;
    for (int64_t i = 0; i < given->rows; i++)
        most += given->indptr[i + 1] > given->indptr[i];
    int status = bmf_csr_create(out, given->rows, rank, most * rank, "reduced content", err);
    for (int64_t i = 0, at = 0; i < given->rows && status == BMF_OK; i++) {
        const int64_t first = given->indptr[i], count = given->indptr[i + 1] - first;
        if (count > 0 &&
            bmf_projection_apply(projection, given->indices + first, given->data + first, count, out->data + at))
            for (int64_t d = 0; d < rank; d++)
                out->indices[at++] = (int32_t)d;
        out->indptr[i + 1] = at;
    }
    return status;
}

/* "svd01", "svd02", ..: ascending as names of features are. They have no idf. */
static int name_features(bmf_content *content, bmf_error *err)
{
    const int64_t rank = content->matrix.columns;
    char name[32];
    const int digits = snprintf(name, sizeof name, "%" PRId64, rank);
    content->idf = bmf_alloc(rank, sizeof *content->idf, "idf", err);
    int status = content->idf ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t d = 0; d < rank && status == BMF_OK; d++) {
        content->idf[d] = 1;
        const int length = snprintf(name, sizeof name, "svd%0*" PRId64, digits, d + 1);
        status = bmf_strings_add(&content->feature, name, length, err);
    }
    return status;
}

/* Rank 0's part. */
static int reduce(bmf_dataset_file *file, int64_t rank, int threads, bmf_reduced_content *out, bmf_error *err)
{
    const bmf_dataset_shape shape = bmf_dataset_file_shape(file);
    const int64_t most = shape.features < shape.items ? shape.features : shape.items;
    bmf_content given = {0};
    bmf_svd svd = {0};
    if (rank > most)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--content-svd: %" PRId64 " is too many for %s with %" PRId64 " items and %" PRId64
                        " features (allowed: 1 to %" PRId64 ", or 0 for the features as they are)",
                        rank, bmf_dataset_file_path(file), shape.items, shape.features, most);
    int status = bmf_dataset_file_read_content(file, &given, err);
    if (status == BMF_OK)
        status = bmf_svd_truncated(&given.matrix, rank, threads, &svd, err);
    if (status == BMF_OK) {
        out->projection = (bmf_projection){given.feature, given.idf, rank, svd.components, svd.singular_value};
        given.feature = (bmf_strings){0};
        given.idf = NULL;
        status = project(&given.matrix, &out->projection, &out->content.matrix, err);
    }
    if (status == BMF_OK)
        status = name_features(&out->content, err);
    if (status == BMF_OK)
        status = tell(&given.matrix, &out->projection, bmf_dataset_file_path(file), err);
    bmf_content_clear(&given);
    return status;
}

/* Every rank gets the rows that rank 0 computed: others' might differ in a last bit. Collective. */
static int share(bmf_comm *comm, bmf_csr *matrix, bmf_error *err)
{
    int64_t shape[3] = {matrix->rows, matrix->columns, bmf_csr_count(matrix)};
    int status = BMF_OK;
    bmf_comm_broadcast(comm, shape, (int64_t)sizeof shape, 0);
    if (bmf_comm_rank(comm) != 0)
        status = bmf_csr_create(matrix, shape[0], shape[1], shape[2], "reduced content", err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK)
        return status;
    bmf_comm_broadcast(comm, matrix->indptr, (shape[0] + 1) * (int64_t)sizeof *matrix->indptr, 0);
    bmf_comm_broadcast(comm, matrix->indices, shape[2] * (int64_t)sizeof *matrix->indices, 0);
    bmf_comm_broadcast(comm, matrix->data, shape[2] * (int64_t)sizeof *matrix->data, 0);
    return BMF_OK;
}

int bmf_reduce_content(bmf_comm *comm, bmf_dataset_file *file, int64_t rank, int threads, bmf_reduced_content *out,
                       bmf_error *err)
{
    *out = (bmf_reduced_content){.projection = {.rank = 0}};
    if (rank == 0)
        return BMF_OK;
    int status = bmf_comm_rank(comm) == 0 ? reduce(file, rank, threads, out, err) : BMF_OK;
    status = bmf_comm_agree(comm, status, err);
    if (status == BMF_OK)
        status = share(comm, &out->content.matrix, err);
    if (status != BMF_OK)
        bmf_reduced_content_clear(out);
    return status;
}
