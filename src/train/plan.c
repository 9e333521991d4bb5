#include "train/plan.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "train/auto_merges.h"
#include "train/exchange.h"

#define MOST_EPOCHS 100000 /* of a rehearsal, for very small data */
#define FEWEST_EPOCHS 3    /* the first of them has new pages to take and does not count */
#define SAMPLE_ROWS 4096
#define COPIED_BYTES ((int64_t)64 << 20) /* more than caches hold */
#define COPY_ROUNDS 3
#define PASSES 3 /* over memory for a byte that is summed up between processes: in, out, added */
#define WORTHWHILE 0.9

/* A rehearsal under way. */
typedef struct rehearsal {
    double started, seconds;
    int64_t epochs;
    volatile int stop;
} rehearsal;

static void note_start(const bmf_train_plan *plan, void *context)
{
    rehearsal *r = context;
    (void)plan;
    r->started = bmf_clock_seconds();
}

static void count_epoch(const bmf_epoch_record *record, bool best, void *context)
{
    rehearsal *r = context;
    (void)record;
    (void)best;
    r->epochs++;
    if (r->epochs >= FEWEST_EPOCHS && bmf_clock_seconds() - r->started >= r->seconds)
        r->stop = 1;
}

/* What is known from it. */
typedef struct measures {
    bmf_train_plan plan;
    double phase[BMF_PHASES], seconds, merge_bytes;
} measures;

/* Means over the epochs but the first. */
static void take_means(const bmf_train_result *result, measures *m)
{
    const int64_t count = result->epochs_run - 1;
    for (int64_t e = 1; e < result->epochs_run; e++) {
        m->seconds += result->history[e].seconds / (double)count;
        for (int p = 0; p < BMF_PHASES; p++)
            m->phase[p] += result->history[e].phase[p] / (double)count;
        m->merge_bytes = result->history[e].merge_bytes;
    }
}

/* Trains for a while on this rank's part of `ranks` and forgets it. Collective. */
static int rehearse(bmf_comm *comm, const char *dataset, const bmf_train_options *options, int64_t ranks,
                    double seconds, measures *out, bmf_error *err)
{
    bmf_train_options o = *options;
    rehearsal r = {.seconds = seconds};
    bmf_train_result result = {0};
    const bmf_train_files files = {.dataset = dataset};
    const bmf_train_observer observer = {.begins = note_start, .epoch = count_epoch, .context = &r};
    o.epochs = MOST_EPOCHS;
    o.patience = 0;
    o.max_seconds = 0;
    o.planned_ranks = ranks > bmf_comm_size(comm) ? ranks : 0;
    *out = (measures){.seconds = 0};
    int status = bmf_train(comm, &files, &o, &observer, &r.stop, &result, err);
    if (status == BMF_OK) {
        out->plan = result.plan;
        take_means(&result, out);
    }
    bmf_train_result_clear(&result);
    return status;
}

/* Bytes a second that are copied in memory, at best. */
static int measure_memory(double *out, bmf_error *err)
{
    char *from = bmf_alloc(COPIED_BYTES, 1, "bytes to copy", err), *to = bmf_alloc(COPIED_BYTES, 1, "copy", err);
    double best = INFINITY;
    for (int round = 0; from && to && round < COPY_ROUNDS; round++) {
        memset(from, round, (size_t)COPIED_BYTES);
        const double start = bmf_clock_seconds();
        memcpy(to, from, (size_t)COPIED_BYTES);
        const double seconds = bmf_clock_seconds() - start;
        best = to[COPIED_BYTES / 2] == (char)round && seconds < best ? seconds : best;
    }
    *out = (double)COPIED_BYTES / best;
    bmf_free(from);
    bmf_free(to);
    return isfinite(best) ? BMF_OK : BMF_ERR_MEMORY;
}

