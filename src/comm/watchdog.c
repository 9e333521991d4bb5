#include "comm/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define OTHERS_SECONDS 2 /* for the rank that has the message to print it, before the launcher ends all */

struct bmf_watchdog {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct timespec end; /* of CLOCK_MONOTONIC */
    bool stopped;
    char *temporary;
    char text[BMF_ERROR_TEXT];
};

static struct timespec in_seconds(double seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    double whole = (double)(time_t)seconds;
    at.tv_sec += (time_t)whole;
    at.tv_nsec += (long)((seconds - whole) * 1e9);
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

static void __attribute__((noreturn)) end_process(const bmf_watchdog *dog)
{
    if (unlink(dog->temporary) == 0)
        bmf_log_error("%s", dog->text);
    else if (errno == ENOENT)
        sleep(OTHERS_SECONDS);
    else
        bmf_log_error("%s (%s stays: %s)", dog->text, dog->temporary, strerror(errno));
    _exit(BMF_ERR_IO);
}

static void *watch(void *context)
{
    bmf_watchdog *dog = context;
    pthread_mutex_lock(&dog->mutex);
    while (!dog->stopped) {
        struct timespec end = dog->end;
        if (pthread_cond_timedwait(&dog->changed, &dog->mutex, &end) == ETIMEDOUT && !dog->stopped &&
            !is_before(end, dog->end))
            end_process(dog);
    }
    pthread_mutex_unlock(&dog->mutex);
    return NULL;
}

static void release(bmf_watchdog *dog)
{
    pthread_cond_destroy(&dog->changed);
    pthread_mutex_destroy(&dog->mutex);
    bmf_free(dog->temporary);
    bmf_free(dog);
}

int bmf_watchdog_start(const char *temporary, double seconds, const char *text, bmf_watchdog **out, bmf_error *err)
{
    *out = NULL;
    bmf_watchdog *dog = bmf_alloc_zero(1, sizeof *dog, "watchdog", err);
    if (!dog)
        return BMF_ERR_MEMORY;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dog->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&dog->mutex, NULL);
    dog->end = in_seconds(seconds);
    snprintf(dog->text, sizeof dog->text, "%s", text);
    dog->temporary = bmf_copy_string(temporary, "path", err);
    int status = dog->temporary ? BMF_OK : BMF_ERR_MEMORY;
    int failed = status == BMF_OK ? pthread_create(&dog->thread, NULL, watch, dog) : 0;
    if (failed)
        status = bmf_fail(err, BMF_ERR_MEMORY, "cannot start a thread: %s", strerror(failed));
    if (status == BMF_OK)
        *out = dog;
    else
        release(dog);
    return status;
}

void bmf_watchdog_hurry(bmf_watchdog *dog, double seconds, const char *text)
{
    struct timespec end = in_seconds(seconds);
    pthread_mutex_lock(&dog->mutex);
    if (is_before(end, dog->end))
        dog->end = end;
    snprintf(dog->text, sizeof dog->text, "%s", text);
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->mutex);
}

void bmf_watchdog_stop(bmf_watchdog **at)
{
    bmf_watchdog *dog = *at;
    if (!dog)
        return;
    pthread_mutex_lock(&dog->mutex);
    dog->stopped = true;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->mutex);
    pthread_join(dog->thread, NULL);
    release(dog);
    *at = NULL;
}
