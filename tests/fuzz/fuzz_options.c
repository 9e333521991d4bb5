/* The option parser: the input's lines are the words of a command line, the first one the command. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

#define MOST_WORDS 64

static const bmf_command *const commands[] = {&bmf_command_import, &bmf_command_synth, &bmf_command_train,
                                              &bmf_command_evaluate, &bmf_command_info};
#define COMMANDS (sizeof commands / sizeof *commands)

/* Cuts text at its line ends and returns how many words there are. */
static int words_of(char *text, char *word[MOST_WORDS])
{
    int count = 0;
    for (char *at = text; at && count < MOST_WORDS; count++) {
        word[count] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = '\0';
    }
    return count;
}

static const bmf_command *command_named(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->syntax.command, name) == 0)
            return commands[i];
    return commands[strlen(name) % COMMANDS];
}

/* What was accepted is within the bounds of the table. */
static void check_value(const bmf_option *option, const void *settings)
{
    const void *value = (const char *)settings + option->offset;
    if (option->kind == BMF_OPTION_INT) {
        int64_t number = *(const int64_t *)value;
        fuzz_require(number >= option->at_least && number <= option->at_most, "whole numbers keep their bounds", NULL);
    } else if (option->kind == BMF_OPTION_FLOAT) {
        double number = *(const double *)value;
        fuzz_require(isfinite(number) && number >= option->low && number <= option->high, "numbers keep their bounds",
                     NULL);
    } else if (option->kind == BMF_OPTION_CHOICE) {
        fuzz_require(option->word(*(const int *)value) != NULL, "a choice has a word", NULL);
    } else if (option->kind == BMF_OPTION_RATIOS) {
        const double *share = value;
        fuzz_require(fabs(share[0] + share[1] + share[2] - 1) < 1e-6, "shares add up to 1", NULL);
    } else if (option->kind == BMF_OPTION_TEXT) {
        const char *text = *(const char *const *)value;
        fuzz_require(text && *text, "a text is not empty", NULL);
    }
}

static void print_help(const bmf_syntax *syntax, const void *settings)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fuzz_require(stream != NULL, "a stream in memory can be made", NULL);
    bmf_options_help(syntax, settings, stream);
    fclose(stream);
    fuzz_require(length > 100, "help is more than a line", NULL);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *word[MOST_WORDS];
    memcpy(text, data, size);
    text[size] = '\0';
    int words = words_of(text, word);
    const bmf_command *command = command_named(word[0]);
    void *settings = calloc(1, command->settings_size);
    bool given[BMF_OPTIONS_MAX], help = false;
    bmf_error err = BMF_ERROR_INIT;
    command->defaults(settings);
    int status = bmf_options_parse(&command->syntax, words - 1, word + 1, settings, given, &help, &err);
    if (status == BMF_OK && help)
        print_help(&command->syntax, settings);
    for (int i = 0; status == BMF_OK && !help && command->syntax.options[i].name; i++)
        if (given[i])
            check_value(&command->syntax.options[i], settings);
    fuzz_require(status == BMF_OK || status == BMF_ERR_USAGE, "a command line is right or wrong", &err);
    fuzz_require_answer(status, &err);
    free(settings);
    free(text);
    return 0;
}

static const char *const dictionary[] = {"train\n",
                                         "evaluate\n",
                                         "import\n",
                                         "synth\n",
                                         "info\n",
                                         "--factors\n",
                                         "--epochs=",
                                         "--content\n",
                                         "concat",
                                         "--split-ratios\n",
                                         "0.7,0.15,0.15",
                                         "-o\n",
                                         "--help",
                                         "--",
                                         "-",
                                         "--json\n-\n",
                                         "=",
                                         "\n",
                                         "-1",
                                         "1e400",
                                         "nan",
                                         "inf",
                                         "9223372036854775808",
                                         "--learning-rate\n",
                                         "--seed\n",
                                         "--threads=",
                                         "--quiet",
                                         "--quiet=1",
                                         "--regularizatoin",
                                         ",",
                                         "%s%n",
                                         "\x1b[2J"};

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
    return mutate_text(data, size, room, dictionary, sizeof dictionary / sizeof *dictionary, seed);
}
