#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/synth_plan.h"

/* What items carry */

static int64_t add_feature(int32_t *feature, int64_t count, int64_t added)
{
    for (int64_t i = 0; i < count; i++)
        if (feature[i] == added)
            return count;
    feature[count] = (int32_t)added;
    return count + 1;
}

static int64_t draw_genre(const bmf_synth_plan *plan, double uniform)
{
    return (int64_t)((double)plan->genres * pow(uniform, 1.6));
}

/* The chance of tag t falls about as 1 / (t + 1). */
static int64_t draw_tag(const bmf_synth_plan *plan, double uniform)
{
    int64_t t = (int64_t)pow((double)plan->tags + 1, uniform) - 1;
    return plan->genres + (t < plan->tags ? t : plan->tags - 1);
}

/* Genre or tag number f is surely on item f mod n, so that none is missing; the others fall with skewed chances. */
int64_t bmf_synth_item_features(const bmf_synth_plan *plan, int64_t item, int32_t *feature)
{
    int64_t n = plan->options.items, count = 0;
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_ITEM_FEATURES, item), counter = 2;
    for (int64_t g = item; g < plan->genres; g += n)
        feature[count++] = (int32_t)g;
    int64_t wanted = 1 + (int64_t)bmf_rng_below(key, 0, BMF_SYNTH_ITEM_GENRES);
    for (int tries = 0; plan->genres && count < wanted && tries < 4 * BMF_SYNTH_ITEM_GENRES; tries++)
        count = add_feature(feature, count, draw_genre(plan, bmf_rng_uniform(key, counter++)));
    wanted = count + (int64_t)bmf_rng_below(key, 1, BMF_SYNTH_ITEM_TAGS + 1);
    for (int64_t t = item; t < plan->tags; t += n)
        feature[count++] = (int32_t)(plan->genres + t);
    for (int tries = 0; plan->tags && count < wanted && tries < 4 * BMF_SYNTH_ITEM_TAGS; tries++)
        count = add_feature(feature, count, draw_tag(plan, bmf_rng_uniform(key, counter++)));
    return count;
}

/* Group number g is surely one of user g's; up to three others fall on everybody. */
int64_t bmf_synth_user_groups(const bmf_synth_plan *plan, int64_t user, int32_t group[BMF_SYNTH_MOST_GROUPS])
{
    int64_t groups = plan->options.user_features, count = 0;
    if (groups == 0)
        return 0;
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_USER_GROUPS, user);
    if (user < groups)
        group[count++] = (int32_t)user;
    int64_t draws = 1 + (int64_t)bmf_rng_below(key, 0, BMF_SYNTH_MOST_GROUPS - 1);
    for (int64_t d = 1; d <= draws; d++)
        count = add_feature(group, count, (int64_t)bmf_rng_below(key, (uint64_t)d, (uint64_t)groups));
    return count;
}

int bmf_synth_group_name(int32_t group, char *name)
{
    return snprintf(name, BMF_SYNTH_WORD, "g%" PRId32, group + 1);
}

void bmf_synth_title(const bmf_synth_plan *plan, int64_t item, char title[BMF_SYNTH_TITLE])
{
    double age = bmf_rng_uniform(bmf_synth_key(&plan->options, BMF_SYNTH_YEAR, item), 0);
    (void)snprintf(title, BMF_SYNTH_TITLE, "Item %" PRId64 " (%d)", item + 1, 1995 - (int)(75 * age * age));
}

/* Tags are two or three open syllables without an e: no English stop word looks like that. */
const char *bmf_synth_word(const bmf_synth_plan *plan, int64_t feature, char word[BMF_SYNTH_WORD])
{
    static const char *const genre[BMF_SYNTH_GENRES] = {"Drama",     "Comedy",      "Action",  "Thriller", "Romance",
                                                        "Adventure", "Crime",       "Horror",  "Fantasy",  "Children",
                                                        "Mystery",   "Animation",   "War",     "Family",   "Musical",
                                                        "Western",   "Documentary", "History", "Noir",     "Biography"};
    static const char consonant[] = "bdfghjklmnprstvz", vowel[] = "aiou";
    if (feature < plan->genres)
        return genre[feature];
    int64_t tag = feature - plan->genres, two = 64 * 64;
    int syllables = tag < two ? 2 : 3;
    for (int64_t s = 0, rest = tag < two ? tag : tag - two; s < syllables; s++, rest /= 64) {
        word[2 * s] = consonant[rest % 16];
        word[2 * s + 1] = vowel[rest / 16 % 4];
    }
    word[2 * syllables] = '\0';
    return word;
}

