/* Checkpoints: what training has come to, saved such that a run can go on from it on any number of ranks. A checkpoint is a
 * model file with the group /state. Internal to this folder. */
#ifndef BMF_TRAIN_CHECKPOINT_H
#define BMF_TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/* Whether one is wanted after this epoch: by epochs, or because the window's sums asked for it. */
bool bmf_checkpoint_is_due(const bmf_trainer *t);

/* Whether the clock wants one. On rank 0. */
bool bmf_checkpoint_is_late(const bmf_trainer *t);

/* Writes the state of all ranks. Collective, one status for all; on failure the older checkpoint is untouched. */
int bmf_checkpoint_save(bmf_trainer *t, bmf_error *err);

/* Makes sure that no other run has this checkpoint while this one lasts; bmf_run_lock_release lets go of t->lock. BMF_ERR_IO
 * naming the other one. Collective, one status for all. */
int bmf_checkpoint_lock(bmf_trainer *t, bmf_error *err);

/* Goes on from the checkpoint, or from the previous one with a warning if it is damaged; does nothing if there is neither.
 * BMF_ERR_USAGE naming each option that must not differ, BMF_ERR_INPUT if it is of another data set or no checkpoint. After
 * bmf_trainer_set_up. Collective, one status for all. */
int bmf_checkpoint_resume(bmf_trainer *t, bmf_error *err);

/* Says so if there is a checkpoint that this run, which does not go on from it, will replace. BMF_ERR_INPUT if what is there
 * is no file of HDF5. Collective. */
int bmf_checkpoint_warn(const bmf_trainer *t, bmf_error *err);

#endif
