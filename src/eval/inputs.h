/* What one process holds to evaluate the users dealt to it: their ratings, and its part of the model. */
#ifndef BMF_EVAL_INPUTS_H
#define BMF_EVAL_INPUTS_H

#include "eval/evaluate.h"
#include "model/model.h"
#include "model/time_effects.h"
#include "store/dataset_file.h"

/* Users are dealt and summed in blocks of this many, cut from user 0 on. A block is never divided, and its sums are
 * taken in the order of its users: that is what makes results independent of ranks and threads. */
#define BMF_EVAL_BLOCK 128

typedef struct bmf_eval_range {
    int64_t first, last; /* [first, last) */
} bmf_eval_range;

/* Blocks of `users` users; the blocks of a rank, as even as blocks go; and the users in a range of blocks. Pure. */
int64_t bmf_eval_blocks(int64_t users);
bmf_eval_range bmf_eval_deal(int64_t users, int rank, int size);
bmf_eval_range bmf_eval_block_users(int64_t users, bmf_eval_range blocks);

typedef struct bmf_eval_inputs {
    bmf_dataset_shape shape;         /* of the whole data set */
    bmf_eval_range blocks, user;     /* dealt to this process */
    bmf_ratings ratings[BMF_SPLITS]; /* (user.last − user.first) × items; {0} for splits that are not needed. Times only
                                      * of the split that is evaluated, and if the model has effects of time */
    int64_t *user_in_model;          /* (user.last − user.first): local user of `model`, or −1 */
    int32_t *item_in_model;          /* (items): item of the model, or −1 */
    bmf_model model;                 /* the users from the first to the last it has of ours, all its items */
    bmf_csr content;                 /* concat: (items of the model × F), weighted; else {0} */
    bmf_time_effects time;           /* of the same users, all items */
} bmf_eval_inputs;

/* Reads what the users of `rank` need under these options, the ratings by options->threads. On failure *out is {0}.
 * Local. */
int bmf_eval_inputs_read(const char *model_path, const char *dataset_path, const bmf_evaluate_options *options,
                         int rank, int size, bmf_eval_inputs *out, bmf_error *err);
void bmf_eval_inputs_clear(bmf_eval_inputs *inputs);

/* Ratings of a local user in a split that was read. */
static inline int64_t bmf_eval_count(const bmf_eval_inputs *inputs, bmf_split split, int64_t user)
{
    const int64_t *indptr = inputs->ratings[split].matrix.indptr;
    return indptr[user + 1] - indptr[user];
}

/* r̂ of local user and data-set item at no time; what the model does not know falls back content → bias → mean. */
double bmf_eval_predict(const bmf_eval_inputs *inputs, int64_t user, int64_t item);

/* The same by biases and factors alone: without W_u·x_i, or with the items' own parts where features have some. */
double bmf_eval_predict_without_content(const bmf_eval_inputs *inputs, int64_t user, int64_t item);

/* What time adds to the prediction of entry e of a local user's ratings in the split that is evaluated: 0 where the model has
 * no effects of time, or the data set no times. */
double bmf_eval_time_effect(const bmf_eval_inputs *inputs, bmf_split split, int64_t user, int64_t e);

#endif
