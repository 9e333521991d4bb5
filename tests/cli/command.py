"""Runs the blendmf command for the tests in this folder.

BLENDMF is the path of the program and MPIEXEC that of mpirun; ctest sets both and the environment that mpirun needs.
"""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

BLENDMF = os.environ.get("BLENDMF", "blendmf")
MPIEXEC = os.environ.get("MPIEXEC", "mpirun")
# MPI without a daemon of its own for one process, which is a third of the time; needs a TMPDIR for each process at a time
ALONE = {"OMPI_MCA_ess_singleton_isolated": "1"}
FEWER = "BLENDMF_FEWER" in os.environ  # under sanitizers: fewer of what is much the same
LONGEST_RUN = 50  # seconds; no run here takes more than a few, sanitized ones included

OK, USAGE, INPUT, IO, MEMORY, DIVERGED, STOPPED = 0, 2, 3, 4, 5, 6, 7


class Result:
    def __init__(self, args, code, stdout, stderr):
        self.args, self.code, self.stdout, self.stderr = args, code, stdout, stderr

    def __str__(self):
        return f"{' '.join(self.args)}\nexit code {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def messages(self):
        """The lines of stderr that are ours: mpirun adds a box of its own when a rank fails."""
        return [line for line in self.stderr.splitlines() if line.startswith("blendmf")]

    def errors(self):
        """What ended the command: 'blendmf COMMAND: ...'. Progress and warnings start with 'blendmf: '."""
        return [line for line in self.messages() if not line.startswith("blendmf: ")]


def command_line(args, ranks=None):
    """ranks None: without mpirun."""
    line = ["timeout", "-k", "5", str(LONGEST_RUN)]
    if ranks is not None:
        line += [MPIEXEC, "-n", str(ranks)]
    return line + [BLENDMF] + [str(arg) for arg in args]


def run(*args, ranks=None, stdout=subprocess.PIPE, **more):
    line = command_line(args, ranks)
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, **more)
    text = (done.stdout or b"").decode()
    return Result(line, done.returncode, text, done.stderr.decode(errors="replace"))


class CommandTest(unittest.TestCase):
    """A test with a directory of its own, self.dir, and assertions that show the whole run when they fail."""

    def setUp(self):
        keeper = tempfile.TemporaryDirectory(prefix="blendmf-test-")
        self.addCleanup(keeper.cleanup)
        self.dir = Path(keeper.name)

    def succeed(self, *args, **more):
        result = run(*args, **more)
        self.assertEqual(result.code, OK, result)
        return result

    def fail_with(self, code, *args, **more):
        """The command ends with this code, one message, and nothing on stdout; returns the message."""
        result = run(*args, **more)
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.stdout, "", result)
        self.assertEqual(len(result.errors()), 1, result)
        return result.errors()[0]

    def json_of(self, *args, **more):
        """The JSON that the command writes to stdout with --json -."""
        return json.loads(self.succeed(*args, "--json", "-", **more).stdout)

    def files(self):
        return sorted(path.name for path in self.dir.iterdir())

    def make_dataset(self, name="data.h5", users=60, items=40, ratings=1500, **more):
        path = self.dir / name
        options = {"users": users, "items": items, "ratings": ratings, "features": 12, "factors": 3, **more}
        args = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        self.succeed("synth", "-o", path, *args)
        return path

    def make_model(self, data, name="model.h5", content="concat", **more):
        path = self.dir / name
        self.succeed("train", data, "-o", path, "--content", content, "--factors", 4, "--epochs", 3, "--threads", 1, **more)
        return path


def epoch_lines(text):
    """The key=value lines of train, each as a list of (key, value)."""
    return [[tuple(pair.split("=", 1)) for pair in line.split()] for line in text.splitlines()]
