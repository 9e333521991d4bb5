#include "data/ratings_reader.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/id_column.h"
#include "data/layout.h"
#include "data/values.h"

#define PIECE_BYTES ((int64_t)1 << 20)
#define PIECES_PER_THREAD 4 /* even work when lines differ in length */
#define MOST_WARNINGS 10
#define RELEASE_BYTES ((int64_t)1 << 20) /* of text read before its pages are let go */

typedef struct text_piece {
    const char *begin, *end; /* whole records */
    int64_t capacity;        /* rows set aside from id.first on: lines in the piece */
    bmf_id_piece *user, *item;
    const char **bad; /* (bad_count) beginnings of bad records */
    int64_t bad_count, bad_capacity;
    bool too_wide; /* met an id that needs 64 bits */
    bmf_error err; /* anything but bad lines */
} text_piece;

struct bmf_ratings_reader {
    bmf_ratings_source source;
    bmf_text_file file;
    bmf_layout layout;
    bmf_id_kind user_kind, item_kind;
    const char *begin, *end; /* of the records */
    int64_t bad_lines;
    text_piece *piece; /* (pieces) with their ids' own parts beside them */
    bmf_id_piece *user_piece, *item_piece;
    int pieces;
    bmf_id_column user, item;
    float *rating;
    int64_t *timestamp;
};

typedef struct rating_row {
    int64_t user, item; /* numbers; 0 for strings */
    float rating;
    int64_t timestamp;
} rating_row;

void bmf_raw_ratings_clear(bmf_raw_ratings *raw)
{
    bmf_ids_clear(&raw->users);
    bmf_ids_clear(&raw->items);
    bmf_free(raw->user);
    bmf_free(raw->item);
    bmf_free(raw->rating);
    bmf_free(raw->timestamp);
    *raw = (bmf_raw_ratings){0};
}

const char *bmf_ratings_reader_format(const bmf_ratings_reader *reader)
{
    return bmf_dialect_name(reader->layout.dialect);
}

int64_t bmf_ratings_reader_bad_lines(const bmf_ratings_reader *reader)
{
    return reader->bad_lines;
}

static const bmf_field *field_of(const bmf_ratings_reader *reader, const bmf_record *record, bmf_column column)
{
    return &record->field[reader->layout.at[column]];
}

