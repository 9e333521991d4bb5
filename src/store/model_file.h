/* The model file: HDF5, layout in the README's chapter on files. A writer takes the arrays in slabs of rows, in any order,
 * so that one process can write what others stream to it; nothing is visible under `path` before the commit. */
#ifndef BMF_STORE_MODEL_FILE_H
#define BMF_STORE_MODEL_FILE_H

#include <stdbool.h>

#include "data/dataset.h"
#include "data/projection.h"
#include "store/train_state.h"

/* Row-wise arrays of a model. Shapes: P (m,k), Q (n,k), V (F,k), user_bias (m), item_bias (n), feature_bias (F). Beside them
 * concat has the sparse matrix W (m,F). Where users have features, P and user_bias have these in, and there are user_V (G,k) and
 * user_feature_bias (G); with implicit feedback implicit_V (n,k). A checkpoint has more, all in the group /state: W, W_scale and
 * W_norm2 as they lie in memory (weights, m, m; the last two float64), what users have beside their features, own_P (m,k) and
 * own_user_bias (m), and in /state/best all of these and the first ones of the best epoch. With
 * effects of time the group /time has begin (B, float64), item_effect (n,B), user_slope (m), and user_first, user_mean and
 * user_last (m, float64). */
typedef enum bmf_role {
    BMF_ROLE_P,
    BMF_ROLE_Q,
    BMF_ROLE_V,
    BMF_ROLE_USER_BIAS,
    BMF_ROLE_ITEM_BIAS,
    BMF_ROLE_FEATURE_BIAS,
    BMF_ROLE_USER_V,
    BMF_ROLE_USER_FEATURE_BIAS,
    BMF_ROLE_IMPLICIT_V,
    BMF_ROLE_W,
    BMF_ROLE_W_SCALE,
    BMF_ROLE_W_NORM2,
    BMF_ROLE_OWN_P,
    BMF_ROLE_OWN_USER_BIAS,
    BMF_ROLE_BEST_P,
    BMF_ROLE_BEST_Q,
    BMF_ROLE_BEST_USER_BIAS,
    BMF_ROLE_BEST_ITEM_BIAS,
    BMF_ROLE_BEST_V,
    BMF_ROLE_BEST_FEATURE_BIAS,
    BMF_ROLE_BEST_W,
    BMF_ROLE_BEST_W_SCALE,
    BMF_ROLE_BEST_W_NORM2,
    BMF_ROLE_BEST_OWN_P,
    BMF_ROLE_BEST_OWN_USER_BIAS,
    BMF_ROLE_BEST_USER_V,
    BMF_ROLE_BEST_USER_FEATURE_BIAS,
    BMF_ROLE_BEST_IMPLICIT_V,
    BMF_ROLE_TIME_BEGIN, /* from here on only with effects of time, which model/time_effects.h explains */
    BMF_ROLE_TIME_ITEM,
    BMF_ROLE_TIME_SLOPE,
    BMF_ROLE_TIME_FIRST,
    BMF_ROLE_TIME_MEAN,
    BMF_ROLE_TIME_LAST,
    BMF_ROLES
} bmf_role;

typedef enum bmf_content_mode { BMF_CONTENT_NONE, BMF_CONTENT_CONCAT, BMF_CONTENT_EMBED } bmf_content_mode;

/* "none", "concat", "embed". */
const char *bmf_content_mode_name(bmf_content_mode mode);

/* Which biases drift with time: none, the items', the users', both. */
typedef enum bmf_time_mode {
    BMF_TIME_NONE,
    BMF_TIME_ITEMS,
    BMF_TIME_USERS,
    BMF_TIME_BOTH,
    BMF_TIME_MODES
} bmf_time_mode;

/* "none", "items", "users", "both". */
const char *bmf_time_mode_name(bmf_time_mode mode);
bool bmf_time_mode_has_items(bmf_time_mode mode);
bool bmf_time_mode_has_users(bmf_time_mode mode);

