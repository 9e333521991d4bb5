#include "train/exchange.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define NOT_THERE (-1)

struct bmf_exchange {
    bmf_comm *host;    /* the ranks of this host */
    bmf_comm *leaders; /* the first rank of each host; of the others a communicator of no use */
    bool leads;
    int hosts;
    bmf_exchange_settings settings;
    int64_t room;            /* bytes of the longest message */
    bmf_parcel *parcel;      /* (hosts) */
    unsigned char *out, *in; /* (hosts, room) */
    int32_t *slot;           /* (rows) which row of its message a row is; NOT_THERE */
    float *row;              /* (threads, k + sides) to work in */
    int64_t sent;            /* bytes */
};

/* Rows first .. first + count of a piece, which a host merges. */
typedef struct part {
    int64_t first, count;
} part;

static part part_of(int64_t rows, int hosts, int host)
{
    const int64_t first = rows * host / hosts;
    return (part){first, rows * (host + 1) / hosts - first};
}

static int64_t most_rows(int64_t rows, int64_t hosts)
{
    return (rows + hosts - 1) / hosts;
}

/* A message: which of its rows are there, the rows, the tail. */
static int64_t message_room(const bmf_exchange_settings *s, int64_t rows)
{
    return (rows + 7) / 8 + rows * bmf_compact_bytes(s->precision, s->factors, BMF_EXCHANGE_SIDES) +
           s->tail * (int64_t)sizeof(float);
}

static int64_t width_of(const bmf_exchange_settings *s)
{
    return s->factors + BMF_EXCHANGE_SIDES;
}

int64_t bmf_exchange_bytes(bmf_merge_precision precision, int64_t factors, int64_t rows, int64_t hosts)
{
    const bmf_exchange_settings s = {.precision = precision, .factors = factors};
    return hosts > 1 ? 2 * hosts * message_room(&s, most_rows(rows, hosts)) + rows * (int64_t)sizeof(int32_t) : 0;
}

static int allocate(bmf_exchange *x, bmf_error *err)
{
    const bmf_exchange_settings *s = &x->settings;
    x->room = message_room(s, most_rows(s->rows, x->hosts));
    if (x->hosts == 1 || !x->leads)
        return BMF_OK;
    x->parcel = bmf_alloc_zero(x->hosts, sizeof *x->parcel, "parcels of a merge", err);
    x->out = bmf_alloc(x->hosts * x->room, 1, "messages of a merge", err);
    x->in = bmf_alloc(x->hosts * x->room, 1, "messages of a merge", err);
    x->slot = bmf_alloc(s->rows, sizeof *x->slot, "messages of a merge", err);
    x->row = bmf_alloc(s->threads * width_of(s), sizeof *x->row, "rows of a merge", err);
    return x->parcel && x->out && x->in && x->slot && x->row ? BMF_OK : BMF_ERR_MEMORY;
}

static int split(bmf_comm *comm, int64_t group, bmf_exchange *x, bmf_error *err)
{
    const int rank = bmf_comm_rank(comm);
    int status = group > 0 ? bmf_comm_split(comm, (int)(rank / group), &x->host, err)
                           : bmf_comm_split_hosts(comm, &x->host, err);
    if (status == BMF_OK) {
        x->leads = bmf_comm_rank(x->host) == 0;
        status = bmf_comm_split(comm, x->leads ? 0 : 1, &x->leaders, err);
    }
    if (status == BMF_OK) {
        int64_t hosts = x->leads ? 1 : 0;
        bmf_comm_sum_int64(comm, &hosts, 1);
        x->hosts = (int)hosts;
    }
    return status;
}

int bmf_exchange_create(bmf_comm *comm, const bmf_exchange_settings *settings, bmf_exchange **out, bmf_error *err)
{
    bmf_exchange *x = bmf_alloc_zero(1, sizeof *x, "merge across hosts", err);
    *out = x;
    int status = bmf_comm_agree(comm, x ? BMF_OK : BMF_ERR_MEMORY, err);
    if (status == BMF_OK) {
        x->settings = *settings;
        status = split(comm, settings->group, x, err);
    }
    if (status == BMF_OK)
        status = bmf_comm_agree(comm, allocate(x, err), err);
    if (status != BMF_OK)
        bmf_exchange_destroy(out);
    return status;
}

void bmf_exchange_destroy(bmf_exchange **at)
{
    bmf_exchange *x = *at;
    if (!x)
        return;
    bmf_free(x->parcel);
    bmf_free(x->out);
    bmf_free(x->in);
    bmf_free(x->slot);
    bmf_free(x->row);
    bmf_comm_release(&x->leaders);
    bmf_comm_release(&x->host);
    bmf_free(x);
    *at = NULL;
}

int bmf_exchange_hosts(const bmf_exchange *x)
{
    return x->hosts;
}

