/* CMocka under mpirun. An assertion that fails on one rank only would leave the others waiting in the next collective call:
 *  - assert_all(condition) is collective: it fails on every rank together and names the first rank where it is false;
 *  - a plain assertion that fails aborts its rank, and mpirun ends the others;
 *  - ranks other than 0 print nothing on stdout; an alarm ends a rank that waits for ever. */
#ifndef TESTS_MPI_CMOCKA_H
#define TESTS_MPI_CMOCKA_H

#include "support/assert_close.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "comm/comm.h"

static bmf_comm *world;

static inline void assert_on_all_ranks(int holds, const char *expression, const char *file, int line)
{
    double first = holds ? bmf_comm_size(world) : bmf_comm_rank(world);
    bmf_comm_min_double(world, &first, 1);
    if (first < bmf_comm_size(world)) {
        if (bmf_comm_rank(world) == (int)first)
            print_error("%s:%d: rank %d of %d: %s is false\n", file, line, (int)first, bmf_comm_size(world),
                        expression);
        bmf_comm_barrier(world);
        _fail(file, line);
    }
}

#define assert_all(condition) assert_on_all_ranks(!!(condition), #condition, __FILE__, __LINE__)

/* Runs the group on every rank; 0 if it passed on all. */
static inline int run_on_all_ranks(int argc, char **argv, int (*run)(void))
{
    bmf_error err = BMF_ERROR_INIT;
    if (bmf_comm_start(&argc, &argv, &world, &err) != BMF_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (bmf_comm_size(world) > 1)
        setenv("CMOCKA_TEST_ABORT", "1", 0);
    if (bmf_comm_rank(world) > 0) {
        bmf_log_set_level(BMF_LOG_SILENT);
        if (!freopen("/dev/null", "w", stdout))
            bmf_comm_abort(world, 99);
    }
    alarm(RANK_ALARM_SECONDS);
    double failed = run();
    alarm(0);
    bmf_comm_max_double(world, &failed, 1);
    bmf_comm_finish(&world);
    return failed > 0;
}

#endif
