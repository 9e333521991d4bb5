/* The users that recommend is asked for: one, those of a file, or all of the model. */
#ifndef BMF_CLI_AUDIENCE_H
#define BMF_CLI_AUDIENCE_H

#include "cli/serving.h"

typedef struct bmf_audience {
    const bmf_ids *known;   /* the model's, borrowed */
    int64_t count, unknown; /* users; those that the model does not know */
    int64_t *index;         /* (count) in the model, −1 */
    bool everyone;          /* user i is the model's user i */
    int64_t *number;        /* else: (count) ids that are numbers */
    bmf_strings text;       /* or texts */
    int64_t number_capacity, index_capacity;
} bmf_audience;

/* All users of a model. On failure *out is {0}. Local, as all here. */
int bmf_audience_of_all(const bmf_ids *known, bmf_audience *out, bmf_error *err);
/* One user by the id that was typed; BMF_ERR_INPUT for text where ids are numbers. */
int bmf_audience_of_one(const char *id, const bmf_ids *known, bmf_audience *out, bmf_error *err);
/* Those of a file, one a line, in its order. */
int bmf_audience_of_file(const char *path, const bmf_ids *known, bmf_audience *out, bmf_error *err);
void bmf_audience_clear(bmf_audience *audience);

/* The id of user i as it is to be printed and looked up elsewhere. */
bmf_id_text bmf_audience_id(const bmf_audience *audience, int64_t i);

#endif
