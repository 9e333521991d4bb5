#include "data/tfidf.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/hash.h"
#include "base/memory.h"
#include "data/stopwords.h"

/* The words of all documents, each as an index into the list of distinct words. */
typedef struct corpus {
    bmf_strings word; /* distinct words in order of first use, stop words included */
    int32_t *slot;    /* (slots) open addressing: index of a word, −1 where free */
    int64_t slots;    /* a power of two, more than twice the words */
    int32_t *token;   /* (tokens) */
    int64_t tokens, token_capacity;
    int64_t *start; /* (documents + 1): tokens of document d are start[d] .. start[d+1] */
    int32_t *point; /* scratch: code points of one document */
    int64_t point_capacity;
    char *utf8; /* scratch: one word */
    int64_t utf8_capacity;
} corpus;

static void corpus_clear(corpus *c)
{
    bmf_strings_clear(&c->word);
    bmf_free(c->slot);
    bmf_free(c->token);
    bmf_free(c->start);
    bmf_free(c->point);
    bmf_free(c->utf8);
    *c = (corpus){0};
}

/* Lower case and word characters as Python sees them */

static bool in_category(int32_t point, unsigned mask)
{
    return mask >> utf8proc_category(point) & 1;
}

#define BIT(category) (1u << UTF8PROC_CATEGORY_##category)
#define CASED (BIT(LU) | BIT(LL) | BIT(LT))
#define WORD (CASED | BIT(LM) | BIT(LO) | BIT(ND) | BIT(NL) | BIT(NO))
#define IGNORABLE (BIT(MN) | BIT(ME) | BIT(CF) | BIT(LM) | BIT(SK))

static bool is_word(int32_t point)
{
    return point == '_' || in_category(point, WORD);
}

/* Unicode's Cased: letters with case by category, and those that only Other_Lowercase or Other_Uppercase names. */
static bool is_cased(int32_t p)
{
    return in_category(p, CASED) || p == 0xaa || p == 0xba || (p >= 0x2160 && p <= 0x217f) ||
           (p >= 0x24b6 && p <= 0x24e9) || (p >= 0x1f130 && p <= 0x1f149) || (p >= 0x1f150 && p <= 0x1f169) ||
           (p >= 0x1f170 && p <= 0x1f189);
}

/* Unicode's Case_Ignorable: by category, and the punctuation that may stand inside a word. */
static bool is_case_ignorable(int32_t point)
{
    static const int32_t inside[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
                                     0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (point == inside[i])
            return true;
    return in_category(point, IGNORABLE);
}

/* Unicode's Final_Sigma: a cased letter before, none after, case-ignorable ones skipped on both sides. */
static bool is_final_sigma(const int32_t *point, int64_t count, int64_t i)
{
    int64_t before = i - 1, after = i + 1;
    while (before >= 0 && is_case_ignorable(point[before]))
        before--;
    if (before < 0 || !is_cased(point[before]))
        return false;
    while (after < count && is_case_ignorable(point[after]))
        after++;
    return after == count || !is_cased(point[after]);
}

/* Code points of text into c->point; invalid bytes become U+FFFD, which is no word character. */
static int decode(corpus *c, const char *text, int64_t length, int64_t *count, bmf_error *err)
{
    int status = bmf_grow((void **)&c->point, &c->point_capacity, length + 1, sizeof *c->point, "text of an item", err);
    if (status != BMF_OK)
        return status;
    int64_t n = 0;
    for (int64_t at = 0; at < length; n++) {
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at, length - at, &c->point[n]);
        if (step < 1)
            c->point[n] = 0xfffd;
        at += step < 1 ? 1 : step;
    }
    *count = n;
    return BMF_OK;
}

/* Lower case of code point i in UTF-8 (up to 4 bytes); returns its length. U+0307, the second half of a lower-case İ,
 * is no word character: the word ends there. */
static int64_t put_lower(const int32_t *point, int64_t count, int64_t i, char *out)
{
    int32_t lower = utf8proc_tolower(point[i]);
    if (point[i] == 0x3a3 && is_final_sigma(point, count, i))
        lower = 0x3c2;
    else if (point[i] == 0x130)
        lower = 'i';
    return utf8proc_encode_char(lower, (utf8proc_uint8_t *)out);
}

/* Distinct words */

/* Slot of the word, or the free one where it belongs. */
static int64_t find_slot(const corpus *c, const char *text, int64_t length)
{
    int64_t at = (int64_t)(bmf_hash_text(text, length) & (uint64_t)(c->slots - 1));
    for (; c->slot[at] >= 0; at = (at + 1) & (c->slots - 1)) {
        int64_t i = c->slot[at];
        if (bmf_strings_length(&c->word, i) == length && !memcmp(bmf_strings_get(&c->word, i), text, (size_t)length))
            break;
    }
    return at;
}

