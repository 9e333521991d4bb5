#!/usr/bin/env bash
# bench.sh [--small] [--large] [--part PART,..] [--rounds N] [--beside FILE.json].. [--json FILE]
# Builds blendmf and its benchmarks, runs them, prints tables; --help has the meaning of the options. Installs the packages
# it lacks. Build tree: build/release. A full run takes some minutes and wants the machine for itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/lib.sh"

if [[ ${1-} != -h && ${1-} != --help ]]; then
    "$here/install-packages.sh" --tests
    (
        cd "$repository" # presets are found in the current directory
        run cmake --preset release --log-level=WARNING -DBUILD_TESTING=ON
        run cmake --build build/release -j "$(build_jobs)"
    ) >&2
    exec /usr/bin/python3 -B "$here/bench.py" "$repository/build/release" "$@"
fi
exec /usr/bin/python3 -B "$here/bench.py" --help
