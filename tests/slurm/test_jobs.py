"""Every batch script of slurm/ in a real Slurm: what jobs leave when they end in peace, by their time limit, by scancel, with a
node lost or the disk full. BLENDMF_SLURM_LIMITS says how often time limits interrupt a run (3)."""
import csv
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

import cluster
from checkpoints import contents, epoch_of
from command import BLENDMF, IO, OK, STOPPED

SCRIPTS = Path(__file__).resolve().parents[2] / "slurm"
LIMITS = int(os.environ.get("BLENDMF_SLURM_LIMITS", "3"))
SKIPPED = 77
SECOND_TRY = "BLENDMF_SLURM_SECOND_TRY"
PACE = 150  # ms for an epoch that is to be interrupted
TRAIN = "--factors 8 --content concat --patience 0 --merges-per-epoch 2 --seed 5"
BOTH = ("srun", "mpirun")


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = FOLDER
        cls.work = FOLDER / "work"
        (cls.work / "logs").mkdir(parents=True)
        shutil.copytree(SCRIPTS, cls.work / "slurm")
        cls.small = FOLDER / "small"  # a disk that is soon full; made before the nodes are, or they would not see it
        cls.small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", cls.small], check=True)
        (FOLDER / "scratch").mkdir()
        cls.program = cls.wrapper("program", "")
        cls.slow = cls.wrapper("slow", f"export LD_PRELOAD={os.environ['PACE_LIBRARY']} BLENDMF_PACE_MS={PACE}\n")
        os.environ.update(TMPDIR=str(FOLDER / "scratch"), BIND="none", OMPI_MCA_mpi_yield_when_idle="1")
        os.environ.pop("OMPI_MCA_odls_base_sigkill_timeout", None)  # of other tests: here mpirun ends ranks as it does for users
        cls.slurm = cluster.Cluster(FOLDER)
        cls.addClassCleanup(cls.slurm.__exit__)
        cls.slurm.__enter__()
        cls.data = cls.work / "data.h5"
        cls.direct("synth", "--users", 300, "--items", 120, "--ratings", 6000, "--features", 20, "--factors", 4, "-o", cls.data)

    @classmethod
    def wrapper(cls, name, settings):
        """blendmf at the least priority, with its epochs bounded by a file EPOCHS names, which a test may write at any time."""
        path = FOLDER / name
        path.write_text(f'#!/bin/sh\n{settings}case $1 in train) [ ! -r "$EPOCHS" ] || set -- "$@" --epochs "$(cat "$EPOCHS")" ;; esac\n'
                        f'exec nice -n 19 {BLENDMF} "$@"\n')
        path.chmod(0o755)
        return path

    @classmethod
    def direct(cls, *args, ranks=None):
        launch = ["mpirun", "-n", str(ranks)] if ranks else []
        done = subprocess.run(["timeout", "-k", "5", "100", *launch, BLENDMF, *map(str, args)], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{args}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, script, name, *options, program=None, **more):
        return self.slurm.submit(f"slurm/{script}", f"--job-name={name}", *options, cwd=self.work,
                                 BLENDMF=program or self.program, DATA="data.h5", **more)

    def log(self, job):
        paths = list((self.work / "logs").glob(f"*-{job}.out")) + list((self.work / "logs").glob(f"*-{job}_*.out"))
        return "\n".join(path.read_text(errors="replace") for path in sorted(paths))

    def until(self, condition, seconds, job):
        self.assertTrue(cluster.wait_until(condition, seconds),
                        f"job {job}: {self.slurm.show(job)}\n{self.log(job)[-6000:]}\n{self.slurm.logs()}")

    def ends(self, job, seconds, state="COMPLETED", code=OK):
        found = self.slurm.wait(job, seconds)
        self.assertEqual(found, ([state], [code]), f"{self.log(job)[-6000:]}\n{self.slurm.logs()}")

    def start_long(self, launcher, name, *options, epochs=1000000, nodes=2, **more):
        """A job that is interrupted; epochs in the file name.epochs. Two ranks of a thread."""
        (self.work / f"{name}.epochs").write_text(str(epochs))
        shape = ["--nodes=2", "--ntasks-per-node=1"] if nodes == 2 else ["--nodes=1", "--ntasks-per-node=2"]
        settings = {"MODEL": f"{name}.h5", "EPOCHS": f"{name}.epochs", "CHECKPOINT_EVERY": "1s", "LAUNCHER": launcher,
                    "OPTIONS": f"{TRAIN} --ranks-per-host 1", "CHECKPOINT": f"{name}.ck.h5", **more}
        job = self.submit("train-preemptible.sbatch", name, *shape, "--cpus-per-task=1", *options, program=self.slow, **settings)
        return job, self.work / settings["CHECKPOINT"]

    def finish_soon(self, name, checkpoint):
        """The epochs after which the run ends once its next turn reads how many there are to be."""
        epochs = epoch_of(checkpoint) + 10
        (self.work / f"{name}.epochs").write_text(str(epochs))
        return epochs

    def check_same(self, name, epochs):
        """As uninterrupted, to the bit, but for times and for names of the files."""
        whole = self.work / f"{name}.whole.h5"
        self.direct("train", self.data, "-o", whole, *TRAIN.split(), "--ranks-per-host", 1, "--threads", 1, "--epochs", epochs,
                    ranks=2)
        left, right = contents(self.work / f"{name}.h5"), contents(whole)
        self.assertEqual(left.keys(), right.keys())
        self.assertEqual([key for key in left if "@" not in key and left[key] != right[key]], [])
        self.assertGreater(len([key for key in left if "@" not in key]), 8)

    def check_good(self, checkpoint):
        self.assertGreater(json.loads(self.direct("info", checkpoint, "--json", "-"))["state"]["epoch"], 0)
        self.direct("evaluate", checkpoint, self.data, "--threads", 1)

    def check_head(self, job, ranks, threads, launcher, bound):
        text = self.log(job)
        self.assertRegex(text, rf"blendmf \d+\.\d+\.\d+, job {job} \S+, restart 0\n")
        self.assertRegex(text, rf"nodes: \d \(node\S+\), ranks x threads: {ranks} x {threads}, by {launcher}, bound to: {bound}\n")
        self.assertIn("data=data.h5", text)

    def test_train_evaluate_recommend(self):
        for launcher in BOTH:
            with self.subTest(launcher=launcher):
                model = f"{launcher}.h5"
                train = self.submit("train.sbatch", f"train-{launcher}", MODEL=model, LAUNCHER=launcher, BIND="cores",
                                    OPTIONS=f"{TRAIN} --epochs 5")
                after = f"--dependency=afterok:{train}"
                judge = self.submit("evaluate.sbatch", "evaluate", after, MODEL=model, LAUNCHER=launcher)
                lists = self.submit("recommend.sbatch", "recommend", after, MODEL=model, LAUNCHER=launcher)
                for job in (train, judge, lists):
                    self.ends(job, 60)
                self.check_head(train, 2, 2, launcher, "cores")
                result = json.loads((self.work / f"{launcher}.evaluate.json").read_text())
                again = json.loads(self.direct("evaluate", self.work / model, self.data, "--json", "-"))
                self.assertAlmostEqual(result["rmse"], again["rmse"], places=9)
                self.assertIn("baselines", result)
                whole = self.work / "lists.csv"
                self.direct("recommend", self.work / model, "--all-users", "--exclude", self.data, "--top", 10, "-o", whole)
                self.assertEqual((self.work / f"{launcher}.recommend.csv").read_text(), whole.read_text())
                self.assertGreater(whole.read_text().count("\n"), 2000)

    def test_sweep(self):
        (self.work / "table.tsv").write_text("factors\tlearning-rate\n4\t0.01\n8\t0.03\n8\t-\n8\t77\n")
        settings = {"TABLE": "table.tsv", "RESULTS": "swept"}
        sweep = self.submit("sweep.sbatch", "sweep", "--array=1-4", OPTIONS="--epochs 3 --patience 0", **settings)
        collect = self.submit("collect.sbatch", "collect", f"--dependency=afterany:{sweep}", **settings)
        self.ends(collect, 90, "FAILED", 1)  # the last row has a learning rate that is refused, and that is told
        with open(self.work / "swept/summary.tsv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.assertEqual(len(rows), 4)
        self.assertEqual((rows[3]["row"], rows[3]["val_rmse"]), ("4", "failed"))
        losses = [float(row["val_rmse"]) for row in rows[:3]]
        self.assertEqual(losses, sorted(losses))
        for row in rows[:3]:
            model = json.loads(self.direct("info", self.work / f"swept/{row['row']}.h5", "--json", "-"))
            self.assertEqual(str(model["factors"]), row["factors"])
            self.assertAlmostEqual(model["val_rmse"], float(row["val_rmse"]), places=5)
        shipped = (SCRIPTS / "sweep.tsv").read_text().splitlines()
        self.assertEqual({line.count("\t") for line in shipped}, {shipped[0].count("\t")})
        table = self.submit("sweep.sbatch", "shipped", "--array=1-4", OPTIONS="--epochs 2", RESULTS="shipped")
        self.ends(table, 90)

    def test_time_limits(self):
        """Through srun and mpirun side by side."""
        jobs = {name: self.start_long(name, f"limit-{name}", "--time=1", "--signal=B:USR1@20") for name in BOTH}
        epochs = {}
        for name, (job, checkpoint) in jobs.items():
            self.until(lambda job=job: self.slurm.restarts(job) >= LIMITS, 90 * LIMITS, job)
            epochs[name] = self.finish_soon(f"limit-{name}", checkpoint)
        for name, (job, _) in jobs.items():
            with self.subTest(launcher=name):
                self.ends(job, 120)
                text = self.log(job)
                self.assertGreaterEqual(len(re.findall(r"train ended with code 7, after USR1", text)), LIMITS, text[-6000:])
                self.assertEqual(text.count("back into the queue"), self.slurm.restarts(job))
                self.assertIn("restart 1\n", text)  # each turn's log is added
                self.assertEqual(text.count("blendmf: going on from"), self.slurm.restarts(job))
                self.assertNotIn("DUE TO TIME LIMIT", text)
                self.check_same(f"limit-{name}", epochs[name])

    def test_most_restarts(self):
        job, checkpoint = self.start_long("srun", "bounded", MOST_RESTARTS=1)
        for turn in (0, 1):
            self.until(lambda turn=turn: self.log(job).count("epoch=") > 3 and f"restart {turn}\n" in self.log(job) and
                       "epoch=" in self.log(job).rpartition(f"restart {turn}\n")[2], 60, job)
            self.slurm.call("scancel", "--batch", "--signal=USR1", job)
        self.ends(job, 60, "FAILED", STOPPED)
        self.assertIn("MOST_RESTARTS", self.log(job))
        self.check_good(checkpoint)

    def test_scancel(self):
        jobs = {name: self.start_long(name, f"cancel-{name}") for name in BOTH}
        for name, (job, checkpoint) in jobs.items():
            with self.subTest(launcher=name):
                self.until(checkpoint.exists, 60, job)
                self.slurm.call("scancel", job)
                self.until(lambda job=job: self.slurm.state(job) == "CANCELLED" and not self.ranks(f"cancel-{name}.h5"), 60, job)
                self.assertEqual(self.slurm.restarts(job), 0)
                self.assertNotIn("back into the queue", self.log(job))
                self.check_good(checkpoint)
                if name == "srun":  # mpirun ends its ranks in a second or two, which is not always enough to save
                    self.assertIn("stopped on a signal", self.log(job))
                    self.assertEqual(self.last_epoch(job), epoch_of(checkpoint))
                else:
                    print(f"mpirun after TERM: epoch {self.last_epoch(job)} told, {epoch_of(checkpoint)} in the checkpoint")

    def last_epoch(self, job):
        return int(re.findall(r"^epoch=(\d+) ", self.log(job), re.M)[-1])

    @staticmethod
    def ranks(model):
        """Pids of the processes that train this model."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"blendmf") and model.encode() in words:
                found.append(int(path.parent.name))
        return found

    def test_lost_node(self):
        """Its ranks go on and hold the checkpoint; the next turn waits for them to be ended, and comes to the same model."""
        job, checkpoint = self.start_long("srun", "lost", nodes=1)
        self.until(lambda: checkpoint.exists() and "epoch=" in self.log(job), 60, job)
        node = self.slurm.show(job)["NodeList"]
        self.slurm.kill_node(node)
        self.addCleanup(self.back, node)
        old = self.ranks("lost.h5")
        self.assertEqual(len(old), 2)
        self.slurm.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")
        self.until(lambda: f"{checkpoint.name} is held by" in self.log(job), 60, job)
        self.assertEqual(self.ranks("lost.h5")[:2], old)
        epochs = epoch_of(checkpoint) + 60
        (self.work / "lost.epochs").write_text(str(epochs))
        self.back(node)
        self.ends(job, 90)
        self.assertEqual(self.slurm.restarts(job), 1)
        self.assertEqual(self.log(job).count("blendmf: going on from"), 1)
        self.check_same("lost", epochs)

    def test_told_while_refused(self):
        """USR1 while another run holds the checkpoint, between two tries and in one: back into the queue, and on once it is free."""
        (self.work / "told.ck.h5.lock").write_text("host elsewhere, pid 1\n")
        with open(self.work / "told.ck.h5.lock", "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            job, _ = self.start_long("srun", "told", epochs=5)
            for turn, delay in enumerate((1, 6)):
                self.until(lambda turn=turn: "told.ck.h5 is held by host elsewhere, pid 1" in
                           self.log(job).partition(f"restart {turn}\n")[2], 60, job)
                time.sleep(delay)
                self.slurm.call("scancel", "--batch", "--signal=USR1", job)
                self.until(lambda turn=turn: self.slurm.restarts(job) == turn + 1, 60, job)
        self.ends(job, 90)
        self.assertEqual(self.slurm.restarts(job), 2)
        self.check_same("told", 5)

    def back(self, node):
        if self.slurm.daemons[node].poll() is not None:
            self.slurm.start_node(node)

    def test_full_disk(self):
        checkpoint = self.small / "ck.h5"
        job, _ = self.start_long("srun", "full", CHECKPOINT=checkpoint)
        self.until(checkpoint.exists, 60, job)
        with open(self.small / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        self.ends(job, 60, "FAILED", IO)
        self.assertEqual(self.slurm.restarts(job), 0)
        self.check_good(checkpoint)

    def test_wrong_settings(self):
        for settings, text in (({"LAUNCHER": "ssh"}, "LAUNCHER is 'ssh'"), ({"BIND": "all"}, "BIND is 'all'"),
                               ({"OPTIONS": "--fctors"}, "fctors")):
            with self.subTest(settings=settings):
                job = self.submit("train.sbatch", "wrong", MODEL="wrong.h5", **settings)
                self.ends(job, 40, "FAILED", 2)
                self.assertIn(text, self.log(job))

    def test_common_file_not_found(self):
        elsewhere = self.root / "elsewhere"
        (elsewhere / "logs").mkdir(parents=True)
        job = self.slurm.submit(self.work / "slurm/train.sbatch", cwd=elsewhere, BLENDMF=self.program)
        self.ends(job, 40, "FAILED", 2)
        self.assertIn("set BLENDMF_SLURM", (elsewhere / f"logs/blendmf-train-{job}.out").read_text())


def again(result):
    """The exit code. Once in some hundred jobs a rank was seen to die of SIGSEGV as srun started it, before its first word, for a
    reason that is not known: tests that failed of that, and of nothing else, have a second try, and it is said."""
    wrong = [*result.failures, *result.errors]
    if not wrong:
        return 0
    if os.environ.get(SECOND_TRY) or not all("Segmentation fault" in text for _, text in wrong):
        return 1
    names = sorted({getattr(test, "test_case", test).id().removeprefix("__main__.") for test, _ in wrong})
    print(f"SECOND TRY, after a rank died in starting: {' '.join(names)}", flush=True)
    environment = {name: value for name, value in os.environ.items() if name != cluster.INSIDE}
    return subprocess.run([sys.executable, "-B", __file__, "-v", *names], env={**environment, SECOND_TRY: "1"}).returncode


if __name__ == "__main__":
    REASON = cluster.why_not()
    if REASON:
        print(f"SKIPPED: no Slurm here for the batch scripts: {REASON}", flush=True)
        sys.exit(SKIPPED)
    FOLDER = cluster.enclose()
    sys.exit(again(unittest.main(exit=False).result))
