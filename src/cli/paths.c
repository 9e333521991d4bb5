#include "cli/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "store/atomic_file.h"

/* The directory that holds path; false if it does not fit. */
static bool directory_of(const char *path, char directory[PATH_MAX])
{
    const char *base = bmf_base_name(path);
    size_t length = (size_t)(base - path);
    if (length >= PATH_MAX)
        return false;
    if (length > 1)
        length--; /* the slash itself, except that of the root */
    if (length == 0)
        snprintf(directory, PATH_MAX, ".");
    else
        snprintf(directory, PATH_MAX, "%.*s", (int)length, path);
    return true;
}

static bool is_stdout(const bmf_path_use *use)
{
    return use->role == BMF_PATH_STREAM && strcmp(use->path, "-") == 0;
}

/* Can a file be put at this path? Devices and pipes can be written by a stream only. */
static int check_output(const char *path, bool special, bmf_error *err)
{
    struct stat info;
    char directory[PATH_MAX];
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        if (special && !S_ISDIR(info.st_mode))
            return BMF_OK;
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: it is %s", path,
                        S_ISDIR(info.st_mode) ? "a directory" : "not a regular file");
    }
    if (!directory_of(path, directory))
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: %s", path, strerror(ENAMETOOLONG));
    if (stat(directory, &info) != 0)
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: directory %s: %s", path, directory, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: %s is not a directory", path, directory);
    if (access(directory, W_OK | X_OK) != 0)
        return bmf_fail(err, BMF_ERR_IO, "cannot write %s: directory %s: %s", path, directory, strerror(errno));
    return BMF_OK;
}

/* Files that are there are compared themselves, so that links count; others by their directory and name in it. */
static bool same_file(const char *a, const char *b)
{
    struct stat at, bt;
    char directory[PATH_MAX];
    bool there = stat(a, &at) == 0;
    if ((stat(b, &bt) == 0) != there)
        return false;
    if (there)
        return at.st_dev == bt.st_dev && at.st_ino == bt.st_ino && (S_ISREG(at.st_mode) || S_ISDIR(at.st_mode));
    if (strcmp(bmf_base_name(a), bmf_base_name(b)) != 0)
        return false;
    if (!directory_of(a, directory) || stat(directory, &at) != 0 || !directory_of(b, directory) ||
        stat(directory, &bt) != 0)
        return false;
    return at.st_dev == bt.st_dev && at.st_ino == bt.st_ino;
}

static int check_pair(const bmf_path_use *a, const bmf_path_use *b, bmf_error *err)
{
    if (!a->path || !b->path || is_stdout(a) || is_stdout(b))
        return BMF_OK;
    if ((a->role == BMF_PATH_INPUT && b->role == BMF_PATH_INPUT) || !same_file(a->path, b->path))
        return BMF_OK;
    if (a->role != BMF_PATH_INPUT && b->role != BMF_PATH_INPUT)
        return bmf_fail(err, BMF_ERR_USAGE, "%s %s and %s %s name the same file; give one of them another name",
                        a->option, a->path, b->option, b->path);
    const bmf_path_use *input = a->role == BMF_PATH_INPUT ? a : b, *output = input == a ? b : a;
    return bmf_fail(err, BMF_ERR_USAGE, "%s %s would replace the input %s (%s); give it another name", output->option,
                    output->path, input->path, input->option);
}

int bmf_path_check_outputs(const bmf_path_use *use, int count, bmf_error *err)
{
    int status = BMF_OK;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i && status == BMF_OK; j++)
            if (use[i].role != BMF_PATH_OLDER || j != i - 1)
                status = check_pair(&use[j], &use[i], err);
    for (int i = 0; i < count && status == BMF_OK; i++) {
        bool checked = use[i].role != BMF_PATH_INPUT && use[i].role != BMF_PATH_MADE;
        if (use[i].path && checked && !is_stdout(&use[i]))
            status = check_output(use[i].path, use[i].role == BMF_PATH_STREAM, err);
    }
    return status;
}

long long bmf_path_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (long long)info.st_size : -1;
}

static int fail_writing(const char *path, bmf_error *err)
{
    return bmf_fail(err, BMF_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

/* A device or a pipe, which cannot be replaced. */
static int write_through(const char *path, const char *text, bmf_error *err)
{
    FILE *stream = fopen(path, "w");
    if (!stream)
        return fail_writing(path, err);
    int status = fprintf(stream, "%s\n", text) < 0 ? fail_writing(path, err) : BMF_OK;
    return fclose(stream) != 0 && status == BMF_OK ? fail_writing(path, err) : status;
}

/* 0, or −1 with errno set. */
static int write_bytes(int fd, const char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, bytes + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        done += (size_t)put;
    }
    return 0;
}

int bmf_path_write_line(const char *path, const char *text, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return write_through(path, text, err);
    bmf_atomic_file file;
    int status = bmf_atomic_file_create(&file, path, err);
    if (status != BMF_OK)
        return bmf_context(err, "cannot write %s", path);
    if (write_bytes(file.fd, text, strlen(text)) != 0 || write_bytes(file.fd, "\n", 1) != 0) {
        status = fail_writing(path, err);
        bmf_atomic_file_abandon(&file);
        return status;
    }
    status = bmf_atomic_file_commit(&file, err);
    return status == BMF_OK ? BMF_OK : bmf_context(err, "cannot write %s", path);
}
