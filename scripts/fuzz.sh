#!/usr/bin/env bash
# fuzz.sh [SECONDS]
# Feeds mutated inputs to every reader, SECONDS each (60 unless told), from a seed that changes from run to run and is
# printed. Inputs that fail are kept in build/release/tests/fuzz/findings; a program given such a file replays it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/lib.sh"
seconds=${1-60}
[[ $# -le 1 && $seconds =~ ^[1-9][0-9]*$ ]] || fail "usage: fuzz.sh [SECONDS]"

"$here/install-packages.sh" --tests
cd "$repository"
tree=build/release
run cmake --preset release --log-level=WARNING -DBUILD_TESTING=ON
run cmake --build "$tree" -j "$(build_jobs)"
seed=${BLENDMF_FUZZ_SEED-$(date +%s)}
failed=0
for corpus in tests/fuzz/corpus/*/; do
    target=$(basename "$corpus")
    run "$tree/tests/fuzz/fuzz_$target" --runs 1000000000 --seconds "$seconds" --seed "$seed" \
        --keep "$tree/tests/fuzz/findings" "$corpus" || failed=1
done
exit "$failed"
