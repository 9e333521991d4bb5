"""Several hosts on one machine: network namespaces joined by a switch, each with a name and shared memory of its own.

    with hosts.Network(4, rate="1gbit", delay=100, cable="build/tests/hosts/cable") as network:
        network.mpirun(1, ["blendmf", "train", ...])

Programs started in it see as many hosts: Open MPI uses shared memory within one and TCP between them. Links are shaped by
the kernel's token buckets; delay needs the program tests/hosts/cable. Needs root and iproute2; nothing outside of the
namespaces changes, and all of it is gone with the object.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

NETWORK = "10.213.7"  # of the hosts, which nothing outside sees
DEVICE = "eth0"
BURST = "128kb"  # of a token bucket: twice the longest frame that the kernel hands on
ENTER = 'hostname "$0" && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec "$@"'


def why_not():
    """Why there can be no such hosts here; None if there can."""
    for tool in ("ip", "tc", "unshare", "mpirun"):
        if shutil.which(tool) is None:
            return f"there is no '{tool}' (Debian's iproute2, util-linux, openmpi-bin)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Network(1, rate="1gbit") as network:
            call(*network.inside(0, ["true"]))
    except OSError as error:
        return str(error)
    return None


def call(*line):
    """A command that must succeed."""
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, line))}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """rate: of each link both ways, as tc has it ("1gbit"); delay: one way between two hosts, in µs, by `cable`."""

    def __init__(self, count, rate=None, delay=0, cable=None):
        self.count, self.rate, self.delay, self.cable = count, rate, delay, cable
        self.prefix = f"bmf{os.getpid()}"
        self.switch = f"{self.prefix}s"
        self.cables = []
        self.keeper = tempfile.TemporaryDirectory(prefix="blendmf-hosts-")
        self.agent = os.path.join(self.keeper.name, "agent")

    def host(self, i):
        """The namespace of host i, from 0."""
        return f"{self.prefix}h{i}"

    def address(self, i):
        return f"{NETWORK}.{i + 1}"

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *what):
        self.close()

    def build(self):
        call("ip", "netns", "add", self.switch)
        call("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        call("ip", "-n", self.switch, "link", "set", "br0", "up")
        for i in range(self.count):
            self.add_host(i)
        self.write_agent()

    def add_host(self, i):
        host, port = self.host(i), f"port{i}"
        call("ip", "netns", "add", host)
        call("ip", "-n", host, "link", "set", "lo", "up")
        if self.delay:
            self.add_cable(host, port)
        else:
            call("ip", "link", "add", DEVICE, "netns", host, "type", "veth", "peer", "name", port, "netns", self.switch)
        for space, device in ((host, DEVICE), (self.switch, port)):
            if self.rate:
                call("tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf", "rate", self.rate, "burst", BURST,
                     "latency", "50ms")
        call("ip", "-n", self.switch, "link", "set", port, "master", "br0", "up")
        call("ip", "-n", host, "addr", "add", f"{self.address(i)}/24", "dev", DEVICE)
        call("ip", "-n", host, "link", "set", DEVICE, "up")

    def add_cable(self, host, port):
        """Half of the delay lies on each host's way to the switch."""
        process = subprocess.Popen([self.cable, host, DEVICE, self.switch, port, str(self.delay // 2)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.cables.append(process)
        if process.stdout.readline() != "ready\n":
            raise OSError(f"{self.cable}: not ready")

    def write_agent(self):
        """What mpirun calls as it would call ssh: agent ADDRESS COMMAND."""
        with open(self.agent, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\ni=$((${{1##*.}} - 1)); shift\nexec ip netns exec {self.prefix}h$i unshare --uts --ipc --mount '
                       f"bash -c '{ENTER}' {self.prefix}h$i /bin/sh -c \"$*\"\n")
        os.chmod(self.agent, 0o755)

    def inside(self, i, command):
        """The command line that runs a command on host i."""
        return ["ip", "netns", "exec", self.host(i), "unshare", "--uts", "--ipc", "--mount", "bash", "-c", ENTER,
                self.host(i), *map(str, command)]

    def mpirun_command(self, ranks_per_host, command):
        """`mpirun` on host 0 with so many ranks on each."""
        places = ",".join(f"{self.address(i)}:{ranks_per_host}" for i in range(self.count))
        settings = {"plm": "rsh", "plm_rsh_agent": self.agent, "plm_rsh_no_tree_spawn": "1",
                    "oob_tcp_if_include": f"{NETWORK}.0/24", "btl_tcp_if_include": f"{NETWORK}.0/24",
                    "pml": "ob1", "btl": "self,vader,tcp", "btl_vader_single_copy_mechanism": "none",
                    "mpi_yield_when_idle": "1"}
        words = [word for name, value in settings.items() for word in ("--mca", name, value)]
        return self.inside(0, ["mpirun", "--host", places, "-np", self.count * ranks_per_host, "--map-by",
                               f"ppr:{ranks_per_host}:node", "--bind-to", "none", *words, *command])

    def environment(self):
        """For mpirun_command: what Open MPI leaves behind when it is killed goes with this object."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OMPI_MCA_")}
        return {**kept, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "TMPDIR": self.keeper.name}

    def mpirun(self, ranks_per_host, command, timeout=300):
        """Runs to the end; the CompletedProcess with text."""
        return subprocess.run(["timeout", "-k", "5", str(timeout), *self.mpirun_command(ranks_per_host, command)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environment())

    def sent_bytes(self, i):
        """All that host i has sent so far, with headers."""
        return int(call("ip", "netns", "exec", self.host(i), "cat", f"/sys/class/net/{DEVICE}/statistics/tx_bytes"))

    def unplug(self, i):
        """Nothing goes to or comes from host i any more."""
        call("ip", "-n", self.switch, "link", "set", f"port{i}", "down")

    def close(self):
        for i in range(self.count):
            self.remove(self.host(i))
        self.remove(self.switch)
        for process in self.cables:
            process.kill()
            process.wait()
            process.stdout.close()
        self.cables = []
        shutil.rmtree(self.keeper.name, ignore_errors=True)  # of processes that are still dying
        self.keeper.cleanup()

    def remove(self, space):
        """The namespace with all that runs in it."""
        found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True)
        for pid in found.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.run(["ip", "netns", "del", space], capture_output=True)


if __name__ == "__main__":
    sys.exit(f"hosts.py: {why_not() or 'can be used'}: {__doc__.splitlines()[0]}")
