/* TF-IDF against scikit-learn: by hand, on its tie order, and on MovieLens to the last value. */
#include "support/assert_close.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/stopwords.h"
#include "data/tfidf.h"

static bmf_error err;

static void add(bmf_strings *list, const char *text)
{
    assert_ok(bmf_strings_add(list, text, (int64_t)strlen(text), &err), err);
}

static bmf_content build(const char *const *document, int64_t count, int64_t max_features)
{
    bmf_strings list = {0};
    bmf_content content;
    for (int64_t d = 0; d < count; d++)
        add(&list, document[d]);
    assert_ok(bmf_tfidf_build(&list, max_features, &content, &err), err);
    bmf_strings_clear(&list);
    return content;
}

#define BUILD(max_features, ...)                                                                                       \
    build((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), max_features)

static void expect_terms(const bmf_content *content, int64_t count, const char *const *term)
{
    assert_int_equal(content->feature.count, count);
    assert_int_equal(content->matrix.columns, count);
    for (int64_t f = 0; f < count; f++)
        assert_string_equal(bmf_strings_get(&content->feature, f), term[f]);
}

/* Rows of norm 1 or empty, indices strictly ascending, values positive, every column used. */
static void expect_proper(const bmf_content *content)
{
    const bmf_csr *m = &content->matrix;
    assert_ok(bmf_csr_check(m, "content", 1, &err), err);
    int64_t *uses = calloc((size_t)m->columns + 1, sizeof *uses);
    for (int64_t row = 0; row < m->rows; row++) {
        double squares = 0;
        for (int64_t e = m->indptr[row]; e < m->indptr[row + 1]; e++) {
            assert_true(e == m->indptr[row] || m->indices[e] > m->indices[e - 1]);
            assert_true(m->data[e] > 0);
            squares += (double)m->data[e] * m->data[e];
            uses[m->indices[e]]++;
        }
        if (m->indptr[row + 1] > m->indptr[row])
            assert_close(squares, 1, 1e-6);
    }
    for (int64_t f = 0; f < m->columns; f++) {
        assert_close(content->idf[f], log((1.0 + (double)m->rows) / (1.0 + (double)uses[f])) + 1, 1e-12);
        assert_true(f == 0 ||
                    strcmp(bmf_strings_get(&content->feature, f - 1), bmf_strings_get(&content->feature, f)) < 0);
    }
    free(uses);
}

static void stop_words_are_sorted_and_found(void **state)
{
    (void)state;
    assert_int_equal(bmf_stopword_count(), 318);
    for (int i = 0; i < bmf_stopword_count(); i++) {
        assert_true(bmf_stopword_is(bmf_stopword_get(i)));
        assert_true(i == 0 || strcmp(bmf_stopword_get(i - 1), bmf_stopword_get(i)) < 0);
    }
    assert_false(bmf_stopword_is("comedy"));
    assert_false(bmf_stopword_is(""));
    assert_false(bmf_stopword_is("thes"));
    assert_false(bmf_stopword_is("The")); /* words come in lower case */
}

static void small_corpus_by_hand(void **state)
{
    (void)state;
    bmf_content c = BUILD(0, "Action|Comedy funny Funny", "Comedy the comedy", "", "of the a I");
    expect_terms(&c, 3, (const char *const[]){"action", "comedy", "funny"});
    double rare = log(5.0 / 2) + 1, common = log(5.0 / 3) + 1;
    assert_close(c.idf[0], rare, 1e-15);
    assert_close(c.idf[1], common, 1e-15);
    assert_close(c.idf[2], rare, 1e-15);
    assert_int_equal(c.matrix.rows, 4);
    const int64_t indptr[] = {0, 3, 4, 4, 4};
    assert_memory_equal(c.matrix.indptr, indptr, sizeof indptr);
    double norm = sqrt(rare * rare + common * common + 4 * rare * rare);
    assert_close(c.matrix.data[0], rare / norm, 1e-7);
    assert_close(c.matrix.data[1], common / norm, 1e-7);
    assert_close(c.matrix.data[2], 2 * rare / norm, 1e-7);
    assert_close(c.matrix.data[3], 1, 1e-7);
    expect_proper(&c);
    bmf_content_clear(&c);
}