static int grow_slots(corpus *c, bmf_error *err)
{
    int64_t slots = c->slots ? 2 * c->slots : 4096;
    int32_t *slot = bmf_alloc(slots, sizeof *slot, "hash table of words", err);
    if (!slot)
        return BMF_ERR_MEMORY;
    bmf_free(c->slot);
    c->slot = slot;
    c->slots = slots;
    memset(slot, 0xff, (size_t)slots * sizeof *slot);
    for (int64_t i = 0; i < c->word.count; i++)
        slot[find_slot(c, bmf_strings_get(&c->word, i), bmf_strings_length(&c->word, i))] = (int32_t)i;
    return BMF_OK;
}

static int add_token(corpus *c, int64_t length, bmf_error *err)
{
    if (c->word.count >= INT32_MAX - 1)
        return bmf_fail(err, BMF_ERR_INPUT, "content: more than %d distinct words", INT32_MAX - 1);
    int status = bmf_grow((void **)&c->token, &c->token_capacity, c->tokens + 1, sizeof *c->token, "words", err);
    if (status == BMF_OK && 2 * (c->word.count + 1) >= c->slots)
        status = grow_slots(c, err);
    if (status != BMF_OK)
        return status;
    int64_t at = find_slot(c, c->utf8, length);
    if (c->slot[at] < 0) {
        status = bmf_strings_add(&c->word, c->utf8, length, err);
        if (status != BMF_OK)
            return status;
        c->slot[at] = (int32_t)(c->word.count - 1);
    }
    c->token[c->tokens++] = c->slot[at];
    return BMF_OK;
}

/* The words of one document. `points` counts code points of the current word as Python has them. */
static int add_document(corpus *c, const char *text, int64_t text_length, bmf_error *err)
{
    int64_t count = 0;
    int status = decode(c, text, text_length, &count, err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&c->utf8, &c->utf8_capacity, 4 * count + 4, 1, "text of an item", err);
    int64_t points = 0, length = 0;
    for (int64_t i = 0; status == BMF_OK && i <= count; i++) {
        bool word = i < count && is_word(c->point[i]);
        if (word) {
            length += put_lower(c->point, count, i, c->utf8 + length);
            points++;
        }
        if (word && c->point[i] != 0x130)
            continue;
        if (points >= 2)
            status = add_token(c, length, err);
        points = length = 0;
    }
    return status;
}

