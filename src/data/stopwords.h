/* English words that carry no content. */
#ifndef BMF_DATA_STOPWORDS_H
#define BMF_DATA_STOPWORDS_H

#include <stdbool.h>

/* Number of words in the list. */
int bmf_stopword_count(void);

/* The i-th word, ascending by bytes. */
const char *bmf_stopword_get(int i);

/* True if the lower-case word is in the list. Local. */
bool bmf_stopword_is(const char *word);

#endif
