"""What the tests of checkpoints share: runs that save them, and what is in the files."""
import os
import shutil
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np

from command import ALONE, CommandTest, Result, command_line, run

TIMES = {"seconds", "updates_per_second", "merge_share"}  # and those that begin with phase; of /history


def contents(path):
    """All arrays and attributes of a model or checkpoint as bytes, by name, but for how long epochs took."""
    found = {}

    def take(name, node):
        for key, value in node.attrs.items():
            found[f"{name}@{key}"] = np.asarray(value).tobytes()
        if isinstance(node, h5py.Dataset) and not is_time(name):
            value = node[()]
            found[name] = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()

    with h5py.File(path) as file:
        take("", file)
        file.visititems(take)
    return found


def is_time(name):
    group, _, leaf = name.rpartition("/")
    return group == "history" and (leaf in TIMES or leaf.startswith("phase") or leaf.endswith("seconds"))


def differences(first, second):
    """The names of what is not the same in two files."""
    a, b = contents(first), contents(second)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def not_finite(path):
    """Arrays with a NaN or infinity in them. Losses are left out: an epoch without validation has none."""
    bad = []

    def look(name, node):
        if isinstance(node, h5py.Dataset) and node.dtype.kind == "f" and not np.isfinite(node[()]).all():
            bad.append(name)

    with h5py.File(path) as file:
        file.visititems(look)
    return bad


def epoch_of(path):
    """How many epochs a checkpoint has behind it."""
    with h5py.File(path) as file:
        return int(file["state"].attrs["epoch"])


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds):
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


class Process:
    """blendmf on its own or under mpirun, while it runs. Its output goes to files, so that nobody has to read along."""

    def __init__(self, folder, args, ranks=None):
        self.args = command_line(args, ranks)[4:]  # without `timeout` in front: signals are for the program
        self.ranks = ranks
        self.text = [folder / "stdout.txt", folder / "stderr.txt"]
        with open(self.text[0], "wb") as out, open(self.text[1], "wb") as err:
            self.popen = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def lines(self):
        return self.text[0].read_text().splitlines()

    def wait_for_epochs(self, count, seconds=20):
        return wait_until(lambda: self.popen.poll() is not None or len(self.lines()) >= count, seconds)

    def rank_pids(self):
        return children(self.popen.pid) if self.ranks else [self.popen.pid]

    def finish(self, seconds=30):
        code = self.popen.wait(timeout=seconds)
        return Result(self.args, code, self.text[0].read_text(), self.text[1].read_text(errors="replace"))

    def end(self):
        for pid in {*self.rank_pids(), self.popen.pid}:
            if self.popen.poll() is None and is_alive(pid):
                os.kill(pid, 9)
        self.popen.wait()


class CheckpointTest(CommandTest):
    """Checkpoints in self.checkpoint, and self.previous; what MPI leaves when it is killed goes to the test's directory."""

    def setUp(self):
        super().setUp()
        self.checkpoint = self.dir / "ck.h5"
        self.previous = self.dir / "ck.h5.previous"
        self.scratch = self.dir / "mpi"
        self.scratch.mkdir()
        settings = {
            "TMPDIR": str(self.scratch),
            "OMPI_MCA_btl_vader_backing_directory": str(self.scratch),
            **ALONE,
        }
        self.addCleanup(self.restore, {name: os.environ.get(name) for name in settings})
        os.environ.update(settings)

    def restore(self, before):
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value

    def start(self, *args, ranks=None):
        process = Process(self.dir, args, ranks)
        self.addCleanup(process.end)
        return process

    def copy(self, source, target):
        shutil.copyfile(source, target)
        return target

    def readable(self, path, data):
        """The file passes `info`, and `evaluate` reads its parameters whole."""
        for args in (["info", path, "-q"], ["evaluate", path, data, "--threads", "1", "-q"]):
            result = run(*args)
            self.assertEqual(result.code, 0, result)