/* Expected terms are what scikit-learn 1.2.1 on Python 3.11 finds in the same documents. */
static void words_as_python_sees_them(void **state)
{
    (void)state;
    bmf_content c =
        BUILD(0, "ΟΔΥΣΣΕΥΣ ΑΣ. Σ", "İstanbul Iİ", "naïve café_x e\xcc\x81tude a b ab x² 12 1", "STRASSE Straße");
    expect_terms(&c, 12,
                 (const char *const[]){"12", "ab", "café_x", "ii", "naïve", "stanbul", "strasse", "straße", "tude",
                                       "x²", "ας", "οδυσσευς"});
    expect_proper(&c);
    bmf_content_clear(&c);
}

static void invalid_bytes_separate_words(void **state)
{
    (void)state;
    bmf_content c = BUILD(0,
                          "drama\xff"
                          "comedy",
                          "war\xc3", "\xe2\x82", "noir\xed\xa0\x80up");
    expect_terms(&c, 4, (const char *const[]){"comedy", "drama", "noir", "war"});
    bmf_content_clear(&c);
}

static void no_words_give_no_columns(void **state)
{
    (void)state;
    bmf_content c = BUILD(10, "", "the", "- | a");
    assert_int_equal(c.matrix.rows, 3);
    assert_int_equal(c.matrix.columns, 0);
    assert_int_equal(bmf_csr_count(&c.matrix), 0);
    bmf_content_clear(&c);
    bmf_strings none = {0};
    assert_ok(bmf_tfidf_build(&none, 0, &c, &err), err);
    assert_int_equal(c.matrix.rows, 0);
    bmf_content_clear(&c);
}

static int apply(const bmf_strings *documents, const bmf_content *content, bmf_csr *out)
{
    const bmf_content_source source = {.rows = documents->count, .documents = documents};
    return bmf_content_apply(&source, &content->feature, content->idf, out, &err);
}

/* The rows of the documents that a content was built from come out again; what others have of its terms counts as there. */
static void rows_over_terms_known_before(void **state)
{
    (void)state;
    static const char *const document[] = {"Red green", "blue RED red", "yellow the", ""};
    bmf_strings list = {0};
    bmf_csr rows;
    bmf_content c = BUILD(0, document[0], document[1], document[2], document[3]);
    for (int d = 0; d < 4; d++)
        add(&list, document[d]);
    assert_ok(apply(&list, &c, &rows), err);
    assert_int_equal(rows.columns, c.matrix.columns);
    assert_memory_equal(rows.indptr, c.matrix.indptr, 5 * sizeof *rows.indptr);
    assert_memory_equal(rows.indices, c.matrix.indices, (size_t)bmf_csr_count(&rows) * sizeof *rows.indices);
    assert_memory_equal(rows.data, c.matrix.data, (size_t)bmf_csr_count(&rows) * sizeof *rows.data);
    bmf_csr_clear(&rows);
    bmf_strings_clear(&list);
    add(&list, "green unheard-of, the Green");
    assert_ok(apply(&list, &c, &rows), err);
    assert_int_equal(bmf_csr_count(&rows), 1);
    assert_string_equal(bmf_strings_get(&c.feature, rows.indices[0]), "green");
    assert_float_equal(rows.data[0], 1, 1e-7);
    bmf_csr_clear(&rows);
    bmf_strings_clear(&list);
    bmf_content_clear(&c);
}

static bmf_content build_counts(const int *count, int terms, int64_t limit)
{
    size_t length = 0;
    char *text = calloc(1, 1 << 20);
    for (int t = 0; t < terms; t++)
        for (int i = 0; i < count[t]; i++)
            length += (size_t)snprintf(text + length, 8, "t%03d ", t);
    bmf_content c = build((const char *const[]){text}, 1, limit);
    free(text);
    return c;
}

