#include "cli/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/atomic_file.h"

const char *bmf_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The directory that holds path; false if it does not fit. */
static bool directory_of(const char *path, char directory[PATH_MAX])
{
    const char *base = bmf_path_base(path);
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

int bmf_path_check_output(const char *path, bool special, bmf_error *err)
{
    struct stat info;
    char directory[PATH_MAX];
    if (!path || (special && strcmp(path, "-") == 0))
        return BMF_OK;
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

int bmf_path_check_distinct(const char *path, const char *input, bmf_error *err)
{
    struct stat a, b;
    if (!path || !input || stat(path, &a) != 0 || stat(input, &b) != 0)
        return BMF_OK;
    if (a.st_dev != b.st_dev || a.st_ino != b.st_ino || !S_ISREG(a.st_mode))
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE, "the output %s is the input %s; give it another name", path, input);
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

int bmf_path_write_line(const char *path, const char *text, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return write_through(path, text, err);
    bmf_atomic_file file;
    int status = bmf_atomic_file_create(&file, path, err);
    if (status == BMF_OK && dprintf(file.fd, "%s\n", text) < 0) {
        status = fail_writing(path, err);
        bmf_atomic_file_abandon(&file);
    }
    if (status == BMF_OK)
        status = bmf_atomic_file_commit(&file, err);
    return status;
}
