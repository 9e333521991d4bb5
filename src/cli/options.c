#include "cli/options.h"

#include <math.h>
#include <string.h>

#include "base/parse.h"

#define RATIOS 3
#define LONGEST_WORD 48 /* longer ones get no suggestion */

_Static_assert(sizeof(bmf_option_kind) == sizeof(int), "choices are stored through int");

static void *field(void *settings, const bmf_option *option)
{
    return (char *)settings + option->offset;
}

/* "a, b or c" */
static void join_choices(const bmf_option *option, char *buffer, size_t size)
{
    size_t at = 0;
    buffer[0] = '\0';
    for (int i = 0; option->word(i) && at < size; i++) {
        const char *separator = i == 0 ? "" : option->word(i + 1) ? ", " : " or ";
        int written = snprintf(buffer + at, size - at, "%s%s", separator, option->word(i));
        at += written > 0 ? (size_t)written : 0;
    }
}

static void describe_float(const bmf_option *option, char *buffer, size_t size)
{
    bool low = isfinite(option->low), high = isfinite(option->high);
    if (low && high && !option->above_low && !option->below_high)
        snprintf(buffer, size, "%g to %g", option->low, option->high);
    else if (low && high)
        snprintf(buffer, size, "%s %g, %s %g", option->above_low ? "above" : "at least", option->low,
                 option->below_high ? "below" : "at most", option->high);
    else if (low)
        snprintf(buffer, size, "%s %g", option->above_low ? "above" : "at least", option->low);
    else
        snprintf(buffer, size, "any number");
}

const char *bmf_option_allowed(const bmf_option *option, char *buffer, size_t size)
{
    const char *word = option->zero_word ? option->zero_word : "", * or = option->zero_word ? " or " : "";
    switch (option->kind) {
    case BMF_OPTION_INT:
        if (option->at_most == INT64_MAX)
            snprintf(buffer, size, "%s%sat least %lld", word, or, (long long)option->at_least);
        else
            snprintf(buffer, size, "%s%s%lld to %lld", word, or, (long long)option->at_least,
                     (long long)option->at_most);
        break;
    case BMF_OPTION_FLOAT:
        describe_float(option, buffer, size);
        break;
    case BMF_OPTION_CHOICE:
        join_choices(option, buffer, size);
        break;
    case BMF_OPTION_RATIOS:
        snprintf(buffer, size, "three shares of at least 0 that add up to 1, as in 0.7,0.15,0.15");
        break;
    case BMF_OPTION_TEXT:
        snprintf(buffer, size, "a path");
        break;
    case BMF_OPTION_FLAG:
        snprintf(buffer, size, "no value");
        break;
    }
    return buffer;
}

/* `problem` follows the value, as in "is not a whole number". */
static int refuse(const bmf_option *option, const char *value, const char *problem, bmf_error *err)
{
    char allowed[256];
    return bmf_fail(err, BMF_ERR_USAGE, "--%s: \"%s\" %s (allowed: %s)", option->name, value, problem,
                    bmf_option_allowed(option, allowed, sizeof allowed));
}

static int set_int(const bmf_option *option, const char *value, int64_t *out, bmf_error *err)
{
    int64_t number = 0;
    if (option->zero_word && strcmp(value, option->zero_word) == 0) {
        *out = 0;
        return BMF_OK;
    }
    bmf_parse_result result = bmf_parse_int64(value, strlen(value), &number);
    if (result == BMF_PARSE_NOT_A_NUMBER)
        return refuse(option, value, "is not a whole number", err);
    if (result == BMF_PARSE_OUT_OF_RANGE)
        return refuse(option, value, "does not fit into 64 bits", err);
    if (result != BMF_PARSE_OK)
        return refuse(option, value, bmf_parse_reason(result), err);
    if (number < option->at_least || number > option->at_most)
        return refuse(option, value, "is out of range", err);
    *out = number;
    return BMF_OK;
}

static int set_float(const bmf_option *option, const char *value, double *out, bmf_error *err)
{
    double number = 0;
    bmf_parse_result result = bmf_parse_double(value, strlen(value), &number);
    if (result != BMF_PARSE_OK)
        return refuse(option, value, bmf_parse_reason(result), err);
    bool below = option->above_low ? number <= option->low : number < option->low;
    bool above = option->below_high ? number >= option->high : number > option->high;
    if (below || above)
        return refuse(option, value, "is out of range", err);
    *out = number;
    return BMF_OK;
}

