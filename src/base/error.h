/* Error reports: a status and one sentence, owned by the caller, filled by whoever notices first. */
#ifndef BMF_BASE_ERROR_H
#define BMF_BASE_ERROR_H

#include "blendmf/status.h"

#define BMF_ERROR_TEXT 1024

typedef struct bmf_error {
    int status;                /* BMF_OK while nothing was reported */
    char text[BMF_ERROR_TEXT]; /* names the thing, the value, what is allowed; fit to print; cut at the end */
} bmf_error;

#define BMF_ERROR_INIT                                                                                                 \
    {                                                                                                                  \
        BMF_OK,                                                                                                        \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }

/* Reports a failure and returns `status`. The first report wins: an error already set keeps its text (and its status
 * is returned). err may be NULL. Never call it with BMF_OK. Local. */
int bmf_fail(bmf_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " before the text of an error already set and returns its status; does nothing on BMF_OK. Local. */
int bmf_context(bmf_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Back to BMF_OK with an empty text. Local. */
void bmf_error_clear(bmf_error *err);

#endif
