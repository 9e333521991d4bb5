/* A small planted data set that rank 0 writes and all ranks train on. */
#ifndef TESTS_MPI_PLANTED_H
#define TESTS_MPI_PLANTED_H

#include "support/mpi_cmocka.h"

#include <string.h>
#include <sys/stat.h>

#include "data/synth.h"
#include "store/dataset_file.h"

/* The same directory on every rank, removed by remove_directory. */
static inline void make_directory(char path[64])
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, 64, "%s/blendmf_test_XXXXXX", parent && strlen(parent) < 40 ? parent : "/tmp");
    if (bmf_comm_rank(world) == 0 && !mkdtemp(path))
        bmf_comm_abort(world, 98);
    bmf_comm_broadcast(world, path, 64, 0);
}

static inline void remove_directory(const char *path)
{
    bmf_comm_barrier(world);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (bmf_comm_rank(world) == 0 && system(command) != 0)
        print_error("cannot remove %s\n", path);
}

/* Writes users × items with that many ratings to `path`, of users in `groups` groups; all ranks return when it is there. */
static inline void write_planted_groups(const char *path, int64_t users, int64_t items, int64_t ratings, int64_t groups)
{
    bmf_error err = BMF_ERROR_INIT;
    int status = BMF_OK;
    if (bmf_comm_rank(world) == 0) {
        bmf_synth_options options = bmf_synth_defaults();
        bmf_dataset dataset;
        options.users = users;
        options.items = items;
        options.ratings = ratings;
        options.factors = 4;
        options.features = 20;
        options.user_features = groups;
        options.noise = 0.5;
        options.seed = 7;
        status = bmf_synth(&options, &dataset, &err);
        if (status == BMF_OK) {
            status = bmf_dataset_write(path, &dataset, &err);
            bmf_dataset_clear(&dataset);
        }
    }
    if (bmf_comm_agree(world, status, &err) != BMF_OK && bmf_comm_rank(world) == 0)
        print_error("%s\n", err.text);
    assert_all(err.status == BMF_OK);
}

static inline void write_planted(const char *path, int64_t users, int64_t items, int64_t ratings)
{
    write_planted_groups(path, users, items, ratings, 0);
}

#endif
