/* The item side (Q and the item biases) as the threads of a rank hold it.
 *
 * Threads that write to one Q pull its cache lines out of each other's caches: as long as the rows that are in use fit into
 * the caches, every second access of two threads finds its line with the other one, which costs more than the whole step.
 * So each thread has a copy of its own and is, to the merge, what another rank is. Where the copies would be too large all
 * threads share the model's own arrays without locks, as in Hogwild! (Niu et al. 2011). */
#ifndef BMF_TRAIN_ITEM_COPIES_H
#define BMF_TRAIN_ITEM_COPIES_H

#include "model/model.h"

typedef struct bmf_item_side {
    float *Q;    /* (n, stride) */
    float *bias; /* (n) */
} bmf_item_side;

typedef struct bmf_item_copies {
    int64_t count; /* threads with a copy of their own; 1: there is only the model's */
    int64_t items, stride;
    bmf_item_side start; /* as the window began, for the merge; NULL if nobody asks */
    bmf_item_side *copy; /* (count); the first is the model's (borrowed) */
} bmf_item_copies;

/* How many copies `threads` threads should have: each its own while all of them are small beside the rank's ratings, or
 * small at all; else 1. Pure. */
int64_t bmf_item_copies_wanted(int64_t threads, int64_t items, int64_t stride, int64_t ratings);

/* `count` copies, each filled by the thread that will use it; the start too if `count` or `ranks` is above 1 or features learn
 * from what a window did. The model's arrays must outlive them. On failure *out is {0}. Local. */
int bmf_item_copies_create(const bmf_model *model, int64_t count, int ranks, bmf_item_copies *out, bmf_error *err);
void bmf_item_copies_clear(bmf_item_copies *copies);

/* Begins anew from what the model's arrays hold now. */
void bmf_item_copies_restart(const bmf_item_copies *copies);

/* Sets copy number `which` (not 0, which the merge keeps up to date) to the start of the window. */
void bmf_item_copies_begin(const bmf_item_copies *copies, int64_t which);

#endif
