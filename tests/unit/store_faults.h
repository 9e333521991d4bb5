/* Damage to files, and full disks, for the tests of what is stored. */
#ifndef TESTS_STORE_FAULTS_H
#define TESTS_STORE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A new empty directory (below TMPDIR or /tmp), for the whole program; removed with all it holds at exit. */
const char *test_directory(void);

/* <test directory>/<name>, in one of a few static buffers. */
const char *test_path(const char *name);

/* Entries of a directory, "." and ".." aside; −1 if it cannot be read. */
int count_entries(const char *directory);

int64_t file_size(const char *path);
bool files_equal(const char *a, const char *b);
void write_text(const char *path, const char *text);
void copy_file(const char *from, const char *to, int64_t bytes); /* the first `bytes` of it */

/* Reads the file at `path`: BMF_OK if everything is as it was written, −1 if anything differs, a status on an error. */
typedef int (*file_reader)(const char *path, const void *context, bmf_error *err);

/* Flips one bit at every step-th byte of the file, one at a time, and reads it each time: −1 fails the test, and so does
 * an error without a text, with another status than input or I/O, or with a path missing; so does anything on stderr. */
void check_flips(const char *path, int64_t step, file_reader reader, const void *context);

/* The same for the file cut to many lengths; here only an error will do. */
void check_truncations(const char *path, int64_t step, file_reader reader, const void *context);

/* HDF5 holds no object open. */
void check_nothing_open(void);

/* Writes the file at `path`; a status. */
typedef int (*file_writer)(const char *path, const void *context, bmf_error *err);

/* Lets the writer run in a child process into limits of file size from 0 to beyond the whole file: every failure must be
 * BMF_ERR_IO with "File too large", leave an older file as it was and nothing beside it. At least one run fails and one
 * does not. */
void check_size_limits(file_writer writer, const void *context);

/* The same on tiny file systems of several sizes, "No space left on device"; skips aloud if they cannot be mounted. */
void check_full_disks(file_writer writer, const void *context);

#endif
