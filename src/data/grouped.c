#include "data/grouped.h"

#include <string.h>

#include "base/memory.h"
#include "data/csr.h"
#include "data/key_set.h"

#define SHORT_RUN 24 /* insertion sort up to here */
#define ORDER_BLOCK 4096

typedef struct entry {
    int64_t time;
    int32_t item;
    float rating;
} entry;

/* What one thread needs for the longest user. */
typedef struct workspace {
    entry *entry, *spare; /* (longest) each */
    double *sum;          /* (longest) */
    int32_t *count;       /* (longest) */
    uint32_t *slot;       /* (slots of the longest) positions + 1 by item; 0: free */
} workspace;

void bmf_grouped_clear(bmf_grouped *grouped)
{
    bmf_free(grouped->begin);
    bmf_free(grouped->kept);
    bmf_free(grouped->item);
    bmf_free(grouped->rating);
    bmf_free(grouped->timestamp);
    *grouped = (bmf_grouped){0};
}

static int create_users(int64_t users, bmf_grouped *out, bmf_error *err)
{
    *out = (bmf_grouped){.users = users};
    out->begin = bmf_alloc_zero(users + 1, sizeof *out->begin, "users", err);
    out->kept = bmf_alloc(users, sizeof *out->kept, "users", err);
    return out->begin && out->kept ? BMF_OK : BMF_ERR_MEMORY;
}

/* Whether the users ascend, block by block: a file that is not in their order mostly shows it at once. */
static bool is_in_order(const bmf_raw_ratings *raw)
{
    bool descends = false;
    for (int64_t begin = 1; begin < raw->count && !descends; begin += ORDER_BLOCK) {
        int64_t end = begin + ORDER_BLOCK < raw->count ? begin + ORDER_BLOCK : raw->count;
        for (int64_t row = begin; row < end; row++)
            descends |= raw->user[row] < raw->user[row - 1];
    }
    return !descends;
}

/* For ratings in order of users: every user has some, so that each begins where the user changes. */
static void take_over(bmf_raw_ratings *raw, const int32_t *item_map, int threads, bmf_grouped *out)
{
    out->begin[out->users] = raw->count;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < raw->count; row++) {
        if (row == 0 || raw->user[row] != raw->user[row - 1])
            out->begin[raw->user[row]] = row;
        raw->item[row] = item_map[raw->item[row]];
    }
    out->item = raw->item;
    out->rating = raw->rating;
    out->timestamp = raw->timestamp;
    raw->item = NULL;
    raw->rating = NULL;
    raw->timestamp = NULL;
}

int64_t bmf_grouped_stretch(const bmf_grouped *grouped, int part, int parts)
{
    int64_t wanted = (int64_t)((__int128)grouped->begin[grouped->users] * part / parts);
    return part == parts ? grouped->users : bmf_csr_row_from(grouped->begin, grouped->users, wanted);
}

/* A counting sort by user, column by column, so that only one column is there twice. Part p of `parts` has a stretch of the
 * rows, and cursor[p · users + u] is where its next rating of user u goes, behind those of the parts before. */
typedef struct scatter {
    bmf_raw_ratings *raw;
    const int32_t *item_map;
    int parts;
    int64_t *cursor; /* (parts × users) */
    bmf_grouped *out;
} scatter;

typedef enum column { COLUMN_TIMESTAMP, COLUMN_ITEM, COLUMN_RATING } column;

/* The cursors are at most a quarter as many as the ratings. */
static int parts_wanted(const bmf_raw_ratings *raw, int threads)
{
    const int64_t most = raw->count / (4 * raw->users.count);
    if (most <= 1)
        return 1;
    return most < threads ? (int)most : threads;
}

static int64_t first_row(const scatter *job, int part)
{
    return (int64_t)((__int128)job->raw->count * part / job->parts);
}