static int parse_id(bmf_id_kind kind, const bmf_field *field, const char *what, int64_t *out, bmf_error *err)
{
    if (kind == BMF_ID_INT64)
        return bmf_value_id(field, what, out, err);
    *out = 0;
    if (field->length == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s id is empty", what);
    return BMF_OK;
}

/* Reads one record and its values. *row is untouched for a blank line (record->count 0). err may be NULL. */
static int read_row(const bmf_ratings_reader *reader, const char *at, const char *end, bmf_record *record,
                    rating_row *row, bmf_error *err)
{
    const bmf_layout *layout = &reader->layout;
    int status = bmf_record_read(layout->dialect, at, end, record, err);
    if (status != BMF_OK || record->count == 0)
        return status;
    if (record->count != layout->fields)
        return bmf_layout_check(layout, record, record->next == reader->end, err);
    status = parse_id(reader->user_kind, field_of(reader, record, BMF_COLUMN_USER), "user", &row->user, err);
    if (status == BMF_OK)
        status = parse_id(reader->item_kind, field_of(reader, record, BMF_COLUMN_ITEM), "item", &row->item, err);
    if (status == BMF_OK)
        status = bmf_value_rating(field_of(reader, record, BMF_COLUMN_RATING), &row->rating, err);
    if (status == BMF_OK && layout->at[BMF_COLUMN_TIMESTAMP] >= 0)
        status = bmf_value_timestamp(field_of(reader, record, BMF_COLUMN_TIMESTAMP), &row->timestamp, err);
    return status;
}

/* Ids are numbers unless the first record of the right width says otherwise. */
static void find_id_kinds(bmf_ratings_reader *reader)
{
    bmf_record record;
    reader->user_kind = reader->item_kind = BMF_ID_INT64;
    for (const char *at = reader->begin; at < reader->end; at = record.next) {
        int status = bmf_record_read(reader->layout.dialect, at, reader->end, &record, NULL);
        if (status != BMF_OK || record.count != reader->layout.fields)
            continue;
        if (!bmf_value_is_number(field_of(reader, &record, BMF_COLUMN_USER)))
            reader->user_kind = BMF_ID_STRING;
        if (!bmf_value_is_number(field_of(reader, &record, BMF_COLUMN_ITEM)))
            reader->item_kind = BMF_ID_STRING;
        return;
    }
}

static bmf_dialect dialect_of(bmf_format format, const bmf_text_file *file)
{
    switch (format) {
    case BMF_FORMAT_CSV:
        return BMF_DIALECT_CSV;
    case BMF_FORMAT_DAT:
        return BMF_DIALECT_DAT;
    case BMF_FORMAT_TSV:
        return BMF_DIALECT_TSV;
    default:
        return bmf_layout_sniff(file);
    }
}

int bmf_ratings_reader_open(const bmf_ratings_source *source, bmf_ratings_reader **out, bmf_error *err)
{
    *out = NULL;
    bmf_ratings_reader *reader = bmf_alloc_zero(1, sizeof *reader, "ratings reader", err);
    if (!reader)
        return BMF_ERR_MEMORY;
    reader->source = *source;
    int status = bmf_text_file_open(source->path, source->threads, &reader->file, err);
    if (status == BMF_OK) {
        bmf_dialect dialect = dialect_of(source->format, &reader->file);
        status = bmf_text_file_decode(&reader->file, dialect == BMF_DIALECT_DAT, err);
        if (status == BMF_OK)
            status = bmf_layout_read(&reader->file, dialect, BMF_TABLE_RATINGS, &reader->layout, err);
    }
    if (status != BMF_OK) {
        bmf_ratings_reader_close(&reader);
        return status;
    }
    reader->begin = reader->file.text + reader->layout.first;
    reader->end = reader->file.text + reader->file.size;
    find_id_kinds(reader);
    *out = reader;
    return BMF_OK;
}

static void free_pieces(bmf_ratings_reader *reader)
{
    for (int p = 0; reader->piece && p < reader->pieces; p++) {
        bmf_free(reader->piece[p].bad);
        bmf_string_set_clear(&reader->user_piece[p].text);
        bmf_string_set_clear(&reader->item_piece[p].text);
    }
    bmf_free(reader->piece);
    bmf_free(reader->user_piece);
    bmf_free(reader->item_piece);
    reader->piece = NULL;
    reader->user_piece = reader->item_piece = NULL;
    bmf_id_column_clear(&reader->user);
    bmf_id_column_clear(&reader->item);
    bmf_free(reader->rating);
    bmf_free(reader->timestamp);
    reader->rating = NULL;
    reader->timestamp = NULL;
}

void bmf_ratings_reader_close(bmf_ratings_reader **reader)
{
    if (!*reader)
        return;
    free_pieces(*reader);
    bmf_text_file_close(&(*reader)->file);
    bmf_free(*reader);
    *reader = NULL;
}

/* Where the first record behind `at` begins. `quoted`: whether `at` lies inside quotes, for a text that has them. */
static const char *next_start(const char *at, const char *end, bool quotes, bool quoted)
{
    for (; at < end; at++) {
        quoted ^= quotes && *at == '"';
        if (*at == '\n' && !quoted)
            return at + 1;
    }
    return end;
}

/* Cuts [begin, end) into pieces of whole records. Well-formed quotes come in pairs, so an odd number of them before a
 * place means that it lies inside a quoted field (which may hold line ends). */
static void cut(bmf_ratings_reader *reader)
{
    int64_t size = reader->end - reader->begin;
    bool quotes = reader->layout.dialect == BMF_DIALECT_CSV && reader->file.has_quote;
    const char *nominal = reader->begin;
    bool quoted = false;
    reader->piece[0].begin = reader->begin;
    for (int p = 1; p < reader->pieces; p++) {
        const char *next = reader->begin + (int64_t)((__int128)size * p / reader->pieces);
        if (quotes)
            quoted ^= bmf_text_count(nominal, next, '"') & 1;
        nominal = next;
        const char *start = next_start(next, reader->end, quotes, quoted);
        reader->piece[p].begin = reader->piece[p - 1].end = start;
    }
    reader->piece[reader->pieces - 1].end = reader->end;
}

/* Line ends in [begin, end), whose pages are let go on the way. */
static int64_t count_lines(const bmf_text_file *file, const char *begin, const char *end)
{
    int64_t count = 0;
    while (begin < end) {
        const char *next = end - begin > RELEASE_BYTES ? begin + RELEASE_BYTES : end;
        count += bmf_text_count(begin, next, '\n');
        bmf_text_file_release(file, begin, next);
        begin = next;
    }
    return count;
}

static int create_pieces(bmf_ratings_reader *reader, int pieces, bmf_error *err)
{
    reader->pieces = pieces;
    reader->user_piece = bmf_alloc_zero(pieces, sizeof *reader->user_piece, "pieces", err);
    reader->item_piece = bmf_alloc_zero(pieces, sizeof *reader->item_piece, "pieces", err);
    text_piece *piece = bmf_alloc_zero(pieces, sizeof *piece, "pieces", err);
    if (!reader->user_piece || !reader->item_piece || !piece) {
        bmf_free(piece);
        return BMF_ERR_MEMORY;
    }
    reader->piece = piece;
    cut(reader);
#pragma omp parallel for schedule(dynamic, 1) num_threads(reader->source.threads) if (pieces > 1)
    for (int p = 0; p < pieces; p++)
        piece[p].capacity = count_lines(&reader->file, piece[p].begin, piece[p].end);
    piece[pieces - 1].capacity++; /* the last line may lack its end */
    int64_t first = 0;
    for (int p = 0; p < pieces; p++) {
        piece[p].user = &reader->user_piece[p];
        piece[p].item = &reader->item_piece[p];
        piece[p].user->first = piece[p].item->first = first;
        piece[p].user->largest = piece[p].item->largest = -1;
        first += piece[p].capacity;
    }
    return BMF_OK;
}

/* Pieces and the arrays that they fill. */
static int prepare(bmf_ratings_reader *reader, int pieces, bool wide, bmf_error *err)
{
    int status = create_pieces(reader, pieces, err);
    if (status != BMF_OK)
        return status;
    int64_t rows = reader->user_piece[pieces - 1].first + reader->piece[pieces - 1].capacity;
    status = bmf_id_column_create(&reader->user, reader->user_kind, wide, rows, err);
    if (status == BMF_OK)
        status = bmf_id_column_create(&reader->item, reader->item_kind, wide, rows, err);
    if (status == BMF_OK && !(reader->rating = bmf_alloc(rows, sizeof *reader->rating, "ratings", err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK && reader->layout.at[BMF_COLUMN_TIMESTAMP] >= 0)
        if (!(reader->timestamp = bmf_alloc(rows, sizeof *reader->timestamp, "timestamps", err)))
            status = BMF_ERR_MEMORY;
    return status;
}

/* Number of a string in its piece's set, −1 with err set on failure. */
static int64_t number_string(bmf_id_piece *part, const bmf_field *field, bmf_error *err)
{
    if (!field->escaped)
        return bmf_string_set_add(&part->text, field->text, field->length, err);
    char *text = bmf_alloc(field->length, 1, "id", err);
    if (!text)
        return -1;
    int64_t number = bmf_string_set_add(&part->text, text, bmf_field_unescape(field, text), err);
    bmf_free(text);
    return number;
}

static bool put_id(bmf_id_column *column, bmf_id_piece *part, const bmf_field *field, int64_t number, text_piece *piece)
{
    if (column->kind == BMF_ID_STRING)
        number = number_string(part, field, &piece->err);
    else if (number > part->largest)
        part->largest = number;
    if (number < 0)
        return false;
    piece->too_wide = !bmf_id_column_put(column, part->first + part->count, number);
    return !piece->too_wide;
}

static bool note_bad_line(text_piece *piece, const char *at)
{
    int status = bmf_grow((void **)&piece->bad, &piece->bad_capacity, piece->bad_count + 1, sizeof *piece->bad,
                          "bad lines", &piece->err);
    if (status != BMF_OK)
        return false;
    piece->bad[piece->bad_count++] = at;
    return true;
}

static bool put_row(bmf_ratings_reader *reader, text_piece *piece, const bmf_record *record, const rating_row *row)
{
    int64_t at = piece->user->first + piece->user->count;
    if (!put_id(&reader->user, piece->user, field_of(reader, record, BMF_COLUMN_USER), row->user, piece) ||
        !put_id(&reader->item, piece->item, field_of(reader, record, BMF_COLUMN_ITEM), row->item, piece))
        return false;
    reader->rating[at] = row->rating;
    if (reader->timestamp)
        reader->timestamp[at] = row->timestamp;
    piece->user->count++;
    piece->item->count++;
    return true;
}

/* Reads a piece until its end, a failure, or more bad lines than are allowed. */
static void read_piece(bmf_ratings_reader *reader, text_piece *piece)
{
    bmf_record record;
    rating_row row = {0};
    const char *kept = piece->begin;
    for (const char *at = piece->begin; at < piece->end; at = record.next) {
        if (at - kept >= RELEASE_BYTES) {
            bmf_text_file_release(&reader->file, kept, at);
            kept = at;
        }
        if (read_row(reader, at, piece->end, &record, &row, NULL) != BMF_OK) {
            if (!note_bad_line(piece, at) || piece->bad_count > reader->source.max_bad_lines)
                return;
        } else if (record.count > 0 && !put_row(reader, piece, &record, &row)) {
            return;
        }
    }
    bmf_text_file_release(&reader->file, kept, piece->end);
}

/* What is wrong with the record at `at`, with file and line. */
static int describe(const bmf_ratings_reader *reader, const char *at, bmf_error *err)
{
    bmf_record record;
    rating_row row;
    int status = read_row(reader, at, reader->end, &record, &row, err);
    bmf_context(err, "%s:%" PRId64, reader->file.path, bmf_text_file_line(&reader->file, at));
    return status;
}

static int fail_bad_line(const bmf_ratings_reader *reader, const char *at, bmf_error *err)
{
    int64_t allowed = reader->source.max_bad_lines;
    if (allowed == 0)
        return describe(reader, at, err);
    bmf_error own = BMF_ERROR_INIT;
    int status = describe(reader, at, &own);
    return bmf_fail(err, status, "%s (bad line number %" PRId64 ", %" PRId64 " allowed by --max-bad-lines)", own.text,
                    allowed + 1, allowed);
}

/* Warns of the bad lines in file order; an error if there are too many. */
static int judge_bad_lines(bmf_ratings_reader *reader, bmf_error *err)
{
    reader->bad_lines = 0;
    for (int p = 0; p < reader->pieces; p++)
        for (int64_t i = 0; i < reader->piece[p].bad_count; i++) {
            if (reader->bad_lines == reader->source.max_bad_lines)
                return fail_bad_line(reader, reader->piece[p].bad[i], err);
            if (reader->bad_lines++ < MOST_WARNINGS) {
                bmf_error own = BMF_ERROR_INIT;
                (void)describe(reader, reader->piece[p].bad[i], &own);
                bmf_log_warning("%s; line skipped", own.text);
            }
        }
    if (reader->bad_lines > MOST_WARNINGS)
        bmf_log_warning("%s: %" PRId64 " bad lines skipped in all", reader->file.path, reader->bad_lines);
    return BMF_OK;
}

static bool any_bad(const bmf_ratings_reader *reader)
{
    bool bad = false;
    for (int p = 0; p < reader->pieces; p++)
        bad = bad || reader->piece[p].bad_count > 0;
    return bad;
}

static bool any_too_wide(const bmf_ratings_reader *reader)
{
    bool wide = false;
    for (int p = 0; p < reader->pieces; p++)
        wide = wide || reader->piece[p].too_wide;
    return wide;
}

static int pieces_wanted(const bmf_ratings_reader *reader)
{
    int64_t bytes = reader->source.piece_bytes ? reader->source.piece_bytes : PIECE_BYTES;
    int64_t pieces = (reader->end - reader->begin) / bytes;
    int64_t most = (int64_t)reader->source.threads * PIECES_PER_THREAD;
    pieces = pieces < most ? pieces : most;
    return pieces < 1 ? 1 : (int)pieces;
}

static int read_pieces(bmf_ratings_reader *reader, int pieces, bool wide, bmf_error *err)
{
    free_pieces(reader);
    int status = prepare(reader, pieces, wide, err);
    if (status != BMF_OK)
        return status;
#pragma omp parallel for schedule(dynamic, 1) num_threads(reader->source.threads) if (pieces > 1)
    for (int p = 0; p < pieces; p++)
        read_piece(reader, &reader->piece[p]);
    for (int p = 0; p < pieces; p++)
        if (reader->piece[p].err.status != BMF_OK)
            return bmf_fail(err, reader->piece[p].err.status, "%s: %s", reader->file.path, reader->piece[p].err.text);
    return BMF_OK;
}

/* Reads with the cheapest means that serve: 32-bit ids, and pieces wherever the quotes can be trusted to be paired. */
static int read_all(bmf_ratings_reader *reader, bmf_error *err)
{
    int pieces = pieces_wanted(reader);
    int status = read_pieces(reader, pieces, false, err);
    bool wide = status == BMF_OK && any_too_wide(reader);
    if (wide)
        status = read_pieces(reader, pieces, true, err);
    bool doubtful = reader->layout.dialect == BMF_DIALECT_CSV && reader->file.has_quote && pieces > 1;
    if (status == BMF_OK && doubtful && any_bad(reader)) {
        status = read_pieces(reader, 1, wide, err);
        if (status == BMF_OK && any_too_wide(reader))
            status = read_pieces(reader, 1, true, err);
    }
    return status == BMF_OK ? judge_bad_lines(reader, err) : status;
}

static void move_rows(void *array, size_t size, int64_t to, int64_t from, int64_t count)
{
    if (array)
        memmove((char *)array + (size_t)to * size, (char *)array + (size_t)from * size, (size_t)count * size);
}

/* Closes the gaps that blank and bad lines left between the pieces' rows. */
static int64_t close_gaps(bmf_ratings_reader *reader)
{
    int64_t rows = 0;
    for (int p = 0; p < reader->pieces; p++) {
        int64_t from = reader->user_piece[p].first, count = reader->user_piece[p].count;
        if (from != rows) {
            move_rows(reader->user.narrow, sizeof(uint32_t), rows, from, count);
            move_rows(reader->user.number, sizeof(int64_t), rows, from, count);
            move_rows(reader->item.narrow, sizeof(uint32_t), rows, from, count);
            move_rows(reader->item.number, sizeof(int64_t), rows, from, count);
            move_rows(reader->rating, sizeof(float), rows, from, count);
            move_rows(reader->timestamp, sizeof(int64_t), rows, from, count);
        }
        reader->user_piece[p].first = reader->item_piece[p].first = rows;
        rows += count;
    }
    reader->user.rows = reader->item.rows = rows;
    return rows;
}

int bmf_ratings_reader_read(bmf_ratings_reader *reader, bmf_raw_ratings *out, bmf_error *err)
{
    *out = (bmf_raw_ratings){0};
    int status = read_all(reader, err);
    if (status != BMF_OK)
        return status;
    int threads = reader->pieces > 1 ? reader->source.threads : 1;
    out->count = close_gaps(reader);
    if (out->count == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: holds no rating%s", reader->file.path,
                        reader->bad_lines       ? " but bad lines"
                        : reader->layout.header ? ", only a header"
                                                : "");
    status =
        bmf_id_column_map(&reader->user, reader->user_piece, reader->pieces, threads, &out->users, &out->user, err);
    if (status == BMF_OK)
        status =
            bmf_id_column_map(&reader->item, reader->item_piece, reader->pieces, threads, &out->items, &out->item, err);
    if (status != BMF_OK) {
        bmf_raw_ratings_clear(out);
        return bmf_context(err, "%s", reader->file.path);
    }
    out->rating = reader->rating;
    out->timestamp = reader->timestamp;
    reader->rating = NULL;
    reader->timestamp = NULL;
    free_pieces(reader);
    return BMF_OK;
}

int64_t bmf_ratings_reader_line(bmf_ratings_reader *reader, int64_t wanted)
{
    bmf_record record;
    rating_row row;
    for (const char *at = reader->begin; at < reader->end; at = record.next) {
        int status = read_row(reader, at, reader->end, &record, &row, NULL);
        if (status == BMF_OK && record.count > 0 && wanted-- == 0)
            return bmf_text_file_line(&reader->file, at);
    }
    return 0;
}
