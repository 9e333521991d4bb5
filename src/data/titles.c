#include "data/titles.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    size_t offset;
} choices[] = {
    {"year", offsetof(bmf_title_features, year)},
    {"decade", offsetof(bmf_title_features, decade)},
    {"words", offsetof(bmf_title_features, words)},
};
#define CHOICES (sizeof choices / sizeof *choices)

int bmf_title_features_parse(const char *list, bmf_title_features *out, bmf_error *err)
{
    *out = (bmf_title_features){0};
    if (!list || strcmp(list, "none") == 0)
        return BMF_OK;
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ","), c = 0;
        while (c < CHOICES && (strlen(choices[c].word) != length || strncmp(choices[c].word, at, length) != 0))
            c++;
        if (c == CHOICES)
            return bmf_fail(
                err, BMF_ERR_USAGE,
                "--title-features: \"%.*s\" is not a choice (allowed: none, or some of year, decade and words "
                "with commas between them)",
                length < 60 ? (int)length : 60, at);
        *(bool *)((char *)out + choices[c].offset) = true;
        at += length;
        if (!*at)
            return BMF_OK;
    }
}

void bmf_title_features_print(const bmf_title_features *features, char text[BMF_TITLE_FEATURES])
{
    int at = 0;
    snprintf(text, BMF_TITLE_FEATURES, "none");
    for (size_t c = 0; c < CHOICES; c++)
        if (*(const bool *)((const char *)features + choices[c].offset))
            at += snprintf(text + at, BMF_TITLE_FEATURES - (size_t)at, "%s%s", at ? "," : "", choices[c].word);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int bmf_title_year(const char *title, int64_t length, int64_t *name)
{
    int64_t end = length, open;
    *name = length;
    while (end > 0 && title[end - 1] == ' ')
        end--;
    if (end == 0 || title[end - 1] != ')')
        return 0;
    for (open = end - 1; open >= 0 && title[open] != '(';)
        open--;
    if (open < 0 || end - open < 6)
        return 0;
    int year = 0;
    for (int64_t i = open + 1; i < open + 5; i++) {
        if (!is_digit(title[i]))
            return 0;
        year = 10 * year + (title[i] - '0');
    }
    if (is_digit(title[open + 5]) || year < 1800 || year > 2199)
        return 0;
    *name = open;
    return year;
}

static int add_number(bmf_terms *terms, const char *prefix, int number, bmf_error *err)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d", number);
    return bmf_terms_add(terms, prefix, text, length, err);
}

int bmf_title_add_terms(const bmf_title_features *features, const char *title, int64_t length, bmf_terms *terms,
                        bmf_error *err)
{
    int64_t name;
    int year = bmf_title_year(title, length, &name), status = BMF_OK;
    if (year && features->year)
        status = add_number(terms, "year", year, err);
    if (status == BMF_OK && year && features->decade)
        status = add_number(terms, "decade", year - year % 10, err);
    return status;
}