/* Seconds to write a row in few bytes and to read it twice, as a merge does. */
static int measure_coding(bmf_merge_precision precision, int64_t k, double *out, bmf_error *err)
{
    const int64_t bytes = bmf_compact_bytes(precision, k, BMF_EXCHANGE_SIDES);
    float *row = bmf_alloc_zero(k + BMF_EXCHANGE_SIDES, sizeof *row, "row", err);
    unsigned char *message = bmf_alloc(bytes, 1, "row in few bytes", err);
    const double start = bmf_clock_seconds();
    for (uint64_t r = 0; row && message && r < SAMPLE_ROWS; r++) {
        row[r % (uint64_t)k] += 1;
        bmf_compact_encode(precision, row, k, BMF_EXCHANGE_SIDES, r, message);
        bmf_compact_decode(precision, message, k, BMF_EXCHANGE_SIDES, row);
        bmf_compact_decode(precision, message, k, BMF_EXCHANGE_KEPT, row);
    }
    *out = (bmf_clock_seconds() - start) / SAMPLE_ROWS;
    const bool done = row && message;
    bmf_free(row);
    bmf_free(message);
    return done ? BMF_OK : BMF_ERR_MEMORY;
}

/* What T(R) is made of. */
typedef struct forecast {
    const bmf_train_options *options;
    const bmf_plan_request *request;
    bmf_dataset_shape shape;
    int64_t rows, copies;                       /* items that are merged; copies of the item side on a rank */
    int64_t group;                              /* ranks that share a host; 0: all */
    int sides;                                  /* that have features which learn by windows */
    double sums;                                /* bytes of the sums over users' features, in a window */
    double rating, validation, user, parameter; /* seconds: a, b, c, d */
    double merge;                               /* seconds of one without messages */
    double memory, coding;                      /* bytes a second; seconds a row */
} forecast;

static int64_t hosts_of(const forecast *m, int64_t ranks)
{
    return m->group > 0 ? (ranks + m->group - 1) / m->group : 1;
}

/* Bytes that a rank sends in a merge, within its host and to others. */
static void bytes_of(const forecast *m, int64_t ranks, int64_t hosts, double *within, double *between)
{
    const int64_t k = m->options->factors;
    const double rows = (double)m->rows, p = (double)ranks / (double)hosts, h = (double)hosts;
    const bmf_merge_precision precision = m->options->merge_precision;
    const double row = (double)(bmf_compact_bytes(precision, k, BMF_EXCHANGE_SIDES) +
                                bmf_compact_bytes(precision, k, BMF_EXCHANGE_KEPT));
    *within = 2 * (p - 1) / p * rows * (double)((k + BMF_EXCHANGE_SIDES) * (int64_t)sizeof(float));
    *between = (h - 1) / h * rows * row;
    *(hosts > 1 ? between : within) += 2 * ((double)ranks - 1) / (double)ranks * m->sums;
}

/* Seconds that messages(R) take in a merge. */
static double messages_of(const forecast *m, int64_t ranks, int64_t hosts)
{
    double within = 0, between = 0;
    bytes_of(m, ranks, hosts, &within, &between);
    double seconds = PASSES * within / m->memory;
    if (hosts > 1 && ranks > hosts)
        seconds += within / m->memory; /* from the one that has them from other hosts */
    if (hosts > 1)
        seconds += between / m->request->bandwidth + m->coding * (double)m->rows / (double)m->options->threads +
                   (2 * ceil((double)(hosts - 1) / 16) + ceil(log2((double)ranks))) * m->request->latency;
    return seconds;
}

static int64_t merges_of(const forecast *m, int64_t ranks)
{
    const bmf_train_options *o = m->options;
    if (o->merges_per_epoch != BMF_MERGES_AUTO)
        return o->merges_per_epoch;
    return bmf_auto_merges(ranks * m->copies, m->shape.items, m->shape.ratings[BMF_TRAIN], m->sides);
}

static double epoch_of(const forecast *m, int64_t ranks)
{
    const double users = (double)m->shape.users, items = (double)m->shape.items;
    const double shared = m->rating * (double)m->shape.ratings[BMF_TRAIN] +
                          m->validation * (double)m->shape.ratings[BMF_VAL] + m->user * users;
    const bool merges = ranks * m->copies > 1 || m->options->content == BMF_CONTENT_EMBED;
    const double merging =
        merges ? (double)merges_of(m, ranks) * (m->merge + messages_of(m, ranks, hosts_of(m, ranks))) : 0;
    return shared / (double)ranks + m->parameter * (users / (double)ranks + items) + merging;
}

