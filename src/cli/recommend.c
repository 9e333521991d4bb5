#include "cli/recommend.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/audience.h"
#include "cli/new_items.h"
#include "cli/new_user.h"
#include "cli/rated.h"
#include "cli/results.h"
#include "cli/titles.h"

#define BLOCK_USERS 1024
#define ROW_BYTES 128   /* of text, about */
#define NEW_USER "new"  /* of --ratings, as rows name him */
#define RATING_BYTES 32 /* of an item that is left out, on its way */

static const char *const columns[] = {"user", "rank", "item", "score", "basis", "title"};
#define COLUMNS ((int)(sizeof columns / sizeof *columns)) /* the title is there if it is wanted */

/* What a rank holds. */
typedef struct job {
    const bmf_run *run;
    const bmf_recommend_options *options;
    int rank, ranks;
    blendmf_model *model;
    bmf_audience audience;
    bmf_rated rated;
    bmf_new_items fresh;
    bmf_new_user stranger; /* --ratings: audience of one, who is in no list of ids */
    bmf_titles titles;
    int64_t top;            /* as asked for, but no more than there are items */
    int64_t *block, blocks; /* (blocks + 1) first users of blocks */
    blendmf_ranked *list;   /* (largest block × top) */
    int64_t *found;         /* (largest block) */
    bmf_rows *rows;         /* (threads) */
    bmf_text csv, json;     /* of a block */
    bmf_results results;    /* rank 0: where rows go */
    bmf_text incoming[2];   /* rank 0: the same of another rank */
} job;

static void job_clear(job *j)
{
    for (int64_t t = 0; j->rows && t < j->options->threads; t++)
        bmf_rows_clear(&j->rows[t]);
    bmf_free(j->rows);
    bmf_free(j->block);
    bmf_free(j->list);
    bmf_free(j->found);
    bmf_text_clear(&j->csv);
    bmf_text_clear(&j->json);
    bmf_text_clear(&j->incoming[0]);
    bmf_text_clear(&j->incoming[1]);
    bmf_titles_clear(&j->titles);
    bmf_new_user_close(&j->stranger);
    bmf_new_items_close(&j->fresh);
    bmf_rated_close(&j->rated);
    bmf_audience_clear(&j->audience);
    blendmf_close(&j->model);
}

static int agree(const job *j, int status, bmf_error *err)
{
    return j->run->comm ? bmf_comm_agree(j->run->comm, status, err) : status;
}

static int find_audience(job *j, bmf_error *err)
{
    const bmf_recommend_options *o = j->options;
    const bmf_ids *users = &j->model->users;
    if (o->ratings)
        return bmf_new_user_open(o->ratings, j->model, &j->stranger, err);
    int status = o->user    ? bmf_audience_of_one(o->user, users, &j->audience, err)
                 : o->users ? bmf_audience_of_file(o->users, users, &j->audience, err)
                            : bmf_audience_of_all(users, &j->audience, err);
    if (status == BMF_OK && j->audience.unknown > 0 && o->user)
        bmf_log_warning("the model does not know user %s: the list is the one for anybody", o->user);
    else if (status == BMF_OK && j->audience.unknown > 0)
        bmf_log_warning("the model does not know %" PRId64 " of %" PRId64 " users: their lists are the one for anybody",
                        j->audience.unknown, j->audience.count);
    return status;
}

static void tell_of_new_items(const job *j)
{
    const bmf_new_items *fresh = &j->fresh;
    const char *path = j->options->new_items;
    if (fresh->known > 0)
        bmf_log_info("%s: %" PRId64 " new items; the model knows the other %" PRId64, path, fresh->count, fresh->known);
    if (fresh->columns > 0)
        bmf_log_warning("%s: columns are not looked at; %" PRId64 " of the model's features are made of such", path,
                        fresh->columns);
    if (fresh->bare > 0)
        bmf_log_warning("%s: %" PRId64
                        " new items have no term that the model knows; only the user's bias speaks for them",
                        path, fresh->bare);
}

