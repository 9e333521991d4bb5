/* How steep the loss is in the direction of P, or of Q, in which it is steepest. */
#ifndef BMF_TRAIN_CURVATURE_H
#define BMF_TRAIN_CURVATURE_H

#include "comm/comm.h"
#include "model/model.h"

/* Doubles that bmf_curvature_of works in. Pure. */
int64_t bmf_curvature_room(int64_t factors);

/* The largest eigenvalue of the mean of P_u P_uᵀ over some thousands of all_users users, the same ones on any number of ranks;
 * within a percent, from below. work: (bmf_curvature_room). Collective. */
double bmf_curvature_of(bmf_comm *comm, const bmf_model *model, int64_t all_users, double *work);

/* The same of Q_i Q_iᵀ, each item as often as it has ratings, over some thousands of the items; and into *mean_square the mean of
 * the squared entries. ratings (items). The same for any number of threads. Local; equal on ranks that hold equal Q. */
double bmf_curvature_of_items(const bmf_model *model, const int32_t *ratings, int threads, double *mean_square,
                              double *work);

#endif