/* Where each user begins, in all and for each part. */
static void place_users(const scatter *job)
{
    const int64_t users = job->out->users;
    int64_t at = 0;
#pragma omp parallel for schedule(static, 1) num_threads(job->parts) if (job->parts > 1)
    for (int part = 0; part < job->parts; part++)
        for (int64_t row = first_row(job, part); row < first_row(job, part + 1); row++)
            job->cursor[part * users + job->raw->user[row]]++;
    for (int64_t u = 0; u < users; u++) {
        job->out->begin[u] = at;
        for (int part = 0; part < job->parts; part++) {
            const int64_t count = job->cursor[part * users + u];
            job->cursor[part * users + u] = at;
            at += count;
        }
    }
    job->out->begin[users] = at;
}

static void move_part(const scatter *job, column which, int part)
{
    const bmf_raw_ratings *raw = job->raw;
    const int64_t first = first_row(job, part), last = first_row(job, part + 1);
    const int32_t *user = raw->user;
    int64_t *cursor = job->cursor + part * job->out->users;
    switch (which) {
    case COLUMN_TIMESTAMP:
        for (int64_t row = first; row < last; row++)
            job->out->timestamp[cursor[user[row]]++] = raw->timestamp[row];
        break;
    case COLUMN_ITEM:
        for (int64_t row = first; row < last; row++)
            job->out->item[cursor[user[row]]++] = job->item_map[raw->item[row]];
        break;
    case COLUMN_RATING:
        for (int64_t row = first; row < last; row++)
            job->out->rating[cursor[user[row]]++] = raw->rating[row];
        break;
    }
}

/* After a column each part's cursors stand where those of the next one began. */
static void rewind_cursors(const scatter *job)
{
    const size_t users = (size_t)job->out->users;
    memmove(job->cursor + users, job->cursor, (size_t)(job->parts - 1) * users * sizeof *job->cursor);
    memcpy(job->cursor, job->out->begin, users * sizeof *job->cursor);
}

static void move_column(const scatter *job, column which)
{
#pragma omp parallel for schedule(static, 1) num_threads(job->parts) if (job->parts > 1)
    for (int part = 0; part < job->parts; part++)
        move_part(job, which, part);
    rewind_cursors(job);
}

static void *drop_unless(bool kept, void *block)
{
    if (kept)
        return block;
    bmf_free(block);
    return NULL;
}

/* Moves the columns; raw loses each when it has moved, unless it keeps them. */
static int move_columns(const scatter *job, bool keep, bmf_error *err)
{
    bmf_raw_ratings *raw = job->raw;
    bmf_grouped *out = job->out;
    if (raw->timestamp) {
        if (!(out->timestamp = bmf_alloc(raw->count, sizeof *out->timestamp, "timestamps", err)))
            return BMF_ERR_MEMORY;
        move_column(job, COLUMN_TIMESTAMP);
        raw->timestamp = drop_unless(keep, raw->timestamp);
    }
    if (!(out->item = bmf_alloc(raw->count, sizeof *out->item, "ratings", err)))
        return BMF_ERR_MEMORY;
    move_column(job, COLUMN_ITEM);
    raw->item = drop_unless(keep, raw->item);
    if (!(out->rating = bmf_alloc(raw->count, sizeof *out->rating, "ratings", err)))
        return BMF_ERR_MEMORY;
    move_column(job, COLUMN_RATING);
    raw->rating = drop_unless(keep, raw->rating);
    return BMF_OK;
}

static int scatter_by_user(bmf_raw_ratings *raw, const int32_t *item_map, bool keep, int threads, bmf_grouped *out,
                           bmf_error *err)
{
    scatter job = {.raw = raw, .item_map = item_map, .parts = parts_wanted(raw, threads), .out = out};
    job.cursor = bmf_alloc_zero(job.parts * out->users, sizeof *job.cursor, "users", err);
    if (!job.cursor)
        return BMF_ERR_MEMORY;
    place_users(&job);
    int status = move_columns(&job, keep, err);
    bmf_free(job.cursor);
    return status;
}

static void insertion_sort(entry *list, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        entry moved = list[i];
        int64_t at = i;
        for (; at > 0 && list[at - 1].time > moved.time; at--)
            list[at] = list[at - 1];
        list[at] = moved;
    }
}

