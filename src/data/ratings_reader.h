/* Ratings from a text file, in file order. The file is cut into pieces at record starts, threads parse a piece each
 * into its stretch of the arrays, and raw ids become dense indices. Results and errors are those of reading from
 * front to back, whatever the threads. */
#ifndef BMF_DATA_RATINGS_READER_H
#define BMF_DATA_RATINGS_READER_H

#include "data/import.h"

typedef struct bmf_ratings_source {
    const char *path; /* borrowed */
    bmf_format format;
    int64_t max_bad_lines;
    int threads;         /* ≥ 1 */
    int64_t piece_bytes; /* smallest piece worth a thread; 0: the default. Tests make it tiny. */
} bmf_ratings_source;

/* What the file says, a row a rating. */
typedef struct bmf_raw_ratings {
    int64_t count;
    bmf_ids users, items; /* those that occur */
    int32_t *user, *item; /* (count) indices into users and items */
    float *rating;        /* (count) */
    int64_t *timestamp;   /* (count), or NULL if the file has none */
} bmf_raw_ratings;

void bmf_raw_ratings_clear(bmf_raw_ratings *raw);

typedef struct bmf_ratings_reader bmf_ratings_reader;

/* Opens the file and finds its columns. *out is NULL on failure. Local. */
int bmf_ratings_reader_open(const bmf_ratings_source *source, bmf_ratings_reader **out, bmf_error *err);
void bmf_ratings_reader_close(bmf_ratings_reader **reader);

/* Reads all ratings. BMF_ERR_INPUT naming file and line of the first bad line in excess of max_bad_lines; those
 * before it are skipped, the first ten with a warning each. Call it once. Local. */
int bmf_ratings_reader_read(bmf_ratings_reader *reader, bmf_raw_ratings *out, bmf_error *err);

/* "csv", "dat", "tsv". */
const char *bmf_ratings_reader_format(const bmf_ratings_reader *reader);

/* Bad lines that were skipped. */
int64_t bmf_ratings_reader_bad_lines(const bmf_ratings_reader *reader);

/* Line of a row that was read; reads the file again from its beginning. */
int64_t bmf_ratings_reader_line(bmf_ratings_reader *reader, int64_t row);

#endif
