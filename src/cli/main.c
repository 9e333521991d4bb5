/* blendmf COMMAND ...: reads the command line, starts MPI where it is wanted, runs the command, reports its failure once. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/version.h"
#include "cli/command.h"
#include "comm/launcher.h"

static const bmf_command *const commands[] = {&bmf_command_import,   &bmf_command_synth,   &bmf_command_train,
                                              &bmf_command_evaluate, &bmf_command_predict, &bmf_command_recommend,
                                              &bmf_command_similar,  &bmf_command_export,  &bmf_command_info};
#define COMMANDS ((int)(sizeof commands / sizeof *commands))

/* This process's place among those started together, as far as that is known before MPI starts. */
static int64_t launcher_rank(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *text = getenv(variables[i]);
        int64_t rank = 0;
        if (text && bmf_parse_int64(text, strlen(text), &rank) == BMF_PARSE_OK && rank >= 0)
            return rank;
    }
    return 0;
}

/* A closed standard descriptor would be given to the next file that is opened, and what we print would go into that file.
 * Opened for reading only, so that writing to a closed stdout stays an error. */
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            return;
}

static void print_help(FILE *stream)
{
    fputs("Usage: blendmf COMMAND ...\n\n"
          "Trains recommenders that blend matrix factorization with item content, in many processes.\n\nCommands:\n",
          stream);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-10s  %s\n", commands[i]->syntax.command, commands[i]->syntax.summary);
    fputs("\n"
          "blendmf COMMAND --help tells the options of a command, blendmf --version the version.\n"
          "Every command runs alone or under mpirun, where the processes of train, evaluate and recommend share the\n"
          "work:\n"
          "mpirun -n 4 blendmf train DATA.h5 -o MODEL.h5\n\n"
          "Exit codes: 0 done, 2 usage, 3 bad input, 4 input/output, 5 memory, 6 diverged, 7 stopped on a signal\n"
          "after saving, 70 internal error.\n",
          stream);
}

/* The message of a failed run, and its exit code. command may be NULL. */
static int conclude(const char *command, int status, const bmf_error *err, bool root)
{
    if (status != BMF_OK && root)
        fprintf(stderr, "blendmf%s%s: %s\n", command ? " " : "", command ? command : "",
                err->text[0] ? err->text : bmf_status_text(status));
    return status;
}

/* The end of a command on every rank. mpirun kills all others as soon as one rank has ended with a failure, so nobody
 * leaves before rank 0 has told the reason; a wrong command line, met without MPI, starts it for that. */
static int conclude_ranks(const char *command, int status, const bmf_error *err, bmf_comm *comm, bool root)
{
    bmf_launcher launcher = bmf_launcher_read(getenv);
    bool mpirun = launcher.size > 1 && strcmp(launcher.variable, "OMPI_COMM_WORLD_SIZE") == 0;
    if (status != BMF_OK && !comm && mpirun)
        bmf_comm_start(NULL, NULL, &comm, NULL);
    conclude(command, status, err, root);
    if (comm)
        bmf_comm_barrier(comm);
    bmf_comm_finish(&comm);
    return status;
}

/* --help, --version: printed by the first process only. */
static int answer(bool root, const bmf_syntax *syntax, const void *defaults, bool version)
{
    bmf_output output = {stdout, 0};
    bmf_error err = BMF_ERROR_INIT;
    if (!root)
        return BMF_OK;
    if (version)
        bmf_output_print(&output, "blendmf %s\n", bmf_version());
    else if (syntax)
        bmf_options_help(syntax, defaults, stdout);
    else
        print_help(stdout);
    return conclude(NULL, bmf_output_finish(&output, &err), &err, root);
}

static int refuse_command(const char *name, bmf_error *err)
{
    const char *words[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        words[i] = commands[i]->syntax.command;
    const char *meant = bmf_options_suggest(name, words, COMMANDS);
    const char *what = name[0] == '-' ? "option" : "command";
    if (meant && name[0] != '-')
        return bmf_fail(err, BMF_ERR_USAGE, "unknown %s %s (did you mean %s?)", what, name, meant);
    return bmf_fail(err, BMF_ERR_USAGE, "unknown %s %s (see blendmf --help)", what, name);
}

static const bmf_command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->syntax.command, name) == 0)
            return commands[i];
    return NULL;
}

/* Starts MPI for a command whose ranks share the work, and for any other if it is one of several. */
static int start_ranks(const bmf_command *command, bmf_run *run, int *argc, char ***argv, bmf_error *err)
{
    const bool alone = bmf_launcher_read(getenv).size <= 1;
    if (alone && (!command->parallel || command->alone_without_mpi)) {
        run->root = true;
        return BMF_OK;
    }
    int status = bmf_comm_start(argc, argv, &run->comm, err);
    if (run->comm)
        run->root = run->root && bmf_comm_rank(run->comm) == 0;
    return status;
}

