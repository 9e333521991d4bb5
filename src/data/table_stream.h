/* A text table read piece by piece, so that memory is bounded whatever its size: a file, a pipe, or standard input. */
#ifndef BMF_DATA_TABLE_STREAM_H
#define BMF_DATA_TABLE_STREAM_H

#include "data/layout.h"

typedef struct bmf_table_stream {
    const char *path; /* as messages name it */
    int fd;
    bool at_end; /* everything has been read from fd */
    bmf_layout layout;
    char *buffer; /* (size of capacity): a piece of whole records up to `given`, then the beginning of the next one */
    int64_t capacity, size, given;
    bmf_text_file piece; /* a view of it, for messages */
    const char *at;      /* of what is left of the piece */
    const char *here;    /* beginning of `record` */
    const char *end;     /* of the piece */
    bmf_record record;
} bmf_table_stream;

/* Opens a file, or standard input for "-", reads its first piece and finds dialect and columns. On failure *stream is
 * closed. Local. */
int bmf_table_stream_open(const char *path, bmf_table kind, bmf_table_stream *stream, bmf_error *err);
void bmf_table_stream_close(bmf_table_stream *stream);

/* The next piece; the first one is there after opening. *more is false at the end of the table. Fields of the piece
 * before are void. BMF_ERR_IO; BMF_ERR_INPUT for what is no UTF-8 text or a record longer than 16 MiB. */
int bmf_table_stream_fill(bmf_table_stream *stream, bool *more, bmf_error *err);

/* The next record of the piece that is not blank; *more is false at its end. Fields stay valid as long as the piece.
 * Errors name file and line. */
int bmf_table_stream_next(bmf_table_stream *stream, bool *more, bmf_error *err);

/* A field of the current record. One with doubled quotes is made plain in place: read it once. */
bmf_field bmf_table_stream_field(bmf_table_stream *stream, bmf_column column);

/* Puts file and line before an error that is about the record that begins at `at` in the piece. */
int bmf_table_stream_context(const bmf_table_stream *stream, const char *at, bmf_error *err);

#endif
