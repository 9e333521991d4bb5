#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw */
#endif
#include "unit/store_faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/assert_close.h"

#define PATH_ROOM 400

static char directory[PATH_ROOM];
static char disk[PATH_ROOM + 64]; /* where check_full_disks mounts */
static pid_t owner;

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info, (void)kind, (void)position;
    return remove(path);
}

static void remove_directory(void)
{
    if (getpid() != owner)
        return;
    if (*disk)
        (void)umount2(disk, MNT_DETACH); /* a failed assertion leaves it mounted */
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_directory(void)
{
    if (!*directory) {
        const char *base = getenv("TMPDIR");
        snprintf(directory, sizeof directory, "%s/blendmf-store-XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(directory));
        owner = getpid();
        atexit(remove_directory);
    }
    return directory;
}

const char *test_path(const char *name)
{
    static char paths[8][PATH_ROOM + 64];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_directory(), name);
    return path;
}

int count_entries(const char *path)
{
    DIR *stream = opendir(path);
    if (!stream)
        return -1;
    int count = -2;
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

int64_t file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

static char *load(const char *path, int64_t *size)
{
    *size = file_size(path);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    char *bytes = malloc((size_t)*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)*size, stream), *size);
    bytes[*size] = '\0';
    fclose(stream);
    return bytes;
}

static void store(const char *path, const char *bytes, int64_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, (size_t)size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

bool files_equal(const char *a, const char *b)
{
    int64_t a_size, b_size;
    char *a_bytes = load(a, &a_size), *b_bytes = load(b, &b_size);
    bool equal = a_size == b_size && memcmp(a_bytes, b_bytes, (size_t)a_size) == 0;
    free(a_bytes);
    free(b_bytes);
    return equal;
}

void write_text(const char *path, const char *text)
{
    store(path, text, (int64_t)strlen(text));
}

void copy_file(const char *from, const char *to, int64_t bytes)
{
    int64_t size;
    char *content = load(from, &size);
    store(to, content, bytes < size ? bytes : size);
    free(content);
}

static int silence_stderr(const char *log)
{
    fflush(stderr);
    int saved = dup(STDERR_FILENO), fd = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return saved;
}

static void restore_stderr(int saved)
{
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
}

static bool plausible(int status, const bmf_error *err, const char *path)
{
    if (status == BMF_OK)
        return true;
    return (status == BMF_ERR_IO || status == BMF_ERR_INPUT) && err->status == status && strstr(err->text, path);
}

void check_nothing_open(void)
{
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

void check_flips(const char *path, int64_t step, file_reader reader, const void *context)
{
    const char *log = test_path("stderr.log");
    int64_t size = file_size(path), noticed = 0, bad = -1;
    bmf_error err = BMF_ERROR_INIT;
    int fd = open(path, O_RDWR), status = BMF_OK, saved = silence_stderr(log);
    for (int64_t at = 0; at < size && bad < 0; at += step) {
        unsigned char byte = 0, flipped;
        ssize_t moved = pread(fd, &byte, 1, at);
        flipped = (unsigned char)(byte ^ (1u << (at / step % 8)));
        moved += pwrite(fd, &flipped, 1, at);
        bmf_error_clear(&err);
        status = reader(path, context, &err);
        moved += pwrite(fd, &byte, 1, at);
        noticed += status != BMF_OK;
        if (moved != 3 || !plausible(status, &err, path))
            bad = at;
    }
    restore_stderr(saved);
    close(fd);
    if (bad >= 0)
        fail_msg("byte %ld of %ld flipped: status %d, '%s'", (long)bad, (long)size, status, err.text);
    print_message("%ld of %ld flips noticed, the others without effect\n", (long)noticed,
                  (long)((size + step - 1) / step));
    assert_int_equal(file_size(log), 0);
    assert_true(noticed > 0);
    check_nothing_open();
}

void check_truncations(const char *path, int64_t step, file_reader reader, const void *context)
{
    const char *cut = test_path("cut.h5");
    int64_t size = file_size(path);
    for (int64_t length = 0; length < size; length += step) {
        bmf_error err = BMF_ERROR_INIT;
        copy_file(path, cut, length);
        int status = reader(cut, context, &err);
        if (status == BMF_OK || !plausible(status, &err, cut))
            fail_msg("cut to %ld of %ld bytes: status %d, '%s'", (long)length, (long)size, status, err.text);
    }
    unlink(cut);
    check_nothing_open();
}

/* In a child, since a limit once lowered stays; its exit code is the status, or 99 if the message is not as it should. */
static int write_in_child(const char *path, int64_t limit, const char *reason, file_writer writer, const void *context)
{
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bmf_error err = BMF_ERROR_INIT;
        struct rlimit bound = {(rlim_t)limit, (rlim_t)limit};
        signal(SIGXFSZ, SIG_IGN);
        signal(SIGSEGV, SIG_DFL); /* CMocka's handlers would go on with the next test, in the child */
        signal(SIGBUS, SIG_DFL);
        if (limit >= 0)
            setrlimit(RLIMIT_FSIZE, &bound);
        int status = writer(path, context, &err);
        bool right = status == BMF_OK || (strstr(err.text, path) && strstr(err.text, reason));
        if (!right)
            print_error("status %d: %s\n", status, err.text);
        bool ended = H5close() >= 0; /* what HDF5 does at the end of a process: a failed write must not upset it */
        _exit(right && ended ? status : 99);
    }
    int state = 0;
    assert_int_equal(waitpid(child, &state, 0), child);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state);
}

