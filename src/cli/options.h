/* One table of options per command. It drives parsing, bounds, the --help text with its defaults, and every message about
 * a wrong command line. */
#ifndef BMF_CLI_OPTIONS_H
#define BMF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* Largest number of options in one table. */
#define BMF_OPTIONS_MAX 64

/* Kind of an option, and the type of the field that receives it. */
typedef enum bmf_option_kind {
    BMF_OPTION_FLAG,   /* bool: set to true, takes no value */
    BMF_OPTION_INT,    /* int64_t or uint64_t, at_least .. at_most */
    BMF_OPTION_FLOAT,  /* double, low .. high */
    BMF_OPTION_CHOICE, /* an enum: position of the word in `choices` */
    BMF_OPTION_TEXT,   /* const char *, borrowed from argv, not empty */
    BMF_OPTION_RATIOS  /* double[3], each at least 0, adding up to 1 */
} bmf_option_kind;

typedef struct bmf_option {
    const char *name;    /* long name without its dashes; NULL ends a table */
    char letter;         /* short name, or 0 */
    const char *metavar; /* name of the value in --help; NULL for flags and choices */
    bmf_option_kind kind;
    size_t offset;                  /* of the field in the command's settings */
    int64_t at_least, at_most;      /* INT; INT64_MAX: no upper bound worth naming */
    double low, high;               /* FLOAT; infinite: no bound */
    bool above_low, below_high;     /* FLOAT: the bound itself is not allowed */
    const char *(*word)(int value); /* CHOICE: the word for a value of the enum, from 0 on; NULL past the last one */
    bool required;
    const char *zero_word;    /* INT: may be typed for 0, which is below at_least */
    const char *default_text; /* shown instead of the field's own value */
    const char *help;
} bmf_option;

/* Rows of a table, for a field of the settings type `type`; more members may follow the help, as in .required = true. */
#define BMF_ROW(kind_, name_, metavar_, type, field_, help_, ...)                                                      \
    {                                                                                                                  \
        .name = name_, .metavar = metavar_, .kind = kind_, .offset = offsetof(type, field_), .help = help_,            \
        ##__VA_ARGS__                                                                                                  \
    }
#define BMF_FLAG(name_, type, field_, help_, ...)                                                                      \
    BMF_ROW(BMF_OPTION_FLAG, name_, NULL, type, field_, help_, ##__VA_ARGS__)
#define BMF_TEXT(name_, metavar_, type, field_, help_, ...)                                                            \
    BMF_ROW(BMF_OPTION_TEXT, name_, metavar_, type, field_, help_, ##__VA_ARGS__)
#define BMF_INT(name_, metavar_, type, field_, at_least_, at_most_, help_, ...)                                        \
    BMF_ROW(BMF_OPTION_INT, name_, metavar_, type, field_, help_, .at_least = at_least_, .at_most = at_most_,          \
            ##__VA_ARGS__)
#define BMF_FLOAT(name_, metavar_, type, field_, low_, high_, help_, ...)                                              \
    BMF_ROW(BMF_OPTION_FLOAT, name_, metavar_, type, field_, help_, .low = low_, .high = high_, ##__VA_ARGS__)
#define BMF_CHOICE(name_, type, field_, word_, help_, ...)                                                             \
    BMF_ROW(BMF_OPTION_CHOICE, name_, NULL, type, field_, help_, .word = word_, ##__VA_ARGS__)
#define BMF_RATIOS(name_, metavar_, type, field_, help_, ...)                                                          \
    BMF_ROW(BMF_OPTION_RATIOS, name_, metavar_, type, field_, help_, ##__VA_ARGS__)

/* The body of such a function over an array of words. */
#define BMF_WORD_AT(words, index) ((size_t)(index) < sizeof(words) / sizeof *(words) ? (words)[index] : NULL)

/* An argument without a dash; all are required. */
typedef struct bmf_positional {
    const char *name; /* NULL ends a table */
    size_t offset;    /* of a const char * in the command's settings */
    const char *help;
} bmf_positional;

typedef struct bmf_syntax {
    const char *command;     /* "train" */
    const char *summary;     /* a few words, for the list of commands */
    const char *usage;       /* what stands behind the command in the usage line */
    const char *description; /* a paragraph; lines are wrapped */
    const bmf_positional *positionals;
    const bmf_option *options;
} bmf_syntax;

/* Reads argv (without program and command) into settings, which hold the defaults. given[i] tells whether option i of the
 * table was there (the last one counts); *help is set, and reading stops, at --help. BMF_ERR_USAGE on the first thing that
 * does not fit, with the option, the value and what is allowed. Local. */
int bmf_options_parse(const bmf_syntax *syntax, int argc, char **argv, void *settings, bool given[BMF_OPTIONS_MAX],
                      bool *help, bmf_error *err);

/* True if the option of this name was on the command line. */
bool bmf_options_given(const bmf_syntax *syntax, const bool *given, const char *name);

/* What an option allows, as in "1 to 4096"; returns buffer. */
const char *bmf_option_allowed(const bmf_option *option, char *buffer, size_t size);

/* The word of `words` (count of them) that `typed` was probably meant to be, or NULL. */
const char *bmf_options_suggest(const char *typed, const char *const *words, int count);

/* The --help text of a command; `defaults` are its settings before parsing. */
void bmf_options_help(const bmf_syntax *syntax, const void *defaults, FILE *stream);

#endif