int64_t bmf_exchange_take_bytes(bmf_exchange *x)
{
    const int64_t sent = x->sent;
    x->sent = 0;
    return sent;
}

/* A reduction of so many bytes within the host, at its cheapest. */
static void count_reduction(bmf_exchange *x, int64_t bytes)
{
    const int64_t ranks = bmf_comm_size(x->host);
    x->sent += 2 * bytes * (ranks - 1) / ranks;
}

/* One call's work. */
typedef struct work {
    bmf_exchange *x;
    float *rows;
    const int32_t *item;
    int64_t count, width;
    float *tail;
    uint64_t key;
    bmf_exchange_finish *finish;
    const void *context;
} work;

static float *row_of(const work *w, int64_t r)
{
    return w->rows + r * w->width;
}

static bool is_touched(const work *w, int64_t r)
{
    return row_of(w, r)[w->x->settings.factors + 1] > 0;
}

/* For rounding row r in the message of host `from`; −1: in the merged one. */
static uint64_t key_of(const work *w, int64_t r, int from)
{
    return bmf_rng_subkey(bmf_rng_subkey(w->key, (uint64_t)w->item[r]), (uint64_t)(from + 1));
}

static int64_t rows_offset(part p)
{
    return (p.count + 7) / 8;
}

/* Writes which rows of the part are there and finds their slots. Bytes of the message with its rows of `row_bytes`. */
static int64_t begin_message(const work *w, part p, int64_t row_bytes, unsigned char *to)
{
    int32_t slots = 0;
    memset(to, 0, (size_t)rows_offset(p));
    for (int64_t r = 0; r < p.count; r++) {
        const bool there = is_touched(w, p.first + r);
        to[r / 8] = (unsigned char)(to[r / 8] | there << (r % 8));
        w->x->slot[p.first + r] = there ? slots++ : NOT_THERE;
    }
    return rows_offset(p) + slots * row_bytes;
}

/* The slots of the rows of a message that came. The bytes of its rows are between the two results. */
static int64_t read_slots(const work *w, part p, int64_t row_bytes, const unsigned char *from)
{
    int32_t slots = 0;
    for (int64_t r = 0; r < p.count; r++)
        w->x->slot[p.first + r] = from[r / 8] >> (r % 8) & 1 ? slots++ : NOT_THERE;
    return rows_offset(p) + slots * row_bytes;
}

static void encode_part(const work *w, part p, int from, int64_t sides, unsigned char *to)
{
    const bmf_exchange_settings *s = &w->x->settings;
    const int64_t row_bytes = bmf_compact_bytes(s->precision, s->factors, sides);
    unsigned char *at = to + rows_offset(p);
#pragma omp parallel for schedule(static) num_threads((int)s->threads) if (s->threads > 1)
    for (int64_t r = p.first; r < p.first + p.count; r++)
        if (w->x->slot[r] != NOT_THERE)
            bmf_compact_encode(s->precision, row_of(w, r), s->factors, sides, key_of(w, r, from),
                               at + w->x->slot[r] * row_bytes);
}

/* Adds the rows of a message that came to ours. */
static void add_part(const work *w, part p, const unsigned char *from)
{
    const bmf_exchange_settings *s = &w->x->settings;
    const int64_t row_bytes = bmf_compact_bytes(s->precision, s->factors, BMF_EXCHANGE_SIDES);
    const unsigned char *at = from + rows_offset(p);
#pragma omp parallel for schedule(static) num_threads((int)s->threads) if (s->threads > 1)
    for (int64_t r = p.first; r < p.first + p.count; r++) {
        float *to = row_of(w, r), *theirs = w->x->row + omp_get_thread_num() * w->width;
        if (w->x->slot[r] == NOT_THERE)
            continue;
        bmf_compact_decode(s->precision, at + w->x->slot[r] * row_bytes, s->factors, BMF_EXCHANGE_SIDES, theirs);
        for (int64_t f = 0; f < w->width; f++)
            to[f] += theirs[f];
    }
}

/* Sets the rows of the part to the merged ones of a message. */
static void set_part(const work *w, part p, const unsigned char *from)
{
    const bmf_exchange_settings *s = &w->x->settings;
    const int64_t row_bytes = bmf_compact_bytes(s->precision, s->factors, BMF_EXCHANGE_KEPT);
    const unsigned char *at = from + rows_offset(p);
#pragma omp parallel for schedule(static) num_threads((int)s->threads) if (s->threads > 1)
    for (int64_t r = p.first; r < p.first + p.count; r++) {
        if (w->x->slot[r] == NOT_THERE)
            row_of(w, r)[s->factors + 1] = 0;
        else
            bmf_compact_decode(s->precision, at + w->x->slot[r] * row_bytes, s->factors, BMF_EXCHANGE_KEPT,
                               row_of(w, r));
    }
}

