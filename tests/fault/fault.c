/* Makes chosen calls of one process fail. Loaded in front of the C library:
 *
 *     FAULT_CALLS=write,fsync FAULT_AT=3 FAULT_DIR=/tmp/x FAULT_ERRNO=ENOSPC LD_PRELOAD=libfault.so blendmf ...
 *
 * FAULT_CALLS   which calls, by kind and separated by commas; only these are counted and can fail:
 *               alloc     malloc, calloc, realloc, posix_memalign called by the main program itself, not by libraries
 *               open      open, openat, fopen
 *               read      read, readv, pread, preadv
 *               write     write, writev, pwrite, dprintf
 *               fsync, rename, link, ftruncate, fallocate, mmap, close
 * FAULT_DIR     absolute path without links; all kinds but alloc mean calls on regular files and directories below it
 * FAULT_NAME    and only where the last part of the path has this in it
 * FAULT_RANK    the rank where they fail, by OMPI_COMM_WORLD_RANK; a process alone is rank 0 (default 0)
 * FAULT_AT      the number of the call that fails, from 1 (default 0: none)
 * FAULT_ONWARD  if set, all later ones fail too
 * FAULT_CHANCE  instead of FAULT_AT: each call fails with this probability, drawn by FAULT_SEED (default 1) and its number
 * FAULT_ERRNO   name of the error (default ENOMEM for alloc, else EIO), or `short`: a read or write does half of it, or
 *               `stop`: the process stops, as by SIGSTOP, and does the call once it is continued
 * FAULT_LOG     a file to which "failed KIND WHAT" is appended for each failure (WHAT: a path, or for
 *               alloc the address in the program, which addr2line makes a line), and "calls N" when the process ends
 *
 * Only a program called blendmf is touched, so that timeout, sh or mpirun may stand in front.
 *
 * A stream opened by fopen reads and writes by our own read and write, since those inside the C library cannot be
 * replaced. A failing close closes, and then fails. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { ALLOC, OPEN, READ, WRITE, FSYNC, RENAME, LINK, FTRUNCATE, FALLOCATE, MMAP, CLOSE, KINDS };

static const char *const kind_name[KINDS] = {"alloc", "open",      "read",      "write", "fsync", "rename",
                                             "link",  "ftruncate", "fallocate", "mmap",  "close"};

static const struct {
    const char *name;
    int number;
} errors[] = {{"ENOMEM", ENOMEM}, {"EIO", EIO},       {"EACCES", EACCES},        {"ENOSPC", ENOSPC},
              {"EDQUOT", EDQUOT}, {"EINTR", EINTR},   {"EROFS", EROFS},          {"EMFILE", EMFILE},
              {"ENODEV", ENODEV}, {"EINVAL", EINVAL}, {"EOPNOTSUPP", EOPNOTSUPP}};

static struct plan {
    bool here; /* this process is the one, and the settings have been read */
    bool kind[KINDS];
    uintptr_t load, text, text_end; /* of the main program */
    const char *directory, *name, *log;
    uint64_t at, seed;
    bool onward, half, stop;
    double chance;
    int error; /* 0: by kind */
} plan;

static atomic_uint_fast64_t calls;

/* Reading the settings */

static bool names_kind(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static int find_text(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            plan.load = info->dlpi_addr;
            plan.text = info->dlpi_addr + part->p_vaddr;
            plan.text_end = plan.text + part->p_memsz;
        }
    }
    return 1; /* the first object is the main program */
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *text = getenv(name);
    return text ? text : otherwise;
}

static void read_error(const char *name)
{
    plan.half = strcmp(name, "short") == 0;
    plan.stop = strcmp(name, "stop") == 0;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, name) == 0)
            plan.error = errors[i].number;
    if (*name && !plan.half && !plan.stop && plan.error == 0)
        abort(); /* a test that means nothing */
}

__attribute__((constructor)) static void read_settings(void)
{
    const char *list = getenv("FAULT_CALLS");
    if (!list || strcmp(program_invocation_short_name, "blendmf") != 0 ||
        strcmp(setting("FAULT_RANK", "0"), setting("OMPI_COMM_WORLD_RANK", "0")) != 0)
        return;
    for (int k = 0; k < KINDS; k++)
        plan.kind[k] = names_kind(list, kind_name[k]);
    dl_iterate_phdr(find_text, NULL);
    plan.directory = setting("FAULT_DIR", "/nowhere");
    plan.name = setting("FAULT_NAME", "");
    plan.log = getenv("FAULT_LOG");
    plan.at = strtoull(setting("FAULT_AT", "0"), NULL, 10);
    plan.seed = strtoull(setting("FAULT_SEED", "1"), NULL, 10);
    plan.onward = getenv("FAULT_ONWARD") != NULL;
    plan.chance = strtod(setting("FAULT_CHANCE", "0"), NULL);
    read_error(setting("FAULT_ERRNO", ""));
    plan.here = true;
}

