/* Which items any rank made a step on in a window: only their rows have to be merged. */
#ifndef BMF_TRAIN_TOUCHED_H
#define BMF_TRAIN_TOUCHED_H

#include "comm/comm.h"

typedef struct bmf_touched {
    int64_t items;
    int32_t *row;       /* (count) items, ascending */
    int64_t count;      /* of the window agreed on last */
    uint64_t *bitmap;   /* (⌈items / 64⌉) */
    int64_t most_steps; /* on one item in an epoch, over all ranks */
    bool each_window;   /* agree anew for each window; else the rows are those of a whole epoch */
} bmf_touched;

/* Share of the items that a window is expected to leave alone if item i has `ratings[i]` of them and an epoch `windows`
 * windows. Pure. */
double bmf_touched_idle_share(const int64_t *ratings, int64_t items, int64_t windows);

/* steps (items): this rank's in a whole epoch. Takes the rows of an epoch, which serve every window unless an agreement for
 * each is worth its while: when enough of them are idle in a window. Collective, one status for all. */
int bmf_touched_create(bmf_comm *comm, const int32_t *steps, int64_t items, int64_t windows, bmf_touched *out,
                       bmf_error *err);
void bmf_touched_clear(bmf_touched *touched);

/* Bytes that each agreement sends from a rank, of `ranks`, at the fewest. Pure. */
int64_t bmf_touched_bytes(const bmf_touched *touched, int64_t ranks);

/* The rows of the window, from steps (parts × items). Collective; costs nothing unless each_window. */
void bmf_touched_agree(bmf_touched *touched, bmf_comm *comm, const int32_t *steps, int64_t parts);

#endif
