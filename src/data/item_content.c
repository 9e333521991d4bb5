#include "data/item_content.h"

#include "data/titles.h"

/* Years, decades and columns of every item. */
static int add_terms(const bmf_catalogue *catalogue, const bmf_title_features *features, bmf_terms *terms,
                     bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = 0; i < catalogue->items.count && status == BMF_OK; i++) {
        status = bmf_title_add_terms(features, bmf_strings_get(&catalogue->title, i),
                                     bmf_strings_length(&catalogue->title, i), terms, err);
        if (status == BMF_OK && catalogue->record && catalogue->record[i] >= 0)
            status = bmf_columns_add_terms(&catalogue->columns, catalogue->record[i], terms, err);
        if (status == BMF_OK)
            status = bmf_terms_end_row(terms, err);
    }
    return status;
}

/* The titles without the years that end them. */
static int names_of(const bmf_catalogue *catalogue, bmf_strings *names, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = 0; i < catalogue->items.count && status == BMF_OK; i++) {
        int64_t name;
        const char *title = bmf_strings_get(&catalogue->title, i);
        (void)bmf_title_year(title, bmf_strings_length(&catalogue->title, i), &name);
        status = bmf_strings_add(names, title, name, err);
    }
    return status;
}

int bmf_item_content(const bmf_import_options *options, const bmf_catalogue *catalogue, const bmf_tags_source *tags,
                     bmf_content *out, int64_t *unknown_tags, bmf_error *err)
{
    bmf_strings documents = {0}, names = {0};
    bmf_terms phrases = {0}, always = {0};
    bmf_title_features features;
    bool by_phrase = options->tag_features == BMF_TAG_PHRASES;
    *out = (bmf_content){0};
    int status = bmf_title_features_parse(options->title_features, &features, err);
    if (status != BMF_OK || options->max_features == 0 || (!options->items_path && !tags->path))
        return status;
    status = bmf_catalogue_documents(catalogue, tags, &documents, by_phrase ? &phrases : NULL, unknown_tags, err);
    if (status == BMF_OK)
        status = add_terms(catalogue, &features, &always, err);
    if (status == BMF_OK && features.words)
        status = names_of(catalogue, &names, err);
    if (status == BMF_OK) {
        bmf_content_source source = {.rows = catalogue->items.count,
                                     .documents = &documents,
                                     .titles = features.words ? &names : NULL,
                                     .phrases = by_phrase ? &phrases : NULL,
                                     .always = &always,
                                     .max_features = options->max_features,
                                     .weighting = options->feature_weighting};
        status = bmf_content_build(&source, out, err);
    }
    bmf_strings_clear(&documents);
    bmf_strings_clear(&names);
    bmf_terms_clear(&phrases);
    bmf_terms_clear(&always);
    return status;
}

/* Equal weights are an idf of 1 everywhere. */
static bmf_weighting weighting_of(const double *idf, int64_t features)
{
    for (int64_t f = 0; f < features; f++)
        if (idf[f] != 1)
            return BMF_WEIGHTING_TFIDF;
    return BMF_WEIGHTING_BINARY;
}

int bmf_item_content_apply(const bmf_catalogue *catalogue, const bmf_strings *feature, const double *idf, bmf_csr *out,
                           bmf_error *err)
{
    const bmf_title_features features = {.year = true, .decade = true, .words = true};
    bmf_strings names = {0};
    bmf_terms terms = {0};
    *out = (bmf_csr){0};
    int status = add_terms(catalogue, &features, &terms, err);
    if (status == BMF_OK)
        status = names_of(catalogue, &names, err);
    if (status == BMF_OK) {
        bmf_content_source source = {.rows = catalogue->items.count,
                                     .documents = &catalogue->genres,
                                     .titles = &names,
                                     .always = &terms,
                                     .weighting = weighting_of(idf, feature->count)};
        status = bmf_content_apply(&source, feature, idf, out, err);
    }
    bmf_strings_clear(&names);
    bmf_terms_clear(&terms);
    return status;
}
