/* The inside of the planted data: the truth and its drawing (synth.c), and its text (synth_csv.c). Every value is a pure
 * function of (options, user or item), so that the data set, the csv files and any number of threads agree. */
#ifndef BMF_DATA_SYNTH_PLAN_H
#define BMF_DATA_SYNTH_PLAN_H

#include "data/alias.h"
#include "data/synth.h"

#define BMF_SYNTH_GENRES 20
#define BMF_SYNTH_MAX_FEATURES 200000
#define BMF_SYNTH_MAX_FACTORS 1024

/* 1996-01-01 and 2018-01-01, UTC: when users begin, and when tags are given. */
#define BMF_SYNTH_FIRST_TIME INT64_C(820454400)
#define BMF_SYNTH_LAST_TIME INT64_C(1514764800)

typedef enum bmf_synth_purpose {
    BMF_SYNTH_ACTIVITY,
    BMF_SYNTH_POPULARITY,
    BMF_SYNTH_ITEM,
    BMF_SYNTH_FEATURE,
    BMF_SYNTH_ITEM_FEATURES,
    BMF_SYNTH_USER,
    BMF_SYNTH_CHOICE,
    BMF_SYNTH_RACE,
    BMF_SYNTH_NOISE,
    BMF_SYNTH_TIME,
    BMF_SYNTH_YEAR,
    BMF_SYNTH_TAG,
    BMF_SYNTH_GROUP,
    BMF_SYNTH_USER_GROUPS
} bmf_synth_purpose;

/* Memory: O(m + n k). */
typedef struct bmf_synth_plan {
    bmf_synth_options options;
    int64_t genres, tags;      /* features 0 .. genres − 1 are genres, the rest are tags */
    int64_t item_feature_room; /* no item has more features */
    int64_t *start;            /* (m + 1): user u has start[u+1] − start[u] ratings, 1 .. n */
    int64_t longest;           /* most ratings of a user */
    double *popularity;        /* (n) chance that a draw is item i; sum 1 */
    bmf_alias_cell *alias;     /* (n) to draw from popularity */
    float *factor;             /* (n × k) */
    float *item_bias;          /* (n) */
    float *of_group;           /* (user features × (k + 1)) what users of a group share, the bias last */
    double user_bias_mean;     /* over ratings, taken off */
} bmf_synth_plan;

/* The options are checked first. *plan is {0} on failure. Local. */
int bmf_synth_plan_create(const bmf_synth_options *options, bmf_synth_plan *plan, bmf_error *err);
void bmf_synth_plan_clear(bmf_synth_plan *plan);

/* The key for one user or item (0 if there is but one thing of the purpose). */
uint64_t bmf_synth_key(const bmf_synth_options *options, bmf_synth_purpose purpose, int64_t index);

/* Room for one user's ratings, and what their drawing needs: O(n + k). One a thread. */
typedef struct bmf_synth_row {
    int64_t count;
    int32_t *item;                 /* (count) distinct, in order of time */
    float *rating;                 /* (count) 0.5, 1, .. 5 */
    int64_t *timestamp;            /* (count) seconds, strictly ascending */
    float *user;                   /* (k) */
    float *noise;                  /* (longest) */
    uint64_t *taken;               /* (n bits) all 0 between rows */
    struct bmf_synth_racer *racer; /* (n) */
} bmf_synth_row;

int bmf_synth_row_create(const bmf_synth_plan *plan, bmf_synth_row *row, bmf_error *err);
void bmf_synth_row_clear(bmf_synth_row *row);
void bmf_synth_row_fill(const bmf_synth_plan *plan, int64_t user, bmf_synth_row *row);

/* Features and text (synth_csv.c) */

/* The features of an item, distinct, genres first, into feature (item_feature_room); returns their number. Every feature is
 * on some item. */
#define BMF_SYNTH_ITEM_GENRES 3 /* at most, where there are at least as many items as features */
#define BMF_SYNTH_ITEM_TAGS 5
int64_t bmf_synth_item_features(const bmf_synth_plan *plan, int64_t item, int32_t *feature);

/* The groups of a user, distinct; returns their number, 0 if there are none at all. Every group has a user. */
#define BMF_SYNTH_MOST_GROUPS 4
int64_t bmf_synth_user_groups(const bmf_synth_plan *plan, int64_t user, int32_t group[BMF_SYNTH_MOST_GROUPS]);

/* "g12" for group 11; returns its length. */
int bmf_synth_group_name(int32_t group, char *name);

/* "Item 12 (1994)" for item 11. */
#define BMF_SYNTH_TITLE 48
void bmf_synth_title(const bmf_synth_plan *plan, int64_t item, char title[BMF_SYNTH_TITLE]);

/* The word of a feature: a genre as MovieLens writes it, or a made-up tag in lower case; distinct words, no stop words. */
#define BMF_SYNTH_WORD 16
const char *bmf_synth_word(const bmf_synth_plan *plan, int64_t feature, char word[BMF_SYNTH_WORD]);

/* Every item's title, and its genres and tags as the import joins them to one document. */
int bmf_synth_texts(const bmf_synth_plan *plan, bmf_strings *titles, bmf_strings *documents, bmf_error *err);

#endif
