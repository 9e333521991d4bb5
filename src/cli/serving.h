/* What the commands that serve a model share: ids as they stand in text files, and the model's own. */
#ifndef BMF_CLI_SERVING_H
#define BMF_CLI_SERVING_H

#include "cli/rows.h"
#include "data/text_records.h"
#include "serve/serve.h"

/* An id from a text file or command line, known to a model or not. Which member counts is told by the kind of the ids that
 * it was read for. */
typedef struct bmf_id_text {
    int64_t number;
    const char *text; /* borrowed, not NUL-terminated */
    int64_t length;
} bmf_id_text;

/* BMF_ERR_INPUT for text where ids are numbers, and for nothing. `what` is "user" or "item". */
int bmf_id_text_read(const bmf_field *field, const char *what, const bmf_ids *ids, bmf_id_text *out, bmf_error *err);
/* Index among the ids, −1 if it is not there. */
int64_t bmf_id_text_find(const bmf_id_text *id, const bmf_ids *ids);
/* As a value of a row. */
void bmf_id_text_put(const bmf_id_text *id, const bmf_ids *ids, bmf_rows *rows);

/* blendmf_open with the error of this program. */
int bmf_serving_open(const char *path, blendmf_model **out, bmf_error *err);
/* The status of a call of blendmf/model.h with its reason, as our own. */
int bmf_serving_status(int status, const blendmf_error *why, bmf_error *err);

#endif
