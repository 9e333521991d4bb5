/* Status codes of blendmf. A status is also the exit code of the command that met it. */
#ifndef BLENDMF_STATUS_H
#define BLENDMF_STATUS_H

/* What libblendmf shows of itself. */
#if defined(__GNUC__)
#define BLENDMF_API __attribute__((visibility("default")))
#else
#define BLENDMF_API
#endif

/* X(name, value and exit code, meaning) */
#define BMF_STATUS_LIST(X)                                                                                             \
    X(BMF_OK, 0, "ok")                                                                                                 \
    X(BMF_ERR_USAGE, 2, "wrong usage")                                                                                 \
    X(BMF_ERR_INPUT, 3, "bad input")                                                                                   \
    X(BMF_ERR_IO, 4, "input/output error")                                                                             \
    X(BMF_ERR_MEMORY, 5, "out of memory")                                                                              \
    X(BMF_ERR_DIVERGED, 6, "training diverged")                                                                        \
    X(BMF_ERR_STOPPED, 7, "stopped on a signal after saving")                                                          \
    X(BMF_ERR_INTERNAL, 70, "internal error")

#define BMF_STATUS_ENUM(name, value, text) name = value,
typedef enum bmf_status { BMF_STATUS_LIST(BMF_STATUS_ENUM) } bmf_status;
#undef BMF_STATUS_ENUM

#ifdef __cplusplus
extern "C" {
#endif

/* The meaning of a status in a few words; "unknown status" for any other number. */
BLENDMF_API const char *bmf_status_text(int status);

#ifdef __cplusplus
}
#endif

#endif
