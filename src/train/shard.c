#include "train/shard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/model.h"
#include "train/rating_pass.h"

#define MOST_RATINGS ((int64_t)1 << 30) /* of one user */
#define COUNTED_TOGETHER 8192           /* items */

void bmf_partition_users(const int64_t *indptr, int64_t users, int parts, int64_t *bounds)
{
    const int64_t total = indptr[users];
    int64_t user = 0;
    bounds[0] = 0;
    for (int p = 1; p < parts; p++) {
        int64_t target = (int64_t)((__int128)total * p / parts);
        while (user < users && indptr[user] < target)
            user++;
        bounds[p] = user;
    }
    bounds[parts] = users;
}

void bmf_shard_clear(bmf_shard *shard)
{
    bmf_ratings_clear(&shard->train);
    bmf_ratings_clear(&shard->val);
    bmf_content_rows_clear(&shard->rows);
    bmf_free(shard->user_ratings);
    bmf_free(shard->item_ratings);
    bmf_free(shard->item_steps);
    *shard = (bmf_shard){0};
}

int bmf_shard_take_content(bmf_shard *shard, const bmf_csr *content, double weight, bmf_error *err)
{
    bmf_csr scaled = {0};
    int status = bmf_content_scaled(content, weight, &scaled, err);
    if (status == BMF_OK)
        status = bmf_content_rows_create(scaled.rows, scaled.columns, scaled.indptr, scaled.indices, scaled.data,
                                         &shard->rows, err);
    bmf_csr_clear(&scaled);
    return status;
}

static int read_content(bmf_dataset_file *file, double weight, bmf_shard *out, bmf_error *err)
{
    bmf_content content = {0};
    int status = bmf_dataset_file_read_content(file, &content, err);
    if (status == BMF_OK)
        status = bmf_shard_take_content(out, &content.matrix, weight, err);
    bmf_content_clear(&content);
    return status;
}

/* The kernels count a user's ratings in 32 bits, with a margin for the sum of two positions. */
static int check_row_lengths(const bmf_csr *ratings, int64_t first_user, const char *path, bmf_error *err)
{
    for (int64_t u = 0; u < ratings->rows; u++) {
        int64_t n = ratings->indptr[u + 1] - ratings->indptr[u];
        if (n > MOST_RATINGS)
            return bmf_fail(err, BMF_ERR_INPUT,
                            "%s: user %" PRId64 " has %" PRId64 " training ratings (allowed: %" PRId64 ")", path,
                            first_user + u, n, (int64_t)MOST_RATINGS);
    }
    return BMF_OK;
}

static int count_ratings(const int64_t *indptr, int64_t users, int32_t **out, bmf_error *err)
{
    int32_t *count = *out = bmf_alloc(users, sizeof *count, "ratings of users", err);
    for (int64_t u = 0; count && u < users; u++)
        count[u] = (int32_t)(indptr[u + 1] - indptr[u]);
    return count ? BMF_OK : BMF_ERR_MEMORY;
}

static int allocate_counts(int64_t items, bmf_shard *out, bmf_error *err)
{
    out->item_steps = bmf_alloc_zero(items, sizeof *out->item_steps, "item steps", err);
    out->item_ratings = bmf_alloc(items, sizeof *out->item_ratings, "ratings of items", err);
    return out->item_steps && out->item_ratings ? BMF_OK : BMF_ERR_MEMORY;
}

/* The part with the most users, whose rows are most of what a rank holds beside its ratings. */
static int64_t largest_part(const int64_t *bounds, int64_t parts)
{
    int64_t largest = 0;
    for (int64_t p = 1; p < parts; p++)
        if (bounds[p + 1] - bounds[p] > bounds[largest + 1] - bounds[largest])
            largest = p;
    return largest;
}

