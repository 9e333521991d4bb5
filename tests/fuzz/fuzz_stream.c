/* Tables read piece by piece: pairs, users to recommend to, one user's ratings. */
#include <string.h>

#include "base/log.h"
#include "data/table_stream.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

static int read_records(bmf_table_stream *stream, const bmf_column *wanted, int columns, int64_t *records,
                        bmf_error *err)
{
    bool more = true;
    while (more) {
        int status = bmf_table_stream_next(stream, &more, err);
        if (status != BMF_OK)
            return status;
        for (int c = 0; more && c < columns; c++) {
            const bmf_field field = bmf_table_stream_field(stream, wanted[c]);
            fuzz_require(field.text >= stream->buffer && field.text + field.length <= stream->end,
                         "fields are in the piece", NULL);
        }
        *records += more;
    }
    return BMF_OK;
}

static void read_table(const char *path, bmf_table kind, const bmf_column *wanted, int columns, int64_t size)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_table_stream stream;
    bool more = true;
    int64_t records = 0;
    int status = bmf_table_stream_open(path, kind, &stream, &err);
    while (status == BMF_OK && more) {
        status = read_records(&stream, wanted, columns, &records, &err);
        if (status == BMF_OK)
            status = bmf_table_stream_fill(&stream, &more, &err);
    }
    fuzz_require(records <= size, "a record has a byte at least", NULL);
    fuzz_require_answer(status, &err);
    bmf_table_stream_close(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const bmf_column pair[] = {BMF_COLUMN_USER, BMF_COLUMN_ITEM}, rated[] = {BMF_COLUMN_ITEM, BMF_COLUMN_RATING};
    bmf_log_set_level(BMF_LOG_SILENT);
    const char *path = fuzz_file(0, data, size);
    read_table(path, BMF_TABLE_PAIRS, pair, 2, (int64_t)size);
    read_table(path, BMF_TABLE_AUDIENCE, pair, 1, (int64_t)size);
    read_table(path, BMF_TABLE_OWN_RATINGS, rated, 2, (int64_t)size);
    return 0;
}

static const char *const dictionary[] = {"userId,movieId\n",
                                         "item,rating\n",
                                         "user\n",
                                         "1,2\n",
                                         "1::2\n",
                                         "1\t2\n",
                                         "\"a\"\"b\",\"c\nd\"\n",
                                         "\"",
                                         "\"\"",
                                         ",",
                                         "::",
                                         "\t",
                                         "\n",
                                         "\r\n",
                                         "\xef\xbb\xbf",
                                         "\xff",
                                         "3.5",
                                         "-1"};

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_text(data, size, room, dictionary, sizeof dictionary / sizeof *dictionary, seed);
}
