"""Running the blendmf program and its benchmarks, for the scripts beside this file that measure."""
import json
import os
import resource
import subprocess
import tempfile

MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,vader,tcp", "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMP_NUM_THREADS": "1",
}
LONGEST_RUN = 900  # seconds
OUT_OF_MEMORY, DIVERGED = 5, 6  # exit codes of blendmf


class Outcome:
    """How a command ended: its exit code, stderr, and the peak resident bytes of its largest process."""

    def __init__(self, code, stderr, peak_bytes):
        self.code, self.stderr, self.peak_bytes = code, stderr, peak_bytes


def run(command, memory=None):
    """Runs a command to its end, stdout thrown away. memory: most bytes of address space for each process."""
    limit = None
    if memory:
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(["timeout", "-k", "5", str(LONGEST_RUN), *map(str, command)], preexec_fn=limit,
                                   env={**os.environ, **MPI_ENVIRONMENT}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        text = stderr.read().decode(errors="replace")
    return Outcome(process.returncode, text, usage.ru_maxrss * 1024)


def check(command, memory=None):
    """As run, but a command that fails ends the script with what it said."""
    outcome = run(command, memory)
    if outcome.code != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {outcome.code}\n{outcome.stderr}")
    return outcome


def train_command(program, data, model, ranks, threads, options):
    """`blendmf train`, under mpirun if there are several ranks."""
    launcher = [os.environ.get("MPIEXEC", "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    return [*launcher, program, "train", data, "-o", model, "--threads", str(threads), *map(str, options)]


def epochs_of(log):
    """The records that `train --log-json` wrote, in order."""
    with open(log, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def json_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
