/* The reader of items (FUZZ_TAGS not defined) or of tags, down to the content rows, beside ratings with ids that are
 * numbers or strings. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "data/import.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

static const char number_ratings[] = "userId,movieId,rating\n1,1,3\n1,2,4\n1,3,5\n2,1,1\n2,3,2\n";
static const char string_ratings[] = "userId,movieId,rating\na,tt1,3\na,tt2,4\na,tt3,5\nb,tt1,1\nb,tt3,2\n";

#ifdef FUZZ_TAGS
static const char number_items[] = "movieId,title,genres\n1,One,Drama|War\n2,Two,Comedy\n9,Nine,\n";
static const char string_items[] = "movieId,title,genres\ntt1,One,Drama|War\ntt2,Two,Comedy\ntt9,Nine,\n";
#endif

static void check_content(const bmf_dataset *dataset, bmf_error *err)
{
    const bmf_content *content = &dataset->content;
    fuzz_require(bmf_csr_check(&content->matrix, "content", 1, err) == BMF_OK, "content is sound", err);
    fuzz_require(!content->matrix.indptr || content->matrix.rows == dataset->items.count, "every item has a row", NULL);
    fuzz_require(content->feature.count == content->matrix.columns, "every column has a term", NULL);
}

static void import(const char *ratings, const char *items, const char *tags, size_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset;
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = ratings;
    options.items_path = items;
    options.tags_path = tags;
    options.max_bad_lines = (int64_t)(size % 4) * 5;
    options.max_features = size % 3 ? 5000 : 3;
    options.threads = 1;
    int status = bmf_import(&options, &dataset, &err);
    if (status == BMF_OK)
        check_content(&dataset, &err);
    fuzz_require_answer(status, &err);
    bmf_dataset_clear(&dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    for (int strings = 0; strings < 2; strings++) {
        const char *text = strings ? string_ratings : number_ratings;
        const char *ratings = fuzz_file(0, text, strlen(text));
        const char *table = fuzz_file(1, data, size);
#ifdef FUZZ_TAGS
        const char *listed = strings ? string_items : number_items;
        import(ratings, fuzz_file(2, listed, strlen(listed)), table, size);
        import(ratings, NULL, table, size);
#else
        import(ratings, table, NULL, size);
#endif
    }
    return 0;
}

static const char *const dictionary[] = {"movieId,title,genres\n",
                                         "userId,movieId,tag,timestamp\n",
                                         "item_id",
                                         "tag",
                                         "genres",
                                         ",",
                                         "::",
                                         "\t",
                                         "|",
                                         "\n",
                                         "\r\n",
                                         "\"",
                                         "\"\"",
                                         "\"a, \"\"b\"\"\nc\"",
                                         "|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "-1",
                                         "tt1",
                                         "tt2",
                                         "\xef\xbb\xbf",
                                         "\xc4\xb0",
                                         "\xce\xa3",
                                         "\xce\xa3'",
                                         "\xf0\x9f\x8e\xac",
                                         "\xed\xa0\x80",
                                         "\xff",
                                         "\x1b]0;x\x07",
                                         "drama comedy war",
                                         "the of and",
                                         "(no genres listed)",
                                         "1,1,word,1\n",
                                         "1::1::word::1\n"};

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_text(data, size, room, dictionary, sizeof dictionary / sizeof *dictionary, seed);
}
