#ifndef BMF_BASE_VERSION_H
#define BMF_BASE_VERSION_H

/* "0.1.0": the version of the project, from CMakeLists.txt. */
const char *bmf_version(void);

#endif
