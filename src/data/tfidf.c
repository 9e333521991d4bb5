#include "data/tfidf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/words.h"

const char *bmf_weighting_name(int weighting)
{
    static const char *const names[] = {[BMF_WEIGHTING_TFIDF] = "tfidf", [BMF_WEIGHTING_BINARY] = "binary"};
    return (size_t)weighting < sizeof names / sizeof *names ? names[weighting] : NULL;
}

/* The terms of all rows. */
typedef struct corpus {
    bmf_words words;
    int64_t rows;
    int64_t *start; /* (rows + 1): tokens of row r are start[r] .. start[r+1] */
} corpus;

static int add_texts(corpus *c, const bmf_strings *texts, const char *prefix, int64_t row, bmf_error *err)
{
    return texts
               ? bmf_words_add_text(&c->words, prefix, bmf_strings_get(texts, row), bmf_strings_length(texts, row), err)
               : BMF_OK;
}

static int add_terms(corpus *c, const bmf_terms *terms, bool always, int64_t row, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t t = row > 0 && terms ? terms->end[row - 1] : 0; terms && t < terms->end[row] && status == BMF_OK; t++)
        status = bmf_words_add_term(&c->words, bmf_strings_get(&terms->name, t), bmf_strings_length(&terms->name, t),
                                    always, err);
    return status;
}

static int corpus_read(const bmf_content_source *source, corpus *c, bmf_error *err)
{
    c->start = bmf_alloc_zero(source->rows + 1, sizeof *c->start, "documents", err);
    int status = c->start ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t row = 0; status == BMF_OK && row < source->rows; row++) {
        status = add_texts(c, source->documents, "", row, err);
        if (status == BMF_OK)
            status = add_texts(c, source->titles, "title:", row, err);
        if (status == BMF_OK)
            status = add_terms(c, source->phrases, false, row, err);
        if (status == BMF_OK)
            status = add_terms(c, source->always, true, row, err);
        c->start[row + 1] = c->words.tokens;
    }
    return status;
}

/* The order of NumPy's argsort: quicksort with the median of three, insertion sort for at most 16 elements, heap sort
 * when it goes too deep (Musser 1997). Each comparison and exchange counts: they decide where equal keys end up. */

static void swap(int32_t *a, int32_t *b)
{
    int32_t t = *a;
    *a = *b;
    *b = t;
}

static void insertion_argsort(const int64_t *key, int32_t *at, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        int32_t moved = at[i];
        int64_t j = i;
        for (; j > 0 && key[moved] < key[at[j - 1]]; j--)
            at[j] = at[j - 1];
        at[j] = moved;
    }
}

/* Lets `moved` sink from position i (from 1) of a heap with the greatest key on top. */
static void sink(const int64_t *key, int32_t *heap, int64_t count, int64_t i, int32_t moved)
{
    for (int64_t j = 2 * i; j <= count; j = 2 * i) {
        if (j < count && key[heap[j - 1]] < key[heap[j]])
            j++;
        if (key[moved] >= key[heap[j - 1]])
            break;
        heap[i - 1] = heap[j - 1];
        i = j;
    }
    heap[i - 1] = moved;
}

static void heap_argsort(const int64_t *key, int32_t *at, int64_t count)
{
    for (int64_t i = count / 2; i > 0; i--)
        sink(key, at, count, i, at[i - 1]);
    for (int64_t last = count - 1; last > 0; last--) {
        int32_t moved = at[last];
        at[last] = at[0];
        sink(key, at, last, 1, moved);
    }
}

/* Splits 17 or more elements around the median of first, middle and last; returns its final position. */
static int64_t partition(const int64_t *key, int32_t *at, int64_t count)
{
    int64_t middle = (count - 1) / 2, last = count - 1;
    if (key[at[middle]] < key[at[0]])
        swap(&at[middle], &at[0]);
    if (key[at[last]] < key[at[middle]])
        swap(&at[last], &at[middle]);
    if (key[at[middle]] < key[at[0]])
        swap(&at[middle], &at[0]);
    int64_t pivot = key[at[middle]], i = 0, j = last - 1;
    swap(&at[middle], &at[j]);
    for (;;) {
        while (key[at[++i]] < pivot)
            ;
        while (pivot < key[at[--j]])
            ;
        if (i >= j)
            break;
        swap(&at[i], &at[j]);
    }
    swap(&at[i], &at[last - 1]);
    return i;
}

