#include "text_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/assert_close.h"

static char directory[160];

static void remove_directory(void)
{
    DIR *listing = opendir(directory);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (remove(path) != 0)
            continue; /* "." and ".." */
    }
    if (listing)
        closedir(listing);
    rmdir(directory);
}

const char *text_path(const char *name)
{
    static char paths[8][256];
    static int next, made;
    if (!made) {
        const char *base = getenv("TMPDIR");
        int length = snprintf(directory, sizeof directory, "%s/bmf_text_XXXXXX", base && *base ? base : "/tmp");
        assert_true(length < (int)sizeof directory);
        assert_non_null(mkdtemp(directory));
        atexit(remove_directory);
        made = 1;
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *text_file_of(const char *name, const char *bytes, size_t size)
{
    const char *path = text_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *text_file(const char *name, const char *text)
{
    return text_file_of(name, text, strlen(text));
}
