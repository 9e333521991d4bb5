/* How steep the loss is in the direction of P in which it is steepest. */
#ifndef BMF_TRAIN_CURVATURE_H
#define BMF_TRAIN_CURVATURE_H

#include "comm/comm.h"
#include "model/model.h"

/* Doubles that bmf_curvature_of works in. Pure. */
int64_t bmf_curvature_room(int64_t factors);

/* The largest eigenvalue of the mean of P_u P_uᵀ over some thousands of all_users users, the same ones on any number of ranks;
 * within a percent, from below. work: (bmf_curvature_room). Collective. */
double bmf_curvature_of(bmf_comm *comm, const bmf_model *model, int64_t all_users, double *work);

#endif
