/* The best parameters so far: keeping them, telling that training diverged, and going back to them. Internal to this folder. */
#ifndef BMF_TRAIN_BEST_H
#define BMF_TRAIN_BEST_H

#include "train/trainer.h"

/* True if the epoch is better than all before; without validation ratings the last epoch is the one to keep. */
bool bmf_is_best(const bmf_trainer *t, const bmf_epoch_record *record);

/* The parameters as they are become the best ones: those of this epoch; and without saying of which. */
void bmf_keep_best(bmf_trainer *t, const bmf_epoch_record *record);
void bmf_keep_model(bmf_trainer *t);

/* Something is not finite, or the loss is far above that of the start values. */
bool bmf_has_diverged(const bmf_trainer *t, const bmf_epoch_record *record);

/* Back to the end of the best epoch, or to the start values if there is none, with half the learning rate; warns. Collective. */
void bmf_roll_back(bmf_trainer *t, double train_rmse);

/* BMF_ERR_DIVERGED with epoch, learning rate, rating range and what to try. */
int bmf_report_divergence(const bmf_trainer *t, double train_rmse, bmf_error *err);

#endif
