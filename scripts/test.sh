#!/usr/bin/env bash
# test.sh
# Builds blendmf and runs every test: on the optimised build, under AddressSanitizer and UndefinedBehaviorSanitizer (with fewer
# faults and mutations), and those of threads under ThreadSanitizer. Installs the packages it lacks. Build trees:
# build/release, build/asan and build/tsan.
# BLENDMF_REFERENCE_DATA names a directory with data/ and golden/; tests that need it are skipped without.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/lib.sh"
[[ $# -eq 0 ]] || fail "takes no arguments (to run some tests only: ctest --test-dir build/release -R PATTERN)"

"$here/install-packages.sh" --tests
cd "$repository" # presets are found in the current directory

summary=()
failed=0

# build_tree PRESET ARGUMENTS..
build_tree() {
    run cmake --preset "$1" --log-level=WARNING "${@:2}"
    run cmake --build --preset "$1" -j "$(build_jobs)"
}

# test_tree NAME COMMAND..: a failure is noted, and the rest still runs.
test_tree() {
    if run "${@:2}"; then
        summary+=("passed  $1")
    else
        summary+=("FAILED  $1")
        failed=1
    fi
}

say "Building the optimised program and the tests, warnings being errors"
build_tree release -DBMF_WERROR=ON -DBUILD_TESTING=ON
say "Building the sanitizer trees"
build_tree asan -DBUILD_TESTING=ON
build_tree tsan -DBUILD_TESTING=ON

say "Tests under AddressSanitizer and UndefinedBehaviorSanitizer"
test_tree "all tests, address and undefined sanitizers (build/asan)" ctest --preset asan --no-tests=error -j2
say "Tests of threads under ThreadSanitizer"
test_tree "tests of threads, thread sanitizer (build/tsan)" ctest --preset tsan --no-tests=error -j2
say "All tests on the optimised build"
test_tree "all tests, optimised build (build/release)" ctest --preset release --no-tests=error -j2

say "Summary"
printf '%s\n' "${summary[@]}"
if [[ -z ${BLENDMF_REFERENCE_DATA-} ]]; then
    printf 'BLENDMF_REFERENCE_DATA is not set: the tests on reference data were skipped\n'
fi
if ! command -v slurmctld >/dev/null && [[ ! -x /usr/sbin/slurmctld ]]; then
    printf 'There is no Slurm here (Debian: slurmctld slurmd slurm-client munge): the batch scripts of slurm/ were NOT tested\n'
fi
exit "$failed"
