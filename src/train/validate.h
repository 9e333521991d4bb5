/* The error of the predictions during training, on the validation or the training ratings. */
#ifndef BMF_TRAIN_VALIDATE_H
#define BMF_TRAIN_VALIDATE_H

#include "comm/comm.h"
#include "model/model.h"
#include "train/shard.h"

/* Σ (r − r̂)² over `ratings` of all ranks: the shard's train or val, by threads with an even share of them. slots: of these
 * ratings; not looked at for the plain model. The same to the bit for the same ranks and threads. Collective. */
double bmf_prediction_squares(bmf_comm *comm, const bmf_model *model, const bmf_shard *shard, const bmf_csr *ratings,
                              const bmf_content_slots *slots, int threads);

#endif
