/* A data set in memory: ids, titles, ratings in three splits, and the content of the items. */
#ifndef BMF_DATA_DATASET_H
#define BMF_DATA_DATASET_H

#include "base/strings.h"
#include "data/csr.h"
#include "data/ids.h"

typedef enum bmf_split { BMF_TRAIN, BMF_VAL, BMF_TEST, BMF_SPLITS } bmf_split;

/* "train", "val", "test". */
const char *bmf_split_name(bmf_split split);

/* Content of items or of users: a row of features each (L2 norm 1 or empty). */
typedef struct bmf_content {
    bmf_csr matrix;      /* (rows × F) */
    bmf_strings feature; /* (F) names, ascending */
    double *idf;         /* (F) what a feature's count was multiplied by before the row was scaled */
} bmf_content;

void bmf_content_clear(bmf_content *content);

/* How a data set was made: kept as attributes of /import. Strings are owned. */
typedef struct bmf_import_record {
    char source[256]; /* base name of the ratings file, or "synthetic" */
    char format[16];  /* csv, dat, tsv, synth */
    char split[16];   /* temporal, random, none */
    double split_ratio[BMF_SPLITS];
    char duplicates[16];  /* last, first, mean, error */
    double cold_items;    /* fraction of items held out */
    int64_t max_features; /* most terms kept; 0: content off, or no limit in synthetic data */
    int64_t seed;
    int64_t ratings_read;      /* good lines of ratings, before duplicates were merged */
    int64_t bad_lines;         /* of ratings, skipped */
    int64_t duplicate_ratings; /* merged into others: the splits hold ratings_read less these */
    int64_t unknown_tags;      /* lines of tags skipped: for items neither in the catalogue nor rated */

    /* What content was made of; files of older programs lack these, and were made with the words of each here. */
    char feature_weighting[16]; /* tfidf, binary */
    char title_features[32];    /* none, or some of year, decade, words with commas between them */
    char tag_features[16];      /* words, phrases */
    char item_columns[256];     /* as given, "" for none */
    char users[256];            /* base name of the file of users, "" for none */
    char user_columns[256];     /* as given, "" for those of the form */
} bmf_import_record;

typedef struct bmf_dataset {
    bmf_ids users, items;          /* m users with at least one rating; n items of the catalogue, rated or not */
    bmf_strings title;             /* (n), empty strings where unknown; or count 0 */
    bmf_ratings split[BMF_SPLITS]; /* each m × n, by user, a user's ratings in order of time */
    bmf_content content;           /* of the items, n × F; F may be 0 */
    bmf_content user_content;      /* of the users, m × G; G may be 0 */
    bmf_import_record import;
} bmf_dataset;

void bmf_dataset_clear(bmf_dataset *dataset);

#endif
