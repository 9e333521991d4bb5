/* Content from text and named features: TF-IDF rows as scikit-learn's TfidfVectorizer(stop_words='english',
 * max_features=N) gives them, term by term and tie by tie, or rows in which every feature counts the same. */
#ifndef BMF_DATA_TFIDF_H
#define BMF_DATA_TFIDF_H

#include "base/strings.h"
#include "data/dataset.h"
#include "data/terms.h"

typedef enum bmf_weighting { BMF_WEIGHTING_TFIDF, BMF_WEIGHTING_BINARY } bmf_weighting;

/* "tfidf", "binary"; NULL past the last one. */
const char *bmf_weighting_name(int weighting);

/* What the rows are made of; each list has a place for every row, or is NULL. Borrowed. */
typedef struct bmf_content_source {
    int64_t rows;
    const bmf_strings *documents; /* their words are features */
    const bmf_strings *titles;    /* their words are features behind "title:" */
    const bmf_terms *phrases;     /* features as they are */
    const bmf_terms *always;      /* the same, kept however rare they are: max_features does not count them */
    int64_t max_features;         /* 0: no limit */
    bmf_weighting weighting;
} bmf_content_source;

/* One row each (UTF-8; bytes that are not valid separate words).
 *
 * Texts are cut into words as bmf_words_add_text says. Features are columns, ascending by code point. tfidf: idf = ln((1 + n)
 * / (1 + df)) + 1 over all n rows; a value is the feature's count in the row times idf. binary: idf and values are 1. Then
 * each row is divided by its L2 norm. A row without a feature is empty.
 *
 * max_features ≥ 1 keeps that many features (and those of `always`), the most frequent over all rows. Ties at the limit are
 * broken as scikit-learn breaks them: by whatever order NumPy's argsort of the negated counts (taken over the terms in
 * ascending order) leaves equal counts in. That sort is a particular introsort, not a stable sort, so the same steps are
 * taken here. This is the rule of NumPy up to 1.24, and of later ones on processors for which NumPy has no vectorised argsort
 * (1.25 added one for AVX-512, 2.0 one for AVX2); those may keep other terms of the same count.
 *
 * *out is {0} on failure; clear it with bmf_content_clear. Work and memory are linear in the text. Local. */
int bmf_content_build(const bmf_content_source *source, bmf_content *out, bmf_error *err);

/* Rows of another source over the features of a content that was built before, with its idf, as TfidfVectorizer.transform
 * gives them: what is no feature counts for nothing. source->max_features has no part in it. *out is {0} on failure. Local. */
int bmf_content_apply(const bmf_content_source *source, const bmf_strings *feature, const double *idf, bmf_csr *out,
                      bmf_error *err);

/* bmf_content_build of documents alone, weighted by tfidf. */
int bmf_tfidf_build(const bmf_strings *documents, int64_t max_features, bmf_content *out, bmf_error *err);

/* Rows of other documents over the terms of a content that was built before, with its idf, as TfidfVectorizer.transform
 * gives them: words that are no terms count for nothing. The content may have any features; its matrix is not needed.
 * *out is {0} on failure. Local. */
int bmf_tfidf_apply(const bmf_strings *documents, const bmf_content *content, bmf_csr *out, bmf_error *err);

#endif