/* One try over an older file in a directory of its own; returns the status. */
static int check_one_write(const char *home, int64_t limit, const char *reason, file_writer writer, const void *context)
{
    static const char older[] = "an older file";
    char path[PATH_ROOM + 128];
    const char *wanted = test_path("older"), *log = test_path("stderr.log");
    snprintf(path, sizeof path, "%s/target.h5", home);
    write_text(path, older);
    write_text(wanted, older);
    int saved = silence_stderr(log);
    int status = write_in_child(path, limit, reason, writer, context);
    restore_stderr(saved);
    if ((status != BMF_OK && status != BMF_ERR_IO) || file_size(log) != 0) {
        int64_t size;
        fail_msg("limit %ld: status %d, on stderr: %s", (long)limit, status, load(log, &size));
    }
    assert_int_equal(count_entries(home), 1);
    assert_int_equal(files_equal(path, wanted), status != BMF_OK);
    return status;
}

void check_size_limits(file_writer writer, const void *context)
{
    char home[PATH_ROOM + 64];
    int failed = 0, done = 0;
    snprintf(home, sizeof home, "%s", test_path("limits"));
    assert_int_equal(mkdir(home, 0700), 0);
    bmf_error err = BMF_ERROR_INIT;
    const char *whole = test_path("whole.h5");
    assert_ok(writer(whole, context, &err), err);
    int64_t size = file_size(whole), step = size / 23 + 1;
    for (int64_t limit = 100; limit <= size + step; limit += step) {
        int status = check_one_write(home, limit, "File too large", writer, context);
        failed += status != BMF_OK;
        done += status == BMF_OK;
    }
    assert_true(failed > 0 && done > 0);
    assert_int_equal(nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void check_full_disks(file_writer writer, const void *context)
{
    static const char *const sizes[] = {"size=64k", "size=512k", "size=1m", "size=8m"};
    int failed = 0;
    snprintf(disk, sizeof disk, "%s", test_path("disk"));
    mkdir(disk, 0700);
    for (int i = 0; i < 4; i++) {
        if (mount("blendmf-test", disk, "tmpfs", 0, sizes[i]) != 0) {
            print_message("skipped: a tmpfs cannot be mounted here (root is needed)\n");
            skip();
        }
        int status = check_one_write(disk, -1, "No space left on device", writer, context);
        assert_int_equal(umount(disk), 0);
        failed += status != BMF_OK;
    }
    assert_true(failed > 0);
}
