/* Diagnostics on stderr, one line each. Only this file prints below src/cli. */
#ifndef BMF_BASE_LOG_H
#define BMF_BASE_LOG_H

/* Quiet keeps warnings only; silent (ranks other than 0) keeps nothing. */
typedef enum bmf_log_level { BMF_LOG_SILENT, BMF_LOG_QUIET, BMF_LOG_NORMAL } bmf_log_level;

/* Sets what this process prints; BMF_LOG_NORMAL at start. Call before threads start. Local. */
void bmf_log_set_level(bmf_log_level level);

/* "blendmf: ..." : progress that a person at the terminal wants to see. Local. */
void bmf_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "blendmf: error: ..." : at any level, for a process that ends without a way to report to its caller. Local. */
void bmf_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "blendmf: warning: ..." : something was accepted that the user may not have meant. Local. */
void bmf_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