/* The text for people makes room when stdout carries JSON. */
static void choose_streams(const bmf_run *run, bmf_output *output)
{
    const bmf_common *common = run->settings;
    bool json = common->json && strcmp(common->json, "-") == 0;
    output->text = run->root && !common->quiet && !json ? stdout : NULL;
    bmf_log_set_level(!run->root ? BMF_LOG_SILENT : common->quiet ? BMF_LOG_QUIET : BMF_LOG_NORMAL);
}

int bmf_run_share(const bmf_run *run, bmf_error *err)
{
    if (run->comm)
        bmf_comm_broadcast(run->comm, err, sizeof *err, 0);
    return err->status;
}

static void tell_stall(const char *text, void *command)
{
    fprintf(stderr, "blendmf %s: %s\n", (const char *)command, text);
}

int bmf_run_watch_stalls(const bmf_run *run, const char *command, double seconds, bmf_error *err)
{
    return seconds > 0 ? bmf_comm_watch_stalls(run->comm, seconds, tell_stall, (void *)(uintptr_t)command, err)
                       : BMF_OK;
}

/* A command whose ranks do not share the work is run by rank 0, and the others wait for what it met. */
static int run_on_ranks(const bmf_command *command, const bmf_run *run, bmf_error *err)
{
    if (command->parallel)
        return command->run(run, err);
    int status = run->root ? command->run(run, err) : BMF_OK;
    if (status != BMF_OK)
        bmf_fail(err, status, "%s", bmf_status_text(status)); /* unless it said more itself */
    return bmf_run_share(run, err);
}

/* All ranks return what rank 0 met when it printed. */
static int finish_output(const bmf_run *run, bmf_error *err)
{
    if (run->root)
        bmf_output_finish(run->output, err);
    return bmf_run_share(run, err);
}

static int run_command(const bmf_command *command, int argc, char **argv, void *settings, bool root)
{
    bmf_error err = BMF_ERROR_INIT;
    bool given[BMF_OPTIONS_MAX], help = false;
    bmf_output output = {NULL, 0};
    bmf_run run = {.settings = settings, .given = given, .root = root, .output = &output};
    command->defaults(settings);
    int status = bmf_options_parse(&command->syntax, argc - 2, argv + 2, settings, given, &help, &err);
    if (status == BMF_OK && help) {
        command->defaults(settings);
        return answer(root, &command->syntax, settings, false);
    }
    if (status == BMF_OK)
        status = start_ranks(command, &run, &argc, &argv, &err);
    if (status == BMF_OK) {
        choose_streams(&run, &output);
        status = run_on_ranks(command, &run, &err);
    }
    if (status == BMF_OK)
        status = finish_output(&run, &err);
    return conclude_ranks(command->syntax.command, status, &err, run.comm, run.root);
}

/* Tests ask for it by BLENDMF_CHECK_MEMORY: whatever a command met, it has given its memory back. */
static int check_memory(int status)
{
    int64_t blocks = bmf_live_blocks();
    if (blocks == 0 || !getenv("BLENDMF_CHECK_MEMORY"))
        return status;
    fprintf(stderr, "blendmf: %" PRId64 " blocks of memory were not given back\n", blocks);
    return BMF_ERR_INTERNAL;
}

int main(int argc, char **argv)
{
    bmf_error err = BMF_ERROR_INIT;
    bool root = launcher_rank() == 0;
    occupy_standard_descriptors();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, and reported as one */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that grows past the limit */
    if (argc < 2)
        return conclude_ranks(NULL, bmf_fail(&err, BMF_ERR_USAGE, "missing command (see blendmf --help)"), &err, NULL,
                              root);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return answer(root, NULL, NULL, false);
    if (strcmp(argv[1], "--version") == 0)
        return answer(root, NULL, NULL, true);
    const bmf_command *command = find_command(argv[1]);
    if (!command)
        return conclude_ranks(NULL, refuse_command(argv[1], &err), &err, NULL, root);
    void *settings = bmf_alloc_zero(1, command->settings_size, "settings", &err);
    if (!settings) { /* this rank alone, as a rule: it tells so itself, and mpirun ends the others */
        if (!root)
            bmf_context(&err, "rank %" PRId64, launcher_rank());
        return conclude(command->syntax.command, BMF_ERR_MEMORY, &err, true);
    }
    int status = run_command(command, argc, argv, settings, root);
    bmf_free(settings);
    return check_memory(status);
}
