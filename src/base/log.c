#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"

static bmf_log_level log_level = BMF_LOG_NORMAL;

void bmf_log_set_level(bmf_log_level level)
{
    log_level = level;
}

/* One fprintf a line, so that the lines of several processes do not mix. */
static void __attribute__((format(printf, 2, 0))) print_line(const char *prefix, const char *format, va_list args)
{
    char raw[2048], text[2048];
    vsnprintf(raw, sizeof raw, format, args);
    bmf_printable(raw, NULL, text, sizeof text);
    fprintf(stderr, "blendmf: %s%s\n", prefix, text);
}

void bmf_log_info(const char *format, ...)
{
    if (log_level < BMF_LOG_NORMAL)
        return;
    va_list args;
    va_start(args, format);
    print_line("", format, args);
    va_end(args);
}

void bmf_log_warning(const char *format, ...)
{
    if (log_level < BMF_LOG_QUIET)
        return;
    va_list args;
    va_start(args, format);
    print_line("warning: ", format, args);
    va_end(args);
}

void bmf_log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line("error: ", format, args);
    va_end(args);
    fflush(stderr); /* the process ends without its usual end */
}
