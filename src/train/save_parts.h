/* What the two ways to write a model share: its arrays by pieces as the file has them, and what rank 0 writes alone. */
#ifndef BMF_TRAIN_SAVE_PARTS_H
#define BMF_TRAIN_SAVE_PARTS_H

#include <stdbool.h>

#include "train/save.h"

#define BMF_PIECE_FLOATS ((int64_t)1 << 18)
#define BMF_PIECE_BYTES (BMF_PIECE_FLOATS * (int64_t)sizeof(float))
#define BMF_PIECE_USERS ((int64_t)1 << 14) /* whose weights go together, if they are no more than BMF_PIECE_FLOATS */
#define BMF_SAVE_PARTS 24

/* One array as it lies in memory: rows of `width` bytes, `stride` bytes apart. */
typedef struct bmf_save_part {
    bmf_role role;
    bool of_weights; /* of the users' parts: a row for each entry of W; else for each user */
    int64_t rows;    /* of the others, which every rank has whole: items, or features */
    const char *data;
    int64_t width, stride;
} bmf_save_part;

typedef struct bmf_save_parts {
    bmf_save_part of_users[BMF_SAVE_PARTS], shared[BMF_SAVE_PARTS];
    int user_parts, shared_parts;
} bmf_save_parts;

/* All arrays of a file but W by rows of users. */
bmf_save_parts bmf_save_list(const bmf_save *save);

/* Rows [first, first + rows) of what this rank holds, packed. */
void bmf_save_pack_rows(const bmf_save_part *of, int64_t first, int64_t rows, char *to);

/* How many rows go into BMF_PIECE_BYTES, at least one; and the next piece of `left` rows. */
int64_t bmf_save_rows_per_piece(const bmf_save_part *of);
int64_t bmf_save_next_piece(const bmf_save_part *of, int64_t left);

/* The weights of users from `first` on as the file has them, as many as fit into the piece. */
void bmf_save_pack_weights(const bmf_model *model, int64_t first, bmf_csr *piece);

/* What a rank holds of an array, in rows of the file. */
typedef struct bmf_save_range {
    int64_t first_user, users, first_weight, weights;
} bmf_save_range;

static inline int64_t bmf_save_part_first(const bmf_save_part *of, const bmf_save_range *held)
{
    return of->of_weights ? held->first_weight : held->first_user;
}

static inline int64_t bmf_save_part_rows(const bmf_save_part *of, const bmf_save_range *held)
{
    return of->of_weights ? held->weights : held->users;
}

/* What every rank holds. Collective. */
void bmf_save_share_ranges(bmf_comm *comm, const bmf_model *model, bmf_save_range *held);

/* What a rank works in. */
typedef struct bmf_save_bench {
    char *buffer;         /* a piece */
    bmf_csr piece;        /* of W; {0} without */
    bmf_save_range *held; /* (ranks) */
} bmf_save_bench;

int bmf_save_bench_create(const bmf_model *model, int ranks, bmf_save_bench *bench, bmf_error *err);
void bmf_save_bench_clear(bmf_save_bench *bench);

/* Opens the writer with the ids and the content of the data set. Rank 0 only. */
int bmf_save_create_writer(const bmf_save *save, int64_t weights, bmf_model_writer **out, bmf_error *err);

/* bmf_save_model by MPI-IO. */
int bmf_save_collectively(bmf_comm *comm, const bmf_save *save, bmf_error *err);

#endif
