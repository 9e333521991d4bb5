#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5_array.h"

static int64_t longest(const bmf_strings *list)
{
    int64_t length = 1; /* a type has at least one byte */
    for (int64_t i = 0; i < list->count; i++)
        if (bmf_strings_length(list, i) > length)
            length = bmf_strings_length(list, i);
    return length;
}

/* Strings [first, first + count) of the list into rows of `size` bytes. */
static int pack(const bmf_strings *list, int64_t first, int64_t count, size_t size, char *out, bmf_error *err)
{
    memset(out, 0, (size_t)count * size);
    for (int64_t i = 0; i < count; i++) {
        size_t length = (size_t)bmf_strings_length(list, first + i);
        const char *text = bmf_strings_get(list, first + i);
        if (memchr(text, '\0', length))
            return bmf_fail(err, BMF_ERR_INPUT, "string %" PRId64 " ('%s') has a NUL byte inside", first + i, text);
        memcpy(out + (size_t)i * size, text, length);
    }
    return BMF_OK;
}

int bmf_h5_write_strings(hid_t parent, const char *name, const bmf_strings *list, bool compress, bmf_error *err)
{
    char *buffer = NULL;
    size_t size = (size_t)longest(list);
    bmf_h5_array array;
    int status =
        bmf_h5_array_create(parent, name, BMF_H5_TEXT, size, (bmf_h5_shape){list->count, -1}, compress, &array, err);
    if (status != BMF_OK)
        return status;
    int64_t piece = bmf_h5_array_piece(&array);
    buffer = bmf_alloc(piece, size, "strings", err);
    if (!buffer)
        status = BMF_ERR_MEMORY;
    for (int64_t i = 0; i < list->count && status == BMF_OK; i += piece) {
        int64_t count = list->count - i < piece ? list->count - i : piece;
        status = pack(list, i, count, size, buffer, err);
        if (status == BMF_OK)
            status = bmf_h5_array_write(&array, i, count, buffer, err);
        else
            bmf_h5_context(err, parent, name);
    }
    bmf_free(buffer);
    int closed = bmf_h5_array_close(&array, err);
    return status != BMF_OK ? status : closed;
}

static int read_pieces(const bmf_h5_array *array, bmf_strings *out, bmf_error *err)
{
    int64_t piece = bmf_h5_array_piece(array);
    char *buffer = bmf_alloc(piece, array->text_size, "strings", err);
    int status = buffer ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t i = 0; i < array->rows && status == BMF_OK; i += piece) {
        int64_t count = array->rows - i < piece ? array->rows - i : piece;
        status = bmf_h5_array_read(array, i, count, buffer, err);
        for (int64_t j = 0; j < count && status == BMF_OK; j++) {
            const char *text = buffer + (size_t)j * array->text_size;
            status = bmf_strings_add(out, text, (int64_t)strnlen(text, array->text_size), err);
        }
    }
    bmf_free(buffer);
    return status;
}

int bmf_h5_read_strings(hid_t parent, const char *name, int64_t count, const char *why, bmf_strings *out,
                        bmf_error *err)
{
    bmf_h5_array array;
    bmf_strings_init(out);
    int status = bmf_h5_array_open(parent, name, BMF_H5_TEXT, false, &array, err);
    if (status != BMF_OK)
        return status;
    status = bmf_h5_array_expect_rows(&array, count, why, err);
    if (status == BMF_OK)
        status = read_pieces(&array, out, err);
    if (status != BMF_OK)
        bmf_strings_clear(out);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}
