/* W_u of the user in a lane. The row is stored as scale · W, so that the decay of all of it is one multiplication and a step
 * costs the non-zeros of x_i, as long as no delta of the step can reach the bound ±clip:
 *     W_u += cut(η(e x_i − λ_c W_u))   is   scale ·= 1 − η λ_c,  W += (η e / scale) x_i
 * No delta can reach the bound if neither of its two terms reaches half of it, and no |W_u,f| is above ‖W_u‖, which grows by
 * |η e| ‖x_i‖ a step at most. So a limit on |η e| holds for the whole pass over the user; a step above it is made exactly. */
#ifndef BMF_KERNELS_CONTENT_LANE_H
#define BMF_KERNELS_CONTENT_LANE_H

#include "kernels/sweep.h"

/* The constants of a sweep. */
typedef struct bmf_content_rates {
    double keep, renew; /* 1 − η λ_c: what a step leaves of W_u; and 1 / keep */
    double decay;       /* −ln keep */
    float most_eta_e;   /* |η e| up to which η e x stays within half of the bound */
    double most_norm;   /* ‖W_u‖ up to which η λ_c W_u does */
} bmf_content_rates;

typedef struct bmf_content_lane {
    float *W;              /* (weights) */
    int64_t weights;       /* the one of no feature included: it stays 0 */
    const uint16_t *rest;  /* slots of the rests of the user's long rows */
    double scale, inverse; /* inverse: 1 / scale */
    float limit;           /* on |η e| for the short form */
} bmf_content_lane;

bmf_content_rates bmf_content_rates_of(const bmf_sweep *sweep);

/* Takes user u with n ratings to come. */
void bmf_content_begin(bmf_content_lane *lane, const bmf_sweep *sweep, const bmf_content_rates *rates, int64_t u,
                       int32_t n);

/* Multiplies the scale into the row. To be done before it gets too small: a block of 64 steps divides it by e³² at most. */
void bmf_content_fold(bmf_content_lane *lane);

/* Stores scale and norm. */
void bmf_content_end(const bmf_content_lane *lane, const bmf_sweep *sweep, int64_t u);

/* W_u·x_i of the row as stored, without the scale. rest_at: the rating's, of any value if its row is not long. */
float bmf_content_dot(const bmf_content_lane *lane, const bmf_sweep *sweep, int32_t item, const bmf_rating_slots *slots,
                      uint32_t rest_at);

/* One step, exact whatever η e is; renews the limit. `left`: steps that the user has still to make after this one. */
void bmf_content_step(bmf_content_lane *lane, const bmf_sweep *sweep, const bmf_content_rates *rates, int32_t item,
                      const bmf_rating_slots *slots, uint32_t rest_at, float eta_e, int32_t left);

#endif
