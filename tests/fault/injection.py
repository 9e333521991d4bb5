"""Runs blendmf with calls that fail on purpose, many at a time, and checks what must hold of every one of them.

FAULT_LIBRARY is the built fault.c, which tells the settings. BLENDMF_FAULT_ALL=1 in the environment tries every call
instead of a spread of them, BLENDMF_FAULT_SHARE=N an Nth of those.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py

from command import ALONE, IO, MEMORY, OK, CommandTest, Result, command_line

LIBRARY = os.environ.get("FAULT_LIBRARY", "libfault.so")
EVERY_CALL = bool(os.environ.get("BLENDMF_FAULT_ALL"))
SHARE = int(os.environ.get("BLENDMF_FAULT_SHARE", "1"))
AT_ONCE = 2 * (os.cpu_count() or 1)  # starting MPI is half waiting
OLDER = b"\x89HDF\r\n\x1a\nwhat was here before"  # as files of HDF5 begin: no other is replaced by a checkpoint


class Command:
    """A command line of the table. {name} in it are files of the run's own directory; `outputs` are those it makes, and
    `streams` those of them that are written as it goes and cannot be taken back."""

    def __init__(self, line, outputs, streams=(), ranks=(None,), kept=()):
        """kept: files that older outputs may be found under afterwards."""
        self.words, self.outputs, self.streams, self.ranks, self.kept = line.split(), outputs, streams, ranks, kept

    def __str__(self):
        return " ".join(self.words[:2] if self.words[1] == "--csv" else self.words[:1])

    def args(self, folder):
        return [word.replace("{", f"{folder}/").replace("}", "") for word in self.words]


SIZES = "--users 30 --items 20 --ratings 300 --features 8 --user-features 5 --factors 3 -q"
TRAINED = "--factors 4 --epochs 2 --threads 1 -q --json {json}"
COMMANDS = [
    Command(f"synth -o {{out.h5}} --json {{json}} {SIZES}", ["out.h5", "json"]),
    Command(f"synth --csv {{csv}} {SIZES}", ["csv/ratings.csv", "csv/movies.csv", "csv/tags.csv", "csv/users.csv"]),
    Command("import --ratings {ratings.csv} --items {movies.csv} --tags {tags.csv} --users {users.csv} -o {out.h5} --threads 1 "
            "--title-features year,words --tag-features phrases --item-columns genres -q --json {json}",
            ["out.h5", "json"]),
    Command("train {data.h5} -o {out.h5} --log-json {log} " + TRAINED, ["out.h5", "json", "log"], streams=["log"],
            ranks=(None, 2, 3)),
    Command("train {data.h5} -o {out.h5} --checkpoint {checkpoint.h5} --checkpoint-every 1 --content-svd 3 "
            "--time-effects both --time-bins 3 --implicit-feedback " + TRAINED,
            ["out.h5", "json", "checkpoint.h5"], ranks=(None, 2), kept=["checkpoint.h5.previous"]),
    Command("evaluate {model.h5} {data.h5} --baselines --threads 1 -q --json {json}", ["json"], ranks=(None, 2, 3)),
    Command("predict {model.h5} --pairs {ratings.csv} -o {rows.csv} --threads 1 -q --json {json}", ["rows.csv", "json"]),
    Command("recommend {model.h5} --users {ratings.csv} --exclude {data.h5} --titles {data.h5} --new-items {new.csv} "
            "-o {rows.csv} --threads 1 -q --json {json}", ["rows.csv", "json"], ranks=(None, 2)),
    Command("recommend {model.h5} --ratings {own.csv} -o {rows.csv} --threads 1 -q", ["rows.csv"]),
    Command("similar {model.h5} --item 3 -o {rows.csv} -q", ["rows.csv"]),
    Command("export {model.h5} --to csv -o {made} -q", [], kept=["made", *(f"made/{name}.csv" for name in (
        "P_matrix", "Q_matrix", "b_u", "b_i", "mu", "idf", "content", "W", "time_begin", "time_item_effect", "time_user_slope",
        "time_user_first", "time_user_mean", "time_user_last", "user_content",
        "U_matrix", "gamma"))]),
    Command("info {model.h5} -q --json {json}", ["json"]),
    Command("info {data.h5} -q --json {json}", ["json"]),
]


def whole(path):
    """None if the file can be read from end to end as what its name says, else what is wrong with it."""
    try:
        if ".h5" in path.name:
            with h5py.File(path) as file:
                file.visititems(lambda _, node: node[()] if isinstance(node, h5py.Dataset) else None)
        elif path.suffix == ".csv":
            if not path.read_text().endswith("\n"):
                return "its last line is not complete"
        else:
            for text in [path.read_text()] if path.name == "json" else path.read_text().splitlines():
                json.loads(text)
    except (OSError, ValueError, RuntimeError) as error:
        return str(error)
    return None


class Run:
    """One run of a command with a failing call, its traces and what is wrong with them."""

    def __init__(self, folder, command, ranks, settings):
        self.folder, self.command, self.ranks, self.settings = folder, command, ranks, settings

    def __str__(self):
        settings = " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.command} on {self.ranks or 'no'} ranks, {settings}: {self.failed}\n{self.result}"

    def listing(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def go(self):
        for name in self.command.outputs:
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(OLDER)
        before, log = self.listing(), self.folder.with_suffix(".log")
        scratch = self.folder.with_suffix(".mpi")
        scratch.mkdir()
        env = {"LD_PRELOAD": LIBRARY, "TMPDIR": str(scratch), **ALONE, "FAULT_DIR": str(self.folder), "FAULT_LOG": str(log), **self.settings}
        line = command_line(self.command.args(self.folder), self.ranks)
        program = len(line) - len(self.command.words) - 1
        line[program:program] = ["env", *(f"{key}={value}" for key, value in env.items())]
        # Python ignores PIPE, and so must mpirun: it may write to a rank that is gone by then
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False, restore_signals=False)
        self.result = Result(line, done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))
        shutil.rmtree(scratch)
        told = log.read_text() if log.exists() else ""
        self.failed = [tuple(words.split(" ", 1)) for words in re.findall(r"(?m)^failed (.*)$", told)]
        self.calls = max((int(number) for number in re.findall(r"(?m)^calls (\d+)$", told)), default=0)
        self.left_over = sorted(set(self.listing()) - set(before) - set(self.command.kept))
        self.missing = sorted(set(before) - set(self.listing()))
        return self

    def wrong(self):
        """Sentences on what must hold after any failure, or after none."""
        code, errors = self.result.code, self.result.errors()
        if self.left_over or self.missing:
            yield f"files left over: {self.left_over}, missing: {self.missing}"
        if code == OK and errors or code != OK and len(errors) != 1:
            yield f"exit code {code} with {len(errors)} messages"
        if code != OK and not self.failed:
            yield "ended with a failure though no call failed"
        for name in [*self.command.outputs, *self.command.kept]:
            path = self.folder / name
            if not path.is_file() or name in self.command.streams and code != OK:
                continue
            older = path.read_bytes() == OLDER
            if not older and whole(path):
                yield f"{name}: {whole(path)}"
            if older and code == OK and name in self.command.outputs:
                yield f"{name} was not written"


def expects_memory(run):
    """What must hold when an allocation has failed."""
    if run.result.code == OK:
        return  # a block that only makes it faster, or the name of a directory that is then not synced: checked by wrong()
    if run.result.code != MEMORY:
        yield f"exit code {run.result.code} where {MEMORY} was expected"
    elif not re.search(r": .*no memory for ", "".join(run.result.errors())):
        yield "the message does not name what could not be allocated"


def file_meant(path):
    """The file that a call on `path` was about: a temporary file, or one in a temporary directory, stands for its target."""
    return re.sub(r"\.((blendmf\.)?part-\d+-\d+(/.*)?|\d+\.part|lock)$", "", path)


def is_harmless(run, kind, path):
    """A directory that is not synced or not looked through for left-overs; a chunk that HDF5 then reads once more."""
    if run.settings.get("FAULT_ERRNO") in ("EINTR", "short"):
        return True
    return os.path.isdir(path) if kind in ("open", "fsync") else kind == "read" and "FAULT_ONWARD" not in run.settings


def expects_io(run):
    """What must hold when calls on files have failed: told with a path, or they did not matter."""
    if run.result.code == OK:
        for kind, path in run.failed:
            if not is_harmless(run, kind, path):
                yield f"ended well though {kind} of {path} failed"
        return
    if run.result.code != IO:
        yield f"exit code {run.result.code} where {IO} was expected"
        return
    told = [file_meant(path) for _, path in run.failed if file_meant(path) in run.result.errors()[0]]
    if not told:
        yield "the message names no file that a call has failed on"
    for name in (os.path.relpath(path, run.folder) for path in told):
        final = name in run.command.outputs and name not in run.command.streams and not name.startswith("checkpoint")
        if final and (run.folder / name).read_bytes() != OLDER:
            yield f"{name} was replaced though a call on it failed"


class InjectionTest(CommandTest):
    """Makes the inputs once; sweeps calls of commands."""

    @classmethod
    def setUpClass(cls):
        keeper = tempfile.TemporaryDirectory(prefix="blendmf-fault-")
        cls.addClassCleanup(keeper.cleanup)
        cls.inputs, cls.number = Path(keeper.name).resolve() / "inputs", 0
        cls.inputs.mkdir()
        cls.scratch = cls.inputs.parent
        fill = Command(f"synth -o {{data.h5}} {SIZES}", []), Command(f"synth --csv {{}} {SIZES}", []), Command(
            "train {data.h5} -o {model.h5} --content concat --time-effects both --time-bins 3 --factors 4 --epochs 2 --threads 1 -q",
            [])
        for command in fill:
            subprocess.run(command_line(command.args(cls.inputs)), check=True, stdin=subprocess.DEVNULL)
        (cls.inputs / "new.csv").write_text("movieId,title,genres\n901,New,drama\n902,Newer,action\n")
        (cls.inputs / "own.csv").write_text("item,rating\n1,4\n3,2.5\n")

    def prepare(self, command, ranks=None, **settings):
        """A run in a directory of its own with links to the inputs."""
        type(self).number += 1
        folder = self.scratch / f"run{self.number}"
        shutil.copytree(self.inputs, folder, copy_function=os.link)
        return Run(folder, command, ranks, {f"FAULT_{key.upper()}": str(value) for key, value in settings.items()})

    def inject(self, runs, expects, may_miss=False):
        """Goes through the runs, several at once, and tells all that is wrong with them. Returns how many had a failing
        call."""
        complaints, hit = [], 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for run in pool.map(Run.go, runs):
                wrong = list(run.wrong())
                if run.failed:
                    hit += 1
                    wrong += expects(run)
                elif not may_miss:
                    wrong.append("no call failed")
                if wrong:
                    complaints.append(f"{'; '.join(wrong)}\n{run}")
                shutil.rmtree(run.folder)
        if complaints:
            self.fail(f"{len(complaints)} of {len(runs)}:\n\n" + "\n\n".join(complaints))
        return hit

    def count(self, command, calls, ranks=None, rank=0):
        run = self.prepare(command, ranks, calls=calls, rank=rank).go()
        self.assertEqual(list(run.wrong()) + [run.result.code], [OK], run)
        shutil.rmtree(run.folder)
        return run.calls


def spread(calls, first, more):
    """Numbers of calls to try: the first `first`, the last, and about `more` between; a share of these if there is one."""
    first, more = -(-first // SHARE), -(-more // SHARE)
    if EVERY_CALL or calls <= first + more:
        return list(range(1, calls + 1))
    step = (calls - first) / more if more else calls
    chosen = {first + round(step * number) for number in range(1, more + 1)} if more else set()
    return sorted(set(range(1, first + 1)) | chosen)


main = unittest.main