int bmf_synth_texts(const bmf_synth_plan *plan, bmf_strings *titles, bmf_strings *documents, bmf_error *err)
{
    char title[BMF_SYNTH_TITLE], word[BMF_SYNTH_WORD];
    int32_t *feature = bmf_alloc(plan->item_feature_room, sizeof *feature, "features of an item", err);
    char *document = bmf_alloc(plan->item_feature_room, BMF_SYNTH_WORD + 1, "words of an item", err);
    int status = feature && document ? BMF_OK : BMF_ERR_MEMORY;
    for (int64_t i = 0; status == BMF_OK && i < plan->options.items; i++) {
        int64_t count = bmf_synth_item_features(plan, i, feature), length = 0;
        for (int64_t f = 0; f < count; f++) {
            const char *text = bmf_synth_word(plan, feature[f], word);
            size_t bytes = strlen(text);
            memcpy(document + length, text, bytes);
            length += (int64_t)bytes;
            document[length++] = feature[f] < plan->genres ? '|' : ' ';
        }
        bmf_synth_title(plan, i, title);
        status = bmf_strings_add(titles, title, (int64_t)strlen(title), err);
        if (status == BMF_OK)
            status = bmf_strings_add(documents, document, length, err);
    }
    bmf_free(feature);
    bmf_free(document);
    return status;
}

/* Files that appear under their names only when all are complete */

#define FILES 4 /* the last one if users have groups */
#define BUFFER ((int64_t)1 << 18)
#define LINE_ROOM 256 /* no line is longer, but for the genres of an item, which are put word by word */

typedef struct out_file {
    char *path, *beside; /* the name wanted, the name while writing */
    int fd;
    int write_error; /* errno of the first failed write */
    char *buffer;
    int64_t used;
} out_file;

static void flush(out_file *f)
{
    for (int64_t at = 0; at < f->used && !f->write_error;) {
        ssize_t wrote = write(f->fd, f->buffer + at, (size_t)(f->used - at));
        if (wrote > 0)
            at += wrote;
        else if (wrote == 0 || errno != EINTR)
            f->write_error = wrote == 0 ? EIO : errno;
    }
    f->used = 0;
}

static void put_bytes(out_file *f, const char *text, size_t length)
{
    if (f->used + LINE_ROOM > BUFFER)
        flush(f);
    memcpy(f->buffer + f->used, text, length);
    f->used += (int64_t)length;
}

static void put_text(out_file *f, const char *text)
{
    put_bytes(f, text, strlen(text));
}

static void put_number(out_file *f, int64_t number, char after)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = after;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put_bytes(f, digits + at, sizeof digits - at);
}

static char *join_path(const char *directory, const char *name, const char *suffix, bmf_error *err)
{
    size_t room = strlen(directory) + strlen(name) + strlen(suffix) + 2;
    char *path = bmf_alloc((int64_t)room, 1, "a path", err);
    if (path)
        (void)snprintf(path, room, "%s/%s%s", directory, name, suffix);
    return path;
}

