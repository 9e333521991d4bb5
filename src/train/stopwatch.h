/* Where the seconds of an epoch go. */
#ifndef BMF_TRAIN_STOPWATCH_H
#define BMF_TRAIN_STOPWATCH_H

#include "base/clock.h"
#include "store/model_file.h"

typedef struct bmf_stopwatch {
    double last; /* when the present phase began */
    double seconds[BMF_PHASES];
} bmf_stopwatch;

static inline void bmf_stopwatch_start(bmf_stopwatch *watch)
{
    *watch = (bmf_stopwatch){.last = bmf_clock_seconds()};
}

/* What has passed since the last lap was `phase`. */
static inline void bmf_stopwatch_lap(bmf_stopwatch *watch, bmf_phase phase)
{
    const double now = bmf_clock_seconds();
    watch->seconds[phase] += now - watch->last;
    watch->last = now;
}

/* What has passed since the last lap is nobody's. */
static inline void bmf_stopwatch_skip(bmf_stopwatch *watch)
{
    watch->last = bmf_clock_seconds();
}

static inline double bmf_stopwatch_total(const bmf_stopwatch *watch)
{
    double total = 0;
    for (int p = 0; p < BMF_PHASES; p++)
        total += watch->seconds[p];
    return total;
}

#endif
