/* The watchdog in processes of their own, which it ends. */
#include "comm/watchdog.h"

#include "support/assert_close.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/blendmf_watchdog_XXXXXX";
static char temporary[64], message[64];

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(temporary, sizeof temporary, "%s/m.h5.part-1", directory);
    snprintf(message, sizeof message, "%s/stderr", directory);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    unlink(message);
    unlink(temporary);
    return rmdir(directory);
}

static void make_temporary(void)
{
    int fd = open(temporary, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* Runs `child` in a process of its own, its stderr in the file `message`; the exit code. */
static int end_of(void (*child)(void))
{
    pid_t id = fork();
    assert_true(id >= 0);
    if (id == 0) {
        if (!freopen(message, "w", stderr))
            _exit(99);
        alarm(60);
        child();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(id, &status, 0), id);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const char *printed(void)
{
    static char text[256];
    FILE *file = fopen(message, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static bmf_watchdog *start(double seconds)
{
    bmf_watchdog *dog = NULL;
    if (bmf_watchdog_start(temporary, seconds, "m.h5: it hangs", &dog, NULL) != BMF_OK)
        _exit(98);
    return dog;
}

static void hang(void)
{
    (void)start(0.05);
    for (;;)
        pause();
}

static void hang_after_a_failure(void)
{
    bmf_watchdog_hurry(start(1000), 0.05, "m.h5: cannot write");
    for (;;)
        pause();
}

static void fail_late(void)
{
    bmf_watchdog_hurry(start(0.3), 1000, "m.h5: cannot write");
    for (;;)
        pause();
}

static void stop_in_time(void)
{
    bmf_watchdog *dog = start(0.2);
    bmf_watchdog_stop(&dog);
    bmf_watchdog_stop(&dog);
    usleep(400000);
}

static void ends_what_hangs(void **state)
{
    (void)state;
    make_temporary();
    assert_int_equal(end_of(hang), BMF_ERR_IO);
    assert_string_equal(printed(), "blendmf: error: m.h5: it hangs\n");
    assert_int_not_equal(access(temporary, F_OK), 0);
}

static void only_who_removes_the_file_speaks(void **state)
{
    (void)state;
    unlink(temporary);
    assert_int_equal(end_of(hang), BMF_ERR_IO);
    assert_string_equal(printed(), "");
}

static void hurries_after_a_failure(void **state)
{
    (void)state;
    make_temporary();
    assert_int_equal(end_of(hang_after_a_failure), BMF_ERR_IO);
    assert_string_equal(printed(), "blendmf: error: m.h5: cannot write\n");
    make_temporary();
    assert_int_equal(end_of(fail_late), BMF_ERR_IO); /* no later than without the failure */
    assert_string_equal(printed(), "blendmf: error: m.h5: cannot write\n");
}

static void leaves_alone_what_ends_in_time(void **state)
{
    (void)state;
    make_temporary();
    assert_int_equal(end_of(stop_in_time), 0);
    assert_int_equal(access(temporary, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_what_hangs),
        cmocka_unit_test(only_who_removes_the_file_speaks),
        cmocka_unit_test(hurries_after_a_failure),
        cmocka_unit_test(leaves_alone_what_ends_in_time),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
