/* What training needs beside a model to go on from where it was: the group /state of a checkpoint, which is a model file
 * otherwise. */
#ifndef BMF_STORE_TRAIN_STATE_H
#define BMF_STORE_TRAIN_STATE_H

#include <stdint.h>

typedef struct bmf_train_state {
    int64_t epoch;        /* finished */
    int64_t window;       /* windows swept of the next epoch; 0 between epochs */
    double squares;       /* Σ e² of those windows, over all ranks */
    double learning_rate; /* η of the steps to come */
    double P_mean_square; /* mean of the squared entries of P as the last merge found it */
    double P_curvature;   /* largest eigenvalue of the mean of P_u P_uᵀ as the epoch began; 0 where nobody asks */
    double P_energy,
        Q_energy;      /* what AdaGrad has summed up for a row with one rating; 0 in older files and other schedules */
    int64_t rollbacks; /* how often training diverged and went back */
    int64_t patience, epochs; /* options that the attributes of a model do not have */
    int64_t exact_train_loss; /* 0 or 1 */
    int64_t weights; /* entries of W as training lays it out, the one of no feature for each user too; 0: no W */
    int64_t best;    /* 1: the best epoch's parameters are in the file too; 0: they are the model's, or none is */
} bmf_train_state;

#endif