static void merge(const entry *from, int64_t first, int64_t middle, int64_t last, entry *to)
{
    int64_t left = first, right = middle;
    for (int64_t at = first; at < last; at++) {
        bool take_left = left < middle && (right == last || from[left].time <= from[right].time);
        to[at] = take_left ? from[left++] : from[right++];
    }
}

static bool is_sorted(const entry *list, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (list[i].time < list[i - 1].time)
            return false;
    return true;
}

/* Stable merge sort by time, bottom up from short runs; returns whichever of the two arrays holds the result. */
static entry *sort_by_time(entry *list, entry *spare, int64_t count)
{
    if (is_sorted(list, count))
        return list;
    for (int64_t first = 0; first < count; first += SHORT_RUN)
        insertion_sort(list + first, count - first < SHORT_RUN ? count - first : SHORT_RUN);
    for (int64_t run = SHORT_RUN; run < count; run *= 2) {
        for (int64_t first = 0; first < count; first += 2 * run) {
            int64_t middle = first + run < count ? first + run : count;
            int64_t last = first + 2 * run < count ? first + 2 * run : count;
            merge(list, first, middle, last, spare);
        }
        entry *swap = list;
        list = spare;
        spare = swap;
    }
    return list;
}

/* A power of two of at least twice the ratings. */
static int64_t slots_for(int64_t count)
{
    int64_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    return slots;
}

/* Slot of an item: where it is, or where it would go. */
static uint32_t *slot_of(uint32_t *slot, int64_t slots, const entry *list, int32_t item)
{
    uint64_t mask = (uint64_t)(slots - 1), at = ((uint64_t)(uint32_t)item * 0x9e3779b97f4a7c15u >> 32) & mask;
    while (slot[at] && list[slot[at] - 1].item != item)
        at = (at + 1) & mask;
    return &slot[at];
}

static int64_t count_duplicates(const entry *list, int64_t count, uint32_t *slot)
{
    int64_t slots = slots_for(count), repeated = 0;
    memset(slot, 0, (size_t)slots * sizeof *slot);
    for (int64_t i = 0; i < count; i++) {
        uint32_t *place = slot_of(slot, slots, list, list[i].item);
        repeated += *place != 0;
        if (!*place)
            *place = (uint32_t)(i + 1);
    }
    return repeated;
}

static int64_t keep_first(entry *list, int64_t count, uint32_t *slot)
{
    int64_t slots = slots_for(count), kept = 0;
    memset(slot, 0, (size_t)slots * sizeof *slot);
    for (int64_t i = 0; i < count; i++) {
        uint32_t *place = slot_of(slot, slots, list, list[i].item);
        if (*place)
            continue;
        list[kept++] = list[i];
        *place = (uint32_t)kept;
    }
    return kept;
}

/* Keeps each item's last entry, from the back so that the first one met stays; `mean` gives it the mean of all. */
static int64_t keep_last(entry *list, int64_t count, bool mean, const workspace *work)
{
    int64_t slots = slots_for(count), first = count;
    memset(work->slot, 0, (size_t)slots * sizeof *work->slot);
    for (int64_t i = count - 1; i >= 0; i--) {
        uint32_t *place = slot_of(work->slot, slots, list, list[i].item);
        if (!*place) {
            list[--first] = list[i];
            *place = (uint32_t)(first + 1);
            work->sum[first] = 0;
            work->count[first] = 0;
        }
        work->sum[*place - 1] += (double)list[i].rating;
        work->count[*place - 1]++;
    }
    for (int64_t i = first; mean && i < count; i++)
        list[i].rating = (float)(work->sum[i] / work->count[i]);
    memmove(list, list + first, (size_t)(count - first) * sizeof *list);
    return count - first;
}

