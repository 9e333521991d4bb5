# shellcheck shell=bash
# Functions that the scripts beside this one share. To be sourced, with `set -euo pipefail` on.

# shellcheck disable=SC2034 # for the scripts that source this
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# say TEXT: what happens next, in one line.
say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# run COMMAND ARGUMENTS..: shows the command as it could be typed, then runs it.
run() {
    printf '$ %s\n' "$(quoted "$@")"
    "$@"
}

quoted() {
    local word out=()
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_./:,=@%+-]+$ ]]; then
            out+=("$word")
        else
            out+=("'${word//\'/\'\\\'\'}'")
        fi
    done
    printf '%s' "${out[*]}"
}

# The number of compilers to run at once: one a core, at most three, as each may take half a gigabyte.
build_jobs() {
    local cores
    cores=$(nproc)
    printf '%s' "$((cores < 3 ? cores : 3))"
}

# mpi_environment PROCESSES: exports what mpirun needs for so many processes on this one machine. A variable that is set
# already keeps its value.
mpi_environment() {
    if [[ $(id -u) -eq 0 ]]; then # mpirun refuses root otherwise; containers are root
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    # Unbound, or every thread of a rank shares the core its rank is pinned to.
    export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy-none}"
    # Copies through shared memory need no ptrace permission, which containers lack.
    export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism-none}"
    # mpirun counts physical cores, of which there may be fewer than processors.
    export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe-1}"
    if [[ $1 -ge $(nproc) ]]; then # ranks that wait give way to those that work, and to mpirun
        export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle-1}"
    fi
}