/* The greater part is sorted by a call (where the depth is tested), the smaller one by the loop (where it is not). */
static void argsort_part(const int64_t *key, int32_t *at, int64_t count, int depth)
{
    if (depth < 0) {
        heap_argsort(key, at, count);
        return;
    }
    while (count > 16) {
        int64_t pivot = partition(key, at, count), above = count - pivot - 1;
        depth--;
        if (pivot < above) {
            argsort_part(key, at + pivot + 1, above, depth);
            count = pivot;
        } else {
            argsort_part(key, at, pivot, depth);
            at += pivot + 1;
            count = above;
        }
    }
    insertion_argsort(key, at, count);
}

static void argsort(const int64_t *key, int32_t *at, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        at[i] = (int32_t)i;
    if (count > 1)
        argsort_part(key, at, count, 2 * (63 - __builtin_clzll((unsigned long long)count)));
}

/* From terms to columns */

typedef struct term {
    const char *text; /* borrowed from the words */
    int32_t index;
} term;

static int compare_terms(const void *a, const void *b)
{
    return strcmp(((const term *)a)->text, ((const term *)b)->text);
}

/* The terms in ascending order (bytes of UTF-8 sort as code points do). */
static void sort_terms(const bmf_words *words, term *terms)
{
    for (int64_t i = 0; i < words->term.count; i++)
        terms[i] = (term){bmf_strings_get(&words->term, i), (int32_t)i};
    qsort(terms, (size_t)words->term.count, sizeof *terms, compare_terms);
}

/* keep (terms): whether a term becomes a column. Of those that may be left out, `limit` are kept, the most frequent. */
static int keep_frequent(const bmf_words *words, const term *terms, int64_t limit, bool *keep, bmf_error *err)
{
    int64_t count = words->term.count, optional = 0;
    int64_t *uses = bmf_alloc_zero(count, sizeof *uses, "word counts", err);
    int64_t *key = bmf_alloc(count, sizeof *key, "word counts", err);
    int32_t *order = bmf_alloc(count, sizeof *order, "word order", err);
    int32_t *from = bmf_alloc(count, sizeof *from, "word order", err); /* the terms that may be left out */
    int status = uses && key && order && from ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    for (int64_t t = 0; t < words->tokens; t++)
        uses[words->token[t]]++;
    for (int64_t i = 0; i < count; i++) {
        keep[i] = words->always[terms[i].index];
        if (keep[i])
            continue;
        from[optional] = (int32_t)i;
        key[optional++] = -uses[terms[i].index];
    }
    argsort(key, order, optional);
    for (int64_t i = 0; i < optional && i < limit; i++)
        keep[from[order[i]]] = true;
done:
    bmf_free(uses);
    bmf_free(key);
    bmf_free(order);
    bmf_free(from);
    return status;
}

static int64_t count_optional(const bmf_words *words)
{
    int64_t count = 0;
    for (int64_t i = 0; i < words->term.count; i++)
        count += !words->always[i];
    return count;
}

/* column (terms): the column of each term, −1 for one that is not kept; the columns' names go to *feature. */
static int choose_columns(const bmf_words *words, int64_t max_features, int32_t *column, bmf_strings *feature,
                          bmf_error *err)
{
    int64_t count = words->term.count;
    term *terms = bmf_alloc(count, sizeof *terms, "terms", err);
    bool *keep = bmf_alloc(count, sizeof *keep, "terms", err);
    int status = terms && keep ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    sort_terms(words, terms);
    memset(keep, true, (size_t)count * sizeof *keep);
    if (max_features > 0 && count_optional(words) > max_features)
        status = keep_frequent(words, terms, max_features, keep, err);
    memset(column, 0xff, (size_t)count * sizeof *column);
    for (int64_t i = 0; status == BMF_OK && i < count; i++) {
        if (!keep[i])
            continue;
        column[terms[i].index] = (int32_t)feature->count;
        status = bmf_strings_add(feature, terms[i].text, bmf_strings_length(&words->term, terms[i].index), err);
    }
done:
    bmf_free(terms);
    bmf_free(keep);
    return status;
}

