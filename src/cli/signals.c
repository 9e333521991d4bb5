#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int caught[] = {SIGINT, SIGTERM, SIGUSR1};

static volatile sig_atomic_t wanted;
static struct timespec first; /* when the first one came */

static double seconds_since_first(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - first.tv_sec) + 1e-9 * (double)(now.tv_nsec - first.tv_nsec);
}

static void handle(int number)
{
    const int reason = errno;
    if (!wanted) {
        clock_gettime(CLOCK_MONOTONIC, &first);
        wanted = 1;
    } else if (seconds_since_first() >= 1) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
    errno = reason;
}

void bmf_signals_catch(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaddset(&action.sa_mask, caught[i]); /* one at a time */
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
}

const volatile int *bmf_signals_wanted(void)
{
    return &wanted;
}
