/* Where the rows of a result go: as CSV to standard output or a file, as JSON to a file or standard output. */
#ifndef BMF_CLI_RESULTS_H
#define BMF_CLI_RESULTS_H

#include "cli/output.h"
#include "cli/rows.h"
#include "store/atomic_file.h"

/* One place that text goes to: standard output, a device or pipe, or a file that appears whole or not at all. */
typedef struct bmf_target {
    const char *path;     /* "-": standard output; NULL: nowhere */
    bmf_output *output;   /* notes the failures of standard output */
    int fd;               /* of a device or pipe, −1 */
    bmf_atomic_file file; /* else */
} bmf_target;

typedef struct bmf_results {
    bmf_target csv, json;
    bool begun; /* there is a row in the JSON array */
} bmf_results;

/* Opens them and writes what comes before the rows: the header of the CSV, the name of the JSON array. `rows` has the columns;
 * its as_csv and as_json are set to what is wanted. CSV goes to output_path; where that is NULL, to standard output unless
 * json_path is "-". On failure nothing is left behind. Local. */
int bmf_results_begin(bmf_results *results, const char *name, bmf_rows *rows, const char *output_path,
                      const char *json_path, bmf_output *output, bmf_error *err);

/* Writes rows in the order of the calls. Local. */
int bmf_results_write(bmf_results *results, const bmf_text *csv, const bmf_text *json, bmf_error *err);

/* Ends the JSON object with the members of `summary`, which it takes, and puts files in place; closed whatever happens. */
int bmf_results_end(bmf_results *results, json_t *summary, bmf_error *err);

/* Gives up: removes temporary files. Does nothing on closed ones. */
void bmf_results_abandon(bmf_results *results);

#endif
