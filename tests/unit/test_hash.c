#include "base/hash.h"

#include <sys/wait.h>
#include <unistd.h>

#include "support/assert_close.h"

typedef struct hashes {
    uint64_t text, number;
} hashes;

static hashes take(void)
{
    return (hashes){bmf_hash_text("4993", 4), bmf_hash_number(4993)};
}

/* What a process without a seed yet finds. */
static hashes of_child(void)
{
    int channel[2], status = 0;
    hashes found = {0, 0};
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        hashes own = take();
        _exit(write(channel[1], &own, sizeof own) == sizeof own ? 0 : 1);
    }
    close(channel[1]);
    assert_int_equal(read(channel[0], &found, sizeof found), sizeof found);
    close(channel[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return found;
}

/* First of the tests: this process must not have a seed, which its children would share. */
static void processes_have_their_own_seeds(void **state)
{
    (void)state;
    hashes a = of_child(), b = of_child();
    assert_true(a.text != b.text);
    assert_true(a.number != b.number);
}

static void one_process_keeps_its_seed(void **state)
{
    (void)state;
    hashes a = take(), b = take();
    assert_true(a.text == b.text && a.number == b.number);
    assert_true(bmf_hash_text("4993", 3) != a.text);
    assert_true(bmf_hash_number(4994) != a.number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_have_their_own_seeds),
        cmocka_unit_test(one_process_keeps_its_seed),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL) ? 1 : 0;
}
