#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at `at` and its code point; 0 if it is not well-formed UTF-8. The NUL that ends the text is no
 * continuation byte, so nothing behind it is looked at. */
static size_t decode(const unsigned char *at, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (length < 2) {
        *point = at[0];
        return length;
    }
    *point = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
    return *point >= least[length] && *point <= 0x10ffff && !surrogate ? length : 0;
}

static bool is_control(uint32_t point)
{
    bool turns = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 || turns;
}

void bmf_printable(const char *text, const char *keep, char *out, size_t room)
{
    size_t done = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        char escaped[4 * 4 + 1];
        uint32_t point = 0;
        size_t length = decode(at, &point), size = length;
        const char *shown = (const char *)at;
        bool kept = length == 1 && keep && strchr(keep, *at);
        if (length == 0 || (is_control(point) && !kept)) {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++)
                snprintf(escaped + 4 * i, 5, "\\x%02x", at[i]);
            shown = escaped;
            size = 4 * length;
        }
        if (size + 1 > room - done)
            break;
        memcpy(out + done, shown, size);
        done += size;
        at += length;
    }
    out[done] = '\0';
}
