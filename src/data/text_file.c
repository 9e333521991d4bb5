#include "data/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/log.h"
#include "base/memory.h"

#define SCAN_BLOCK (1 << 20)
#define READ_BLOCK (1 << 20)

static int map_file(int fd, int64_t size, bmf_text_file *file, bmf_error *err)
{
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be mapped: %s", file->path, strerror(errno));
    file->map = map;
    file->map_size = (size_t)size;
    file->text = map;
    file->size = size;
    return BMF_OK;
}

static int read_stream(int fd, bmf_text_file *file, bmf_error *err)
{
    int64_t capacity = 0;
    for (;;) {
        int status = bmf_grow((void **)&file->owned, &capacity, file->size + READ_BLOCK, 1, file->path, err);
        if (status != BMF_OK)
            return status;
        ssize_t got = read(fd, file->owned + file->size, READ_BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bmf_fail(err, BMF_ERR_IO, "%s: cannot be read: %s", file->path, strerror(errno));
        if (got == 0)
            break;
        file->size += got;
    }
    file->text = file->owned;
    return BMF_OK;
}

static int load(int fd, bmf_text_file *file, bmf_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be read: %s", file->path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "%s: is a directory, a text file is expected", file->path);
    int status = BMF_OK;
    if (!S_ISREG(info.st_mode))
        status = read_stream(fd, file, err);
    else if (info.st_size > 0)
        status = map_file(fd, (int64_t)info.st_size, file, err);
    if (status == BMF_OK && file->size == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: is empty", file->path);
    return status;
}

typedef struct byte_classes {
    unsigned char high, quote, nul; /* not 0 if there is such a byte */
} byte_classes;

static byte_classes classes_of(const unsigned char *text, int64_t size)
{
    unsigned char high = 0, quote = 0, nul = 0;
    for (int64_t i = 0; i < size; i++) {
        high |= text[i] & 0x80;
        quote |= text[i] == '"';
        nul |= text[i] == 0;
    }
    return (byte_classes){high, quote, nul};
}

static int fail_binary(const bmf_text_file *file, bmf_error *err)
{
    const unsigned char *head = (const unsigned char *)file->text;
    bool packed = file->size > 2 && ((head[0] == 0x1f && head[1] == 0x8b) || (head[0] == 'P' && head[1] == 'K'));
    const char *nul = memchr(file->text, 0, (size_t)file->size);
    return bmf_fail(err, BMF_ERR_INPUT, "%s: is a binary file (NUL at byte %" PRId64 "), a text file is expected%s",
                    file->path, (int64_t)(nul - file->text), packed ? "; it looks compressed, unpack it first" : "");
}

static int look_through(bmf_text_file *file, int threads, bmf_error *err)
{
    unsigned char high = 0, quote = 0, nul = 0;
    int64_t blocks = (file->size + SCAN_BLOCK - 1) / SCAN_BLOCK;
#pragma omp parallel for num_threads(threads) reduction(| : high, quote, nul) if (blocks > 1)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t begin = b * SCAN_BLOCK, left = file->size - begin, size = left < SCAN_BLOCK ? left : SCAN_BLOCK;
        byte_classes c = classes_of((const unsigned char *)file->text + begin, size);
        bmf_text_file_release(file, file->text + begin, file->text + begin + size);
        high |= c.high;
        quote |= c.quote;
        nul |= c.nul;
    }
    if (nul)
        return fail_binary(file, err);
    file->ascii = !high;
    file->has_quote = quote;
    return BMF_OK;
}

int bmf_text_file_open(const char *path, int threads, bmf_text_file *file, bmf_error *err)
{
    *file = (bmf_text_file){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    int status = load(fd, file, err);
    close(fd);
    if (status == BMF_OK)
        status = look_through(file, threads, err);
    if (status == BMF_OK && file->size >= 3 && memcmp(file->text, "\xef\xbb\xbf", 3) == 0) {
        file->text += 3;
        file->size -= 3;
        if (file->size == 0)
            status = bmf_fail(err, BMF_ERR_INPUT, "%s: is empty", path);
    }
    if (status != BMF_OK)
        bmf_text_file_close(file);
    return status;
}

void bmf_text_file_close(bmf_text_file *file)
{
    if (file->map)
        munmap(file->map, file->map_size);
    bmf_free(file->owned);
    *file = (bmf_text_file){0};
}

/* Position of the first byte that is not part of a well-formed UTF-8 sequence, or −1. */
static int64_t first_bad_utf8(const char *text, int64_t size)
{
    int64_t at = 0;
    while (at < size) {
        if (!(text[at] & 0x80)) {
            at++;
            continue;
        }
        utf8proc_int32_t code;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &code);
        if (length < 1)
            return at;
        at += length;
    }
    return -1;
}

/* ISO 8859-1: a byte is its code point, two bytes in UTF-8 from 0x80 on. */
static int convert_latin1(bmf_text_file *file, bmf_error *err)
{
    int64_t high = 0;
    for (int64_t i = 0; i < file->size; i++)
        high += (file->text[i] & 0x80) != 0;
    char *text = bmf_alloc(file->size + high, 1, file->path, err);
    if (!text)
        return BMF_ERR_MEMORY;
    int64_t size = 0;
    for (int64_t i = 0; i < file->size; i++) {
        unsigned char byte = (unsigned char)file->text[i];
        if (byte & 0x80)
            text[size++] = (char)(0xc0 | byte >> 6);
        text[size++] = (char)(byte & 0x80 ? 0x80 | (byte & 0x3f) : byte);
    }
    if (file->map)
        munmap(file->map, file->map_size);
    bmf_free(file->owned);
    file->map = NULL;
    file->text = file->owned = text;
    file->size = size;
    return BMF_OK;
}

int bmf_text_file_decode(bmf_text_file *file, bool latin1, bmf_error *err)
{
    if (file->ascii)
        return BMF_OK;
    int64_t bad = first_bad_utf8(file->text, file->size);
    if (latin1)
        bmf_log_info("%s: read as %s", file->path, bad < 0 ? "UTF-8" : "Latin-1");
    if (bad < 0)
        return BMF_OK;
    if (latin1)
        return convert_latin1(file, err);
    return bmf_fail(err, BMF_ERR_INPUT,
                    "%s:%" PRId64
                    ": byte 0x%02x is not UTF-8; if the file is Latin-1, convert it: iconv -f latin1 -t utf8",
                    file->path, bmf_text_file_line(file, file->text + bad), (unsigned char)file->text[bad]);
}

int64_t bmf_text_count(const char *begin, const char *end, char byte)
{
    int64_t count = 0;
    while (end - begin >= 128) {
        unsigned char block = 0; /* bytes as counters vectorise; 128 cannot overflow */
        for (int i = 0; i < 128; i++)
            block = (unsigned char)(block + (begin[i] == byte));
        count += block;
        begin += 128;
    }
    for (; begin < end; begin++)
        count += *begin == byte;
    return count;
}

int64_t bmf_text_file_line(const bmf_text_file *file, const char *at)
{
    return 1 + file->lines_before + bmf_text_count(file->text, at, '\n');
}

void bmf_text_file_release(const bmf_text_file *file, const char *begin, const char *end)
{
    if (!file->map)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)begin + page - 1) / page * page, last = (uintptr_t)end / page * page;
    if (first < last)
        (void)madvise((void *)first, last - first, MADV_DONTNEED); /* advice only; a clean mapping is read again */
}
