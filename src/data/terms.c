#include "data/terms.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

static bool is_blank(int32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r');
}

int bmf_terms_add(bmf_terms *terms, const char *prefix, const char *name, int64_t length, bmf_error *err)
{
    const bmf_lower *lower = &terms->lower;
    int64_t before = (int64_t)strlen(prefix), first = 0;
    int status = bmf_lower_case(&terms->lower, name, length, err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&terms->text, &terms->text_capacity, before + 1 + 4 * lower->count, 1, "name", err);
    if (status != BMF_OK)
        return status;
    int64_t last = lower->count;
    while (first < last && is_blank(lower->point[first]))
        first++;
    while (first < last && is_blank(lower->point[last - 1]))
        last--;
    if (first == last)
        return BMF_OK;
    memcpy(terms->text, prefix, (size_t)before);
    terms->text[before] = ':';
    int64_t size = before + 1 + bmf_lower_encode(lower, first, last, terms->text + before + 1);
    return bmf_strings_add(&terms->name, terms->text, size, err);
}

int bmf_terms_end_row(bmf_terms *terms, bmf_error *err)
{
    int status =
        bmf_grow((void **)&terms->end, &terms->end_capacity, terms->rows + 1, sizeof *terms->end, "names", err);
    if (status == BMF_OK)
        terms->end[terms->rows++] = terms->name.count;
    return status;
}

void bmf_terms_clear(bmf_terms *terms)
{
    bmf_strings_clear(&terms->name);
    bmf_free(terms->end);
    bmf_lower_clear(&terms->lower);
    bmf_free(terms->text);
    *terms = (bmf_terms){0};
}
