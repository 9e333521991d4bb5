#include "comm/stall.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "comm/handle.h"

#define GRACE 1.5   /* seconds for answers, which come at once from ranks that wait */
#define PATIENCE 3  /* times GRACE for a lower rank, which has asked too, to report */
#define LISTED 8    /* ranks named in a message */
#define NUMBERS 128 /* bytes of their numbers */

enum { ASK, ANSWER, TAGS };

/* One message on its way to a rank, of a tag. */
typedef struct note {
    MPI_Request request; /* MPI_REQUEST_NULL: none */
    int64_t round;
} note;

struct bmf_stall {
    MPI_Comm comm; /* of our own, so that nothing mixes with the messages of the work */
    int rank, size;
    double seconds;
    bmf_stall_report *report;
    void *context;
    note *sent;     /* (TAGS × ranks) */
    bool *answered; /* (ranks) in this round */
    bool asking, lower_asks;
    int64_t round; /* number of the last question; answers to earlier ones are ignored */
    double asked_at, waits_since;
};

int bmf_stall_create(bmf_comm *comm, double seconds, bmf_stall_report *report, void *context, bmf_stall **out,
                     bmf_error *err)
{
    const int size = bmf_comm_size(comm);
    bmf_stall *stall = bmf_alloc_zero(1, sizeof *stall, "stall watch", err);
    note *sent = bmf_alloc_zero(TAGS * size, sizeof *sent, "stall watch", err);
    bool *answered = bmf_alloc_zero(size, sizeof *answered, "stall watch", err);
    const int status = bmf_comm_agree(comm, stall && sent && answered ? BMF_OK : BMF_ERR_MEMORY, err);
    *out = status == BMF_OK ? stall : NULL;
    if (status != BMF_OK) {
        bmf_free(answered);
        bmf_free(sent);
        bmf_free(stall);
        return status;
    }
    for (int i = 0; i < TAGS * size; i++)
        sent[i].request = MPI_REQUEST_NULL;
    *stall = (bmf_stall){.rank = bmf_comm_rank(comm),
                         .size = size,
                         .seconds = seconds,
                         .report = report,
                         .context = context,
                         .sent = sent,
                         .answered = answered};
    MPI_Comm_dup(bmf_comm_handle(comm), &stall->comm);
    return BMF_OK;
}

void bmf_stall_destroy(bmf_stall **at)
{
    bmf_stall *stall = *at;
    if (!stall)
        return;
    for (int i = 0; i < TAGS * stall->size; i++)
        MPI_Wait(&stall->sent[i].request, MPI_STATUS_IGNORE);
    MPI_Comm_free(&stall->comm);
    bmf_free(stall->answered);
    bmf_free(stall->sent);
    bmf_free(stall);
    *at = NULL;
}

/* Never waits: a rank that does not take what it was sent before gets nothing more. */
static void send_note(bmf_stall *stall, int to, int tag, int64_t round)
{
    note *n = &stall->sent[tag * stall->size + to];
    int done = 0;
    MPI_Test(&n->request, &done, MPI_STATUS_IGNORE);
    if (!done)
        return;
    n->round = round;
    MPI_Isend(&n->round, 1, MPI_INT64_T, to, tag, stall->comm, &n->request);
}

static void take_notes(bmf_stall *stall)
{
    MPI_Status found;
    int64_t round = 0;
    for (int there = 0; MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, stall->comm, &there, &found) == MPI_SUCCESS && there;) {
        const int from = found.MPI_SOURCE;
        MPI_Recv(&round, 1, MPI_INT64_T, from, found.MPI_TAG, stall->comm, MPI_STATUS_IGNORE);
        if (found.MPI_TAG == ASK)
            send_note(stall, from, ANSWER, round);
        else if (round == stall->round)
            stall->answered[from] = true;
        if (found.MPI_TAG == ASK && from < stall->rank)
            stall->lower_asks = true;
    }
}

static void ask(bmf_stall *stall, double now)
{
    stall->asking = true;
    stall->asked_at = now;
    stall->round++;
    memset(stall->answered, 0, (size_t)stall->size * sizeof *stall->answered);
    for (int rank = 0; rank < stall->size; rank++)
        if (rank != stall->rank)
            send_note(stall, rank, ASK, stall->round);
}

/* How many ranks have not answered; the numbers of the first few. */
static int silent_ranks(const bmf_stall *stall, char numbers[NUMBERS])
{
    int silent = 0, length = 0;
    numbers[0] = '\0';
    for (int rank = 0; rank < stall->size; rank++) {
        if (rank == stall->rank || stall->answered[rank])
            continue;
        if (silent < LISTED)
            length += snprintf(numbers + length, NUMBERS - (size_t)length, "%s%d", silent ? ", " : "", rank);
        else if (silent == LISTED)
            length += snprintf(numbers + length, NUMBERS - (size_t)length, " and more");
        silent++;
    }
    return silent;
}

static void report_and_end(bmf_stall *stall, int silent, const char *numbers, const char *what)
{
    char text[BMF_ERROR_TEXT];
    snprintf(text, sizeof text, "rank%s %s: no progress for %g s while the others waited in %s", silent == 1 ? "" : "s",
             numbers, stall->seconds, what);
    stall->report(text, stall->context);
    MPI_Abort(stall->comm, BMF_ERR_IO);
}

/* The lowest of those who ask reports; the others stand by, should it fail to. */
static void look_after(bmf_stall *stall, const char *what)
{
    char numbers[NUMBERS];
    const double now = bmf_clock_seconds();
    if (!stall->asking) {
        if (now - stall->waits_since > stall->seconds)
            ask(stall, now);
        return;
    }
    if (now - stall->asked_at < (stall->lower_asks ? PATIENCE * GRACE : GRACE))
        return;
    const int silent = silent_ranks(stall, numbers);
    if (silent > 0)
        report_and_end(stall, silent, numbers, what);
    stall->asking = stall->lower_asks = false;
    stall->waits_since = now; /* everybody waits for something under way */
}

void bmf_stall_wait(bmf_stall *stall, MPI_Request *request, MPI_Status *status, const char *what)
{
    int done = 0;
    stall->asking = stall->lower_asks = false;
    stall->waits_since = bmf_clock_seconds();
    for (MPI_Test(request, &done, status); !done; MPI_Test(request, &done, status)) {
        take_notes(stall);
        look_after(stall, what);
        sched_yield();
    }
}