/* Doubles the ranks for as long as that is worth it. */
static void find_useful(const forecast *m, bmf_plan *out)
{
    out->useful_ranks = 1;
    out->useful_seconds = epoch_of(m, 1);
    for (int64_t ranks = 2; ranks <= m->shape.users; ranks *= 2) {
        const double seconds = epoch_of(m, ranks);
        if (seconds > WORTHWHILE * out->useful_seconds)
            break;
        out->useful_ranks = ranks;
        out->useful_seconds = seconds;
    }
}

/* The constants of T(R) from what was measured on `ranks`, of which `here` were here; `merging`: where merges were gone through. */
static void fit(forecast *m, const measures *found, const measures *merging, int64_t ranks, bool here)
{
    const bmf_train_plan *plan = &found->plan;
    const double *phase = found->phase;
    const int64_t group = m->options->merge_group;
    m->rows =
        here ? merging->plan.merged_rows : m->shape.items; /* what others of the ranks rated is not known: at most */
    m->group = group > 0 ? group : here && plan->hosts > 1 ? (ranks + plan->hosts - 1) / plan->hosts : 0;
    m->sides = plan->sides;
    m->sums = (double)plan->sum_bytes;
    m->copies = plan->copies ? m->options->threads : 1;
    m->rating = plan->train > 0 ? (phase[BMF_PHASE_ORDER] + phase[BMF_PHASE_SWEEP]) / (double)plan->train : 0;
    m->validation = plan->val > 0 ? phase[BMF_PHASE_VALIDATION] / (double)plan->val : 0;
    m->user = plan->users > 0 ? phase[BMF_PHASE_USERS] / (double)plan->users : 0;
    m->parameter = (phase[BMF_PHASE_LOSS] + phase[BMF_PHASE_KEEP_BEST]) / (double)(plan->users + m->shape.items);
    m->merge = merging->phase[BMF_PHASE_MERGE] / (double)merging->plan.merges_per_epoch;
    if (here && ranks > 1)
        m->merge = fmax(m->merge - messages_of(m, ranks, plan->hosts), 0);
}

static void put_together(const forecast *m, const measures *found, int64_t ranks, bool here, bmf_plan *out)
{
    const double merges = (double)found->plan.merges_per_epoch;
    double within = 0, between = 0;
    bytes_of(m, ranks, found->plan.hosts, &within, &between);
    out->train = found->plan;
    out->message_seconds = messages_of(m, ranks, found->plan.hosts);
    out->merge_bytes = here ? found->merge_bytes / merges : within + between;
    memcpy(out->phase, found->phase, sizeof out->phase);
    out->epoch_seconds = found->seconds;
    if (!here) {
        out->phase[BMF_PHASE_MERGE] += merges * out->message_seconds;
        out->epoch_seconds += merges * out->message_seconds;
    }
    out->merge_seconds = out->phase[BMF_PHASE_MERGE] / merges;
    find_useful(m, out);
}

int bmf_train_plan_run(bmf_comm *comm, const char *dataset, const bmf_train_options *options,
                       const bmf_plan_request *request, bmf_plan *out, bmf_error *err)
{
    forecast m = {.options = options, .request = request};
    const int64_t ranks = request->ranks;
    const bool here = ranks == bmf_comm_size(comm);
    bmf_dataset_file *file = NULL;
    measures found = {.seconds = 0}, merging;
    *out = (bmf_plan){.epoch_seconds = 0};
    int status = bmf_comm_agree(comm, bmf_dataset_file_open(dataset, &file, err), err);
    if (status == BMF_OK)
        m.shape = bmf_dataset_file_shape(file);
    bmf_dataset_file_close(&file);
    if (status == BMF_OK)
        status = rehearse(comm, dataset, options, ranks, request->seconds, &found, err);
    merging = found;
    if (status == BMF_OK && ranks == 1) /* which does not merge; two of them would */
        status = rehearse(comm, dataset, options, 2, request->seconds / 2, &merging, err);
    if (status == BMF_OK)
        status = measure_memory(&m.memory, err);
    if (status == BMF_OK)
        status = measure_coding(options->merge_precision, options->factors, &m.coding, err);
    status = bmf_comm_agree(comm, status, err);
    if (status != BMF_OK)
        return status;
    fit(&m, &found, &merging, ranks, here);
    put_together(&m, &found, ranks, here, out);
    bmf_comm_broadcast(comm, out, (int64_t)sizeof *out, 0);
    return BMF_OK;
}
