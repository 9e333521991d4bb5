/* Text from files and command lines made fit to be shown: a terminal obeys control characters, so that a hostile file could
 * clear the screen or fake a line of ours. */
#ifndef BMF_BASE_PRINTABLE_H
#define BMF_BASE_PRINTABLE_H

#include <stddef.h>

/* Copies text to out (room ≥ 1 bytes, NUL included; cut at a whole character if it is too small). Control characters (C0,
 * DEL, C1, the marks that turn the direction of writing) and bytes that are not UTF-8 become \xNN, each byte; those in
 * `keep` (or NULL) stay. What came out once stays as it is. Pure. */
void bmf_printable(const char *text, const char *keep, char *out, size_t room);

#endif
