/* Validation error during training. */
#ifndef BMF_TRAIN_VALIDATE_H
#define BMF_TRAIN_VALIDATE_H

#include "comm/comm.h"
#include "model/model.h"
#include "train/shard.h"

/* Σ (r − r̂)² over the validation ratings of all ranks. Collective. */
double bmf_validation_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, int threads);

#endif
