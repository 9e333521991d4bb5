"""A Slurm of our own on this machine: a controller and nodes with a host name and shared memory each, and munge for it.

    if reason := cluster.why_not(): ...
    cluster.enclose()                  # from here on in namespaces of our own; see there
    with cluster.Cluster(folder) as slurm:
        job = slurm.submit("x.sbatch", DATA="data.h5")
        slurm.wait(job, 60)

Needs root and Debian's slurmctld, slurmd, slurm-client, slurm-wlm-basic-plugins and munge. Daemons of this machine's own Slurm
are not touched: ours have their own network, where any port is free, and keys, sockets and state in `folder`.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CPUS = 8  # that a node says it has
DAEMONS = ("munged", "slurmctld", "slurmd")
TOOLS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun", "munge", "unshare", "setpriv", "ip", "mount")
PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
INSIDE = "BLENDMF_SLURM_FOLDER"
NAMESPACES = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY"}
NODE = 'hostname "$0" && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec slurmd -D -N "$0" -f "$1"'

SLURM_CONF = """
ClusterName=blendmf
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26000
SrunPortRange=26100-26999
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire={requeue}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
# each node its own, or the PMIx plug-in of the second finds the first one's directory
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_interval=2
SwitchType=switch/none
ReturnToService=2
KillWait=10
MinJobAge=3600
SlurmdTimeout=300
JobRequeue=1
NodeName=node[1-{nodes}] NodeAddr=127.0.0.1 Port=[27001-{last_port}] CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why there can be no such cluster here; None if there can."""
    missing = [tool for tool in DAEMONS + TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"{', '.join(missing)} not found (Debian's slurmctld, slurmd, slurm-client, munge, iproute2)"
    if os.geteuid() != 0:
        return "namespaces need root"
    tried = subprocess.run(NAMESPACES + ["true"], capture_output=True, text=True)
    return f"unshare: {tried.stderr.strip()}" if tried.returncode != 0 else None


def enclose():
    """Runs this program anew in namespaces of its own, with the directory it returns in memory; the outer program ends here.

    However it ends, the kernel then ends every process inside, and mounts and sockets are gone with them."""
    folder = os.environ.get(INSIDE)
    if folder:
        # names are resolved to IPv4 only where there is such an address beside 127.0.0.1
        for line in (["link", "set", "lo", "up"], ["address", "add", "10.213.8.1/32", "dev", "lo"]):
            subprocess.run(["ip", *line], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", folder], check=True)
        return Path(folder)
    folder = tempfile.mkdtemp(prefix="blendmf-slurm-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    line = ["setpriv", "--pdeathsig", "KILL", *NAMESPACES, sys.executable, "-B", *sys.argv]  # dies with us
    inner = subprocess.Popen(line, env={**os.environ, INSIDE: folder, "PATH": PATH})
    try:
        sys.exit(inner.wait())
    finally:
        inner.kill()
        inner.wait()
        os.rmdir(folder)


def wait_until(condition, seconds):
    """Its first true value, or the last false one when the time is over."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return value


class Cluster:
    """requeue: seconds that a job put back into the queue waits there."""

    def __init__(self, folder, nodes=2, requeue=5):
        self.folder, self.count, self.requeue = folder, nodes, requeue
        self.config = folder / "slurm.conf"
        self.daemons = {}

    def __enter__(self):
        for name in ("log", "state", "keys", "spool", "tmp"):
            (self.folder / name).mkdir()
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SLURM", "PMIX", "SBATCH", "SALLOC"))}
        self.environment["SLURM_CONF"] = str(self.config)
        self.config.write_text(SLURM_CONF.format(host=socket.gethostname().split(".")[0], folder=self.folder, nodes=self.count,
                                                 last_port=27000 + self.count, cpus=CPUS, requeue=self.requeue))
        (self.folder / "cgroup.conf").write_text("ConstrainCores=no\n")
        self.start_munge()
        self.start("slurmctld", "slurmctld", "-D", "-c", "-f", self.config)
        for node in self.nodes():
            self.start_node(node)
        if not wait_until(lambda: self.idle() == self.count, 60):
            raise RuntimeError("the nodes did not come up:\n" + self.logs())
        return self

    def __exit__(self, *_):
        for daemon in self.daemons.values():
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def nodes(self):
        return [f"node{i}" for i in range(1, self.count + 1)]

    def start(self, name, *line):
        with open(self.folder / "log" / f"{name}.txt", "ab") as log:
            self.daemons[name] = subprocess.Popen(list(map(str, line)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  env=self.environment, start_new_session=True)

    def start_munge(self):
        keys, where = self.folder / "keys", self.folder / "munge.sock"
        keys.chmod(0o700)
        with open(os.open(keys / "key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(128))
        self.start("munged", "munged", "--foreground", f"--key-file={keys}/key", f"--socket={where}",
                   f"--pid-file={self.folder}/munged.pid", f"--seed-file={keys}/seed", "--force")
        if not wait_until(where.exists, 20):
            raise RuntimeError("munged did not come up:\n" + self.logs())

    def start_node(self, node):
        for name in ("spool", "tmp"):
            (self.folder / name / node).mkdir(exist_ok=True)
        self.start(node, "unshare", "--mount", "--ipc", "--uts", "sh", "-c", NODE, node, self.config)

    def kill_node(self, node):
        """Its slurmd alone; what it has started goes on."""
        self.daemons[node].kill()
        self.daemons[node].wait()

    def logs(self):
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
                         for path in sorted((self.folder / "log").iterdir()))

    def call(self, *line, check=True, **more):
        done = subprocess.run([str(word) for word in line], env=self.environment, capture_output=True, text=True, timeout=60,
                              **more)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, line))}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def idle(self):
        return self.call("sinfo", "-h", "-N", "-o", "%T", check=False).split().count("idle")

    def submit(self, script, *options, cwd, **variables):
        """The id of the job; variables go to its environment."""
        pairs = ",".join(["ALL", *(f"{name}={value}" for name, value in variables.items())])
        return self.call("sbatch", "--parsable", f"--export={pairs}", *options, script, cwd=cwd).strip()

    def show(self, job):
        """What scontrol tells of a job, the last task of an array."""
        text = self.call("scontrol", "show", "job", "-o", job).strip().splitlines()[-1]
        return dict(re.findall(r"(\S+?)=(\S*)", text))

    def state(self, job):
        return self.show(job)["JobState"]

    def restarts(self, job):
        return int(self.show(job)["Restarts"])

    def wait(self, job, seconds):
        """(state, exit code) once every task of the job has ended; the last ones when the time is over."""
        def states():
            text = self.call("scontrol", "show", "job", "-o", job)
            return re.findall(r"JobState=(\w+)", text), re.findall(r" ExitCode=(\d+):", text)
        wait_until(lambda: set(states()[0]) <= ENDED, seconds)
        found, codes = states()
        return (sorted(set(found)), sorted(set(map(int, codes))))
