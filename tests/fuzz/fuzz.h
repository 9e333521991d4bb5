/* What a fuzz target is, and what targets share. A target is a program that reads one input as untrusted bytes. The same
 * sources make two programs: with libFuzzer (clang, BMF_FUZZ=ON), or with driver.c, which replays files and mutates them
 * and needs no special compiler. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Reads one input in every way there is; ends the process by abort() if a promise is broken. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes `size` bytes of data in place, which has room for `room`, as a function of the seed; returns the new size. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed);

/* The path of a file in memory that holds these bytes, until the next call with the same slot. */
#define FUZZ_SLOTS 3
const char *fuzz_file(int slot, const void *data, size_t size);

/* A promise: aborts with `promise` and the error's text if it does not hold. err may be NULL. */
void fuzz_require(bool holds, const char *promise, const bmf_error *err);

/* The answer to a whole file, when there is one: with FUZZ_WHOLE in the environment inputs must be read. Else nothing shows that
 * the readers come further than to the first thing they refuse. */
void fuzz_require_seed(int status, const bmf_error *err);

/* What a reader may answer: BMF_OK without a report, or bad input or a failed read with a sentence that is fit to print.
 * An input is small, so that running out of memory means that its numbers were believed. Clears err. */
void fuzz_require_answer(int status, bmf_error *err);

#endif