static int compare_columns(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Turns the tokens of each row into ascending columns, −1 (not kept) first; returns the distinct pairs of row and column,
 * and the number of rows of each column. */
static int64_t to_columns(const corpus *c, const int32_t *column, int64_t *row_frequency)
{
    int64_t entries = 0;
    int32_t *token = c->words.token;
    for (int64_t row = 0; row < c->rows; row++) {
        int64_t first = c->start[row], end = c->start[row + 1];
        for (int64_t t = first; t < end; t++)
            token[t] = column[token[t]];
        if (end - first > 1)
            qsort(token + first, (size_t)(end - first), sizeof *token, compare_columns);
        for (int64_t t = first; t < end; t++) {
            if (token[t] < 0 || (t > first && token[t] == token[t - 1]))
                continue;
            row_frequency[token[t]]++;
            entries++;
        }
    }
    return entries;
}

/* One row from its ascending columns; returns the position behind its last entry. */
static int64_t fill_row(const int32_t *token, int64_t tokens, bmf_weighting weighting, const double *idf,
                        bmf_csr *matrix, int64_t at)
{
    int64_t first = at;
    double squares = 0;
    for (int64_t t = 0, next = 0; t < tokens; t = next) {
        for (next = t + 1; next < tokens && token[next] == token[t];)
            next++;
        if (token[t] < 0)
            continue;
        int64_t count = weighting == BMF_WEIGHTING_BINARY ? 1 : next - t;
        double value = (double)count * idf[token[t]];
        squares += value * value;
        matrix->indices[at] = token[t];
        matrix->data[at++] = (float)count;
    }
    double norm = sqrt(squares);
    for (int64_t e = first; e < at; e++)
        matrix->data[e] = (float)(matrix->data[e] * idf[matrix->indices[e]] / norm);
    return at;
}

static int fill_rows(const corpus *c, bmf_weighting weighting, const double *idf, int64_t features, int64_t entries,
                     bmf_csr *matrix, bmf_error *err)
{
    int status = bmf_csr_create(matrix, c->rows, features, entries, "content", err);
    for (int64_t row = 0, at = 0; status == BMF_OK && row < c->rows; row++) {
        const int32_t *token = c->words.token ? c->words.token + c->start[row] : NULL; /* no text has a word */
        at = fill_row(token, c->start[row + 1] - c->start[row], weighting, idf, matrix, at);
        matrix->indptr[row + 1] = at;
    }
    return status;
}

static int fill_content(const corpus *c, bmf_weighting weighting, const int32_t *column, bmf_content *out,
                        bmf_error *err)
{
    int64_t features = out->feature.count;
    int64_t *frequency = bmf_alloc_zero(features, sizeof *frequency, "document frequencies", err);
    out->idf = bmf_alloc(features, sizeof *out->idf, "idf", err);
    int status = frequency && out->idf ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    int64_t entries = to_columns(c, column, frequency);
    for (int64_t f = 0; f < features; f++)
        out->idf[f] =
            weighting == BMF_WEIGHTING_BINARY ? 1 : log((1.0 + (double)c->rows) / (1.0 + (double)frequency[f])) + 1.0;
    status = fill_rows(c, weighting, out->idf, features, entries, &out->matrix, err);
done:
    bmf_free(frequency);
    return status;
}

int bmf_content_build(const bmf_content_source *source, bmf_content *out, bmf_error *err)
{
    *out = (bmf_content){0};
    corpus c = {.rows = source->rows};
    int32_t *column = NULL;
    int status = corpus_read(source, &c, err);
    if (status != BMF_OK)
        goto done;
    column = bmf_alloc(c.words.term.count, sizeof *column, "columns", err);
    status = column ? choose_columns(&c.words, source->max_features, column, &out->feature, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = fill_content(&c, source->weighting, column, out, err);
done:
    bmf_free(column);
    bmf_free(c.start);
    bmf_words_clear(&c.words);
    if (status != BMF_OK)
        bmf_content_clear(out);
    return status;
}

/* column (terms): the feature that each term is, −1 for none. Features ascend. */
static void find_columns(const bmf_words *words, const bmf_strings *feature, int32_t *column)
{
    for (int64_t i = 0; i < words->term.count; i++) {
        const char *text = bmf_strings_get(&words->term, i);
        int64_t low = 0, high = feature->count;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if (strcmp(bmf_strings_get(feature, middle), text) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        column[i] = low < feature->count && strcmp(bmf_strings_get(feature, low), text) == 0 ? (int32_t)low : -1;
    }
}

int bmf_content_apply(const bmf_content_source *source, const bmf_strings *feature, const double *idf, bmf_csr *out,
                      bmf_error *err)
{
    *out = (bmf_csr){0};
    corpus c = {.rows = source->rows};
    int64_t *frequency = bmf_alloc_zero(feature->count, sizeof *frequency, "document frequencies", err);
    int32_t *column = NULL;
    int status = frequency ? corpus_read(source, &c, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK && !(column = bmf_alloc(c.words.term.count, sizeof *column, "columns", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK) {
        find_columns(&c.words, feature, column);
        int64_t entries = to_columns(&c, column, frequency);
        status = fill_rows(&c, source->weighting, idf, feature->count, entries, out, err);
    }
    bmf_free(frequency);
    bmf_free(column);
    bmf_free(c.start);
    bmf_words_clear(&c.words);
    return status;
}

int bmf_tfidf_build(const bmf_strings *documents, int64_t max_features, bmf_content *out, bmf_error *err)
{
    bmf_content_source source = {.rows = documents->count, .documents = documents, .max_features = max_features};
    return bmf_content_build(&source, out, err);
}
