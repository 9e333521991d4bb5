/* The reader of items (the default), of tags (FUZZ_TAGS) or of users (FUZZ_USERS), down to the content rows, beside ratings with
 * ids that are numbers or strings. */
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

static void check_content(const bmf_content *content, int64_t rows, bmf_error *err)
{
    fuzz_require(bmf_csr_check(&content->matrix, "content", 1, err) == BMF_OK, "content is sound", err);
    fuzz_require(!content->matrix.indptr || content->matrix.rows == rows, "every item or user has a row", NULL);
    fuzz_require(content->feature.count == content->matrix.columns, "every column has a term", NULL);
}

typedef struct inputs {
    const char *ratings, *items, *tags, *users, *item_columns, *user_columns;
} inputs;

static void import(const inputs *from, size_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset;
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = from->ratings;
    options.items_path = from->items;
    options.tags_path = from->tags;
    options.users_path = from->users;
    options.item_columns = from->item_columns;
    options.user_columns = from->user_columns;
    options.title_features = from->items && size % 2 ? "year,decade,words" : NULL;
    options.tag_features = size % 5 < 3 ? BMF_TAG_WORDS : BMF_TAG_PHRASES;
    options.feature_weighting = size % 7 < 4 ? BMF_WEIGHTING_TFIDF : BMF_WEIGHTING_BINARY;
    options.max_bad_lines = (int64_t)(size % 4) * 5;
    options.max_features = size % 3 ? 5000 : 3;
    options.threads = 1;
    int status = bmf_import(&options, &dataset, &err);
    if (status == BMF_OK) {
        check_content(&dataset.content, dataset.items.count, &err);
        check_content(&dataset.user_content, dataset.users.count, &err);
    }
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
        import(&(inputs){.ratings = ratings, .items = fuzz_file(2, listed, strlen(listed)), .tags = table}, size);
        import(&(inputs){.ratings = ratings, .tags = table}, size);
#elif defined(FUZZ_USERS)
        import(&(inputs){.ratings = ratings, .users = table}, size);
        import(&(inputs){.ratings = ratings, .users = table, .user_columns = "age=number,zip"}, size);
#else
        import(&(inputs){.ratings = ratings, .items = table}, size);
        import(&(inputs){.ratings = ratings, .items = table, .item_columns = "year,director=text"}, size);
#endif
    }
    return 0;
}

static const char *const dictionary[] = {"movieId,title,genres\n",
                                         "userId,movieId,tag,timestamp\n",
                                         "movieId,title,year,director\n",
                                         "userId,age,zip\n",
                                         "1|24|M|technician|85711\n",
                                         "1::F::1::10::48067\n",
                                         "1,24,85711\n",
                                         "(1995)",
                                         "(2006\xe2\x80\x93 )",
                                         "1e308",
                                         "-1e-308",
                                         "NA",
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