static int set_choice(const bmf_option *option, const char *value, int *out, bmf_error *err)
{
    for (int i = 0; option->word(i); i++) {
        if (strcmp(option->word(i), value) == 0) {
            *out = i;
            return BMF_OK;
        }
    }
    return refuse(option, value, "is not a choice", err);
}

static int set_ratios(const bmf_option *option, const char *value, double out[RATIOS], bmf_error *err)
{
    double share[RATIOS], sum = 0;
    const char *at = value;
    for (int i = 0; i < RATIOS; i++) {
        size_t length = strcspn(at, ",");
        if (bmf_parse_double(at, length, &share[i]) != BMF_PARSE_OK || (at[length] == ',') != (i < RATIOS - 1))
            return refuse(option, value, "is not three numbers with commas between them", err);
        if (share[i] < 0)
            return refuse(option, value, "has a negative share", err);
        sum += share[i];
        at += length + 1;
    }
    if (fabs(sum - 1) > 1e-9)
        return refuse(option, value, "does not add up to 1", err);
    memcpy(out, share, sizeof share);
    return BMF_OK;
}

static int set_value(const bmf_option *option, const char *value, void *settings, bmf_error *err)
{
    void *target = field(settings, option);
    switch (option->kind) {
    case BMF_OPTION_INT:
        return set_int(option, value, target, err);
    case BMF_OPTION_FLOAT:
        return set_float(option, value, target, err);
    case BMF_OPTION_CHOICE:
        return set_choice(option, value, target, err);
    case BMF_OPTION_RATIOS:
        return set_ratios(option, value, target, err);
    case BMF_OPTION_FLAG:
        *(bool *)target = true;
        return BMF_OK;
    case BMF_OPTION_TEXT:
        break;
    }
    if (value[0] == '\0')
        return refuse(option, value, "is empty", err);
    *(const char **)target = value;
    return BMF_OK;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, one row at a time; `a` has at most LONGEST_WORD bytes. */
static int distance(const char *a, const char *b)
{
    int row[LONGEST_WORD + 1];
    int length = (int)strlen(a);
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; b[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int cost = diagonal + (a[j - 1] != b[i - 1]);
            diagonal = row[j];
            row[j] = smaller(cost, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *bmf_options_suggest(const char *typed, const char *const *words, int count)
{
    size_t length = strlen(typed);
    if (length == 0 || length > LONGEST_WORD)
        return NULL;
    const char *best = NULL;
    int best_distance = smaller(3, (int)(length + 1) / 2) + 1;
    for (int i = 0; i < count; i++) {
        int d = strncmp(words[i], typed, length) == 0 && length >= 3 ? 1 : distance(typed, words[i]);
        if (d < best_distance) {
            best_distance = d;
            best = words[i];
        }
    }
    return best;
}

/* typed: without its dashes; shown: as it was typed, up to a '='. */
static int refuse_unknown(const bmf_syntax *syntax, const char *typed, const char *shown, bmf_error *err)
{
    const char *words[BMF_OPTIONS_MAX + 1];
    int count = 0;
    while (syntax->options[count].name) {
        words[count] = syntax->options[count].name;
        count++;
    }
    words[count++] = "help";
    const char *meant = bmf_options_suggest(typed, words, count);
    if (meant)
        return bmf_fail(err, BMF_ERR_USAGE, "unknown option %s (did you mean --%s?)", shown, meant);
    return bmf_fail(err, BMF_ERR_USAGE, "unknown option %s (see blendmf %s --help)", shown, syntax->command);
}

/* Where reading of the command line stands. */
typedef struct cursor {
    int argc, at;
    char **argv;
} cursor;

/* Finds the option of argv[at], which starts with a dash; *value is what stands behind its '=', or NULL. */
static int find_option(const bmf_syntax *syntax, const char *argument, int *index, const char **value, bmf_error *err)
{
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : strlen(name);
    *value = name[length] == '=' ? name + length + 1 : NULL;
    for (int i = 0; syntax->options[i].name; i++) {
        const bmf_option *option = &syntax->options[i];
        bool same = is_long ? strlen(option->name) == length && strncmp(option->name, name, length) == 0
                            : length == 1 && option->letter == name[0];
        if (same) {
            *index = i;
            return BMF_OK;
        }
    }
    char typed[LONGEST_WORD + 1], shown[LONGEST_WORD + 3];
    snprintf(typed, sizeof typed, "%.*s", (int)length, name);
    snprintf(shown, sizeof shown, "%s%s", is_long ? "--" : "-", typed);
    return refuse_unknown(syntax, typed, shown, err);
}

static int read_option(const bmf_syntax *syntax, cursor *c, void *settings, bool *given, bmf_error *err)
{
    int index = 0;
    const char *value = NULL;
    int status = find_option(syntax, c->argv[c->at++], &index, &value, err);
    if (status != BMF_OK)
        return status;
    const bmf_option *option = &syntax->options[index];
    if (option->kind == BMF_OPTION_FLAG) {
        if (value)
            return bmf_fail(err, BMF_ERR_USAGE, "--%s takes no value (\"%s\" was given)", option->name, value);
    } else if (!value) {
        /* An option where a value should be means that the value was forgotten; "-1" and "-" are values. */
        if (c->at == c->argc || strncmp(c->argv[c->at], "--", 2) == 0) {
            char allowed[256];
            return bmf_fail(err, BMF_ERR_USAGE, "--%s needs a value (allowed: %s)", option->name,
                            bmf_option_allowed(option, allowed, sizeof allowed));
        }
        value = c->argv[c->at++];
    }
    given[index] = true;
    return set_value(option, value, settings, err);
}

static int read_positional(const bmf_syntax *syntax, int *count, const char *value, void *settings, bmf_error *err)
{
    const bmf_positional *positional = &syntax->positionals[*count];
    if (!positional->name)
        return bmf_fail(err, BMF_ERR_USAGE, "unexpected argument \"%s\" (see blendmf %s --help)", value,
                        syntax->command);
    if (value[0] == '\0')
        return bmf_fail(err, BMF_ERR_USAGE, "%s is empty", positional->name);
    *(const char **)((char *)settings + positional->offset) = value;
    ++*count;
    return BMF_OK;
}

static int check_required(const bmf_syntax *syntax, int positionals, const bool *given, bmf_error *err)
{
    if (syntax->positionals[positionals].name)
        return bmf_fail(err, BMF_ERR_USAGE, "missing %s (usage: blendmf %s %s)", syntax->positionals[positionals].name,
                        syntax->command, syntax->usage);
    for (int i = 0; syntax->options[i].name; i++) {
        const bmf_option *option = &syntax->options[i];
        if (!option->required || given[i])
            continue;
        if (option->letter)
            return bmf_fail(err, BMF_ERR_USAGE, "missing -%c %s (usage: blendmf %s %s)", option->letter,
                            option->metavar, syntax->command, syntax->usage);
        return bmf_fail(err, BMF_ERR_USAGE, "missing --%s %s (usage: blendmf %s %s)", option->name, option->metavar,
                        syntax->command, syntax->usage);
    }
    return BMF_OK;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int bmf_options_parse(const bmf_syntax *syntax, int argc, char **argv, void *settings, bool given[BMF_OPTIONS_MAX],
                      bool *help, bmf_error *err)
{
    cursor c = {argc, 0, argv};
    int positionals = 0, status = BMF_OK;
    bool options_over = false;
    *help = false;
    memset(given, 0, BMF_OPTIONS_MAX * sizeof *given);
    for (int count = 0; syntax->options[count].name; count++)
        if (count == BMF_OPTIONS_MAX)
            return bmf_fail(err, BMF_ERR_INTERNAL, "%s has more options than there is room for", syntax->command);
    while (c.at < argc && status == BMF_OK) {
        const char *argument = argv[c.at];
        if (options_over || argument[0] != '-' || argument[1] == '\0') {
            c.at++;
            status = read_positional(syntax, &positionals, argument, settings, err);
        } else if (strcmp(argument, "--") == 0) {
            c.at++;
            options_over = true;
        } else if (is_help(argument)) {
            *help = true;
            return BMF_OK;
        } else {
            status = read_option(syntax, &c, settings, given, err);
        }
    }
    return status != BMF_OK ? status : check_required(syntax, positionals, given, err);
}

bool bmf_options_given(const bmf_syntax *syntax, const bool *given, const char *name)
{
    for (int i = 0; syntax->options[i].name; i++)
        if (strcmp(syntax->options[i].name, name) == 0)
            return given[i];
    return false;
}
