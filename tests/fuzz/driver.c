/* Runs a fuzz target without libFuzzer:
 *
 *     fuzz_TARGET [--runs N] [--seconds S] [--seed N] [--keep DIR] FILE_OR_DIRECTORY..
 *
 * Every file is replayed, then N inputs that are mutations of them, each a function of the seed and its number; --seconds
 * ends earlier. A child process does the work. When it crashes, takes too long or too much memory, the input is kept (in
 * DIR, by default here), another child goes on behind it, and the exit code is 1. Limits on each input: 10 s, and 256 MiB
 * and twice its size over what the process had before. With a target in C alone (no HDF5, whose caches grow), memory that
 * is not given back is a failure as well; sanitized builds leave that to LeakSanitizer. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/rng.h"
#include "fuzz/fuzz.h"

#define INPUT_SECONDS 10
#define MEMORY_LIMIT ((size_t)256 << 20)
#define LARGEST_INPUT ((size_t)64 << 10)
#define MOST_SEEDS 512
#define MOST_FAILURES 20
#define EXIT_MEMORY 90 /* of the child: what it found itself */
#define EXIT_LEAK 91

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

typedef struct seed_file {
    char name[256];
    uint8_t *data;
    size_t size;
} seed_file;

/* What parent and child both see. */
typedef struct progress {
    int64_t at; /* the input at work */
    size_t peak;
    double slowest;
} progress;

static struct {
    int64_t runs, seconds, seed;
    const char *keep;
} option = {0, 0, 1, "."};
static seed_file seeds[MOST_SEEDS];
static size_t seed_count;
static progress *shared;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void give_up(const char *what, const char *name)
{
    fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
    exit(2);
}

static void add_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        give_up("cannot open", path);
    if (seed_count == MOST_SEEDS) {
        fprintf(stderr, "more than %d files\n", MOST_SEEDS);
        exit(2);
    }
    seed_file *s = &seeds[seed_count++];
    snprintf(s->name, sizeof s->name, "%s", path);
    s->data = malloc(size ? size : 1);
    s->size = s->data ? fread(s->data, 1, size, file) : 0;
    fclose(file);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const seed_file *)a)->name, ((const seed_file *)b)->name);
}

static void add_seeds(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        give_up("cannot find", path);
    if (!S_ISDIR(info.st_mode)) {
        add_file(path, (size_t)info.st_size);
        return;
    }
    DIR *directory = opendir(path);
    if (!directory)
        give_up("cannot open", path);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            add_seeds(name);
    }
    closedir(directory);
}

/* Input number i: the seeds themselves, then mutations. data has LARGEST_INPUT bytes, or what the largest seed needs. */
static size_t make_input(int64_t i, uint8_t *data, size_t room)
{
    uint64_t key = bmf_rng_key((uint64_t)option.seed, BMF_STREAM_TEST);
    const uint64_t which = i < (int64_t)seed_count ? (uint64_t)i : bmf_rng_below(key, 2 * (uint64_t)i, seed_count);
    const seed_file *s = &seeds[which];
    memcpy(data, s->data, s->size);
    if (i < (int64_t)seed_count)
        return s->size;
    return fuzz_mutate(data, s->size, room, bmf_rng_draw(key, 2 * (uint64_t)i + 1));
}

static size_t input_room(void)
{
    size_t room = LARGEST_INPUT;
    for (size_t i = 0; i < seed_count; i++)
        room = seeds[i].size > room ? seeds[i].size : room;
    return room;
}

