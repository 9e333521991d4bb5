/* Small data sets and models with every kind of part, and comparisons of what was read with what was written. */
#ifndef TESTS_STORE_SAMPLES_H
#define TESTS_STORE_SAMPLES_H

#include "store/dataset_file.h"
#include "store/model_file.h"

typedef struct sample_options {
    int64_t users, items, features, user_features; /* user_features 0: no /user_content */
    int per_user;                                  /* most ratings of a user in one split */
    bool text_ids;                                 /* of users; those of items are numbers */
    bool timestamps;
    bool titles;
    bool empty_test; /* the test split has no rating */
} sample_options;

sample_options sample_defaults(void);

/* Seeded: the same options give the same data. Clear with bmf_dataset_clear; 0 on success. */
int sample_dataset(const sample_options *options, bmf_dataset *out, bmf_error *err);

bool strings_equal(const bmf_strings *a, const bmf_strings *b);
bool content_equal(const bmf_content *a, const bmf_content *b);
bool ratings_equal(const bmf_ratings *a, const bmf_ratings *b);
bool datasets_equal(const bmf_dataset *a, const bmf_dataset *b);

/* A meta for the data set with k factors, with a value of its own in every field. */
bmf_model_meta sample_meta(const bmf_dataset *dataset, bmf_content_mode mode, int64_t factors);

/* Training ratings of a user or item in a sample model; none for some of them. */
int32_t sample_count(int64_t row);

/* Value (row, column) of an array in a sample model. */
float sample_value(bmf_role role, int64_t row, int64_t column);

/* Rows [first, last) of W in a sample model: some of them empty, one full. */
int sample_weights(const bmf_model_meta *meta, int64_t first, int64_t last, bmf_csr *out, bmf_error *err);
int64_t sample_weight_count(const bmf_model_meta *meta);

#define SAMPLE_EPOCHS 3
bmf_epoch_record sample_epoch(int64_t i);

/* Writes a whole sample model, a few rows at a time and the last ones first. */
int sample_model_write(const char *path, const bmf_model_meta *meta, const bmf_dataset *dataset, bmf_error *err);

/* Everything in the file equals the sample: BMF_OK; differs: −1; a status if reading failed. */
int sample_model_compare(const char *path, const bmf_model_meta *meta, const bmf_dataset *dataset, bmf_error *err);

#endif
