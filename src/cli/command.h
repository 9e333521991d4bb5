/* What a command is: its name, its options and what it does. main.c has the list of them. */
#ifndef BMF_CLI_COMMAND_H
#define BMF_CLI_COMMAND_H

#include "cli/options.h"
#include "cli/output.h"
#include "comm/comm.h"

/* First member of every command's settings. */
typedef struct bmf_common {
    bool quiet;
    const char *json; /* where --json goes: a path, "-", or NULL */
} bmf_common;

/* Rows of the options that every command has, for settings of type `type` whose first member is `common`. */
#define BMF_COMMON_OPTIONS(type)                                                                                       \
    BMF_TEXT("json", "FILE", type, common.json,                                                                        \
             "also write the result as JSON to this file; - writes it to stdout instead of the text"),                 \
        BMF_FLAG("quiet", type, common.quiet, "print warnings and errors only", .letter = 'q')

/* One run of a command. */
typedef struct bmf_run {
    void *settings;    /* of the command's own type */
    const bool *given; /* (options of the table) which were on the command line */
    bmf_comm *comm;    /* NULL where one process runs without MPI */
    bool root;         /* this process prints and writes: rank 0, or the only one */
    bmf_output *output;
} bmf_run;

typedef struct bmf_command {
    bmf_syntax syntax;
    size_t settings_size;
    bool parallel;          /* the ranks share the work; without it rank 0 runs the command alone and the others wait */
    bool alone_without_mpi; /* parallel, but one process alone does not start MPI, which takes longer than an answer */
    /* Fills zeroed settings with what holds when no option is given. */
    void (*defaults)(void *settings);
    /* Does the work and prints the result. Returns a status; parallel commands, which are Collective, the same one on
     * every rank. */
    int (*run)(const bmf_run *run, bmf_error *err);
} bmf_command;

/* All ranks take over the report of rank 0, which alone did the work, and return its status. Collective if run->comm. */
int bmf_run_share(const bmf_run *run, bmf_error *err);

/* The row of --stall-timeout, for settings of type `type` with a double `stall_timeout`. */
#define BMF_STALL_OPTION(type)                                                                                         \
    BMF_FLOAT("stall-timeout", "S", type, stall_timeout, 0, 1e9,                                                       \
              "report a rank by its number and end all (exit code 4) when the others have waited S seconds for it; "   \
              "longer than any epoch and the writing of the model take; 0: never")

/* Carries out --stall-timeout. Collective. */
int bmf_run_watch_stalls(const bmf_run *run, const char *command, double seconds, bmf_error *err);

extern const bmf_command bmf_command_import, bmf_command_synth, bmf_command_train, bmf_command_evaluate,
    bmf_command_predict, bmf_command_recommend, bmf_command_similar, bmf_command_export, bmf_command_info;

#endif
