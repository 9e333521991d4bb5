#include "data/lower_case.h"

#include <stdbool.h>
#include <utf8proc.h>

#include "base/memory.h"

static bool in_category(int32_t point, unsigned mask)
{
    return mask >> utf8proc_category(point) & 1;
}

#define BIT(category) (1u << UTF8PROC_CATEGORY_##category)
#define CASED (BIT(LU) | BIT(LL) | BIT(LT))
#define IGNORABLE (BIT(MN) | BIT(ME) | BIT(CF) | BIT(LM) | BIT(SK))

/* Unicode's Cased: letters with case by category, and those that only Other_Lowercase or Other_Uppercase names. */
static bool is_cased(int32_t p)
{
    return in_category(p, CASED) || p == 0xaa || p == 0xba || (p >= 0x2160 && p <= 0x217f) ||
           (p >= 0x24b6 && p <= 0x24e9) || (p >= 0x1f130 && p <= 0x1f149) || (p >= 0x1f150 && p <= 0x1f169) ||
           (p >= 0x1f170 && p <= 0x1f189);
}

/* Unicode's Case_Ignorable: by category, and the punctuation that may stand inside a word. */
static bool is_case_ignorable(int32_t point)
{
    static const int32_t inside[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
                                     0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (point == inside[i])
            return true;
    return in_category(point, IGNORABLE);
}

/* Unicode's Final_Sigma: a cased letter before, none after, case-ignorable ones skipped on both sides. */
static bool is_final_sigma(const int32_t *point, int64_t count, int64_t i)
{
    int64_t before = i - 1, after = i + 1;
    while (before >= 0 && is_case_ignorable(point[before]))
        before--;
    if (before < 0 || !is_cased(point[before]))
        return false;
    while (after < count && is_case_ignorable(point[after]))
        after++;
    return after == count || !is_cased(point[after]);
}

/* Lower case of code point i (one or two code points); returns their number. */
static int64_t put_lower(const int32_t *point, int64_t count, int64_t i, int32_t *out)
{
    if (point[i] == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = point[i] == 0x3a3 && is_final_sigma(point, count, i) ? 0x3c2 : utf8proc_tolower(point[i]);
    return 1;
}

int64_t bmf_code_points(const char *text, int64_t length, int32_t *point)
{
    int64_t count = 0;
    for (int64_t at = 0; at < length; count++) {
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at, length - at, &point[count]);
        if (step < 1)
            point[count] = 0xfffd;
        at += step < 1 ? 1 : step;
    }
    return count;
}

int bmf_lower_case(bmf_lower *lower, const char *text, int64_t length, bmf_error *err)
{
    lower->count = 0;
    int status =
        bmf_grow((void **)&lower->given, &lower->given_capacity, length + 1, sizeof *lower->given, "text", err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&lower->point, &lower->capacity, 2 * length + 2, sizeof *lower->point, "text", err);
    if (status != BMF_OK)
        return status;
    int64_t count = bmf_code_points(text, length, lower->given);
    for (int64_t i = 0; i < count; i++)
        lower->count += put_lower(lower->given, count, i, lower->point + lower->count);
    return BMF_OK;
}

int64_t bmf_lower_encode(const bmf_lower *lower, int64_t first, int64_t last, char *out)
{
    int64_t length = 0;
    for (int64_t i = first; i < last; i++)
        length += utf8proc_encode_char(lower->point[i], (utf8proc_uint8_t *)out + length);
    return length;
}

void bmf_lower_clear(bmf_lower *lower)
{
    bmf_free(lower->given);
    bmf_free(lower->point);
    *lower = (bmf_lower){0};
}
