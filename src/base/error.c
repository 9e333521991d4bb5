#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

const char *bmf_status_text(int status)
{
#define BMF_STATUS_CASE(name, value, text)                                                                             \
    case value:                                                                                                        \
        return text;
    switch (status) {
        BMF_STATUS_LIST(BMF_STATUS_CASE)
    default:
        return "unknown status";
    }
#undef BMF_STATUS_CASE
}

int bmf_fail(bmf_error *err, int status, const char *format, ...)
{
    if (!err)
        return status;
    if (err->status == BMF_OK) {
        char text[BMF_ERROR_TEXT];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        bmf_printable(text, NULL, err->text, sizeof err->text);
        err->status = status;
    }
    return err->status;
}

int bmf_context(bmf_error *err, const char *format, ...)
{
    if (!err || err->status == BMF_OK)
        return err ? err->status : BMF_OK;
    char raw[BMF_ERROR_TEXT], text[BMF_ERROR_TEXT], tail[BMF_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    bmf_printable(raw, NULL, text, sizeof text);
    memcpy(tail, err->text, sizeof tail);
    size_t head = strlen(text);
    size_t room = sizeof err->text - 1;
    if (head + 2 > room)
        return err->status;
    size_t rest = strlen(tail);
    if (rest > room - head - 2)
        rest = room - head - 2;
    memcpy(err->text, text, head);
    memcpy(err->text + head, ": ", 2);
    memcpy(err->text + head + 2, tail, rest);
    err->text[head + 2 + rest] = '\0';
    return err->status;
}

void bmf_error_clear(bmf_error *err)
{
    err->status = BMF_OK;
    err->text[0] = '\0';
}
