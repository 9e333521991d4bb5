/* Content of items from text: TF-IDF rows as scikit-learn's TfidfVectorizer(stop_words='english', max_features=N)
 * gives them, term by term and tie by tie. */
#ifndef BMF_DATA_TFIDF_H
#define BMF_DATA_TFIDF_H

#include "base/strings.h"
#include "data/dataset.h"

/* One row a document (UTF-8; bytes that are not valid separate words).
 *
 * A document is lower-cased as Python's str.lower does (İ becomes two code points, a capital sigma that ends a word
 * becomes ς) and cut into maximal runs of at least two word characters: letters, numbers of any kind, and '_'. English
 * stop words (data/stopwords.h) are dropped. Terms are columns, ascending by code point; idf = ln((1 + n) / (1 + df)) + 1
 * over all n documents; a value is the term's count in the document times idf, and each row is divided by its L2 norm.
 * A document without a term has an empty row.
 *
 * max_features ≥ 1 keeps that many terms, the most frequent in the whole corpus. Ties at the limit are broken as
 * scikit-learn breaks them: by whatever order NumPy's argsort of the negated counts (taken over the terms in ascending
 * order) leaves equal counts in. That sort is a particular introsort, not a stable sort, so the same steps are taken
 * here. This is the rule of NumPy up to 1.24, and of later ones on processors for which NumPy has no vectorised argsort
 * (1.25 added one for AVX-512, 2.0 one for AVX2); those may keep other terms of the same count. max_features 0: no limit.
 *
 * *out is {0} on failure; clear it with bmf_content_clear. Work and memory are linear in the text. Local. */
int bmf_tfidf_build(const bmf_strings *documents, int64_t max_features, bmf_content *out, bmf_error *err);

#endif
