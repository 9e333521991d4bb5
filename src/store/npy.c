#include "store/npy.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "data/lower_case.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are written as they lie in memory");

#define MAGIC "\x93NUMPY\x01\x00" /* and version 1.0 */
#define MAGIC_SIZE 8
#define ALIGNMENT 64 /* of what follows the header */

static void write_header(FILE *file, const char *descr, const int64_t *extent, int dimensions)
{
    char shape[64] = "", header[192];
    if (dimensions == 1)
        snprintf(shape, sizeof shape, "%" PRId64 ",", extent[0]);
    else if (dimensions == 2)
        snprintf(shape, sizeof shape, "%" PRId64 ", %" PRId64, extent[0], extent[1]);
    int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape);
    int before = MAGIC_SIZE + 2 + length + 1, padding = (ALIGNMENT - before % ALIGNMENT) % ALIGNMENT;
    int size = length + padding + 1;
    const unsigned char little[2] = {(unsigned char)(size & 0xff), (unsigned char)(size >> 8)};
    fwrite(MAGIC, 1, MAGIC_SIZE, file);
    fwrite(little, 1, sizeof little, file);
    fprintf(file, "%s%*s\n", header, padding, "");
}

void bmf_npy_header(FILE *file, bmf_npy_type type, const int64_t *extent, int dimensions)
{
    static const char *const descr[] = {"<f4", "<f8", "<i4", "<i8"};
    write_header(file, descr[type], extent, dimensions);
}

int bmf_npy_texts(FILE *file, const bmf_strings *text, bmf_error *err)
{
    int64_t bytes = 1, width = 1;
    for (int64_t i = 0; i < text->count; i++)
        if (bmf_strings_length(text, i) > bytes)
            bytes = bmf_strings_length(text, i);
    int32_t *point = bmf_alloc(bytes, sizeof *point, "a text", err);
    if (!point)
        return BMF_ERR_MEMORY;
    for (int64_t i = 0; i < text->count; i++) {
        int64_t points = bmf_code_points(bmf_strings_get(text, i), bmf_strings_length(text, i), point);
        width = points > width ? points : width;
    }
    char descr[32];
    snprintf(descr, sizeof descr, "<U%" PRId64, width);
    write_header(file, descr, &text->count, 1);
    for (int64_t i = 0; i < text->count; i++) {
        int64_t points = bmf_code_points(bmf_strings_get(text, i), bmf_strings_length(text, i), point);
        memset(point + points, 0, (size_t)(width - points) * sizeof *point);
        fwrite(point, sizeof *point, (size_t)width, file);
    }
    bmf_free(point);
    return BMF_OK;
}
