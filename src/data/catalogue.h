/* What is known of the items besides ratings: titles, genres and tags. */
#ifndef BMF_DATA_CATALOGUE_H
#define BMF_DATA_CATALOGUE_H

#include "data/columns.h"
#include "data/ids.h"

typedef struct bmf_catalogue {
    bmf_ids items;
    bmf_strings title, genres; /* (items.count) each, empty strings where the file has no such column */
    int64_t *record;           /* (items.count) of the file, from 0; −1 for an item that it does not list */
    bmf_columns columns;       /* of the file's records; finished */
} bmf_catalogue;

typedef struct bmf_items_source {
    const char *path;    /* csv, dat, tsv or u.item, by its first line */
    const char *columns; /* as for bmf_columns_open; NULL: none */
    bmf_id_kind kind;    /* that of the ratings' item ids */
    int threads;
} bmf_items_source;

/* Reads a file of items, which come out by ascending id. BMF_ERR_INPUT with file and line for a bad record or an item listed
 * twice. Local. */
int bmf_catalogue_read(const bmf_items_source *source, bmf_catalogue *out, bmf_error *err);
void bmf_catalogue_clear(bmf_catalogue *catalogue);

/* Adds the items of `rated` that the catalogue lacks, with empty title and genres. rated_map[i], (rated->count) from
 * the caller, is where item i of `rated` is now. Local. */
int bmf_catalogue_extend(bmf_catalogue *catalogue, const bmf_ids *rated, int32_t *rated_map, bmf_error *err);

typedef struct bmf_tags_source {
    const char *path;                 /* borrowed; NULL: no tags */
    int64_t max_bad_lines, bad_lines; /* allowed in all; skipped already in other files */
    int threads;
} bmf_tags_source;

/* One document an item: its genres, then its tags in file order, between single blanks. With `phrases` not NULL tags go
 * there instead, each as "tag:" and its text. A tag of an item not in the catalogue is a bad line: skipped, counted in *unknown_tags and warned about (the first ten) while bad lines are
 * allowed, then BMF_ERR_INPUT with file and line. Local. */
int bmf_catalogue_documents(const bmf_catalogue *catalogue, const bmf_tags_source *tags, bmf_strings *documents,
                            bmf_terms *phrases, int64_t *unknown_tags, bmf_error *err);

#endif
