/* cable NAMESPACE INTERFACE NAMESPACE INTERFACE MICROSECONDS
 * A cable between two network namespaces: makes an interface in each and carries frames between them, each so much later. For
 * kernels without a network emulator; rates are left to the queues of the interfaces. Says "ready" and runs until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES (1 << 17) /* more than the longest, several segments in one */
#define SLOTS 512             /* frames under way; more are dropped, as by a switch whose memory is full */

typedef struct frame {
    int64_t due; /* ns */
    ssize_t length;
    unsigned char *bytes; /* (FRAME_BYTES) */
} frame;

/* One direction. */
typedef struct lane {
    int from, to;
    int64_t delay; /* ns */
    frame slot[SLOTS];
    size_t first, count;
} lane;

static void give_up(const char *what)
{
    fprintf(stderr, "cable: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A TAP interface in a namespace of `ip netns`, for frames as a network card would be given them: checksums and the cutting
 * into segments still to be done, which the header in front says. */
static int open_end(const char *space, const char *interface)
{
    char path[256];
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(path, sizeof path, "/run/netns/%s", space);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    const int name = open(path, O_RDONLY | O_CLOEXEC);
    if (name < 0 || setns(name, CLONE_NEWNET) != 0)
        give_up(path);
    close(name);
    const int end = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (end < 0 || ioctl(end, TUNSETIFF, &request) != 0)
        give_up("/dev/net/tun");
    if (ioctl(end, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
        give_up("TUNSETOFFLOAD");
    return end;
}

/* Sends what is due. When the next frame will be, or 0 if there is none. */
static int64_t deliver(lane *l)
{
    for (; l->count > 0; l->count--) {
        const frame *f = &l->slot[l->first];
        if (f->due > now())
            return f->due;
        if (write(l->to, f->bytes, (size_t)f->length) < 0 && errno == EAGAIN)
            return now();
        l->first = (l->first + 1) % SLOTS;
    }
    return 0;
}

/* Takes in what has come; false if there was nothing. */
static bool take_one(lane *l)
{
    static _Thread_local unsigned char lost[FRAME_BYTES];
    const bool full = l->count == SLOTS;
    frame *f = &l->slot[(l->first + l->count) % SLOTS];
    const ssize_t length = read(l->from, full ? lost : f->bytes, FRAME_BYTES);
    if (length <= 0)
        return false;
    if (!full) {
        f->length = length;
        f->due = now() + l->delay;
        l->count++;
    }
    return true;
}

static void *carry(void *context)
{
    lane *l = context;
    for (;;) {
        const int64_t due = deliver(l);
        const int64_t left = due > 0 ? due - now() : 0;
        const struct timespec wait = {.tv_sec = 0, .tv_nsec = left > 0 ? left % 1000000000 : 0};
        struct pollfd in = {.fd = l->from, .events = POLLIN};
        if (ppoll(&in, 1, due > 0 ? &wait : NULL, NULL) > 0)
            while (take_one(l))
                ;
    }
    return NULL;
}

static void prepare(lane *l, int from, int to, int64_t delay)
{
    *l = (lane){.from = from, .to = to, .delay = delay};
    for (size_t s = 0; s < SLOTS; s++)
        if (!(l->slot[s].bytes = malloc(FRAME_BYTES)))
            give_up("memory for frames");
}

int main(int argc, char **argv)
{
    static lane there, back;
    char *end = NULL;
    const long delay = argc == 6 ? strtol(argv[5], &end, 10) : -1;
    if (delay < 0 || delay > 999999 || *end) {
        fputs("usage: cable NAMESPACE INTERFACE NAMESPACE INTERFACE MICROSECONDS\n", stderr);
        return 2;
    }
    /* Ahead of programs that spin while they wait, which would make it late by the scheduler's slices. */
    const struct sched_param first = {.sched_priority = 10};
    if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
        fputs("cable: not allowed to run ahead of others; delays will be longer\n", stderr);
    prctl(PR_SET_TIMERSLACK, 1UL);
    const int a = open_end(argv[1], argv[2]), b = open_end(argv[3], argv[4]);
    prepare(&there, a, b, delay * 1000);
    prepare(&back, b, a, delay * 1000);
    pthread_t other;
    if (pthread_create(&other, NULL, carry, &back) != 0)
        give_up("a second thread");
    puts("ready");
    fflush(stdout);
    carry(&there);
    return 0;
}