/* By system calls: nothing of ours may be met on the way. */
static void tell(const char *line)
{
    long fd = plan.log ? syscall(SYS_openat, AT_FDCWD, plan.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        return;
    (void)!syscall(SYS_write, fd, line, strlen(line));
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void tell_count(void)
{
    char line[64];
    snprintf(line, sizeof line, "calls %llu\n", (unsigned long long)atomic_load(&calls));
    if (plan.here)
        tell(line);
}

/* Deciding */

static double uniform(uint64_t seed, uint64_t number)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + number * 0xd1342543de82ef95u; /* the finish of splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

/* Counts the call; true, with errno set, if it is to fail. */
static bool fails(enum kind kind, const char *path)
{
    uint64_t number = atomic_fetch_add(&calls, 1) + 1;
    bool chosen = plan.chance > 0 ? uniform(plan.seed, number) < plan.chance
                                  : plan.at > 0 && (number == plan.at || (plan.onward && number > plan.at));
    if (!chosen)
        return false;
    char line[PATH_MAX + 32];
    snprintf(line, sizeof line, "failed %s %s\n", kind_name[kind], path);
    tell(line);
    if (plan.stop) {
        raise(SIGSTOP);
        return false;
    }
    errno = plan.error ? plan.error : kind == ALLOC ? ENOMEM : EIO;
    return true;
}

static bool below_directory(const char *path)
{
    size_t length = strlen(plan.directory);
    if (strncmp(path, plan.directory, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return false;
    return *plan.name == '\0' || strstr(strrchr(path, '/'), plan.name) != NULL;
}

static bool path_fails(enum kind kind, const char *path)
{
    if (!plan.here || !plan.kind[kind] || !path)
        return false;
    char whole[2 * PATH_MAX], here[PATH_MAX];
    if (path[0] == '/')
        snprintf(whole, sizeof whole, "%s", path);
    else
        snprintf(whole, sizeof whole, "%s/%s", getcwd(here, sizeof here) ? here : "", path);
    return below_directory(whole) && fails(kind, path);
}

static bool file_fails(enum kind kind, int fd)
{
    if (!plan.here || !plan.kind[kind])
        return false;
    char link[64], path[PATH_MAX];
    struct stat info;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    bool ours = length > 0 && fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
    errno = before;
    if (!ours)
        return false;
    path[length] = '\0';
    return below_directory(path) && fails(kind, path);
}

static bool allocation_fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (!plan.here || !plan.kind[ALLOC] || at < plan.text || at >= plan.text_end)
        return false;
    char place[32];
    snprintf(place, sizeof place, "%#lx", (unsigned long)(at - plan.load));
    return fails(ALLOC, place);
}

/* Each function calls the next one of its name: the C library's, or that of a sanitizer in front of it. */
#define NEXT(result, name, ...)                                                                                        \
    static result (*next)(__VA_ARGS__);                                                                                \
    if (!next)                                                                                                         \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

/* Allocations */

void *malloc(size_t size)
{
    NEXT(void *, malloc, size_t);
    return allocation_fails(__builtin_return_address(0)) ? NULL : next(size);
}

void *calloc(size_t count, size_t size)
{
    NEXT(void *, calloc, size_t, size_t);
    return allocation_fails(__builtin_return_address(0)) ? NULL : next(count, size);
}

void *realloc(void *block, size_t size)
{
    NEXT(void *, realloc, void *, size_t);
    return allocation_fails(__builtin_return_address(0)) ? NULL : next(block, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    NEXT(int, posix_memalign, void **, size_t, size_t);
    return allocation_fails(__builtin_return_address(0)) ? ENOMEM : next(out, align, size);
}

/* Files */

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    NEXT(int, open, const char *, int, ...);
    return path_fails(OPEN, path) ? -1 : next(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int directory, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    NEXT(int, openat, int, const char *, int, ...);
    return path_fails(OPEN, path) ? -1 : next(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));

#define LESS(size) (plan.half && (size) > 1 ? (size) / 2 : (size))

ssize_t read(int fd, void *data, size_t size)
{
    NEXT(ssize_t, read, int, void *, size_t);
    bool chosen = file_fails(READ, fd);
    return chosen && !plan.half ? -1 : next(fd, data, chosen ? LESS(size) : size);
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    NEXT(ssize_t, pread, int, void *, size_t, off_t);
    bool chosen = file_fails(READ, fd);
    return chosen && !plan.half ? -1 : next(fd, data, chosen ? LESS(size) : size, at);
}

ssize_t pread64(int fd, void *data, size_t size, off_t at) __attribute__((alias("pread")));

ssize_t readv(int fd, const struct iovec *part, int parts)
{
    NEXT(ssize_t, readv, int, const struct iovec *, int);
    bool chosen = file_fails(READ, fd);
    return chosen && !plan.half ? -1 : next(fd, part, chosen ? 1 : parts);
}

ssize_t preadv(int fd, const struct iovec *part, int parts, off_t at)
{
    NEXT(ssize_t, preadv, int, const struct iovec *, int, off_t);
    bool chosen = file_fails(READ, fd);
    if (chosen && plan.half && part[0].iov_len > 1) {
        struct iovec less = {part[0].iov_base, LESS(part[0].iov_len)};
        return next(fd, &less, 1, at);
    }
    return chosen && !plan.half ? -1 : next(fd, part, parts, at);
}

ssize_t preadv64(int fd, const struct iovec *part, int parts, off_t at) __attribute__((alias("preadv")));

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(ssize_t, write, int, const void *, size_t);
    bool chosen = file_fails(WRITE, fd);
    return chosen && !plan.half ? -1 : next(fd, data, chosen ? LESS(size) : size);
}

ssize_t writev(int fd, const struct iovec *part, int parts)
{
    NEXT(ssize_t, writev, int, const struct iovec *, int);
    bool chosen = file_fails(WRITE, fd);
    return chosen && !plan.half ? -1 : next(fd, part, chosen ? 1 : parts);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    bool chosen = file_fails(WRITE, fd);
    return chosen && !plan.half ? -1 : next(fd, data, chosen ? LESS(size) : size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) __attribute__((alias("pwrite")));

int vdprintf(int fd, const char *format, va_list args)
{
    NEXT(int, vdprintf, int, const char *, va_list);
    return file_fails(WRITE, fd) && !plan.half ? -1 : next(fd, format, args);
}

int dprintf(int fd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int printed = vdprintf(fd, format, args);
    va_end(args);
    return printed;
}

int fsync(int fd)
{
    NEXT(int, fsync, int);
    return file_fails(FSYNC, fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(int, fdatasync, int);
    return file_fails(FSYNC, fd) ? -1 : next(fd);
}

int rename(const char *from, const char *to)
{
    NEXT(int, rename, const char *, const char *);
    return path_fails(RENAME, to) ? -1 : next(from, to);
}

int link(const char *from, const char *to)
{
    NEXT(int, link, const char *, const char *);
    return path_fails(LINK, to) ? -1 : next(from, to);
}

int ftruncate(int fd, off_t size)
{
    NEXT(int, ftruncate, int, off_t);
    return file_fails(FTRUNCATE, fd) ? -1 : next(fd, size);
}

int ftruncate64(int fd, off_t size) __attribute__((alias("ftruncate")));

int fallocate(int fd, int mode, off_t at, off_t size)
{
    NEXT(int, fallocate, int, int, off_t, off_t);
    return file_fails(FALLOCATE, fd) ? -1 : next(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off_t at, off_t size) __attribute__((alias("fallocate")));

void *mmap(void *place, size_t size, int protection, int flags, int fd, off_t at)
{
    if (fd >= 0 && file_fails(MMAP, fd))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, place, size, protection, flags, fd, at);
}

void *mmap64(void *place, size_t size, int protection, int flags, int fd, off_t at) __attribute__((alias("mmap")));

int close(int fd)
{
    NEXT(int, close, int);
    bool chosen = file_fails(CLOSE, fd);
    int error = errno, closed = next(fd);
    if (!chosen)
        return closed;
    errno = error;
    return -1;
}

/* Streams */

static ssize_t stream_read(void *cookie, char *data, size_t size)
{
    return read((int)(intptr_t)cookie, data, size);
}

/* 0 is the failure, by the rules of cookies. */
static ssize_t stream_write(void *cookie, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write((int)(intptr_t)cookie, data + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return 0;
        done += (size_t)put;
    }
    return (ssize_t)size;
}

static int stream_close(void *cookie)
{
    return close((int)(intptr_t)cookie);
}

/* Modes r and w of regular files below the directory; everything else is left to the C library. */
FILE *fopen(const char *path, const char *mode)
{
    NEXT(FILE *, fopen, const char *, const char *);
    bool ours = plan.here && (plan.kind[OPEN] || plan.kind[READ] || plan.kind[WRITE] || plan.kind[CLOSE]) &&
                below_directory(path) && (mode[0] == 'r' || mode[0] == 'w') && !strchr(mode, '+');
    if (!ours)
        return next(path, mode);
    int fd = open(path, mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return NULL;
    const cookie_io_functions_t with = {.read = stream_read, .write = stream_write, .close = stream_close};
    return fopencookie((void *)(intptr_t)fd, mode, with);
}

FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));
