/* Content of the items: from catalogue and tags to rows of features. */
#ifndef BMF_DATA_ITEM_CONTENT_H
#define BMF_DATA_ITEM_CONTENT_H

#include "data/catalogue.h"
#include "data/import.h"

/* Features as the options ask for. Words of genres and tags, phrases and words of titles are bounded by max_features; years,
 * decades and columns come on top, however rare. Reads the file of tags, if there is one, as bmf_catalogue_documents says. Empty
 * if max_features is 0 or there is neither a file of items nor one of tags. Local. */
int bmf_item_content(const bmf_import_options *options, const bmf_catalogue *catalogue, const bmf_tags_source *tags,
                     bmf_content *out, int64_t *unknown_tags, bmf_error *err);

/* Rows of a catalogue over the features of a content that was built before (names ascending, and idf): words of genres and
 * titles, years and decades, whichever of them are features. Tags and columns are not looked at. Local. */
int bmf_item_content_apply(const bmf_catalogue *catalogue, const bmf_strings *feature, const double *idf, bmf_csr *out,
                           bmf_error *err);

#endif
