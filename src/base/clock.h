/* Monotonic time. */
#ifndef BMF_BASE_CLOCK_H
#define BMF_BASE_CLOCK_H

/* Seconds since an arbitrary start, never going back. */
double bmf_clock_seconds(void);

#endif
