/* A whole number dealt out in proportion to weights, nobody getting more than there is room for. */
#ifndef BMF_DATA_SHARE_H
#define BMF_DATA_SHARE_H

#include <math.h>
#include <stdint.h>

/* The t for which Σ min(room, t weight) = total ≤ count × room. Each round takes those over the top out of the equation,
 * which only raises t; few rounds are needed. */
static inline double bmf_share_scale(const double *weight, int64_t count, int64_t room, int64_t total)
{
    double t = 0;
    for (int64_t full = -1;;) {
        double open_weight = 0;
        int64_t now_full = 0;
        for (int64_t i = 0; i < count; i++) {
            if (t * weight[i] >= (double)room)
                now_full++;
            else
                open_weight += weight[i];
        }
        if (now_full == full || now_full == count)
            return t;
        full = now_full;
        t = ((double)total - (double)room * (double)full) / open_weight;
    }
}

/* share (count): 0 .. room each, Σ = total exactly (0 ≤ total ≤ count × room), in proportion to weight (count, > 0) as far
 * as room allows. Running sums are rounded, so that no error builds up; what floating point still leaves over or takes too
 * much goes to the first with room. Pure. */
static inline void bmf_share(const double *weight, int64_t count, int64_t room, int64_t total, int64_t *share)
{
    double sum = 0, scale = bmf_share_scale(weight, count, room, total);
    int64_t left = total, before = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += fmin((double)room, scale * weight[i]);
        int64_t now = (int64_t)floor(sum + 0.5);
        share[i] = now - before < room ? now - before : room;
        before = now;
        left -= share[i];
    }
    for (int64_t i = 0; left; i = (i + 1) % count) {
        int64_t step = left > 0 ? share[i] < room : -(share[i] > 0);
        share[i] += step;
        left -= step;
    }
}

#endif
