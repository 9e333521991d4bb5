/* A small data set and a model that knows only part of it, made of numbers whose sums and products are exact in float:
 * whoever computes a score, in whatever order, gets the same one, and ties are real ties. */
#ifndef TESTS_EVALUATE_WORLD_H
#define TESTS_EVALUATE_WORLD_H

#include "eval/evaluate.h"
#include "store/dataset_file.h"
#include "store/model_file.h"

#define WORLD_FEATURES 8
#define WORLD_FACTORS 3

typedef struct test_world {
    bmf_dataset dataset;
    bmf_model_meta meta;
    bmf_ids users, items;                     /* of the model: some of the data set's are missing, some are strangers */
    bmf_content content;                      /* of the model's items */
    float *P, *Q, *W, *user_bias, *item_bias; /* packed */
} test_world;

/* With one user and one item, the only rating is in test and the model has never seen either. */
void world_create(test_world *world, int64_t users, int64_t items, bmf_content_mode mode);
int world_write(const test_world *world, const char *dataset_path, const char *model_path, bmf_error *err);
void world_clear(test_world *world);

/* The evaluation by definition: every score of every candidate, a full sort, no blocks. */
void world_check(const test_world *world, const bmf_evaluate_options *options, bmf_evaluation *out);

#endif
