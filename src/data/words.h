/* The words and named features of a list of documents, as indices into a list of distinct terms. */
#ifndef BMF_DATA_WORDS_H
#define BMF_DATA_WORDS_H

#include <stdbool.h>

#include "base/strings.h"
#include "data/lower_case.h"

/* {0} is an empty list. */
typedef struct bmf_words {
    bmf_strings term; /* distinct terms in order of first use */
    bool *always;     /* (term.count) kept however rare it is */
    int64_t always_capacity;
    int32_t *slot;  /* (slots) open addressing: index of a term, −1 where free */
    int64_t slots;  /* a power of two, more than twice the terms */
    int32_t *token; /* (tokens) */
    int64_t tokens, token_capacity;
    bmf_lower lower; /* scratch: one text */
    char *utf8;      /* scratch: one term */
    int64_t utf8_capacity;
} bmf_words;

void bmf_words_clear(bmf_words *words);

/* Adds the words of a text (UTF-8): it is lower-cased as Python's str.lower does and cut into maximal runs of at least two
 * word characters: letters, numbers of any kind, and '_'. English stop words (data/stopwords.h) are dropped. `prefix` stands before each of them; "" for none. Local. */
int bmf_words_add_text(bmf_words *words, const char *prefix, const char *text, int64_t length, bmf_error *err);

/* Adds one term as it is. */
int bmf_words_add_term(bmf_words *words, const char *term, int64_t length, bool always, bmf_error *err);

#endif
