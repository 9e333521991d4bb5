#include "base/rng.h"
#include "kernels/sweep.h"

/* Primes above 2^30: coprime to every n below them, so that their residues step through all of 0 .. n − 1. */
static const uint32_t step_primes[16] = {1073741827u, 1073741831u, 1073741833u, 1073741839u, 1073741843u, 1073741857u,
                                         1073741891u, 1073741909u, 1073741939u, 1073741953u, 1073741969u, 1073741971u,
                                         1073741987u, 1073741993u, 1073742037u, 1073742053u};

bmf_rating_order bmf_rating_order_of(const bmf_sweep *sweep, int64_t local_user, int32_t n)
{
    if (sweep->in_order || n < 2)
        return (bmf_rating_order){0, n > 1 ? 1 : 0};
    uint64_t draw = bmf_rng_draw(sweep->order_key, (uint64_t)(sweep->first_user + local_user));
    uint32_t start = (uint32_t)(((draw >> 32) * (uint64_t)n) >> 32);
    return (bmf_rating_order){(int32_t)start, (int32_t)(step_primes[draw & 15] % (uint32_t)n)};
}

typedef struct lane {
    int32_t user;
    int32_t n, left; /* ratings of the user, and how many are still to come */
    bmf_rating_order order;
} lane;

/* Gives the lane the next user that has ratings; false if there is none. */
static bool take_user(lane *l, const bmf_sweep *sweep, const int32_t *user, int64_t count, int64_t *next)
{
    while (*next < count) {
        int32_t u = user[(*next)++];
        int32_t n = (int32_t)(sweep->indptr[u + 1] - sweep->indptr[u]);
        if (n > 0) {
            *l = (lane){u, n, n, bmf_rating_order_of(sweep, u, n)};
            return true;
        }
    }
    return false;
}

void bmf_sweep_visit(const bmf_sweep *sweep, const int32_t *user, int64_t count, int lanes,
                     void (*visit)(void *context, int32_t user, int64_t entry), void *context)
{
    lane active[16];
    int running = 0;
    int64_t next = 0;
    while (running < lanes && take_user(&active[running], sweep, user, count, &next))
        running++;
    while (running > 0) {
        for (int l = 0; l < running; l++) {
            lane *at = &active[l];
            int64_t position = at->n - at->left;
            int64_t entry = (at->order.start + position * at->order.step) % at->n;
            visit(context, at->user, sweep->indptr[at->user] + entry);
            at->left--;
        }
        for (int l = 0; l < running;) {
            if (active[l].left == 0 && !take_user(&active[l], sweep, user, count, &next))
                active[l] = active[--running];
            else
                l++;
        }
    }
}
