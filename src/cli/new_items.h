/* Items that training has not seen, from a file like import's, known to the model by their content. */
#ifndef BMF_CLI_NEW_ITEMS_H
#define BMF_CLI_NEW_ITEMS_H

#include "cli/serving.h"
#include "data/catalogue.h"

typedef struct bmf_new_items {
    int64_t count, known; /* new ones; those of the file that the model has, which are left out here */
    int64_t bare;         /* new ones without a term that the model knows */
    int64_t columns;      /* features of the model that are made of columns of a file, which are not looked at */
    bmf_catalogue catalogue;
    int32_t *row;        /* (count) in the catalogue, ascending */
    blendmf_item **item; /* (count) */
} bmf_new_items;

/* Reads the file and gives each new item the features that import would have given it. BMF_ERR_INPUT for a model without
 * content. On failure *out is {0}. Local. */
int bmf_new_items_open(const char *path, const char *model_path, const blendmf_model *model, int threads,
                       bmf_new_items *out, bmf_error *err);
void bmf_new_items_close(bmf_new_items *items);

/* Index of the new item that has id i of `ids`; −1 if none has. */
int64_t bmf_new_items_find(const bmf_new_items *items, const bmf_ids *ids, int64_t i);

/* Puts the new items among the found ones in list (top), which is `user`'s. A new item's index there, and in exclude, is `first` plus its
 * own; those of equal scores come behind the known ones. Returns how many the list has now. */
int64_t bmf_new_items_merge(const bmf_new_items *items, const bmf_serve_user *user, blendmf_items exclude,
                            int64_t first, blendmf_ranked *list, int64_t found, int64_t top);

#endif
