/* Which column of a text file holds what: the dialect by its first line, the columns by the header's names or, where
 * the format has no header, by position. */
#ifndef BMF_DATA_LAYOUT_H
#define BMF_DATA_LAYOUT_H

#include "data/text_file.h"
#include "data/text_records.h"

typedef enum bmf_table {
    BMF_TABLE_RATINGS,
    BMF_TABLE_ITEMS,
    BMF_TABLE_TAGS,
    BMF_TABLE_USERS,
    BMF_TABLE_PAIRS,      /* of a user and an item, to be predicted */
    BMF_TABLE_AUDIENCE,   /* of users to recommend to */
    BMF_TABLE_OWN_RATINGS /* of one user, who is not named */
} bmf_table;

typedef enum bmf_column {
    BMF_COLUMN_USER,
    BMF_COLUMN_ITEM,
    BMF_COLUMN_RATING,
    BMF_COLUMN_TIMESTAMP,
    BMF_COLUMN_TITLE,
    BMF_COLUMN_GENRES,
    BMF_COLUMN_TAG,
    BMF_COLUMNS
} bmf_column;

typedef struct bmf_layout {
    bmf_dialect dialect;
    int fields;          /* of every record */
    int at[BMF_COLUMNS]; /* field of a column, −1 if the file has none */
    int64_t first;       /* byte in the text where the records begin, behind the header */
    bool header;
    const char *const *names; /* of all fields, where the form fixes them: users without a header; else NULL */
} bmf_layout;

/* The dialect that the first line of a file speaks: the first separator on it decides. Pure. */
bmf_dialect bmf_layout_sniff(const bmf_text_file *file);

/* Reads the header, if the dialect has one, and finds the columns of `table`. csv: a header is required, names in any
 * order and case (userId/user_id/user, movieId/itemId/item_id/item, rating, timestamp, title, genres, tag). dat and
 * tsv: none is needed; ratings are user, item, rating [, timestamp], items are item, title [, genres], tags are user,
 * item, tag [, timestamp]; a tsv header with these names is understood. bar: the u.item and u.user of MovieLens 100K,
 * items and users only. Users have a header that names the user, or are u.user or users.dat, five fields each. Pairs, an
 * audience and one user's ratings need no header in any dialect: they are user, item [, rating [, timestamp]]; user; item,
 * rating [, timestamp]. BMF_ERR_INPUT for a required column that is missing. Local. */
int bmf_layout_read(const bmf_text_file *file, bmf_dialect dialect, bmf_table table, bmf_layout *out, bmf_error *err);

/* BMF_ERR_INPUT, without file and line, if the record has another number of fields than the layout. */
int bmf_layout_check(const bmf_layout *layout, const bmf_record *record, bool last_line, bmf_error *err);

#endif
