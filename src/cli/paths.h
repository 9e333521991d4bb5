/* Output paths: refused before the work rather than after it, and replaced atomically. */
#ifndef BMF_CLI_PATHS_H
#define BMF_CLI_PATHS_H

#include <stdbool.h>

#include "base/error.h"

/* What a command does with a path. */
typedef enum bmf_path_role {
    BMF_PATH_INPUT,  /* read, and never to be replaced */
    BMF_PATH_FILE,   /* a regular file, replaced atomically */
    BMF_PATH_STREAM, /* the same, but devices, pipes and "-" for stdout will do */
    BMF_PATH_MADE,   /* written by a module that looks itself whether it can be */
    BMF_PATH_OLDER /* where the file of the row before is kept when it is replaced. A process killed in between leaves both
                        names to one file, which is no fault. */
} bmf_path_role;

/* A path of a command line; strings are borrowed. */
typedef struct bmf_path_use {
    const char *option; /* as messages name it: "-o", "--json", "DATA.h5" */
    const char *path;   /* NULL: not given */
    bmf_path_role role;
} bmf_path_use;

/* Everything about output paths that would fail after the work, or destroy something with it. BMF_ERR_USAGE if two outputs,
 * or an output and an input, are one file, by whatever names. BMF_ERR_IO if no file can be put where one is wanted: its
 * directory is missing or not writable, or something of another kind is in its place. Local. */
int bmf_path_check_outputs(const bmf_path_use *use, int count, bmf_error *err);

/* Writes text and a line feed to a temporary name beside path, fsyncs, renames; straight into devices and pipes. Nothing
 * is left behind on failure (BMF_ERR_IO). Local. */
int bmf_path_write_line(const char *path, const char *text, bmf_error *err);

/* Size of a file in bytes; −1 if it cannot be told. */
long long bmf_path_bytes(const char *path);

#endif