static int read_inputs(job *j, bmf_error *err)
{
    const bmf_recommend_options *o = j->options;
    int status = bmf_serving_open(o->model, &j->model, err);
    if (status == BMF_OK)
        status = find_audience(j, err);
    if (status == BMF_OK && o->titles)
        status = bmf_titles_read(o->titles, &j->model->items, &j->titles, err);
    if (status == BMF_OK && o->new_items)
        status = bmf_new_items_open(o->new_items, o->model, j->model, (int)o->threads, &j->fresh, err);
    if (status == BMF_OK && o->exclude)
        status = bmf_rated_open(o->exclude, &j->audience, &j->model->items, &j->fresh, (int)o->threads, &j->rated, err);
    if (status == BMF_OK)
        tell_of_new_items(j);
    return status;
}
/* Cuts the users into blocks that memory has room for: a function of the users and the options only, for the lists shall not
 * depend on who makes them. */
static int cut_blocks(job *j, bmf_error *err)
{
    const int64_t share = j->options->memory / 4, users = j->options->ratings ? 1 : j->audience.count;
    const int64_t each = j->top * ((int64_t)sizeof *j->list + ROW_BYTES);
    int64_t most = share / each < 1 ? 1 : share / each < BLOCK_USERS ? share / each : BLOCK_USERS, capacity = 0;
    int status = bmf_grow((void **)&j->block, &capacity, 1, sizeof *j->block, "blocks of users", err);
    if (status == BMF_OK)
        j->block[0] = 0;
    for (int64_t first = 0, last; first < users && status == BMF_OK; first = last) {
        int64_t ratings = 0;
        for (last = first; last < users && last - first < most; last++) {
            ratings += bmf_rated_count(&j->rated, last);
            if (last > first && ratings > share / RATING_BYTES)
                break;
        }
        status = bmf_grow((void **)&j->block, &capacity, j->blocks + 2, sizeof *j->block, "blocks of users", err);
        if (status == BMF_OK)
            j->block[++j->blocks] = last;
    }
    return status;
}

static int make_room(job *j, bmf_error *err)
{
    int64_t largest = 0;
    for (int64_t b = 0; b < j->blocks; b++)
        if (j->block[b + 1] - j->block[b] > largest)
            largest = j->block[b + 1] - j->block[b];
    j->list = bmf_alloc(largest * j->top, sizeof *j->list, "lists", err);
    j->found = bmf_alloc(largest, sizeof *j->found, "lists", err);
    j->rows = bmf_alloc_zero(j->options->threads, sizeof *j->rows, "threads", err);
    return j->list && j->found && j->rows ? BMF_OK : BMF_ERR_MEMORY;
}

static int rank_known_items(job *j, int64_t first, int64_t last, bmf_error *err)
{
    const bmf_recommend_options *o = j->options;
    blendmf_error why = {0};
    int status;
    if (o->ratings)
        status = blendmf_user_recommend(j->stranger.user, (blendmf_items){j->stranger.item, j->stranger.count}, j->top,
                                        j->list, j->found, &why);
    else
        status = blendmf_recommend_many(j->model, j->audience.index + first, last - first, j->rated.list, j->top,
                                        (int)o->threads, o->memory / 2, j->list, j->found, &why);
    return bmf_serving_status(status, &why, err);
}

static void put_item(const job *j, const blendmf_ranked *at, int64_t place, bmf_rows *rows)
{
    const bmf_ids *items = &j->model->items;
    const bool fresh = at->item >= items->count;
    const int64_t row = fresh ? j->fresh.row[at->item - items->count] : at->item;
    const char *basis = blendmf_basis_name(at->basis);
    bmf_rows_int(rows, place);
    bmf_rows_id(rows, fresh ? &j->fresh.catalogue.items : items, row);
    bmf_rows_number(rows, at->score);
    bmf_rows_text(rows, basis, (int64_t)strlen(basis));
    if (j->titles.of_item) {
        const char *title = fresh ? bmf_strings_get(&j->fresh.catalogue.title, row) : bmf_titles_get(&j->titles, row);
        bmf_rows_text(rows, title, (int64_t)strlen(title));
    }
}

