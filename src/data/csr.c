#include "data/csr.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

#define CHECK_BLOCK 4096
#define FEW_BLOCKS 64 /* up to here starting threads costs more than it saves */

int64_t bmf_csr_count(const bmf_csr *matrix)
{
    return matrix->indptr ? matrix->indptr[matrix->rows] : 0;
}

int bmf_csr_create(bmf_csr *matrix, int64_t rows, int64_t columns, int64_t count, const char *what, bmf_error *err)
{
    *matrix = (bmf_csr){.rows = rows, .columns = columns};
    matrix->indptr = bmf_alloc_zero(rows + 1, sizeof *matrix->indptr, what, err);
    if (matrix->indptr)
        matrix->indices = bmf_alloc(count, sizeof *matrix->indices, what, err);
    if (matrix->indices)
        matrix->data = bmf_alloc(count, sizeof *matrix->data, what, err);
    if (matrix->data)
        return BMF_OK;
    bmf_csr_clear(matrix);
    return BMF_ERR_MEMORY;
}

void bmf_csr_clear(bmf_csr *matrix)
{
    bmf_free(matrix->indptr);
    bmf_free(matrix->indices);
    bmf_free(matrix->data);
    *matrix = (bmf_csr){0};
}

int bmf_csr_transpose(const bmf_csr *matrix, bmf_csr *out, const char *what, bmf_error *err)
{
    int status = bmf_csr_create(out, matrix->columns, matrix->rows, bmf_csr_count(matrix), what, err);
    int64_t *next = bmf_alloc(matrix->columns + 1, sizeof *next, what, err);
    if (status != BMF_OK || !next) {
        bmf_csr_clear(out);
        bmf_free(next);
        return BMF_ERR_MEMORY;
    }
    for (int64_t e = 0; e < bmf_csr_count(matrix); e++)
        out->indptr[matrix->indices[e] + 1]++;
    for (int64_t c = 0; c < matrix->columns; c++)
        out->indptr[c + 1] += out->indptr[c];
    memcpy(next, out->indptr, (size_t)(matrix->columns + 1) * sizeof *next);
    for (int64_t r = 0; r < matrix->rows; r++)
        for (int64_t e = matrix->indptr[r]; e < matrix->indptr[r + 1]; e++) {
            const int64_t at = next[matrix->indices[e]]++;
            out->indices[at] = (int32_t)r;
            out->data[at] = matrix->data[e];
        }
    bmf_free(next);
    return BMF_OK;
}

static int check_shape(const bmf_csr *matrix, const char *what, bmf_error *err)
{
    if (matrix->rows < 0 || matrix->columns < 0 || matrix->columns > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT,
                        "%s: shape %" PRId64 " x %" PRId64 " is not possible (columns up to %d are allowed)", what,
                        matrix->rows, matrix->columns, INT32_MAX);
    if (matrix->indptr && matrix->indptr[0] != 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: indptr starts with %" PRId64 ", it must start with 0", what,
                        matrix->indptr[0]);
    return BMF_OK;
}

static int check_rows(const bmf_csr *matrix, const char *what, bmf_error *err)
{
    for (int64_t row = 0; row < matrix->rows; row++)
        if (matrix->indptr[row + 1] < matrix->indptr[row])
            return bmf_fail(err, BMF_ERR_INPUT,
                            "%s: indptr falls from %" PRId64 " to %" PRId64 " at row %" PRId64 ", it must not descend",
                            what, matrix->indptr[row], matrix->indptr[row + 1], row);
    return BMF_OK;
}

/* The first entry of [begin, end) that breaks a rule, or −1. */
static int64_t first_bad_entry(const bmf_csr *matrix, int64_t begin, int64_t end)
{
    for (int64_t at = begin; at < end; at++)
        if (matrix->indices[at] < 0 || matrix->indices[at] >= matrix->columns || !isfinite(matrix->data[at]))
            return at;
    return -1;
}

/* Whether all entries of [begin, end) keep the rules, without a branch an entry: negative indices are large when taken as
 * unsigned, and infinities and NaN have all bits of the exponent. */
static bool entries_are_good(const bmf_csr *matrix, int64_t begin, int64_t end)
{
    const int32_t *index = matrix->indices;
    const float *value = matrix->data;
    uint32_t columns = (uint32_t)matrix->columns, bad = 0;
    for (int64_t at = begin; at < end; at++) {
        uint32_t bits;
        memcpy(&bits, &value[at], sizeof bits);
        bad |= (uint32_t)((uint32_t)index[at] >= columns) | (uint32_t)((bits & 0x7f800000u) == 0x7f800000u);
    }
    return !bad;
}

static int64_t find_bad_entry(const bmf_csr *matrix, int threads)
{
    int64_t count = bmf_csr_count(matrix), blocks = (count + CHECK_BLOCK - 1) / CHECK_BLOCK, bad = blocks;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(min : bad) if (blocks > FEW_BLOCKS)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t begin = b * CHECK_BLOCK, end = begin + CHECK_BLOCK < count ? begin + CHECK_BLOCK : count;
        if (b < bad && !entries_are_good(matrix, begin, end))
            bad = b;
    }
    return bad < blocks ? first_bad_entry(matrix, bad * CHECK_BLOCK, count) : -1;
}

int bmf_csr_check(const bmf_csr *matrix, const char *what, int threads, bmf_error *err)
{
    int status = check_shape(matrix, what, err);
    if (status == BMF_OK && matrix->indptr)
        status = check_rows(matrix, what, err);
    if (status != BMF_OK || !matrix->indptr)
        return status;
    int64_t bad = find_bad_entry(matrix, threads);
    if (bad < 0)
        return BMF_OK;
    if (matrix->indices[bad] < 0 || matrix->indices[bad] >= matrix->columns)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: index %" PRId32 " at entry %" PRId64 " is outside 0 .. %" PRId64, what,
                        matrix->indices[bad], bad, matrix->columns - 1);
    return bmf_fail(err, BMF_ERR_INPUT, "%s: value %g at entry %" PRId64 " is not finite", what,
                    (double)matrix->data[bad], bad);
}

int64_t bmf_csr_row_from(const int64_t *indptr, int64_t rows, int64_t entry)
{
    int64_t low = 0, high = rows;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (indptr[middle] < entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int bmf_ratings_create(bmf_ratings *ratings, int64_t users, int64_t items, int64_t count, int with_timestamp,
                       bmf_error *err)
{
    *ratings = (bmf_ratings){0};
    int status = bmf_csr_create(&ratings->matrix, users, items, count, "ratings", err);
    if (status == BMF_OK && with_timestamp) {
        ratings->timestamp = bmf_alloc(count, sizeof *ratings->timestamp, "timestamps", err);
        if (!ratings->timestamp) {
            bmf_ratings_clear(ratings);
            status = BMF_ERR_MEMORY;
        }
    }
    return status;
}

void bmf_ratings_clear(bmf_ratings *ratings)
{
    bmf_csr_clear(&ratings->matrix);
    bmf_free(ratings->timestamp);
    *ratings = (bmf_ratings){0};
}
