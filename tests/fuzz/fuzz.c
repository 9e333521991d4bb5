#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_whole(int fd, const void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(fd, (const char *)data + done, size - done, (off_t)done);
        fuzz_require(put > 0, "the file in memory can be written", NULL);
        done += (size_t)put;
    }
}

static struct {
    int fd;
    char path[64];
} file[FUZZ_SLOTS];

static void remove_files(void)
{
    for (int slot = 0; slot < FUZZ_SLOTS; slot++)
        if (file[slot].path[0])
            (void)unlink(file[slot].path);
}

/* One with a name in a directory: HDF5 follows links to the end, and that of /proc/self/fd to a memfd ends nowhere. */
static void make_file(int slot)
{
    static bool registered;
    if (!registered)
        fuzz_require(atexit(remove_files) == 0, "files can be removed at the end", NULL);
    registered = true;
    snprintf(file[slot].path, sizeof file[slot].path, "/dev/shm/blendmf-fuzz-XXXXXX");
    file[slot].fd = mkstemp(file[slot].path);
    fuzz_require(file[slot].fd >= 0, "a file in memory can be made", NULL);
}

const char *fuzz_file(int slot, const void *data, size_t size)
{
    if (!file[slot].path[0])
        make_file(slot);
    fuzz_require(ftruncate(file[slot].fd, 0) == 0, "the file in memory can be cut", NULL);
    write_whole(file[slot].fd, data, size);
    return file[slot].path;
}

void fuzz_require(bool holds, const char *promise, const bmf_error *err)
{
    if (holds)
        return;
    fprintf(stderr, "broken promise: %s%s%s\n", promise, err && err->text[0] ? "; error: " : "", err ? err->text : "");
    remove_files();
    abort();
}

void fuzz_require_seed(int status, const bmf_error *err)
{
    fuzz_require(status == BMF_OK || !getenv("FUZZ_WHOLE"), "a whole file is read", err);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

void fuzz_require_answer(int status, bmf_error *err)
{
    if (status == BMF_OK) {
        fuzz_require(err->status == BMF_OK && !err->text[0], "success reports no error", err);
        return;
    }
    fuzz_require(status == BMF_ERR_INPUT || status == BMF_ERR_IO || status == BMF_ERR_USAGE,
                 "a reader fails by bad input or a failed read", err);
    fuzz_require(err->status == status, "the report has the status that is returned", err);
    fuzz_require(strlen(err->text) > 8, "a failure says why", err);
    fuzz_require(is_printable(err->text), "messages have no control characters", err);
    bmf_error_clear(err);
}