/* The rows of users [first, last) of the block that begins at `base`. */
static int put_users(job *j, int64_t base, int64_t first, int64_t last, bmf_rows *rows, bmf_error *err)
{
    bmf_rows_empty(rows);
    for (int64_t u = first; u < last; u++) {
        const blendmf_ranked *list = j->list + (u - base) * j->top;
        for (int64_t i = 0; i < j->found[u - base]; i++) {
            if (j->options->ratings) {
                bmf_rows_text(rows, NEW_USER, (int64_t)strlen(NEW_USER));
            } else {
                bmf_id_text id = bmf_audience_id(&j->audience, u);
                bmf_id_text_put(&id, j->audience.known, rows);
            }
            put_item(j, &list[i], i + 1, rows);
        }
    }
    return rows->status == BMF_OK ? BMF_OK : bmf_fail(err, rows->status, "no memory for the lists as text");
}

/* The block's lists as text, put down by threads, into csv and json. */
static int put_block(job *j, int64_t first, int64_t last, bmf_error *err)
{
    const int threads = (int)j->options->threads;
    int status = BMF_OK;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        bmf_error mine = BMF_ERROR_INIT;
        int64_t from = first + (last - first) * t / threads, to = first + (last - first) * (t + 1) / threads;
        if (put_users(j, first, from, to, &j->rows[t], &mine) != BMF_OK)
#pragma omp critical(rows_failed)
            status = bmf_fail(err, mine.status, "%s", mine.text);
    }
    j->csv.size = j->json.size = 0;
    for (int t = 0; t < threads && status == BMF_OK; t++) {
        status = bmf_text_add(&j->csv, j->rows[t].csv.bytes, j->rows[t].csv.size, err);
        if (status == BMF_OK)
            status = bmf_text_add(&j->json, j->rows[t].json.bytes, j->rows[t].json.size, err);
    }
    return status;
}

static void merge_new_items(job *j, int64_t first, int64_t last)
{
#pragma omp parallel for num_threads((int)j->options->threads) schedule(dynamic)
    for (int64_t u = 0; u < last - first; u++) {
        const bmf_serve_user user = j->stranger.user ? *bmf_serve_user_folded(j->stranger.user)
                                                     : bmf_serve_user_of(j->model, j->audience.index[first + u]);
        const blendmf_items rated = j->options->exclude ? j->rated.fresh[u] : (blendmf_items){NULL, 0};
        j->found[u] = bmf_new_items_merge(&j->fresh, &user, rated, j->model->items.count, j->list + u * j->top,
                                          j->found[u], j->top);
    }
}

/* The text of block b; none if there is no such block. Local. */
static int make_block(job *j, int64_t b, bmf_error *err)
{
    j->csv.size = j->json.size = 0;
    if (b >= j->blocks)
        return BMF_OK;
    const int64_t first = j->block[b], last = j->block[b + 1];
    int status = j->options->exclude ? bmf_rated_read(&j->rated, first, last, err) : BMF_OK;
    if (status == BMF_OK)
        status = rank_known_items(j, first, last, err);
    if (status == BMF_OK && j->fresh.count > 0)
        merge_new_items(j, first, last);
    return status == BMF_OK ? put_block(j, first, last, err) : status;
}

/* Sizes of the texts of all ranks' blocks go to rank 0, which makes room for the largest. Collective. */
static int announce(job *j, int64_t (*size)[2], int64_t *bytes, bmf_error *err)
{
    int64_t mine[2] = {j->csv.size, j->json.size};
    for (int r = 0; r < j->ranks && j->rank == 0; r++)
        bytes[r] = (int64_t)sizeof mine;
    bmf_comm_gather(j->run->comm, mine, (int64_t)sizeof mine, size, bytes);
    int status = BMF_OK;
    for (int r = 1; r < j->ranks && j->rank == 0 && status == BMF_OK; r++) {
        status = bmf_grow((void **)&j->incoming[0].bytes, &j->incoming[0].capacity, size[r][0], 1, "lists", err);
        if (status == BMF_OK)
            status = bmf_grow((void **)&j->incoming[1].bytes, &j->incoming[1].capacity, size[r][1], 1, "lists", err);
    }
    return status;
}

/* The blocks of one round, in the order of the ranks, to where rank 0 writes them. What a failed write leaves over is received
 * all the same. Collective; the status is that of rank 0. */