static int read_parts(bmf_comm *comm, bmf_dataset_file *file, bool want_content, double content_weight, int64_t planned,
                      bmf_shard *out, bmf_error *err)
{
    const bmf_dataset_shape shape = bmf_dataset_file_shape(file);
    const int64_t size = planned > bmf_comm_size(comm) ? planned : bmf_comm_size(comm);
    int64_t rank = bmf_comm_rank(comm);
    int64_t *indptr = NULL, *bounds = bmf_alloc(size + 1, sizeof *bounds, "partition", err);
    int status = bounds ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_dataset_file_read_indptr(file, BMF_TRAIN, &indptr, err);
    if (status == BMF_OK) {
        bmf_partition_users(indptr, shape.users, (int)size, bounds);
        if (size > bmf_comm_size(comm))
            rank = largest_part(bounds, size);
        out->first_user = bounds[rank];
        out->users = bounds[rank + 1] - bounds[rank];
        status = bmf_dataset_file_read_ratings(file, BMF_TRAIN, bounds[rank], bounds[rank + 1], 0, &out->train, err);
    }
    if (status == BMF_OK)
        status = check_row_lengths(&out->train.matrix, out->first_user, bmf_dataset_file_path(file), err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_ratings(file, BMF_VAL, bounds[rank], bounds[rank + 1], 0, &out->val, err);
    if (status == BMF_OK && want_content)
        status = read_content(file, content_weight, out, err);
    if (status == BMF_OK && bmf_comm_rank(comm) == 0)
        status = count_ratings(indptr, shape.users, &out->user_ratings, err);
    if (status == BMF_OK)
        status = allocate_counts(shape.items, out, err);
    bmf_free(indptr);
    bmf_free(bounds);
    return status;
}

/* From this rank's ratings to all ranks'. Collective. */
static void share_statistics(bmf_comm *comm, const bmf_rating_statistics *own, bmf_shard *shard)
{
    double sum = own->sum, squares = own->squares;
    shard->rating_min = own->low;
    shard->rating_max = own->high;
    bmf_comm_sum_double(comm, &sum, 1);
    bmf_comm_min_double(comm, &shard->rating_min, 1);
    bmf_comm_max_double(comm, &shard->rating_max, 1);
    shard->mean = sum / (double)shard->all_train;
    if (own->count > 0) {
        const double apart = own->sum / (double)own->count - shard->mean;
        squares += (double)own->count * apart * apart;
    }
    bmf_comm_sum_double(comm, &squares, 1);
    shard->variance = squares / (double)shard->all_train;
}

/* Each item's ratings of all ranks, in pieces that the stack has room for. Collective. */
static void share_item_ratings(bmf_comm *comm, bmf_shard *shard)
{
    int64_t sum[COUNTED_TOGETHER];
    for (int64_t first = 0; first < shard->items; first += COUNTED_TOGETHER) {
        const int64_t left = shard->items - first, count = left < COUNTED_TOGETHER ? left : COUNTED_TOGETHER;
        for (int64_t i = 0; i < count; i++)
            sum[i] = shard->item_steps[first + i];
        bmf_comm_sum_int64(comm, sum, count);
        for (int64_t i = 0; i < count; i++)
            shard->item_ratings[first + i] = (int32_t)sum[i];
    }
}

/* Every rank opened the file by itself: they must have met the same one. Collective. */
static int check_same_shape(bmf_comm *comm, const bmf_dataset_file *file, bmf_error *err)
{
    const bmf_dataset_shape mine = bmf_dataset_file_shape(file);
    bmf_dataset_shape first = mine;
    bmf_comm_broadcast(comm, &first, (int64_t)sizeof first, 0);
    int status = BMF_OK;
    if (memcmp(&first, &mine, sizeof first) != 0)
        status = bmf_fail(err, BMF_ERR_INPUT, "%s: rank 0 sees another data set under this name than rank %d",
                          bmf_dataset_file_path(file), bmf_comm_rank(comm));
    return bmf_comm_agree(comm, status, err);
}

int bmf_shard_load(bmf_comm *comm, bmf_dataset_file *file, bool want_content, double content_weight, uint64_t seed,
                   int64_t planned, bmf_shard *out, bmf_error *err)
{
    *out = (bmf_shard){0};
    const bmf_dataset_shape shape = bmf_dataset_file_shape(file);
    bmf_rating_statistics own;
    int status = check_same_shape(comm, file, err);
    if (status != BMF_OK)
        return status;
    if (shape.ratings[BMF_TRAIN] == 0)
        status = bmf_fail(
            err, BMF_ERR_INPUT,
            "%s: there are no training ratings (import with --split none, or with a larger first --split-ratios)",
            bmf_dataset_file_path(file));
    else
        status = read_parts(comm, file, want_content, content_weight, planned, out, err);
    if (status == BMF_OK)
        status = bmf_rating_pass(&out->train.matrix, out->first_user, seed, bmf_dataset_file_threads(file),
                                 out->item_steps, &own, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK) {
        bmf_shard_clear(out);
        return status;
    }
    out->all_users = shape.users;
    out->items = shape.items;
    out->all_train = shape.ratings[BMF_TRAIN];
    out->all_val = shape.ratings[BMF_VAL];
    share_statistics(comm, &own, out);
    share_item_ratings(comm, out);
    return BMF_OK;
}