/* Attributes of the root: what the model is and how it was trained. */
typedef struct bmf_model_meta {
    int64_t users, items, features; /* features is 0 for BMF_CONTENT_NONE */
    int64_t factors;
    bmf_content_mode content;
    double global_mean;
    double content_weight;
    double learning_rate, bias_learning_rate, learning_rate_decay; /* the second is the first in older files */
    double regularization, bias_regularization, content_regularization;
    double user_regularization, item_regularization; /* of P, of Q; those above where a file is older than these */
    double user_bias_regularization, item_bias_regularization;
    double regularization_scaling; /* 0 in older files */
    char schedule[16];             /* decay, bold-driver, adagrad; the first in older files */
    double init_std, clip;
    int64_t seed;
    int64_t best_epoch; /* counted from 1 */
    double val_mse, val_rmse;
    double rating_min, rating_max; /* of the training ratings */
    char merge[16];                /* saturating, average, weighted, sum */
    int64_t merges_per_epoch;
    int64_t hosts; /* that merged, each with as many of the ranks as --ranks-per-host says; 1 in older files */
    char merge_precision[16]; /* float32, bfloat16, int8, int4; the first in older files */
    int64_t ranks, threads;
    char dataset[256]; /* base name of the data set */
    uint64_t dataset_fingerprint;
    int64_t user_features;         /* G; 0 where users have none, as in older files */
    int64_t implicit_feedback;     /* 0 or 1: items are features of the users who rated them; 0 in older files */
    double user_content_weight;    /* 0 in older files */
    bmf_time_mode time_effects;    /* none in older files, and then what follows is 0 */
    int64_t time_bins;             /* B; 0 where items do not drift */
    int64_t time_first, time_last; /* of the training ratings, in the data set's unit */
    double time_item_damping, time_user_damping; /* 0 where nothing is damped by it */
} bmf_model_meta;

/* What the seconds of an epoch go into: putting users in order, the sweep, waiting for slower ranks, the merge, what features of
 * users learn, the losses
 * beside it, validation, keeping the best parameters. */
typedef enum bmf_phase {
    BMF_PHASE_ORDER,
    BMF_PHASE_SWEEP,
    BMF_PHASE_WAIT,
    BMF_PHASE_MERGE,
    BMF_PHASE_USERS,
    BMF_PHASE_LOSS,
    BMF_PHASE_VALIDATION,
    BMF_PHASE_KEEP_BEST,
    BMF_PHASES
} bmf_phase;

/* One epoch of /history: parallel arrays in the file, one struct here. */
typedef struct bmf_epoch_record {
    int64_t epoch; /* from 1 */
    double train_mse, train_rmse, val_mse, val_rmse;
    double learning_rate;
    double seconds;
    double updates_per_second;
    double merge_share;       /* fraction of the epoch's seconds spent merging and waiting for it */
    double phase[BMF_PHASES]; /* seconds, the mean over the ranks; not in the file */
    double merge_bytes;       /* sent for merging by the rank that sent the most; not in the file */
} bmf_epoch_record;

/* (rows, columns) of a role; columns is 1 for vectors; {0, 0} if the file has no such array. state: NULL for a model that is
 * no checkpoint. */
typedef struct bmf_extent {
    int64_t rows, columns;
} bmf_extent;
bmf_extent bmf_role_extent(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role);

/* Bytes of an element in memory: 4 or 8. */
int64_t bmf_role_size(bmf_role role);

/* Whether the model has W: concat with features. */
bool bmf_model_meta_has_weights(const bmf_model_meta *meta);

/* Whether users have features or implicit feedback, which are in P and user_bias. */
bool bmf_model_meta_has_user_parts(const bmf_model_meta *meta);

/* "P", "user_bias", "state/best/P": the data set's name in the file. */
const char *bmf_role_name(bmf_role role);

/* BMF_ERR_INPUT if the file at the path is none of HDF5, whatever it is; BMF_ERR_IO if that cannot be seen. Local. */
int bmf_model_file_check_signature(const char *path, bmf_error *err);

typedef struct bmf_model_writer bmf_model_writer;

/* Creates the temporary file beside `path` and every array of the meta; reserves its space first, so that a full disk is
 * met here. content may be NULL when meta->features is 0; it is stored unscaled. weights: entries that W is going to have.
 * state: of a checkpoint, which keeps the file it replaces as "<path>.previous"; NULL for a model. Local. */
int bmf_model_writer_create(const char *path, const bmf_model_meta *meta, const bmf_ids *users, const bmf_ids *items,
                            const bmf_content *content, int64_t weights, const bmf_train_state *state,
                            bmf_model_writer **out, bmf_error *err);

/* Rows [first, first + rows) of an array, packed (rows × columns elements of bmf_role_size bytes). Local. */
int bmf_model_writer_rows(bmf_model_writer *writer, bmf_role role, int64_t first, int64_t rows, const void *data,
                          bmf_error *err);

/* The next rows of W, from the first user on in order: indices ascend in a row. Local. */
int bmf_model_writer_weights(bmf_model_writer *writer, const bmf_csr *rows, bmf_error *err);

/* Training ratings of each user (m) and each item (n), to be told before anything is handed over: a reader then knows whose
 * factors were never trained. Files without them are read too. Local. */