static int write_round(job *j, int64_t (*size)[2], bmf_error *err)
{
    if (j->rank > 0) {
        bmf_comm_send(j->run->comm, j->csv.bytes, j->csv.size, 0);
        bmf_comm_send(j->run->comm, j->json.bytes, j->json.size, 0);
        return BMF_OK;
    }
    int status = bmf_results_write(&j->results, &j->csv, &j->json, err);
    for (int r = 1; r < j->ranks; r++) {
        for (int form = 0; form < 2; form++) {
            j->incoming[form].size = size[r][form];
            bmf_comm_receive(j->run->comm, j->incoming[form].bytes, size[r][form], r);
        }
        if (status == BMF_OK)
            status = bmf_results_write(&j->results, &j->incoming[0], &j->incoming[1], err);
    }
    return status;
}

/* Block b is made by rank b modulo ranks. Collective. */
static int run_blocks(job *j, bmf_error *err)
{
    int64_t(*size)[2] = bmf_alloc(j->ranks, sizeof *size, "sizes", err), *bytes = bmf_alloc(j->ranks, 8, "sizes", err);
    int status = agree(j, size && bytes ? BMF_OK : BMF_ERR_MEMORY, err), written = BMF_OK;
    for (int64_t first = 0; first < j->blocks && status == BMF_OK; first += j->ranks) {
        status = written != BMF_OK ? written : make_block(j, first + j->rank, err);
        if (j->ranks > 1 && announce(j, size, bytes, err) != BMF_OK)
            status = BMF_ERR_MEMORY;
        status = agree(j, status, err);
        if (status == BMF_OK)
            written = write_round(j, size, err);
    }
    bmf_free(size);
    bmf_free(bytes);
    return agree(j, status != BMF_OK ? status : written, err);
}

static json_t *summary_json(const job *j)
{
    const bmf_recommend_options *o = j->options;
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "model", o->model);
    bmf_json_int(&json, "top", o->top);
    bmf_json_int(&json, "users", o->ratings ? 1 : j->audience.count);
    bmf_json_int(&json, "unknown_users", j->audience.unknown);
    bmf_json_int(&json, "new_items", j->fresh.count);
    return bmf_json_done(&json);
}

/* Rank 0 opens what is written, all make the lists, rank 0 closes it. Collective. */
static int write_lists(job *j, bmf_error *err)
{
    const bmf_recommend_options *o = j->options;
    bmf_rows form;
    int status = BMF_OK;
    bmf_rows_init(&form, columns, o->titles ? COLUMNS : COLUMNS - 1, false, false);
    if (j->rank == 0)
        status = bmf_results_begin(&j->results, "recommendations", &form, o->output, o->json, j->run->output, err);
    bool wanted[2] = {form.as_csv, form.as_json};
    if (j->run->comm)
        bmf_comm_broadcast(j->run->comm, wanted, (int64_t)sizeof wanted, 0);
    for (int64_t t = 0; t < o->threads; t++)
        bmf_rows_init(&j->rows[t], columns, form.columns, wanted[0], wanted[1]);
    status = agree(j, status, err);
    if (status == BMF_OK)
        status = run_blocks(j, err);
    if (status == BMF_OK && j->rank == 0)
        status = bmf_results_end(&j->results, summary_json(j), err);
    else if (j->rank == 0)
        bmf_results_abandon(&j->results);
    return agree(j, status, err);
}

static void tell(const job *j)
{
    if (j->options->users || j->options->all_users)
        bmf_log_info("lists for %" PRId64 " users", j->audience.count);
}

int bmf_recommend(const bmf_run *run, const bmf_recommend_options *options, bmf_error *err)
{
    job j = {.run = run, .options = options, .ranks = 1};
    if (run->comm) {
        j.rank = bmf_comm_rank(run->comm);
        j.ranks = bmf_comm_size(run->comm);
    }
    int status = read_inputs(&j, err);
    if (status == BMF_OK) {
        const int64_t items = j.model->items.count + j.fresh.count;
        j.top = options->top < items ? options->top : items;
        status = cut_blocks(&j, err);
    }
    if (status == BMF_OK)
        status = make_room(&j, err);
    status = agree(&j, status, err);
    if (status == BMF_OK)
        status = write_lists(&j, err);
    if (status == BMF_OK && run->root)
        tell(&j);
    job_clear(&j);
    return status;
}
