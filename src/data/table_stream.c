#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr */
#endif
#include "data/table_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define PIECE (1 << 20)
#define LONGEST_RECORD (16 << 20)

void bmf_table_stream_close(bmf_table_stream *stream)
{
    if (stream->fd > STDIN_FILENO)
        close(stream->fd);
    bmf_free(stream->buffer);
    *stream = (bmf_table_stream){.fd = -1};
}

/* Reads until the buffer is full or the file ends. */
static int read_on(bmf_table_stream *s, bmf_error *err)
{
    while (!s->at_end && s->size < s->capacity) {
        ssize_t got = read(s->fd, s->buffer + s->size, (size_t)(s->capacity - s->size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bmf_fail(err, BMF_ERR_IO, "%s: cannot be read: %s", s->path, strerror(errno));
        s->at_end = got == 0;
        s->size += got;
    }
    return BMF_OK;
}

/* Bytes of whole records in the buffer: up to the last line end that no quotes enclose. */
static int64_t whole_records(const bmf_table_stream *s, bool quotes)
{
    if (s->at_end)
        return s->size;
    if (!quotes || !memchr(s->buffer, '"', (size_t)s->size)) {
        const char *last = memrchr(s->buffer, '\n', (size_t)s->size);
        return last ? last + 1 - s->buffer : 0;
    }
    int64_t whole = 0;
    bool inside = false;
    for (int64_t i = 0; i < s->size; i++) {
        inside ^= s->buffer[i] == '"';
        if (s->buffer[i] == '\n' && !inside)
            whole = i + 1;
    }
    return whole;
}

/* Fills the buffer with at least one whole record, unless the file is at its end. */
static int load_piece(bmf_table_stream *s, bool quotes, bmf_error *err)
{
    int64_t wanted = PIECE;
    for (;;) {
        int status = bmf_grow((void **)&s->buffer, &s->capacity, wanted, 1, "text", err);
        if (status == BMF_OK)
            status = read_on(s, err);
        if (status != BMF_OK)
            return status;
        s->given = whole_records(s, quotes);
        if (s->given > 0 || s->at_end)
            return BMF_OK;
        if (s->size > LONGEST_RECORD)
            return bmf_fail(err, BMF_ERR_INPUT, "%s:%lld: is longer than %d bytes; is a quote not closed?", s->path,
                            (long long)s->piece.lines_before + 1, LONGEST_RECORD);
        wanted = 2 * s->size;
    }
}

static int check_text(bmf_table_stream *s, bmf_error *err)
{
    bmf_text_file *piece = &s->piece;
    piece->text = s->buffer;
    piece->size = s->given;
    if (memchr(s->buffer, 0, (size_t)s->given))
        return bmf_fail(err, BMF_ERR_INPUT, "%s: is a binary file (it has a NUL byte), a text file is expected",
                        s->path);
    return bmf_text_file_decode(piece, false, err); /* looks whether it is UTF-8 */
}

int bmf_table_stream_fill(bmf_table_stream *s, bool *more, bmf_error *err)
{
    s->piece.lines_before += bmf_text_count(s->buffer, s->buffer + s->given, '\n');
    s->size -= s->given;
    memmove(s->buffer, s->buffer + s->given, (size_t)s->size);
    s->given = 0;
    int status = load_piece(s, s->layout.dialect == BMF_DIALECT_CSV, err);
    if (status == BMF_OK)
        status = check_text(s, err);
    *more = status == BMF_OK && s->given > 0;
    s->at = s->buffer;
    s->end = s->buffer + (status == BMF_OK ? s->given : 0);
    return status;
}

static int open_input(bmf_table_stream *s, const char *path, bmf_error *err)
{
    struct stat info;
    bool standard = strcmp(path, "-") == 0;
    *s = (bmf_table_stream){.path = standard ? "standard input" : path, .fd = STDIN_FILENO};
    if (!standard)
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be opened: %s", s->path, strerror(errno));
    if (fstat(s->fd, &info) == 0 && S_ISDIR(info.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "%s: is a directory, a text file is expected", s->path);
    return BMF_OK;
}

static int read_head(bmf_table_stream *s, bmf_table kind, bmf_error *err)
{
    s->piece.path = s->path;
    int status = load_piece(s, false, err);
    if (status == BMF_OK && s->size >= 3 && memcmp(s->buffer, "\xef\xbb\xbf", 3) == 0) {
        s->size -= 3;
        memmove(s->buffer, s->buffer + 3, (size_t)s->size);
        s->given -= 3;
    }
    if (status == BMF_OK && s->size == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: is empty", s->path);
    if (status != BMF_OK)
        return status;
    s->piece.text = s->buffer;
    s->piece.size = s->given;
    bmf_dialect dialect = bmf_layout_sniff(&s->piece);
    if (dialect == BMF_DIALECT_CSV)
        status = load_piece(s, true, err);
    if (status == BMF_OK)
        status = check_text(s, err);
    if (status == BMF_OK)
        status = bmf_layout_read(&s->piece, dialect, kind, &s->layout, err);
    s->at = s->buffer + s->layout.first;
    s->end = s->buffer + s->given;
    return status;
}

int bmf_table_stream_open(const char *path, bmf_table kind, bmf_table_stream *stream, bmf_error *err)
{
    int status = open_input(stream, path, err);
    if (status == BMF_OK)
        status = read_head(stream, kind, err);
    if (status != BMF_OK)
        bmf_table_stream_close(stream);
    return status;
}

int bmf_table_stream_context(const bmf_table_stream *stream, const char *at, bmf_error *err)
{
    return bmf_context(err, "%s:%lld", stream->path, (long long)bmf_text_file_line(&stream->piece, at));
}

int bmf_table_stream_next(bmf_table_stream *s, bool *more, bmf_error *err)
{
    *more = false;
    while (s->at < s->end && !*more) {
        s->here = s->at;
        int status = bmf_record_read(s->layout.dialect, s->at, s->end, &s->record, err);
        s->at = s->record.next;
        if (status == BMF_OK && s->record.count > 0) {
            bool last = s->at_end && s->at == s->end && s->given == s->size;
            status = bmf_layout_check(&s->layout, &s->record, last, err);
            *more = true;
        }
        if (status != BMF_OK)
            return bmf_table_stream_context(s, s->here, err);
    }
    return BMF_OK;
}

bmf_field bmf_table_stream_field(bmf_table_stream *s, bmf_column column)
{
    if (s->layout.at[column] < 0)
        return (bmf_field){"", 0, false};
    bmf_field *field = &s->record.field[s->layout.at[column]];
    if (field->escaped) {
        field->length = bmf_field_unescape(field, s->buffer + (field->text - s->buffer));
        field->escaped = false;
    }
    return *field;
}
