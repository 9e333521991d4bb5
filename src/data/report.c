#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/import.h"

/* Users, and through `seen` (n, zeroed; NULL: not counted) items, with a rating. */
static void count_rated(const bmf_csr *ratings, unsigned char *seen, bmf_split_report *out)
{
    int64_t count = bmf_csr_count(ratings);
    for (int64_t u = 0; count > 0 && u < ratings->rows; u++)
        out->users += ratings->indptr[u + 1] > ratings->indptr[u];
    for (int64_t at = 0; seen && at < count; at++) {
        out->items += !seen[ratings->indices[at]];
        seen[ratings->indices[at]] = 1;
    }
}

/* Counts, range and sum (in *mean) of the values. */
static void add_values(const bmf_csr *ratings, bmf_split_report *out)
{
    int64_t count = bmf_csr_count(ratings);
    out->ratings += count;
    for (int64_t at = 0; at < count; at++) {
        double value = (double)ratings->data[at];
        if (!isfinite(value)) {
            out->missing++;
            continue;
        }
        out->not_positive += value <= 0;
        out->minimum = fmin(out->minimum, value);
        out->maximum = fmax(out->maximum, value);
        out->mean += value;
    }
}

static const bmf_split_report nothing_yet = {.minimum = INFINITY, .maximum = -INFINITY};

static void finish(bmf_split_report *report)
{
    int64_t valid = report->ratings - report->missing;
    if (valid > 0) {
        report->mean /= (double)valid;
        return;
    }
    report->minimum = report->maximum = report->mean = NAN;
}

/* True if the rows of all splits have the same shape and no item occurs twice for a user. `last` is (n). */
static bool pairs_are_unique(const bmf_dataset *dataset, int64_t *last)
{
    memset(last, 0xff, (size_t)dataset->items.count * sizeof *last);
    for (int64_t u = 0; u < dataset->users.count; u++)
        for (int s = 0; s < BMF_SPLITS; s++) {
            const bmf_csr *ratings = &dataset->split[s].matrix;
            for (int64_t at = ratings->indptr[u]; at < ratings->indptr[u + 1]; at++) {
                if (last[ratings->indices[at]] == u)
                    return false;
                last[ratings->indices[at]] = u;
            }
        }
    return true;
}

static bool shapes_agree(const bmf_dataset *dataset)
{
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_csr *ratings = &dataset->split[s].matrix;
        if (ratings->rows != dataset->users.count || ratings->columns != dataset->items.count || !ratings->indptr)
            return false;
    }
    return true;
}

/* Users of the data set with a rating in any split. */
static int64_t users_of_all(const bmf_dataset *dataset)
{
    int64_t users = 0;
    for (int64_t u = 0; u < dataset->users.count; u++) {
        bool rated = false;
        for (int s = 0; s < BMF_SPLITS; s++)
            rated = rated || dataset->split[s].matrix.indptr[u + 1] > dataset->split[s].matrix.indptr[u];
        users += rated;
    }
    return users;
}

static int64_t empty_rows(const bmf_csr *matrix)
{
    int64_t empty = 0;
    for (int64_t row = 0; matrix->indptr && row < matrix->rows; row++)
        empty += matrix->indptr[row + 1] == matrix->indptr[row];
    return matrix->indptr ? empty : 0;
}

static int64_t sum_of(const unsigned char *seen, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += seen[i];
    return sum;
}

static void report_splits(const bmf_dataset *dataset, unsigned char *seen, bmf_dataset_report *out)
{
    int64_t n = dataset->items.count;
    unsigned char *any = seen ? seen + n : NULL;
    out->all = nothing_yet;
    for (int s = 0; s < BMF_SPLITS; s++) {
        const bmf_csr *ratings = &dataset->split[s].matrix;
        out->split[s] = nothing_yet;
        if (seen)
            memset(seen, 0, (size_t)n);
        count_rated(ratings, seen, &out->split[s]);
        add_values(ratings, &out->split[s]);
        add_values(ratings, &out->all);
        for (int64_t i = 0; seen && i < n; i++)
            any[i] |= seen[i];
        finish(&out->split[s]);
    }
    out->all.users = users_of_all(dataset);
    out->all.items = any ? sum_of(any, n) : 0;
    finish(&out->all);
}

bmf_dataset_report bmf_dataset_report_of(const bmf_dataset *dataset)
{
    int64_t m = dataset->users.count, n = dataset->items.count;
    bmf_dataset_report out = {.users = m,
                              .items = n,
                              .features = dataset->content.feature.count,
                              .user_features = dataset->user_content.feature.count};
    if (!shapes_agree(dataset))
        return out;
    unsigned char *seen = bmf_alloc_zero(2 * n, 1, "report", NULL);
    int64_t *last = bmf_alloc(n, sizeof *last, "report", NULL);
    report_splits(dataset, seen, &out);
    out.items_without_content = dataset->content.matrix.indptr ? empty_rows(&dataset->content.matrix) : n;
    out.users_without_content = dataset->user_content.matrix.indptr ? empty_rows(&dataset->user_content.matrix) : m;
    out.sparsity = m && n ? 1 - (double)out.all.ratings / ((double)m * (double)n) : 1;
    int64_t expected = dataset->import.ratings_read - dataset->import.duplicate_ratings;
    out.no_memory = !seen || !last;
    out.totals_consistent = seen && last && out.all.ratings == expected && pairs_are_unique(dataset, last);
    bmf_free(seen);
    bmf_free(last);
    return out;
}
