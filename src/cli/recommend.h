/* The work of recommend: lists of the best items for many users, dealt out to the ranks, written in order. */
#ifndef BMF_CLI_RECOMMEND_H
#define BMF_CLI_RECOMMEND_H

#include "cli/command.h"

typedef struct bmf_recommend_options {
    const char *model;                  /* required */
    const char *user, *users, *ratings; /* an id; a file of ids; a file of a new user's ratings; or NULL */
    bool all_users;
    const char *exclude, *titles; /* data sets, or NULL */
    const char *new_items;        /* a file of items, or NULL */
    const char *output, *json;    /* as bmf_results_begin takes them */
    int64_t top, threads;
    int64_t memory; /* bytes that a rank may take beside model, ids and the rows of --exclude's index */
} bmf_recommend_options;

/* The lists do not depend on the numbers of ranks and threads. Collective; run->comm may be NULL. */
int bmf_recommend(const bmf_run *run, const bmf_recommend_options *options, bmf_error *err);

#endif
