/* Text files for tests, in a directory of this process (below TMPDIR or /tmp) that goes when it exits. */
#ifndef TESTS_UNIT_TEXT_FILES_H
#define TESTS_UNIT_TEXT_FILES_H

#include <stddef.h>

/* Path of a name in the directory: one of eight static buffers in turn. */
const char *text_path(const char *name);

/* Writes `size` bytes under a name and returns the path. */
const char *text_file_of(const char *name, const char *bytes, size_t size);

/* The same for a string. */
const char *text_file(const char *name, const char *text);

#endif
