/* A small model with known parameters, as a file and in plain arrays: what the library must say of it. */
#ifndef TESTS_SERVE_WORLD_H
#define TESTS_SERVE_WORLD_H

#include "data/dataset.h"
#include "store/model_file.h"

/* Users 3, 13, 23 .. and items 2, 12, 22 .. have no training ratings. */
#define WORLD_IS_UNRATED_USER(u) ((u) % 10 == 3)
#define WORLD_IS_UNRATED_ITEM(i) ((i) % 10 == 2)

typedef struct serve_world {
    bmf_model_meta meta;
    bmf_ids users, items; /* users: text "u000"..; items: numbers 1, 4, 7 .. */
    bmf_content content;  /* every fourth item has an empty row */
    float *P, *Q, *user_bias, *item_bias;
    float *W;              /* concat: (users × F) dense; 0 where a user has no weight */
    float *V;              /* embed: (F × k); Q and item_bias are the items' own parts then */
    float *feature_bias;   /* (F) */
    bool tells_counts;     /* the file says who was trained */
    int32_t *user_ratings; /* (users), (items) */
    int32_t *item_ratings;
} serve_world;

/* Seeded. Clear when done. */
void world_make(serve_world *world, bmf_content_mode mode, int64_t users, int64_t items, int64_t factors,
                uint64_t seed);
#define WORLD_FEATURES 9

/* The learning rates of its history; the second epoch is the best. */
extern const double world_learning_rate[3];
void world_clear(serve_world *world);
void world_write(const serve_world *world, const char *path);

/* Bias and factors (k) of an item as predictions use them; those of `content` alone if it has no ratings. */
double world_item(const serve_world *world, int64_t item, double *Q);

/* r̂ by the formula, in double; −1: unknown. */
double world_predict(const serve_world *world, int64_t user, int64_t item);

#endif