int bmf_model_writer_counts(bmf_model_writer *writer, const int32_t *of_users, const int32_t *of_items, bmf_error *err);

/* How /content was made from more features, if it was: the group /content_svd. projection->rank is meta->features. Before
 * anything is handed over. Local. */
int bmf_model_writer_projection(bmf_model_writer *writer, const bmf_projection *projection, bmf_error *err);

/* The features of the users that user_V is of, unscaled: the group /user_content. content->matrix is users × user_features.
 * Before anything is handed over. Local. */
int bmf_model_writer_user_content(bmf_model_writer *writer, const bmf_content *content, bmf_error *err);

int bmf_model_writer_history(bmf_model_writer *writer, const bmf_epoch_record *record, int64_t count, bmf_error *err);

/* Closes the file as it is, its row-wise arrays without values, for all ranks to write those (store/parallel_file.h): *temporary
 * is its name for now (borrowed), *bytes about its size to be. After that bmf_model_writer_commit only reads it back and puts it
 * in place. Local. */
int bmf_model_writer_hand_over(bmf_model_writer *writer, const char **temporary, int64_t *bytes, bmf_error *err);

/* Completion mark, flush, close, fsync, reading back of everything (bmf_model_file_verify), rename over `path`. Destroys the
 * writer whatever happens; on failure the older file is untouched and no temporary is left. Local. */
int bmf_model_writer_commit(bmf_model_writer **writer, bmf_error *err);

/* Gives up: removes the temporary file. NULL-safe. */
void bmf_model_writer_abandon(bmf_model_writer **writer);

typedef struct bmf_model_file bmf_model_file;

/* Opens and checks: kind, version, completion mark, extents. Local; every rank may open the same file. */
int bmf_model_file_open(const char *path, bmf_model_file **out, bmf_error *err);
void bmf_model_file_close(bmf_model_file **file);
const bmf_model_meta *bmf_model_file_meta(const bmf_model_file *file); /* borrowed */

/* Of a checkpoint, borrowed; NULL for a model that is none. */
const bmf_train_state *bmf_model_file_state(const bmf_model_file *file);

/* Opens the file and reads all of it, so that every checksum is looked at and every value checked. Local. */
int bmf_model_file_verify(const char *path, bmf_error *err);

int bmf_model_file_read_users(bmf_model_file *file, bmf_ids *out, bmf_error *err);
int bmf_model_file_read_items(bmf_model_file *file, bmf_ids *out, bmf_error *err);
int bmf_model_file_read_content(bmf_model_file *file, bmf_content *out, bmf_error *err);
/* {0} if the model has no features of users. */
int bmf_model_file_read_user_content(bmf_model_file *file, bmf_content *out, bmf_error *err);

/* Features that /content was reduced to (--content-svd); 0 if it is as in the data set. */
int64_t bmf_model_file_content_svd(const bmf_model_file *file);

/* How it was reduced; {0} if it was not. Local. */
int bmf_model_file_read_projection(bmf_model_file *file, bmf_projection *out, bmf_error *err);

/* Training ratings of users, or items, [first, first + count) into out; −1 for all where the file does not tell. Local. */
int bmf_model_file_read_user_counts(bmf_model_file *file, int64_t first, int64_t count, int32_t *out, bmf_error *err);
int bmf_model_file_read_item_counts(bmf_model_file *file, int64_t first, int64_t count, int32_t *out, bmf_error *err);

/* All epochs; of a checkpoint exactly as many as its state says are finished. */
int bmf_model_file_read_history(bmf_model_file *file, bmf_epoch_record **out, int64_t *count, bmf_error *err);

/* Rows [first, first + rows) of an array into out, packed. Values that are not finite, and ranges of time that
 * do not ascend, are BMF_ERR_INPUT. Local. */
int bmf_model_file_read_rows(bmf_model_file *file, bmf_role role, int64_t first, int64_t rows, void *out,
                             bmf_error *err);

/* Rows [first, last) of W, checked: BMF_ERR_INPUT for what a sparse matrix with ascending rows cannot have. On failure *out
 * is {0}. Local. */
int bmf_model_file_read_weights(bmf_model_file *file, int64_t first, int64_t last, bmf_csr *out, bmf_error *err);

/* Entries of W; 0 if the model has none. */
int64_t bmf_model_file_weights(const bmf_model_file *file);

/* What kind of file of ours this is: "dataset", "model", or BMF_ERR_INPUT. *format_version too. Local. */
int bmf_file_kind(const char *path, char kind[32], int64_t *format_version, bmf_error *err);

#endif