static int open_beside(const char *directory, const char *name, out_file *f, bmf_error *err)
{
    char suffix[40];
    struct stat old;
    (void)snprintf(suffix, sizeof suffix, ".%ld.part", (long)getpid());
    f->path = join_path(directory, name, "", err);
    f->beside = join_path(directory, name, suffix, err);
    f->buffer = bmf_alloc(BUFFER, 1, "an output buffer", err);
    if (!f->path || !f->beside || !f->buffer)
        return BMF_ERR_MEMORY;
    if (stat(f->path, &old) == 0 && !S_ISREG(old.st_mode))
        return bmf_fail(err, BMF_ERR_IO, "%s: is not a regular file and is left alone", f->path);
    f->fd = open(f->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be created: %s", f->beside, strerror(errno));
    return BMF_OK;
}

/* Everything is on the disk, or an error is reported. */
static int finish(out_file *f, bmf_error *err)
{
    flush(f);
    if (!f->write_error && fsync(f->fd) != 0)
        f->write_error = errno;
    if (close(f->fd) != 0 && !f->write_error)
        f->write_error = errno;
    f->fd = -1;
    if (f->write_error)
        return bmf_fail(err, BMF_ERR_IO, "%s: cannot be written: %s", f->path, strerror(f->write_error));
    return BMF_OK;
}

static int rename_all(out_file *file, int files, const char *directory, bmf_error *err)
{
    for (int i = 0; i < files; i++) {
        if (rename(file[i].beside, file[i].path) != 0)
            return bmf_fail(err, BMF_ERR_IO, "%s: cannot be renamed to %s: %s", file[i].beside, file[i].path,
                            strerror(errno));
        bmf_free(file[i].beside);
        file[i].beside = NULL;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* not every file system can; the files themselves are safe */
        (void)close(fd);
    }
    return BMF_OK;
}

static void discard(out_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    if (f->beside)
        (void)unlink(f->beside);
    bmf_free(f->path);
    bmf_free(f->beside);
    bmf_free(f->buffer);
}

/* The tables, as MovieLens writes them */

static int write_ratings(const bmf_synth_plan *plan, out_file *f, bmf_error *err)
{
    bmf_synth_row row;
    int status = bmf_synth_row_create(plan, &row, err);
    if (status != BMF_OK)
        return status;
    put_text(f, "userId,movieId,rating,timestamp\n");
    for (int64_t u = 0; u < plan->options.users && !f->write_error; u++) {
        bmf_synth_row_fill(plan, u, &row);
        for (int64_t j = 0; j < row.count; j++) {
            int halves = (int)(2 * row.rating[j]);
            put_number(f, u + 1, ',');
            put_number(f, row.item[j] + 1, ',');
            put_number(f, halves / 2, '.');
            put_number(f, halves % 2 * 5, ',');
            put_number(f, row.timestamp[j], '\n');
        }
    }
    bmf_synth_row_clear(&row);
    return BMF_OK;
}

static void write_movie(const bmf_synth_plan *plan, int64_t item, const int32_t *feature, int64_t count, out_file *f)
{
    char title[BMF_SYNTH_TITLE], word[BMF_SYNTH_WORD];
    bmf_synth_title(plan, item, title);
    put_number(f, item + 1, ',');
    put_text(f, title);
    put_text(f, ",");
    for (int64_t g = 0; g < count && feature[g] < plan->genres; g++) {
        put_text(f, g ? "|" : "");
        put_text(f, bmf_synth_word(plan, feature[g], word));
    }
    put_text(f, "\n");
}

static void write_tags(const bmf_synth_plan *plan, int64_t item, const int32_t *feature, int64_t count, out_file *f)
{
    char word[BMF_SYNTH_WORD];
    uint64_t key = bmf_synth_key(&plan->options, BMF_SYNTH_TAG, item);
    for (int64_t t = 0; t < count; t++) {
        if (feature[t] < plan->genres)
            continue;
        uint64_t at = 2 * (uint64_t)t, span = (uint64_t)(BMF_SYNTH_LAST_TIME - BMF_SYNTH_FIRST_TIME);
        put_number(f, (int64_t)bmf_rng_below(key, at, (uint64_t)plan->options.users) + 1, ',');
        put_number(f, item + 1, ',');
        put_text(f, bmf_synth_word(plan, feature[t], word));
        put_text(f, ",");
        put_number(f, BMF_SYNTH_FIRST_TIME + (int64_t)bmf_rng_below(key, at + 1, span), '\n');
    }
}

static int write_catalogue(const bmf_synth_plan *plan, out_file *movies, out_file *tags, bmf_error *err)
{
    int32_t *feature = bmf_alloc(plan->item_feature_room, sizeof *feature, "features of an item", err);
    if (!feature)
        return BMF_ERR_MEMORY;
    put_text(movies, "movieId,title,genres\n");
    put_text(tags, "userId,movieId,tag,timestamp\n");
    for (int64_t i = 0; i < plan->options.items && !movies->write_error && !tags->write_error; i++) {
        int64_t count = bmf_synth_item_features(plan, i, feature);
        write_movie(plan, i, feature, count, movies);
        write_tags(plan, i, feature, count, tags);
    }
    bmf_free(feature);
    return BMF_OK;
}

static void write_users(const bmf_synth_plan *plan, out_file *f)
{
    put_text(f, "userId,group\n");
    for (int64_t u = 0; u < plan->options.users && !f->write_error; u++) {
        int32_t group[BMF_SYNTH_MOST_GROUPS];
        int64_t count = bmf_synth_user_groups(plan, u, group);
        put_number(f, u + 1, ',');
        for (int64_t g = 0; g < count; g++) {
            char name[BMF_SYNTH_WORD];
            put_text(f, g ? "|" : "");
            put_bytes(f, name, (size_t)bmf_synth_group_name(group[g], name));
        }
        put_text(f, "\n");
    }
}

static int write_all(const bmf_synth_plan *plan, const char *directory, bmf_error *err)
{
    static const char *const name[FILES] = {"ratings.csv", "movies.csv", "tags.csv", "users.csv"};
    out_file file[FILES] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
    int status = BMF_OK, files = plan->options.user_features > 0 ? FILES : FILES - 1;
    for (int i = 0; status == BMF_OK && i < files; i++)
        status = open_beside(directory, name[i], &file[i], err);
    if (status == BMF_OK)
        status = write_ratings(plan, &file[0], err);
    if (status == BMF_OK)
        status = write_catalogue(plan, &file[1], &file[2], err);
    if (status == BMF_OK && files == FILES)
        write_users(plan, &file[3]);
    for (int i = 0; status == BMF_OK && i < files; i++)
        status = finish(&file[i], err);
    if (status == BMF_OK)
        status = rename_all(file, files, directory, err);
    for (int i = 0; i < files; i++)
        discard(&file[i]);
    return status;
}

int bmf_synth_write_csv(const bmf_synth_options *options, const char *directory, bmf_error *err)
{
    bmf_synth_plan plan;
    int status = bmf_synth_plan_create(options, &plan, err);
    if (status != BMF_OK)
        return status;
    bool made = mkdir(directory, 0777) == 0;
    if (!made && errno != EEXIST)
        status = bmf_fail(err, BMF_ERR_IO, "%s: cannot be made: %s", directory, strerror(errno));
    else
        status = write_all(&plan, directory, err);
    if (made && status != BMF_OK)
        (void)rmdir(directory);
    bmf_synth_plan_clear(&plan);
    return status;
}
