/* A text file in memory: mapped if it is a regular file, read whole otherwise (a pipe), checked once for what no text
 * may hold. Positions in it are pointers; line numbers are counted only when somebody needs one. */
#ifndef BMF_DATA_TEXT_FILE_H
#define BMF_DATA_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct bmf_text_file {
    const char *path; /* borrowed from the caller of open */
    const char *text; /* (size) behind a byte-order mark, if there is one; not NUL-terminated */
    int64_t size;
    int64_t lines_before;  /* where `text` is a later piece of the file: the lines before it */
    bool has_quote, ascii; /* of the text as it was opened */
    void *map;             /* the mapping, or NULL */
    size_t map_size;
    char *owned; /* what was read or converted, or NULL */
} bmf_text_file;

/* BMF_ERR_IO for a file that cannot be opened or read or is a directory; BMF_ERR_INPUT for an empty one and for a
 * binary one (a NUL byte). `threads` look through it. On failure *file is {0}. Local. */
int bmf_text_file_open(const char *path, int threads, bmf_text_file *file, bmf_error *err);
void bmf_text_file_close(bmf_text_file *file);

/* Makes the text UTF-8. Text that is not becomes UTF-8 from Latin-1 if `latin1` allows it, which is logged; otherwise
 * it is BMF_ERR_INPUT naming the line. Pointers into the text from before the call are void. Local. */
int bmf_text_file_decode(bmf_text_file *file, bool latin1, bmf_error *err);

/* Number of the line, from 1, that holds the byte at `at`. Cost: the bytes before it. */
int64_t bmf_text_file_line(const bmf_text_file *file, const char *at);

/* Occurrences of a byte in [begin, end). */
int64_t bmf_text_count(const char *begin, const char *end, char byte);

/* The pages of [begin, end) are not needed soon: keeps the resident size small. They stay readable. */
void bmf_text_file_release(const bmf_text_file *file, const char *begin, const char *end);

#endif
