/* with_content IN.h5 FEATURES PER_ITEM OUT.h5: the data set again with other content, every item carrying PER_ITEM different
 * ones of FEATURES features, with equal weights and a norm of 1. Feature f is drawn in proportion to 1/(f + 1), as words of
 * texts are: a few that most items have, and many rare ones. For comparing the cost of content by its number of features. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "bench/bench_support.h"
#include "store/dataset_file.h"

#define MOST_FEATURES 10000000
#define MOST_PER_ITEM 64

static bool holds(const int32_t *row, int64_t count, int32_t feature)
{
    for (int64_t j = 0; j < count; j++)
        if (row[j] == feature)
            return true;
    return false;
}

/* Different features of one item, ascending. A feature that comes again is replaced by the next free one. */
static void draw_row(uint64_t key, int64_t features, int64_t per_item, int32_t *row)
{
    for (int64_t j = 0; j < per_item; j++) {
        double drawn = pow((double)features + 1, bmf_rng_uniform(key, (uint64_t)j)) - 1;
        int32_t feature = (int32_t)fmin(drawn, (double)(features - 1));
        while (holds(row, j, feature))
            feature = (int32_t)((feature + 1) % features);
        int64_t at = j;
        for (; at > 0 && row[at - 1] > feature; at--)
            row[at] = row[at - 1];
        row[at] = feature;
    }
}

static int fill_matrix(bmf_csr *matrix, int64_t items, int64_t features, int64_t per_item, bmf_error *err)
{
    const uint64_t key = bmf_rng_key(1, BMF_STREAM_TEST);
    int status = bmf_csr_create(matrix, items, features, items * per_item, "content", err);
    for (int64_t i = 0; status == BMF_OK && i < items; i++) {
        matrix->indptr[i + 1] = (i + 1) * per_item;
        draw_row(bmf_rng_subkey(key, (uint64_t)i), features, per_item, matrix->indices + i * per_item);
        for (int64_t j = 0; j < per_item; j++)
            matrix->data[i * per_item + j] = (float)(1 / sqrt((double)per_item));
    }
    return status;
}

/* Names "feature0000012", in ascending order. */
static int fill_names(bmf_strings *names, int64_t features, bmf_error *err)
{
    char name[32];
    int status = BMF_OK;
    for (int64_t f = 0; f < features && status == BMF_OK; f++) {
        snprintf(name, sizeof name, "feature%07" PRId64, f);
        status = bmf_strings_add(names, name, (int64_t)strlen(name), err);
    }
    return status;
}

static int fill_content(bmf_content *content, int64_t items, int64_t features, int64_t per_item, bmf_error *err)
{
    int status = fill_matrix(&content->matrix, items, features, per_item, err);
    if (status == BMF_OK)
        status = fill_names(&content->feature, features, err);
    if (status == BMF_OK && !(content->idf = bmf_alloc(features, sizeof *content->idf, "idf", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t f = 0; status == BMF_OK && f < features; f++)
        content->idf[f] = 1;
    return status;
}

static int convert(const char *from, const char *features_text, const char *per_item_text, const char *to,
                   bmf_error *err)
{
    bmf_dataset dataset = {0};
    int64_t features = 0, per_item = 0;
    int status = bench_parse_int("FEATURES", features_text, 1, MOST_FEATURES, &features, err);
    if (status == BMF_OK)
        status = bench_parse_int("PER_ITEM", per_item_text, 1, features < MOST_PER_ITEM ? features : MOST_PER_ITEM,
                                 &per_item, err);
    if (status == BMF_OK)
        status = bmf_dataset_read(from, &dataset, err);
    if (status == BMF_OK) {
        bmf_content_clear(&dataset.content);
        status = fill_content(&dataset.content, dataset.items.count, features, per_item, err);
    }
    if (status == BMF_OK)
        status = bmf_dataset_write(to, &dataset, err);
    bmf_dataset_clear(&dataset);
    return status;
}

int main(int argc, char **argv)
{
    bmf_error err = BMF_ERROR_INIT;
    if (argc != 5) {
        fprintf(stderr, "usage: with_content IN.h5 FEATURES PER_ITEM OUT.h5\n");
        return BMF_ERR_USAGE;
    }
    int status = convert(argv[1], argv[2], argv[3], argv[4], &err);
    if (status != BMF_OK)
        fprintf(stderr, "with_content: %s\n", err.text);
    return status;
}
