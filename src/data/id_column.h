/* The raw ids of one column of ratings while they are read, and their way to dense indices. */
#ifndef BMF_DATA_ID_COLUMN_H
#define BMF_DATA_ID_COLUMN_H

#include <stdbool.h>
#include <stdint.h>

#include "data/ids.h"
#include "data/key_set.h"

/* Ids in file order: numbers as 32 bits while all of them fit, else 64; strings as their number in the set of their
 * piece. A piece is a stretch of rows that one thread read; all arrays of pieces are borrowed. */
typedef struct bmf_id_column {
    bmf_id_kind kind;
    bool wide;
    int64_t rows;
    uint32_t *narrow; /* (rows) unless wide */
    int64_t *number;  /* (rows) if wide */
} bmf_id_column;

typedef struct bmf_id_piece {
    int64_t first, count; /* rows */
    int64_t largest;      /* largest number met, −1 if none */
    bmf_string_set text;  /* kind string */
} bmf_id_piece;

/* `wide` counts for numbers only: a string's number in its piece always fits 32 bits. */
int bmf_id_column_create(bmf_id_column *column, bmf_id_kind kind, bool wide, int64_t rows, bmf_error *err);
void bmf_id_column_clear(bmf_id_column *column);

/* False if the number needs a wide column. */
static inline bool bmf_id_column_put(bmf_id_column *column, int64_t row, int64_t number)
{
    if (column->wide)
        column->number[row] = number;
    else if (number > (int64_t)UINT32_MAX)
        return false;
    else
        column->narrow[row] = (uint32_t)number;
    return true;
}

/* Turns the column into indices of its ids in ascending order: *ids are the distinct ids, *index (rows) from
 * bmf_alloc. The column is empty afterwards. The pieces are consecutive and cover rows. Numbers in a small range go
 * through a table, others through hash sets. BMF_ERR_INPUT for more ids than 32-bit indices can number. Local. */
int bmf_id_column_map(bmf_id_column *column, const bmf_id_piece *piece, int pieces, int threads, bmf_ids *ids,
                      int32_t **index, bmf_error *err);

#endif
