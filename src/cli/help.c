#include <string.h>

#include "cli/options.h"

#define WIDTH 100
#define HELP_COLUMN 34

/* Words of text from `column` on, broken before WIDTH and continued at `indent`. */
static void print_wrapped(FILE *stream, const char *text, int column, int indent)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(stream, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', stream);
            column++;
        }
        fprintf(stream, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

/* The field's value as one would type it; empty if there is none to show. */
static void format_default(const bmf_option *option, const void *defaults, char *buffer, size_t size)
{
    const void *value = (const char *)defaults + option->offset;
    const double *ratio = value;
    buffer[0] = '\0';
    if (option->default_text) {
        snprintf(buffer, size, "%s", option->default_text);
        return;
    }
    switch (option->kind) {
    case BMF_OPTION_INT:
        snprintf(buffer, size, "%lld", (long long)*(const int64_t *)value);
        break;
    case BMF_OPTION_FLOAT:
        snprintf(buffer, size, "%.10g", *(const double *)value);
        break;
    case BMF_OPTION_CHOICE:
        snprintf(buffer, size, "%s", option->word(*(const int *)value));
        break;
    case BMF_OPTION_RATIOS:
        snprintf(buffer, size, "%.10g,%.10g,%.10g", ratio[0], ratio[1], ratio[2]);
        break;
    case BMF_OPTION_FLAG:
    case BMF_OPTION_TEXT:
        break;
    }
}

/* "what it does (1 to 4096; default 32)" */
static void format_help(const bmf_option *option, const void *defaults, char *buffer, size_t size)
{
    char allowed[256] = "", value[128];
    if (option->kind == BMF_OPTION_INT || option->kind == BMF_OPTION_FLOAT || option->kind == BMF_OPTION_CHOICE)
        bmf_option_allowed(option, allowed, sizeof allowed);
    if (option->required)
        snprintf(value, sizeof value, "required");
    else
        format_default(option, defaults, value, sizeof value);
    const char *label = value[0] && !option->required ? "default " : "";
    if (allowed[0] && value[0])
        snprintf(buffer, size, "%s (%s; %s%s)", option->help, allowed, label, value);
    else if (allowed[0] || value[0])
        snprintf(buffer, size, "%s (%s%s%s)", option->help, allowed, label, value);
    else
        snprintf(buffer, size, "%s", option->help);
}

static void print_row(FILE *stream, const char *head, const char *text)
{
    int column = fprintf(stream, "  %s", head);
    if (column > HELP_COLUMN - 2) {
        fputc('\n', stream);
        column = 0;
    }
    fprintf(stream, "%*s", HELP_COLUMN - column, "");
    print_wrapped(stream, text, HELP_COLUMN, HELP_COLUMN);
}

static void print_option(FILE *stream, const bmf_option *option, const void *defaults)
{
    char letter[8] = "    ", head[64], text[512];
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    const char *metavar = option->metavar ? option->metavar : option->kind == BMF_OPTION_CHOICE ? "NAME" : "";
    snprintf(head, sizeof head, "%s--%s%s%s", letter, option->name, metavar[0] ? " " : "", metavar);
    format_help(option, defaults, text, sizeof text);
    print_row(stream, head, text);
}

void bmf_options_help(const bmf_syntax *syntax, const void *defaults, FILE *stream)
{
    static const bmf_option help = {
        .name = "help", .letter = 'h', .kind = BMF_OPTION_FLAG, .help = "print this text and exit"};
    fprintf(stream, "Usage: blendmf %s %s\n\n", syntax->command, syntax->usage);
    print_wrapped(stream, syntax->description, 0, 0);
    if (syntax->positionals[0].name)
        fputs("\nArguments:\n", stream);
    for (const bmf_positional *p = syntax->positionals; p->name; p++)
        print_row(stream, p->name, p->help);
    fputs("\nOptions (as --name VALUE or --name=VALUE):\n", stream);
    for (const bmf_option *option = syntax->options; option->name; option++)
        print_option(stream, option, defaults);
    print_option(stream, &help, defaults);
}
