#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

const char *fuzz_file(int slot, const void *data, size_t size)
{
    static struct {
        int fd;
        char path[64];
    } file[FUZZ_SLOTS];
    if (!file[slot].path[0]) {
        file[slot].fd = memfd_create("fuzz", 0);
        fuzz_require(file[slot].fd >= 0, "a file in memory can be made", NULL);
        snprintf(file[slot].path, sizeof file[slot].path, "/proc/self/fd/%d", file[slot].fd);
    }
    fuzz_require(ftruncate(file[slot].fd, 0) == 0, "the file in memory can be cut", NULL);
    write_whole(file[slot].fd, data, size);
    return file[slot].path;
}

void fuzz_require(bool holds, const char *promise, const bmf_error *err)
{
    if (holds)
        return;
    fprintf(stderr, "broken promise: %s%s%s\n", promise, err && err->text[0] ? "; error: " : "", err ? err->text : "");
    abort();
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
