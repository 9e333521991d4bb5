#include "data/ratings_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "support/assert_close.h"
#include "text_files.h"

#define LINES 997

static void read_file(const char *path, int threads, int64_t piece_bytes, int64_t max_bad, bmf_raw_ratings *raw,
                      bmf_ratings_reader **reader)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_ratings_source source = {
        .path = path, .max_bad_lines = max_bad, .threads = threads, .piece_bytes = piece_bytes};
    assert_ok(bmf_ratings_reader_open(&source, reader, &err), err);
    assert_ok(bmf_ratings_reader_read(*reader, raw, &err), err);
}

static void assert_same(const bmf_raw_ratings *a, const bmf_raw_ratings *b)
{
    assert_int_equal(a->count, b->count);
    assert_true(bmf_ids_equal(&a->users, &b->users));
    assert_true(bmf_ids_equal(&a->items, &b->items));
    assert_int_equal(memcmp(a->user, b->user, (size_t)a->count * sizeof *a->user), 0);
    assert_int_equal(memcmp(a->item, b->item, (size_t)a->count * sizeof *a->item), 0);
    assert_int_equal(memcmp(a->rating, b->rating, (size_t)a->count * sizeof *a->rating), 0);
    assert_int_equal(a->timestamp != NULL, b->timestamp != NULL);
    if (a->timestamp)
        assert_int_equal(memcmp(a->timestamp, b->timestamp, (size_t)a->count * sizeof *a->timestamp), 0);
}

typedef enum flavour { PLAIN, SPARSE_IDS, HUGE_IDS, TEXT_IDS, QUOTED, BLANK_LINES, BAD_LINES, TABS, FLAVOURS } flavour;

/* One row of a file that the tests below read in many ways. */
static int print_row(char *to, size_t room, flavour kind, uint64_t draw, int line)
{
    unsigned user = (unsigned)(draw % 91), item = (unsigned)(draw >> 8) % 301;
    double rating = (double)((draw >> 20) % 10 + 1) / 2;
    long time = (long)(draw >> 30) % 100000;
    switch (kind) {
    case SPARSE_IDS:
        return snprintf(to, room, "%u,%u,%g,%ld\n", user * 40000000, item, rating, time);
    case HUGE_IDS:
        return snprintf(to, room, "%lu,%u,%g,%ld\n", (unsigned long)user * 100000000000000000, item, rating, time);
    case TEXT_IDS:
        return snprintf(to, room, "u%u,%u,%g,%ld\n", user, item, rating, time);
    case QUOTED:
        return snprintf(to, room, "\"u,\"\"\n%u\",%u,\"%g\",%ld\r\n", user, item, rating, time);
    case BLANK_LINES:
        return snprintf(to, room, "%u,%u,%g,%ld\n%s", user, item, rating, time, line % 5 ? "" : "\n\r\n");
    case TABS: /* quotes mean nothing here */
        return snprintf(to, room, "u%u%s\t%u\t%g\t%ld\n", user, line % 3 ? "" : "\"", item, rating, time);
    case BAD_LINES:
        if (line % 50 == 0)
            return snprintf(to, room, "%u,%u,\"%g\n", user, item, rating);
        return snprintf(to, room, "%u,%u,%s,%ld\n", user, item, line % 33 ? "2.5" : "fife", time);
    default:
        return snprintf(to, room, "%u,%u,%g,%ld\n", user, item, rating, time);
    }
}

static const char *write_flavour(flavour kind)
{
    char name[32];
    size_t room = LINES * 64, at;
    char *text = malloc(room);
    assert_non_null(text);
    at = kind == TABS ? 0 : (size_t)snprintf(text, room, "userId,movieId,rating,timestamp\n");
    uint64_t key = bmf_rng_key(7, BMF_STREAM_TEST);
    for (int line = 0; line < LINES; line++)
        at += (size_t)print_row(text + at, room - at, kind, bmf_rng_draw(key, (uint64_t)line), line);
    assert_true(at < room);
    snprintf(name, sizeof name, "flavour%d.csv", (int)kind);
    const char *path = text_file_of(name, text, at);
    free(text);
    return path;
}