static void finish_rows(const work *w, part p)
{
    const int64_t threads = w->x->settings.threads;
#pragma omp parallel for schedule(static) num_threads((int)threads) if (threads > 1)
    for (int64_t r = p.first; r < p.first + p.count; r++)
        if (is_touched(w, r))
            w->finish(w->item[r], row_of(w, r), w->tail, w->context);
}

/* Sends and receives what the parcels say. */
static void exchange(const work *w)
{
    bmf_exchange *x = w->x;
    const int me = bmf_comm_rank(x->leaders);
    for (int h = 0; h < x->hosts; h++) {
        x->parcel[h].receive = x->in + h * x->room;
        x->parcel[h].receive_bytes = x->room;
        x->sent += h != me ? x->parcel[h].send_bytes : 0;
    }
    bmf_comm_exchange(x->leaders, x->parcel);
}

/* Each host's rows to the host that merges them, with this one's tail; and theirs added up here, in the order of hosts. */
static void gather_rows(const work *w, part mine)
{
    bmf_exchange *x = w->x;
    const bmf_exchange_settings *s = &x->settings;
    const int me = bmf_comm_rank(x->leaders);
    const int64_t row_bytes = bmf_compact_bytes(s->precision, s->factors, BMF_EXCHANGE_SIDES);
    const size_t tail = (size_t)s->tail * sizeof *w->tail;
    for (int h = 0; h < x->hosts; h++) {
        const part theirs = part_of(w->count, x->hosts, h);
        unsigned char *to = x->out + h * x->room;
        if (h == me)
            continue;
        const int64_t bytes = begin_message(w, theirs, row_bytes, to);
        encode_part(w, theirs, me, BMF_EXCHANGE_SIDES, to);
        memcpy(to + bytes, w->tail, tail);
        x->parcel[h].send = to;
        x->parcel[h].send_bytes = bytes + (int64_t)tail;
    }
    exchange(w);
    float own[BMF_EXCHANGE_TAIL_MOST];
    memcpy(own, w->tail, tail);
    memset(w->tail, 0, tail);
    for (int h = 0; h < x->hosts; h++) {
        const unsigned char *from = x->in + h * x->room;
        const int64_t bytes = h == me ? 0 : read_slots(w, mine, row_bytes, from);
        for (int64_t j = 0; j < s->tail; j++) {
            float value = own[j];
            if (h != me)
                memcpy(&value, from + bytes + j * (int64_t)sizeof value, sizeof value);
            w->tail[j] += value;
        }
        if (h != me)
            add_part(w, mine, from);
    }
}

/* The merged rows of each host to all. Ours take the way through the message too, so that they are what the others have. */
static void spread_rows(const work *w, part mine)
{
    bmf_exchange *x = w->x;
    const bmf_exchange_settings *s = &x->settings;
    const int me = bmf_comm_rank(x->leaders);
    const int64_t row_bytes = bmf_compact_bytes(s->precision, s->factors, BMF_EXCHANGE_KEPT);
    unsigned char *to = x->out + me * x->room;
    const int64_t bytes = begin_message(w, mine, row_bytes, to);
    encode_part(w, mine, -1, BMF_EXCHANGE_KEPT, to);
    set_part(w, mine, to);
    for (int h = 0; h < x->hosts; h++) {
        x->parcel[h].send = to;
        x->parcel[h].send_bytes = bytes;
    }
    exchange(w);
    for (int h = 0; h < x->hosts; h++) {
        const part theirs = part_of(w->count, x->hosts, h);
        if (h == me)
            continue;
        read_slots(w, theirs, row_bytes, x->in + h * x->room);
        set_part(w, theirs, x->in + h * x->room);
    }
}

void bmf_exchange_merge(bmf_exchange *x, float *rows, const int32_t *item, int64_t count, uint64_t key,
                        bmf_exchange_finish *finish, const void *context)
{
    const int64_t width = width_of(&x->settings), values = count * width + x->settings.tail;
    const work w = {x, rows, item, count, width, rows + count * width, key, finish, context};
    const part all = {0, count};
    count_reduction(x, values * (int64_t)sizeof *rows);
    if (x->hosts == 1) {
        bmf_comm_sum_float(x->host, rows, values);
        finish_rows(&w, all);
        return;
    }
    bmf_comm_sum_float_on_first(x->host, rows, values);
    if (x->leads) {
        const part mine = part_of(count, x->hosts, bmf_comm_rank(x->leaders));
        gather_rows(&w, mine);
        finish_rows(&w, mine);
        spread_rows(&w, mine);
    }
    bmf_comm_broadcast(x->host, rows, values * (int64_t)sizeof *rows, 0);
}
