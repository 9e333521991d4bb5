/* Names of files. */
#ifndef BMF_BASE_PATH_H
#define BMF_BASE_PATH_H

/* What stands behind the last slash of a path: a part of it, borrowed. Pure. */
const char *bmf_base_name(const char *path);

#endif