/* A line of /proc/self/status, in bytes. */
static size_t status_bytes(const char *key)
{
    char line[256];
    unsigned long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = strtoul(line + strlen(key) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kilobytes << 10;
}

/* The high-water mark of resident memory begins anew. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

/* Allocations beyond the limit fail; sanitizers map more than that for themselves. */
static void limit_memory(size_t size)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    limit.rlim_cur = status_bytes("VmSize:") + MEMORY_LIMIT + 2 * size;
    if (!SANITIZED)
        setrlimit(RLIMIT_AS, &limit);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void set_alarm(int seconds)
{
    struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Something may be allocated once and kept, and the C library counts a few freed blocks of each size as in use: what grows
 * with every run of the same input is lost. */
static bool leaks(const uint8_t *data, size_t size)
{
    for (int again = 0; again < 24; again++) {
        size_t before = bytes_in_use();
        LLVMFuzzerTestOneInput(data, size);
        if (bytes_in_use() <= before)
            return false;
    }
    return true;
}

static void run_input(int64_t i, const uint8_t *data, size_t size)
{
    reset_peak();
    size_t resident = status_bytes("VmRSS:"), used = bytes_in_use();
    double start = now();
    bool first = i < (int64_t)seed_count; /* what is allocated once for all comes up with the seeds */
    if (!first)
        limit_memory(size);
    set_alarm(INPUT_SECONDS);
    LLVMFuzzerTestOneInput(data, size);
    set_alarm(0);
    double seconds = now() - start;
    size_t peak = status_bytes("VmHWM:");
    peak = peak > resident ? peak - resident : 0;
    if (peak > shared->peak)
        shared->peak = peak;
    if (seconds > shared->slowest)
        shared->slowest = seconds;
    if (peak > MEMORY_LIMIT + 2 * size)
        _exit(EXIT_MEMORY);
#ifndef FUZZ_LIBRARY_KEEPS_MEMORY
    if (!SANITIZED && bytes_in_use() > used && leaks(data, size))
        _exit(EXIT_LEAK);
#else
    (void)used, (void)leaks;
#endif
}

/* The child: from input `from` on until all are done or the time is over. */
static int work(int64_t from, double deadline)
{
    size_t room = input_room();
    uint8_t *data = malloc(room);
    mallopt(M_ARENA_MAX, 1); /* or every thread reserves 64 MiB of addresses */
    for (int64_t i = from; data && i < (int64_t)seed_count + option.runs; i++) {
        if (i >= (int64_t)seed_count && deadline > 0 && now() > deadline)
            break;
        size_t size = make_input(i, data, room);
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, data, size);
        shared->at = i;
        run_input(i, exact, size);
        free(exact);
    }
    shared->at++;
    free(data);
    return 0;
}

static void keep_input(int64_t i, const char *program)
{
    char path[600];
    const char *slash = strrchr(program, '/');
    size_t room = input_room();
    uint8_t *data = malloc(room);
    size_t size = data ? make_input(i, data, room) : 0;
    snprintf(path, sizeof path, "%s/%s-%" PRId64 "-%" PRId64, option.keep, slash ? slash + 1 : program, option.seed, i);
    FILE *file = fopen(path, "wb");
    if (file) {
        fwrite(data, 1, size, file);
        fclose(file);
    }
    free(data);
    fprintf(stderr, "input %" PRId64 "%s%s is kept in %s\n", i, i < (int64_t)seed_count ? ", the file " : "",
            i < (int64_t)seed_count ? seeds[i].name : "", path);
}

static void describe_end(int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fprintf(stderr, "FAILED: took longer than %d s: ", INPUT_SECONDS);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "FAILED: %s: ", strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_MEMORY)
        fprintf(stderr, "FAILED: more than 256 MiB and twice the input's size of memory: ");
    else if (WEXITSTATUS(status) == EXIT_LEAK)
        fprintf(stderr, "FAILED: memory is not given back: ");
    else
        fprintf(stderr, "FAILED: exit code %d: ", WEXITSTATUS(status));
}

/* One child from input `from` on; the input behind the last one it met, and whether it failed there. */
static int64_t run_child(int64_t from, double deadline, const char *program, bool *failed)
{
    fflush(NULL);
    shared->at = from;
    pid_t child = fork();
    if (child < 0)
        give_up("cannot", "fork");
    if (child == 0)
        exit(work(from, deadline)); /* exit, not _exit: LeakSanitizer looks then */
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *failed = status != 0;
    if (!*failed)
        return (int64_t)seed_count + option.runs;
    describe_end(status);
    if (shared->at >= (int64_t)seed_count + option.runs) /* it came to the end: a leak of some input */
        fprintf(stderr, "at the end of all inputs\n");
    else
        keep_input(shared->at, program);
    return shared->at + 1;
}

static bool read_number(const char *name, const char *value, int64_t *out)
{
    if (bmf_parse_int64(value, strlen(value), out) == BMF_PARSE_OK && *out >= 0)
        return true;
    fprintf(stderr, "%s %s: a number is needed\n", name, value);
    exit(2);
}

static int read_options(int argc, char **argv)
{
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (strcmp(argv[at], "--runs") == 0)
            read_number(argv[at], argv[at + 1], &option.runs);
        else if (strcmp(argv[at], "--seconds") == 0)
            read_number(argv[at], argv[at + 1], &option.seconds);
        else if (strcmp(argv[at], "--seed") == 0)
            read_number(argv[at], argv[at + 1], &option.seed);
        else if (strcmp(argv[at], "--keep") == 0)
            option.keep = argv[at + 1];
        else
            break;
    }
    return at;
}

int main(int argc, char **argv)
{
    int at = read_options(argc, argv), failures = 0;
    for (; at < argc; at++)
        add_seeds(argv[at]);
    if (seed_count == 0) {
        fprintf(stderr, "usage: %s [--runs N] [--seconds S] [--seed N] [--keep DIR] FILE_OR_DIRECTORY..\n", argv[0]);
        return 2;
    }
    qsort(seeds, seed_count, sizeof *seeds, by_name);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        give_up("cannot", "share memory");
    double start = now(), deadline = option.seconds ? start + (double)option.seconds : 0;
    for (int64_t next = 0; next < (int64_t)seed_count + option.runs && failures < MOST_FAILURES;) {
        bool failed = false;
        next = run_child(next, deadline, argv[0], &failed);
        failures += failed;
    }
    int64_t done = shared->at;
    printf("%s: %zu files, %" PRId64
           " mutated inputs, %d failures; slowest %.2f s, most memory %.1f MiB, %.1f s in all\n",
           argv[0], seed_count, done - (int64_t)seed_count > 0 ? done - (int64_t)seed_count : 0, failures,
           shared->slowest, (double)shared->peak / (1 << 20), now() - start);
    return failures ? 1 : 0;
}