static int corpus_read(const bmf_strings *documents, corpus *c, bmf_error *err)
{
    c->start = bmf_alloc_zero(documents->count + 1, sizeof *c->start, "documents", err);
    int status = c->start ? grow_slots(c, err) : BMF_ERR_MEMORY;
    for (int64_t d = 0; status == BMF_OK && d < documents->count; d++) {
        status = add_document(c, bmf_strings_get(documents, d), bmf_strings_length(documents, d), err);
        c->start[d + 1] = c->tokens;
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

/* From words to columns */

typedef struct term {
    const char *text; /* borrowed from the corpus */
    int32_t word;
} term;

static int compare_terms(const void *a, const void *b)
{
    return strcmp(((const term *)a)->text, ((const term *)b)->text);
}

/* The words that are no stop words, ascending (bytes of UTF-8 sort as code points do). */
static int64_t sorted_terms(const corpus *c, term *terms)
{
    int64_t count = 0;
    for (int64_t i = 0; i < c->word.count; i++) {
        const char *text = bmf_strings_get(&c->word, i);
        if (!bmf_stopword_is(text))
            terms[count++] = (term){text, (int32_t)i};
    }
    qsort(terms, (size_t)count, sizeof *terms, compare_terms);
    return count;
}

/* Marks the `limit` most frequent of count > limit terms in keep (count). */
static int keep_frequent(const corpus *c, const term *terms, int64_t count, int64_t limit, bool *keep, bmf_error *err)
{
    int64_t *uses = bmf_alloc_zero(c->word.count, sizeof *uses, "word counts", err);
    int64_t *key = bmf_alloc(count, sizeof *key, "word counts", err);
    int32_t *order = bmf_alloc(count, sizeof *order, "word order", err);
    int status = uses && key && order ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    for (int64_t t = 0; t < c->tokens; t++)
        uses[c->token[t]]++;
    for (int64_t i = 0; i < count; i++)
        key[i] = -uses[terms[i].word];
    argsort(key, order, count);
    for (int64_t i = 0; i < count; i++)
        keep[order[i]] = i < limit;
done:
    bmf_free(uses);
    bmf_free(key);
    bmf_free(order);
    return status;
}

/* column (words): the column of each word, −1 for one that is not kept; the columns' terms go to *feature. */
static int choose_columns(const corpus *c, int64_t max_features, int32_t *column, bmf_strings *feature, bmf_error *err)
{
    term *terms = bmf_alloc(c->word.count, sizeof *terms, "terms", err);
    bool *keep = bmf_alloc(c->word.count, sizeof *keep, "terms", err);
    int status = terms && keep ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    int64_t count = sorted_terms(c, terms);
    memset(keep, true, (size_t)count * sizeof *keep);
    if (max_features > 0 && count > max_features)
        status = keep_frequent(c, terms, count, max_features, keep, err);
    memset(column, 0xff, (size_t)c->word.count * sizeof *column);
    for (int64_t i = 0; status == BMF_OK && i < count; i++) {
        if (!keep[i])
            continue;
        column[terms[i].word] = (int32_t)feature->count;
        status = bmf_strings_add(feature, terms[i].text, bmf_strings_length(&c->word, terms[i].word), err);
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

/* Turns the tokens of each document into ascending columns, −1 (not kept) first; returns the distinct pairs of document
 * and column, and the number of documents of each column. */
static int64_t to_columns(corpus *c, int64_t documents, const int32_t *column, int64_t *document_frequency)
{
    int64_t entries = 0;
    for (int64_t d = 0; d < documents; d++) {
        int64_t first = c->start[d], end = c->start[d + 1];
        for (int64_t t = first; t < end; t++)
            c->token[t] = column[c->token[t]];
        if (end - first > 1)
            qsort(c->token + first, (size_t)(end - first), sizeof *c->token, compare_columns);
        for (int64_t t = first; t < end; t++) {
            if (c->token[t] < 0 || (t > first && c->token[t] == c->token[t - 1]))
                continue;
            document_frequency[c->token[t]]++;
            entries++;
        }
    }
    return entries;
}

/* One row from its ascending columns; returns the position behind its last entry. */
static int64_t fill_row(const int32_t *token, int64_t tokens, const double *idf, bmf_csr *matrix, int64_t at)
{
    int64_t first = at;
    double squares = 0;
    for (int64_t t = 0, next = 0; t < tokens; t = next) {
        for (next = t + 1; next < tokens && token[next] == token[t];)
            next++;
        if (token[t] < 0)
            continue;
        double value = (double)(next - t) * idf[token[t]];
        squares += value * value;
        matrix->indices[at] = token[t];
        matrix->data[at++] = (float)(next - t);
    }
    double norm = sqrt(squares);
    for (int64_t e = first; e < at; e++)
        matrix->data[e] = (float)(matrix->data[e] * idf[matrix->indices[e]] / norm);
    return at;
}

static int fill_content(corpus *c, int64_t documents, const int32_t *column, bmf_content *out, bmf_error *err)
{
    int64_t features = out->feature.count;
    int64_t *frequency = bmf_alloc_zero(features, sizeof *frequency, "document frequencies", err);
    out->idf = bmf_alloc(features, sizeof *out->idf, "idf", err);
    int status = frequency && out->idf ? BMF_OK : BMF_ERR_MEMORY;
    if (status != BMF_OK)
        goto done;
    int64_t entries = to_columns(c, documents, column, frequency);
    for (int64_t f = 0; f < features; f++)
        out->idf[f] = log((1.0 + (double)documents) / (1.0 + (double)frequency[f])) + 1.0;
    status = bmf_csr_create(&out->matrix, documents, features, entries, "content", err);
    for (int64_t d = 0, at = 0; status == BMF_OK && d < documents; d++) {
        const int32_t *token = c->token ? c->token + c->start[d] : NULL; /* no text has a word */
        at = fill_row(token, c->start[d + 1] - c->start[d], out->idf, &out->matrix, at);
        out->matrix.indptr[d + 1] = at;
    }
done:
    bmf_free(frequency);
    return status;
}

int bmf_tfidf_build(const bmf_strings *documents, int64_t max_features, bmf_content *out, bmf_error *err)
{
    *out = (bmf_content){0};
    corpus c = {0};
    int32_t *column = NULL;
    int status = corpus_read(documents, &c, err);
    if (status != BMF_OK)
        goto done;
    column = bmf_alloc(c.word.count, sizeof *column, "columns", err);
    status = column ? choose_columns(&c, max_features, column, &out->feature, err) : BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = fill_content(&c, documents->count, column, out, err);
done:
    bmf_free(column);
    corpus_clear(&c);
    if (status != BMF_OK)
        bmf_content_clear(out);
    return status;
}