/* One document in which term t<i> occurs count[i] times; the kept ones must be `kept`. */
static void expect_kept(const int *count, int terms, const int *kept, int limit)
{
    bmf_content c = build_counts(count, terms, limit);
    assert_int_equal(c.feature.count, limit);
    for (int f = 0; f < limit; f++) {
        char name[8];
        (void)snprintf(name, sizeof name, "t%03d", kept[f]);
        assert_string_equal(bmf_strings_get(&c.feature, f), name);
    }
    bmf_content_clear(&c);
}

#define ALL(...)                                                                                                       \
    (const int[])                                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* What scikit-learn 1.2.1 with NumPy 1.24.2 keeps. */
static void ties_fall_as_in_numpy(void **state)
{
    (void)state;
    int count[100];
    for (int t = 0; t < 100; t++)
        count[t] = 1;
    expect_kept(count, 16, ALL(0, 1, 2, 3, 4), 5);
    expect_kept(count, 17, ALL(0, 11, 12, 13, 14), 5);
    expect_kept(count, 100, ALL(0, 64, 65, 66, 67, 68, 69, 70, 71, 72), 10);
    for (int t = 0; t < 40; t++)
        count[t] = 1 + 7 * t % 3;
    expect_kept(count, 40, ALL(2, 5, 8, 10, 11, 13, 14, 17, 19, 20, 22, 23, 25, 26, 29, 31, 32, 34, 35, 38), 20);
}

/* Counts that drive the quicksort too deep, made as by McIlroy (1999), so that its heap sort decides. */
static void deep_ties_fall_as_in_numpy(void **state)
{
    (void)state;
    expect_kept(ALL(23, 8, 22, 1, 21, 7, 20, 1, 19, 6, 18, 1, 17, 5, 16, 1, 15, 4, 14, 1, 13, 3, 12, 1, 11, 2, 10, 1, 9,
                    23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1,
                    1, 1),
                60,
                ALL(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36,
                    37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48),
                39);
}

static void limit_keeps_the_most_frequent(void **state)
{
    (void)state;
    int count[300];
    for (int t = 0; t < 300; t++)
        count[t] = 1 + t * 7919 % 300; /* all different */
    for (int64_t limit = 1; limit <= 300; limit += 23) {
        bmf_content c = build_counts(count, 300, limit);
        assert_int_equal(c.feature.count, limit);
        for (int64_t f = 0; f < limit; f++)
            assert_true(count[atoi(bmf_strings_get(&c.feature, f) + 1)] > 300 - limit);
        bmf_content_clear(&c);
    }
}

/* MovieLens ml-latest-small */

typedef struct movielens {
    int64_t *id;
    bmf_strings document;
} movielens;

static FILE *open_reference(const char *directory, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    return file;
}

/* Field of a csv line between two commas, its quotes taken off and doubled ones made single; ASCII letters lowered. */
static void append_field(char *out, const char *from, const char *to)
{
    if (*from == '"') {
        from++;
        to--;
    }
    out += strlen(out);
    for (; from < to; from++) {
        *out++ = *from >= 'A' && *from <= 'Z' ? (char)(*from + 32) : *from;
        from += *from == '"';
    }
    *out = '\0';
}

static void load_movielens(const char *directory, movielens *ml)
{
    enum { MOVIES = 9742, ROOM = 8192, HIGHEST = 200000 };
    char(*text)[ROOM] = calloc(MOVIES, ROOM), *line = NULL;
    int *index = calloc(HIGHEST, sizeof *index), movies = 0;
    size_t room = 0;
    ml->id = calloc(MOVIES, sizeof *ml->id);
    FILE *file = open_reference(directory, "data/ml-latest-small/movies.csv");
    assert_true(getline(&line, &room, file) > 0);
    for (; getline(&line, &room, file) > 0; movies++) {
        ml->id[movies] = atoll(line);
        index[ml->id[movies]] = movies;
        append_field(text[movies], strrchr(line, ',') + 1, line + strcspn(line, "\r\n"));
    }
    (void)fclose(file);
    assert_int_equal(movies, MOVIES);
    file = open_reference(directory, "data/ml-latest-small/tags.csv");
    assert_true(getline(&line, &room, file) > 0);
    while (getline(&line, &room, file) > 0) {
        char *movie = strchr(line, ',') + 1, *tag = strchr(movie, ',') + 1, *document = text[index[atoi(movie)]];
        assert_true(strlen(document) + strlen(tag) + 2 < ROOM);
        document[strlen(document)] = ' ';
        append_field(document, tag, strrchr(line, ','));
    }
    (void)fclose(file);
    for (int i = 0; i < MOVIES; i++)
        add(&ml->document, text[i]);
    free(text);
    free(index);
    free(line);
}