/* Orders one user's ratings in place and drops repeats; returns how many. */
static int64_t order_user(bmf_grouped *out, int64_t u, bmf_duplicates duplicates, const workspace *work)
{
    int64_t begin = out->begin[u], count = out->begin[u + 1] - begin;
    for (int64_t i = 0; i < count; i++)
        work->entry[i] =
            (entry){out->timestamp ? out->timestamp[begin + i] : 0, out->item[begin + i], out->rating[begin + i]};
    entry *list = sort_by_time(work->entry, work->spare, count);
    int64_t repeated = count_duplicates(list, count, work->slot);
    if (repeated && duplicates == BMF_DUPLICATES_FIRST)
        count = keep_first(list, count, work->slot);
    else if (repeated)
        count = keep_last(list, count, duplicates == BMF_DUPLICATES_MEAN, work);
    for (int64_t i = 0; i < count; i++) {
        out->item[begin + i] = list[i].item;
        out->rating[begin + i] = list[i].rating;
        if (out->timestamp)
            out->timestamp[begin + i] = list[i].time;
    }
    out->kept[u] = count;
    return repeated;
}

static void clear_workspace(workspace *work)
{
    bmf_free(work->entry);
    bmf_free(work->spare);
    bmf_free(work->sum);
    bmf_free(work->count);
    bmf_free(work->slot);
}

static int create_workspace(int64_t longest, workspace *work, bmf_error *err)
{
    work->entry = bmf_alloc(longest, sizeof *work->entry, "sort", err);
    work->spare = bmf_alloc(longest, sizeof *work->spare, "sort", err);
    work->sum = bmf_alloc(longest, sizeof *work->sum, "sort", err);
    work->count = bmf_alloc(longest, sizeof *work->count, "sort", err);
    work->slot = bmf_alloc(slots_for(longest), sizeof *work->slot, "sort", err);
    return work->entry && work->spare && work->sum && work->count && work->slot ? BMF_OK : BMF_ERR_MEMORY;
}

static int order_users(bmf_grouped *out, bmf_duplicates duplicates, int threads, bmf_error *err)
{
    int64_t longest = 0, repeated = 0;
    int status = BMF_OK;
    for (int64_t u = 0; u < out->users; u++)
        longest = out->begin[u + 1] - out->begin[u] > longest ? out->begin[u + 1] - out->begin[u] : longest;
    if (longest > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "one user has more than %d ratings", INT32_MAX);
#pragma omp parallel num_threads(threads) reduction(+ : repeated)
    {
        workspace work = {0};
        bmf_error own = BMF_ERROR_INIT;
        int ready = create_workspace(longest, &work, &own);
        if (ready != BMF_OK) {
#pragma omp critical(bmf_grouped_failed)
            status = bmf_fail(err, ready, "%s", own.text);
        }
#pragma omp barrier
        if (status == BMF_OK) {
#pragma omp for schedule(dynamic, 64)
            for (int64_t u = 0; u < out->users; u++)
                repeated += order_user(out, u, duplicates, &work);
        }
        clear_workspace(&work);
    }
    out->duplicates = repeated;
    return status;
}

int bmf_group_ratings(bmf_raw_ratings *raw, const int32_t *item_map, bmf_duplicates duplicates, int threads,
                      bmf_grouped *out, bmf_error *err)
{
    const bool keep = duplicates == BMF_DUPLICATES_ERROR;
    int status = create_users(raw->users.count, out, err);
    if (status == BMF_OK && !keep && is_in_order(raw))
        take_over(raw, item_map, threads, out);
    else if (status == BMF_OK)
        status = scatter_by_user(raw, item_map, keep, threads, out, err);
    if (status == BMF_OK)
        status = order_users(out, duplicates, threads, err);
    if (status != BMF_OK)
        bmf_grouped_clear(out);
    return status;
}

int bmf_first_duplicate(const bmf_raw_ratings *raw, int64_t row[2], bool *found, bmf_error *err)
{
    bmf_number_set pairs = {0};
    int status = BMF_OK;
    *found = false;
    for (int64_t i = 0; status == BMF_OK && !*found && i < raw->count; i++) {
        int64_t before = pairs.count;
        int64_t at = bmf_number_set_add(&pairs, (int64_t)raw->user[i] << 32 | raw->item[i], err);
        if (at < 0)
            status = err ? err->status : BMF_ERR_MEMORY;
        else if (pairs.count == before) {
            row[0] = at; /* members are numbered in file order, one a row until the first repeat */
            row[1] = i;
            *found = true;
        }
    }
    bmf_number_set_clear(&pairs);
    return status;
}
