# shellcheck shell=bash
# Functions that the batch scripts beside this one share. To be sourced by them.
# They read BLENDMF, LAUNCHER, PMIX and BIND, which stand at the top of each script.

note() {
    printf '[%s] %s\n' "$(date '+%F %T')" "$*"
}

fail() {
    note "${SLURM_JOB_NAME-job}: $*" >&2
    exit 2
}

# Variables that more than one function uses; Slurm sets SLURM_CPUS_PER_TASK only where --cpus-per-task was given.
prepare() {
    ranks=${SLURM_NTASKS:-1}
    threads=${SLURM_CPUS_PER_TASK:-1}
    export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1 # the program's own threads call BLAS
    command -v "$BLENDMF" >/dev/null || fail "there is no program '$BLENDMF'; put it on PATH or set BLENDMF to its path"
    case $BIND in
        cores | none) ;;
        *) fail "BIND is '$BIND'; cores and none are allowed" ;;
    esac
    case $LAUNCHER in
        srun | mpirun) ;;
        *) fail "LAUNCHER is '$LAUNCHER'; srun and mpirun are allowed" ;;
    esac
    command -v "$LAUNCHER" >/dev/null || fail "there is no '$LAUNCHER' on PATH; load the module that has it"
}

# need FILE..: files that must be readable.
need() {
    local file
    for file in "$@"; do
        [[ -r $file ]] || fail "cannot read '$file' (from $PWD)"
    done
}

# head_of_log NAME=FILE..: what ran where, once for each start of the job.
head_of_log() {
    note "$("$BLENDMF" --version), job ${SLURM_JOB_ID-?} ${SLURM_JOB_NAME-}, restart ${SLURM_RESTART_COUNT:-0}"
    note "nodes: ${SLURM_JOB_NUM_NODES:-1} (${SLURM_JOB_NODELIST-}), ranks x threads: $ranks x $threads, by $LAUNCHER, bound to: $BIND"
    note "in $PWD: $*"
}

# Sets the array `launch` to the launcher and its options; the program and its arguments follow it.
# shellcheck disable=SC2034 # for the scripts that source this
choose_launcher() {
    if [[ $LAUNCHER == srun ]]; then
        # A step does not take --cpus-per-task from the job since Slurm 22.05. The first rank to end must not have the others
        # killed, for all of them end with 7 when they were stopped; a minute later it may.
        launch=(srun "--mpi=$PMIX" "--ntasks=$ranks" "--cpus-per-task=$threads" "--cpu-bind=$BIND" --kill-on-bad-exit=0 --wait=60)
    elif [[ $BIND == cores ]]; then
        launch=(mpirun -n "$ranks" --map-by "slot:PE=$threads" --bind-to core)
    else
        launch=(mpirun -n "$ranks" --map-by slot --bind-to none)
    fi
}

# run_interruptible COMMAND..: runs it such that signals to this shell are acted upon at once. Sets `code`, its exit code, and
# `told`: USR1 or TERM if that came, else empty. USR1 is passed on to the launcher, and by it to all ranks; once, for a second
# one would end them. TERM is not: Slurm sends it to every process of the job itself. A USR1 that comes later is only noted in
# `told`, where it would otherwise end this shell.
# shellcheck disable=SC2034 # for the scripts that source this
run_interruptible() {
    local pid seen=-1 first
    told='' signals=0 launched=$SECONDS
    "$@" &
    pid=$!
    trap 'signals=$((signals + 1)); pass_on_usr1 '"$pid" USR1
    trap 'signals=$((signals + 1)); told=TERM; note "TERM: the job is being ended"' TERM
    code=127
    while ((seen != signals)); do # a trap cuts `wait` short
        seen=$signals
        wait "$pid"
        first=$?
        ((first == 127)) || code=$first # 127: an earlier `wait` had its code already
    done
    trap 'told=${told:-USR1}' USR1
    trap - TERM
}

# pass_on_usr1 PID: not in the first seconds, in which launcher and ranks do not listen yet and would die of it.
pass_on_usr1() {
    local early=$((launched + ${SETTLE_SECONDS:-8} - SECONDS))
    [[ -z $told ]] || return 0
    told=USR1
    note "USR1: asking the ranks to save and stop"
    ((early <= 0)) || sleep "$early"
    kill -USR1 "$1" 2>/dev/null || true
}
