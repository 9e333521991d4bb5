/* CMocka as the tests use it, with assertions on doubles, which it lacks. */
#ifndef TESTS_ASSERT_CLOSE_H
#define TESTS_ASSERT_CLOSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

static inline void close_or_fail(double got, double wanted, double tolerance, const char *file, int line)
{
    if (!(fabs(got - wanted) <= tolerance) && !(isnan(got) && isnan(wanted))) {
        print_error("%s:%d: got %.17g, wanted %.17g within %g\n", file, line, got, wanted, tolerance);
        _fail(file, line);
    }
}

/* |got − wanted| ≤ tolerance; NaN is close to NaN only. */
#define assert_close(got, wanted, tolerance) close_or_fail((got), (wanted), (tolerance), __FILE__, __LINE__)

/* The call returned BMF_OK; prints the report if it did not. `err` is the bmf_error it was given. */
#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        int got_status = (call);                                                                                       \
        if (got_status != 0) {                                                                                         \
            print_error("%s:%d: status %d: %s\n", __FILE__, __LINE__, got_status, (err).text);                         \
            _fail(__FILE__, __LINE__);                                                                                 \
        }                                                                                                              \
    } while (0)

/* Directory of the reference data (BLENDMF_REFERENCE_DATA: data/ and golden/ below it), or skips the test aloud. */
#define reference_data_or_skip()                                                                                       \
    __extension__({                                                                                                    \
        const char *reference_directory = getenv("BLENDMF_REFERENCE_DATA");                                            \
        if (!reference_directory) {                                                                                    \
            print_message("skipped: BLENDMF_REFERENCE_DATA is not set (data/ and golden/ below it)\n");                \
            skip();                                                                                                    \
        }                                                                                                              \
        reference_directory;                                                                                           \
    })

#endif
