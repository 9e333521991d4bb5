#include "train/auto_merges.h"

#define COPIES_PER_WINDOW 8
#define MOST_WINDOWS 8
#define SIDE_WINDOWS 4
#define STEPS_PER_ROW 8
#define SHARE 0.04

int64_t bmf_auto_merges(int64_t copies, int64_t items, int64_t ratings, int sides)
{
    int64_t wanted = (copies + COPIES_PER_WINDOW - 1) / COPIES_PER_WINDOW;
    if (wanted > MOST_WINDOWS)
        wanted = MOST_WINDOWS;
    const double affordable = SHARE * (double)ratings / (double)copies / (STEPS_PER_ROW * (double)items);
    if ((double)wanted > affordable)
        wanted = (int64_t)affordable;
    const int64_t least = sides > 0 ? sides * SIDE_WINDOWS : 1;
    return wanted < least ? least : wanted;
}
