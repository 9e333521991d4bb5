/* From text files of ratings, items and tags to a data set. */
#ifndef BMF_DATA_IMPORT_H
#define BMF_DATA_IMPORT_H

#include "data/dataset.h"
#include "data/tfidf.h"

typedef enum bmf_format { BMF_FORMAT_AUTO, BMF_FORMAT_CSV, BMF_FORMAT_DAT, BMF_FORMAT_TSV } bmf_format;
typedef enum bmf_split_kind { BMF_SPLIT_TEMPORAL, BMF_SPLIT_RANDOM, BMF_SPLIT_NONE } bmf_split_kind;
typedef enum bmf_duplicates {
    BMF_DUPLICATES_LAST,
    BMF_DUPLICATES_FIRST,
    BMF_DUPLICATES_MEAN,
    BMF_DUPLICATES_ERROR
} bmf_duplicates;

typedef enum bmf_tag_features { BMF_TAG_WORDS, BMF_TAG_PHRASES } bmf_tag_features;

typedef struct bmf_import_options {
    const char *ratings_path;           /* required */
    const char *items_path, *tags_path; /* or NULL */
    bmf_format format;
    bmf_split_kind split;
    double split_ratio[BMF_SPLITS]; /* ≥ 0, sum 1 within 1e-9 */
    double cold_items;              /* in [0, 1): this fraction of rated items has all its ratings in test */
    bmf_duplicates duplicates;
    int64_t max_features; /* 0: content of items off */
    bmf_weighting feature_weighting;
    const char *title_features; /* as for bmf_title_features_parse */
    bmf_tag_features tag_features;
    const char *item_columns; /* as for bmf_columns_open; NULL: none */
    const char *users_path;   /* or NULL: no content of users */
    const char *user_columns; /* NULL: those of the form */
    int64_t max_bad_lines;    /* lines that may be skipped, with a warning: those of the ratings that cannot
                                          * be read and tags for unknown items, counted together */
    uint64_t seed;
    int64_t threads; /* 0: as OpenMP says */
} bmf_import_options;

bmf_import_options bmf_import_defaults(void);

/* Reads the files and builds the data set (clear when done). Errors: BMF_ERR_INPUT with file:line, value and what is
 * allowed, also for ratings by fewer than two users or of fewer than two items; BMF_ERR_IO for a file that cannot be
 * read. Local. */
int bmf_import(const bmf_import_options *options, bmf_dataset *out, bmf_error *err);

/* The validation report over the three splits: what `import` prints at its end. */
typedef struct bmf_split_report {
    int64_t ratings, users, items; /* users and items with a rating in this split */
    int64_t missing;               /* values that are not finite */
    int64_t not_positive;          /* values of zero or below */
    double minimum, maximum, mean;
} bmf_split_report;

typedef struct bmf_dataset_report {
    bmf_split_report split[BMF_SPLITS], all;
    int64_t users, items, features, user_features;
    int64_t items_without_content, users_without_content;
    double sparsity;
    bool no_memory;         /* to count items and to compare pairs: neither was done */
    bool totals_consistent; /* the splits add up to ratings read less duplicates merged; no (user, item) pair twice */
} bmf_dataset_report;

bmf_dataset_report bmf_dataset_report_of(const bmf_dataset *dataset);

#endif
