/* Content of the users: from a file of users to rows of features. */
#ifndef BMF_DATA_USER_CONTENT_H
#define BMF_DATA_USER_CONTENT_H

#include "data/dataset.h"
#include "data/tfidf.h"

typedef struct bmf_users_source {
    const char *path;    /* csv or tsv with a header, u.user or users.dat, by its first line */
    const char *columns; /* as for bmf_columns_open */
    bmf_weighting weighting;
    int threads;
} bmf_users_source;

/* A row for each of `users`; those that the file does not list have empty ones. Users of the file without a rating say nothing
 * and are left out, with a line to the log. BMF_ERR_INPUT with file and line for a bad record or a user listed twice, and if
 * none of `users` is listed. Local. */
int bmf_user_content(const bmf_users_source *source, const bmf_ids *users, bmf_content *out, bmf_error *err);

#endif