/* However the file is cut and whoever reads it, the rows are those of one reader from front to back. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 17, 64, 1000};
    for (int kind = 0; kind < FLAVOURS; kind++) {
        const char *path = write_flavour((flavour)kind);
        bmf_raw_ratings whole, pieces;
        bmf_ratings_reader *reader, *other;
        read_file(path, 1, INT64_MAX, LINES, &whole, &reader);
        assert_int_equal(bmf_ratings_reader_bad_lines(reader), kind == BAD_LINES ? 20 + 31 - 1 : 0);
        assert_int_equal(whole.count + bmf_ratings_reader_bad_lines(reader), LINES);
        for (int threads = 1; threads <= 7; threads += 3)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                read_file(path, threads, sizes[s], LINES, &pieces, &other);
                assert_same(&whole, &pieces);
                assert_int_equal(bmf_ratings_reader_bad_lines(other), bmf_ratings_reader_bad_lines(reader));
                assert_int_equal(bmf_ratings_reader_line(other, 500), bmf_ratings_reader_line(reader, 500));
                bmf_raw_ratings_clear(&pieces);
                bmf_ratings_reader_close(&other);
            }
        bmf_raw_ratings_clear(&whole);
        bmf_ratings_reader_close(&reader);
    }
}

/* The values against those that made the file. */
static void rows_are_what_was_written(void **state)
{
    (void)state;
    bmf_raw_ratings raw;
    bmf_ratings_reader *reader;
    uint64_t key = bmf_rng_key(7, BMF_STREAM_TEST);
    for (int kind = PLAIN; kind <= QUOTED; kind++) {
        read_file(write_flavour((flavour)kind), 2, 100, 0, &raw, &reader);
        assert_int_equal(raw.users.kind, kind >= TEXT_IDS ? BMF_ID_STRING : BMF_ID_INT64);
        for (int64_t row = 0; row < raw.count; row++) {
            uint64_t draw = bmf_rng_draw(key, (uint64_t)row);
            char wanted[48], buffer[24];
            static const unsigned long factor[] = {1, 40000000, 100000000000000000};
            if (kind < TEXT_IDS)
                snprintf(wanted, sizeof wanted, "%lu", draw % 91 * factor[kind]);
            else
                snprintf(wanted, sizeof wanted, kind == QUOTED ? "u,\"\n%lu" : "u%lu", draw % 91);
            assert_string_equal(bmf_ids_print(&raw.users, raw.user[row], buffer), wanted);
            assert_int_equal(raw.items.number[raw.item[row]], (unsigned)(draw >> 8) % 301);
            assert_true(raw.rating[row] == (float)((draw >> 20) % 10 + 1) / 2);
            assert_int_equal(raw.timestamp[row], (long)(draw >> 30) % 100000);
            assert_int_equal(bmf_ratings_reader_line(reader, row), (kind == QUOTED ? 2 * row : row) + 2);
        }
        bmf_raw_ratings_clear(&raw);
        bmf_ratings_reader_close(&reader);
    }
}

/* The first of several bad lines is reported, whichever piece is read first. */
static void the_first_error_wins(void **state)
{
    (void)state;
    char text[8192] = "userId,movieId,rating\n", wanted[512];
    size_t at = strlen(text);
    for (int line = 2; line <= 400; line++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d,%s\n", line, line, line >= 150 ? "bad" : "4");
    const char *path = text_file("first.csv", text);
    snprintf(wanted, sizeof wanted,
             "%s:150: rating \"bad\" is not a number; a finite decimal number such as 3.5 is expected", path);
    for (int threads = 1; threads <= 8; threads++) {
        bmf_error err = BMF_ERROR_INIT;
        bmf_raw_ratings raw;
        bmf_ratings_reader *reader;
        bmf_ratings_source source = {.path = path, .threads = threads, .piece_bytes = 1};
        assert_ok(bmf_ratings_reader_open(&source, &reader, &err), err);
        assert_int_equal(bmf_ratings_reader_read(reader, &raw, &err), BMF_ERR_INPUT);
        assert_string_equal(err.text, wanted);
        bmf_ratings_reader_close(&reader);
    }
}

static void check_mixed(const char *text, bool wide_user)
{
    bmf_raw_ratings raw;
    bmf_ratings_reader *reader;
    for (int threads = 1; threads <= 3; threads += 2) {
        read_file(text_file("mixed.csv", text), threads, 1, 0, &raw, &reader);
        const bmf_ids *wide = wide_user ? &raw.users : &raw.items, *words = wide_user ? &raw.items : &raw.users;
        const int32_t *number = wide_user ? raw.user : raw.item, *word = wide_user ? raw.item : raw.user;
        assert_int_equal(wide->kind, BMF_ID_INT64);
        assert_int_equal(words->kind, BMF_ID_STRING);
        assert_memory_equal(wide->number, ((int64_t[]){7, 5000000000}), 2 * sizeof(int64_t));
        assert_int_equal(words->count, 2);
        assert_string_equal(bmf_strings_get(&words->text, 0), "abc");
        assert_string_equal(bmf_strings_get(&words->text, 1), "xyz");
        assert_memory_equal(number, ((int32_t[]){1, 0, 1}), 3 * sizeof(int32_t));
        assert_memory_equal(word, ((int32_t[]){1, 0, 0}), 3 * sizeof(int32_t));
        bmf_raw_ratings_clear(&raw);
        bmf_ratings_reader_close(&reader);
    }
}

/* Numbers that need 64 bits in one column, strings in the other. */
static void wide_numbers_beside_strings(void **state)
{
    (void)state;
    check_mixed("userId,movieId,rating,timestamp\n5000000000,xyz,4,1\n7,abc,3,2\n5000000000,abc,2,3\n", true);
    check_mixed("userId,movieId,rating,timestamp\nxyz,5000000000,4,1\nabc,7,3,2\nabc,5000000000,2,3\n", false);
}

int main(void)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(rows_are_what_was_written),
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(wide_numbers_beside_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
