/* Someone whom training has not seen, by the ratings in a file. */
#ifndef BMF_CLI_NEW_USER_H
#define BMF_CLI_NEW_USER_H

#include "cli/serving.h"

typedef struct bmf_new_user {
    int64_t count, unknown; /* ratings of items the model knows; those of other items, which tell it nothing */
    int64_t *item;          /* (count) ascending */
    double *rating;         /* (count) */
    blendmf_user *user;
} bmf_new_user;

/* Reads the ratings and finds the user's factors. BMF_ERR_INPUT with file and line for what is no rating and for an item
 * rated twice, and if the model knows none of the items. On failure *out is {0}. Local. */
int bmf_new_user_open(const char *path, const blendmf_model *model, bmf_new_user *out, bmf_error *err);
void bmf_new_user_close(bmf_new_user *user);

#endif
