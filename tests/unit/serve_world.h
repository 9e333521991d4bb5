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
    float *W;              /* (users × F) dense; 0 where a user has no weight */
    bool tells_counts;     /* the file says who was trained */
    int32_t *user_ratings; /* (users), (items) */
    int32_t *item_ratings;
} serve_world;

/* Seeded. features 0: no content, else concat. Clear when done. */
void world_make(serve_world *world, int64_t users, int64_t items, int64_t features, int64_t factors, uint64_t seed);
void world_clear(serve_world *world);
void world_write(const serve_world *world, const char *path);

/* r̂ by the formula, in double; −1: unknown. */
double world_predict(const serve_world *world, int64_t user, int64_t item);

#endif
