/* Arrays as NumPy reads them: .npy files of format version 1.0 (numpy.lib.format, NEP 1), C order, little-endian. */
#ifndef BMF_STORE_NPY_H
#define BMF_STORE_NPY_H

#include <stdint.h>
#include <stdio.h>

#include "base/strings.h"

typedef enum bmf_npy_type { BMF_NPY_FLOAT32, BMF_NPY_FLOAT64, BMF_NPY_INT32, BMF_NPY_INT64 } bmf_npy_type;

/* What comes before the elements of an array of `dimensions` (0 to 2) extents; the caller writes the elements behind it. A
 * failed write shows in ferror(file). Local. */
void bmf_npy_header(FILE *file, bmf_npy_type type, const int64_t *extent, int dimensions);

/* A whole one-dimensional array of texts as NumPy's str (<U): as wide as the longest, UTF-32. BMF_ERR_MEMORY. Local. */
int bmf_npy_texts(FILE *file, const bmf_strings *text, bmf_error *err);

#endif
