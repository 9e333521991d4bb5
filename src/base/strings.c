#include "base/strings.h"

#include <string.h>

#include "base/memory.h"

void bmf_strings_init(bmf_strings *list)
{
    *list = (bmf_strings){0};
}

void bmf_strings_clear(bmf_strings *list)
{
    bmf_free(list->offset);
    bmf_free(list->bytes);
    *list = (bmf_strings){0};
}

int bmf_strings_add(bmf_strings *list, const char *text, int64_t length, bmf_error *err)
{
    int64_t end = list->count ? list->offset[list->count] : 0;
    int status = bmf_grow((void **)&list->offset, &list->offset_capacity, list->count + 2, sizeof *list->offset,
                          "string offsets", err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&list->bytes, &list->bytes_capacity, end + length + 1, 1, "strings", err);
    if (status != BMF_OK)
        return status;
    list->offset[list->count] = end;
    memcpy(list->bytes + end, text, (size_t)length);
    list->bytes[end + length] = '\0';
    list->count++;
    list->offset[list->count] = end + length + 1;
    return BMF_OK;
}

const char *bmf_strings_get(const bmf_strings *list, int64_t i)
{
    return list->bytes + list->offset[i];
}

int64_t bmf_strings_length(const bmf_strings *list, int64_t i)
{
    return list->offset[i + 1] - list->offset[i] - 1;
}
