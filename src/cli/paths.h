/* Output paths: refused before the work rather than after it, and replaced atomically. */
#ifndef BMF_CLI_PATHS_H
#define BMF_CLI_PATHS_H

#include <stdbool.h>

#include "base/error.h"

/* BMF_ERR_IO if no file can be put at `path`: its directory is missing or not writable, or something that is no regular
 * file is in its place (devices and pipes are fine if `special`). NULL, and "-" if `special`, are fine. Local. */
int bmf_path_check_output(const char *path, bool special, bmf_error *err);

/* BMF_ERR_USAGE if the output `path` is the file `input` (either may be NULL). Local. */
int bmf_path_check_distinct(const char *path, const char *input, bmf_error *err);

/* Writes text and a line feed to a temporary name beside path, fsyncs, renames; straight into devices and pipes. Nothing
 * is left behind on failure (BMF_ERR_IO). Local. */
int bmf_path_write_line(const char *path, const char *text, bmf_error *err);

/* The part behind the last '/'; borrowed from path. */
const char *bmf_path_base(const char *path);

/* Size of a file in bytes; −1 if it cannot be told. */
long long bmf_path_bytes(const char *path);

#endif