static void expect_vocabulary(const char *directory, const char *name, bool with_frequency, const bmf_content *content)
{
    char *line = NULL;
    size_t room = 0;
    int64_t f = 0;
    FILE *file = open_reference(directory, name);
    assert_true(getline(&line, &room, file) > 0);
    for (; getline(&line, &room, file) > 0; f++) {
        char *rest = line, *term = strsep(&rest, ",");
        if (with_frequency)
            (void)strsep(&rest, ",");
        assert_true(f < content->feature.count);
        assert_string_equal(bmf_strings_get(&content->feature, f), term);
        assert_close(content->idf[f], strtod(rest, NULL), 1e-6);
    }
    assert_int_equal(f, content->feature.count);
    (void)fclose(file);
    free(line);
}

static int64_t find_term(const bmf_strings *feature, const char *term)
{
    for (int64_t f = 0; f < feature->count; f++)
        if (strcmp(bmf_strings_get(feature, f), term) == 0)
            return f;
    return -1;
}

/* golden/tfidf_values.csv has every value, movie by movie, terms ascending: exactly our entries in our order. */
static void expect_values(const char *directory, const movielens *ml, const bmf_content *content)
{
    char *line = NULL;
    size_t room = 0;
    int64_t entry = 0, row = 0;
    FILE *file = open_reference(directory, "golden/tfidf_values.csv");
    assert_true(getline(&line, &room, file) > 0);
    for (; getline(&line, &room, file) > 0; entry++) {
        char *rest = line, *movie = strsep(&rest, ","), *term = strsep(&rest, ",");
        while (row < content->matrix.rows && content->matrix.indptr[row + 1] <= entry)
            row++;
        assert_true(row < content->matrix.rows);
        assert_int_equal(ml->id[row], atoll(movie));
        assert_int_equal(content->matrix.indices[entry], find_term(&content->feature, term));
        assert_close(content->matrix.data[entry], strtod(rest, NULL), 1e-6);
    }
    assert_int_equal(entry, bmf_csr_count(&content->matrix));
    (void)fclose(file);
    free(line);
}

static void movielens_as_scikit_learn(void **state)
{
    (void)state;
    const char *directory = reference_data_or_skip();
    movielens ml = {0};
    bmf_content content;
    load_movielens(directory, &ml);
    assert_ok(bmf_tfidf_build(&ml.document, 0, &content, &err), err);
    expect_vocabulary(directory, "golden/tfidf_vocabulary.csv", true, &content);
    expect_values(directory, &ml, &content);
    expect_proper(&content);
    bmf_content_clear(&content);
    assert_ok(bmf_tfidf_build(&ml.document, 300, &content, &err), err);
    expect_vocabulary(directory, "golden/tfidf_vocabulary_max300.csv", false, &content);
    expect_proper(&content);
    bmf_content_clear(&content);
    bmf_strings_clear(&ml.document);
    free(ml.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_words_are_sorted_and_found), cmocka_unit_test(small_corpus_by_hand),
        cmocka_unit_test(words_as_python_sees_them),       cmocka_unit_test(invalid_bytes_separate_words),
        cmocka_unit_test(no_words_give_no_columns),        cmocka_unit_test(ties_fall_as_in_numpy),
        cmocka_unit_test(deep_ties_fall_as_in_numpy),      cmocka_unit_test(limit_keeps_the_most_frequent),
        cmocka_unit_test(rows_over_terms_known_before),    cmocka_unit_test(movielens_as_scikit_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
