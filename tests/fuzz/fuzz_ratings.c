/* The reader of ratings, in one form (FUZZ_FORMAT), from front to back and in many pieces, which must agree; then the whole
 * import of what it accepts. How many bad lines are allowed depends on the size, so that an input stays one file. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "data/import.h"
#include "data/ratings_reader.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

static int read_in_pieces(const char *path, int64_t bad_lines, int64_t piece_bytes, bmf_raw_ratings *out,
                          int64_t *skipped, bmf_error *err)
{
    bmf_ratings_reader *reader = NULL;
    bmf_ratings_source source = {.path = path,
                                 .format = FUZZ_FORMAT,
                                 .max_bad_lines = bad_lines,
                                 .threads = piece_bytes ? 2 : 1,
                                 .piece_bytes = piece_bytes};
    *out = (bmf_raw_ratings){0};
    *skipped = 0;
    int status = bmf_ratings_reader_open(&source, &reader, err);
    if (status == BMF_OK)
        status = bmf_ratings_reader_read(reader, out, err);
    if (status == BMF_OK) {
        *skipped = bmf_ratings_reader_bad_lines(reader);
        fuzz_require(bmf_ratings_reader_line(reader, out->count - 1) > 0, "the last rating has a line", NULL);
    }
    bmf_ratings_reader_close(&reader);
    return status;
}

static bool same_bytes(const void *a, const void *b, int64_t count, size_t size)
{
    return (!a && !b) || (a && b && memcmp(a, b, (size_t)count * size) == 0);
}

static bool same_ratings(const bmf_raw_ratings *a, const bmf_raw_ratings *b)
{
    return a->count == b->count && bmf_ids_equal(&a->users, &b->users) && bmf_ids_equal(&a->items, &b->items) &&
           same_bytes(a->user, b->user, a->count, sizeof *a->user) &&
           same_bytes(a->item, b->item, a->count, sizeof *a->item) &&
           same_bytes(a->rating, b->rating, a->count, sizeof *a->rating) &&
           same_bytes(a->timestamp, b->timestamp, a->count, sizeof *a->timestamp);
}

static void check_indices(const bmf_raw_ratings *raw)
{
    bool within = true;
    for (int64_t i = 0; i < raw->count; i++)
        within = within && raw->user[i] >= 0 && raw->user[i] < raw->users.count && raw->item[i] >= 0 &&
                 raw->item[i] < raw->items.count;
    fuzz_require(within, "indices are those of ids", NULL);
}

static void import(const char *path, size_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset;
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = path;
    options.format = FUZZ_FORMAT;
    options.split = (bmf_split_kind)(size % 3);
    options.duplicates = (bmf_duplicates)(size % 4);
    options.max_bad_lines = (int64_t)(size % 5);
    options.cold_items = size % 2 ? 0.2 : 0;
    options.threads = 1;
    int status = bmf_import(&options, &dataset, &err);
    if (status == BMF_OK) {
        fuzz_require(bmf_dataset_report_of(&dataset).totals_consistent, "no rating is lost or doubled", NULL);
        for (int s = 0; s < BMF_SPLITS; s++)
            fuzz_require(bmf_csr_check(&dataset.split[s].matrix, "split", 1, &err) == BMF_OK, "a split is sound", &err);
    }
    fuzz_require_answer(status, &err);
    bmf_dataset_clear(&dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bmf_error err[2] = {BMF_ERROR_INIT, BMF_ERROR_INIT};
    bmf_raw_ratings raw[2];
    int64_t skipped[2], bad_lines = size % 2 ? 0 : (int64_t)(size % 64);
    int status[2];
    bmf_log_set_level(BMF_LOG_SILENT);
    const char *path = fuzz_file(0, data, size);
    for (int i = 0; i < 2; i++)
        status[i] = read_in_pieces(path, bad_lines, i * 16, &raw[i], &skipped[i], &err[i]);
    fuzz_require(status[0] == status[1] && strcmp(err[0].text, err[1].text) == 0 && skipped[0] == skipped[1],
                 "pieces give the same answer as the whole", &err[0]);
    fuzz_require(same_ratings(&raw[0], &raw[1]), "pieces give the same ratings as the whole", NULL);
    for (int i = 0; i < 2; i++) {
        check_indices(&raw[i]);
        bmf_raw_ratings_clear(&raw[i]);
        fuzz_require_answer(status[i], &err[i]);
    }
    import(path, size);
    return 0;
}

static const char *const dictionary[] = {"userId,movieId,rating,timestamp\n",
                                         "user_id",
                                         "item",
                                         "rating",
                                         "timestamp",
                                         ",",
                                         "::",
                                         "\t",
                                         "\n",
                                         "\r\n",
                                         "\"",
                                         "\"\"",
                                         "\"a\nb\"",
                                         "-1",
                                         "1e308",
                                         "1e-400",
                                         "nan",
                                         "0x10",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "4294967296",
                                         "4294967295",
                                         "3.4028236e38",
                                         "\xef\xbb\xbf",
                                         "\xc3\xa9",
                                         "\xff",
                                         "\x1b[31m",
                                         "1,1,5,1\n",
                                         "1::1::5::1\n",
                                         "1\t1\t5\t1\n",
                                         "|",
                                         " "};

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_text(data, size, room, dictionary, sizeof dictionary / sizeof *dictionary, seed);
}
