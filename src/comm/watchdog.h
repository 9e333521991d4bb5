/* Ends a process that hangs. A collective write to a file may wait for ever for a rank whose write failed; nothing inside
 * MPI tells. A thread of its own watches the time; when it is up it removes the unfinished file, says why, and ends the
 * process with BMF_ERR_IO, upon which the launcher ends the others. */
#ifndef BMF_COMM_WATCHDOG_H
#define BMF_COMM_WATCHDOG_H

#include "base/error.h"

typedef struct bmf_watchdog bmf_watchdog;

/* Starts watching for `seconds`. `temporary` is the file to remove; several ranks may watch the same one: only the rank that
 * removes it prints `text`. Copies both. Local. */
int bmf_watchdog_start(const char *temporary, double seconds, const char *text, bmf_watchdog **out, bmf_error *err);

/* From now on there are `seconds` left, and `text` is the reason: something failed here, and the others may never answer.
 * Never gives more time than there was. Local. */
void bmf_watchdog_hurry(bmf_watchdog *dog, double seconds, const char *text);

/* Ends the watch; NULL-safe. Local. */
void bmf_watchdog_stop(bmf_watchdog **dog);

#endif
