"""--stall-timeout: a rank that makes no progress is reported by its number and everything ends, whichever rank it is; one
that is merely slow is waited for."""
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from command import BLENDMF, IO, MPIEXEC, STOPPED, CommandTest, Result

LIBRARY = os.environ.get("FAULT_LIBRARY", "libfault.so")
TIMEOUT = 2
AFTERWARDS = 12  # seconds for answers, for mpirun, which kills after a while what does not end, and for a busy machine
LONG = ["--epochs", "1000000", "--patience", "0", "--factors", "4", "--threads", "1", "-q"]
WAITED = f"no progress for {TIMEOUT} s while the others waited in "


def children(parent):
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in text.split()]


def ranks_of(mpirun):
    """{rank: pid} of the programs that mpirun has started."""
    found = {}
    for pid in children(mpirun):
        for setting in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if setting.startswith(b"OMPI_COMM_WORLD_RANK="):
                found[int(setting.split(b"=")[1])] = pid
    return found


def is_gone(pid, seconds=5):
    """mpirun does not wait for what it has killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


class Stall(CommandTest):
    def launch(self, ranks, *args, before=()):
        line = [MPIEXEC, "-n", str(ranks), *before, BLENDMF, *map(str, args)]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            for pid in [*ranks_of(process.pid).values(), process.pid]:
                os.kill(pid, signal.SIGKILL)
        process.communicate()

    def finish(self, process, seconds):
        stdout, stderr = process.communicate(timeout=seconds)
        return Result(process.args, process.returncode, stdout.decode(), stderr.decode(errors="replace"))

    def train(self, ranks, timeout):
        """Training that would never end, once its first epochs are over; and the pids of its ranks."""
        data, log = self.make_dataset(), self.dir / "log"
        log.unlink(missing_ok=True)
        process = self.launch(ranks, "train", data, "-o", self.dir / "m.h5", "--log-json", log, "--stall-timeout", timeout,
                              *LONG)
        start = time.monotonic()
        while not log.exists() or log.read_bytes().count(b"\n") < 3:
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic() - start, 20)
            time.sleep(0.05)
        pids = ranks_of(process.pid)
        self.assertEqual(sorted(pids), list(range(ranks)))
        return process, pids

    def check_reported(self, process, who, pids=()):
        start = time.monotonic()
        result = self.finish(process, TIMEOUT + AFTERWARDS)
        self.assertGreater(time.monotonic() - start, TIMEOUT - 0.5)
        self.assertEqual(result.code, IO, result)
        self.assertEqual(len(result.errors()), 1, result)
        self.assertIn(f": {who}: {WAITED}a ", result.errors()[0])
        for pid in pids:
            self.assertTrue(is_gone(pid), f"process {pid} is still there")

    def test_a_stopped_rank_of_a_training(self):
        for who, ranks, stopped in (("rank 1", 3, [1]), ("rank 0", 3, [0]), ("ranks 0, 2", 3, [0, 2])):
            with self.subTest(who, ranks=ranks):
                process, pids = self.train(ranks, TIMEOUT)
                for rank in stopped:
                    os.kill(pids[rank], signal.SIGSTOP)
                self.check_reported(process, who, pids.values())

    def test_a_rank_that_stops_while_it_reads(self):
        data = self.make_dataset()
        model = self.make_model(data)
        for rank, args in ((0, ["evaluate", model, data]), (1, ["train", data, "-o", self.dir / "n.h5", *LONG])):
            with self.subTest(args[0], rank=rank):
                before = ["env", f"LD_PRELOAD={LIBRARY}", "FAULT_CALLS=read", f"FAULT_DIR={self.dir.resolve()}",
                          f"FAULT_RANK={rank}", "FAULT_AT=30", "FAULT_ERRNO=stop"]
                process = self.launch(3, *args, "--stall-timeout", TIMEOUT, before=before)
                self.check_reported(process, f"rank {rank}")
        self.assertEqual(self.files(), ["data.h5", "model.h5"])

    def test_a_slow_rank_is_waited_for(self):
        """Held up again and again for less than the timeout, and longer than that in all."""
        process, pids = self.train(3, 5)
        for rank in (1, 0, 2):
            os.kill(pids[rank], signal.SIGSTOP)
            time.sleep(2)
            os.kill(pids[rank], signal.SIGCONT)
            time.sleep(0.2)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGUSR1)
        result = self.finish(process, 20)
        self.assertEqual(result.code, STOPPED, result)
        self.assertEqual(len(result.errors()), 1, result)

    def test_same_results(self):
        data = self.make_dataset()
        more = ["--epochs", 3, "--factors", 4, "--threads", 1]
        for ranks in (None, 3):
            self.succeed("train", data, "-o", self.dir / "a.h5", *more, ranks=ranks)
            self.succeed("train", data, "-o", self.dir / "b.h5", *more, "--stall-timeout", 30, ranks=ranks)
            with h5py.File(self.dir / "a.h5") as a, h5py.File(self.dir / "b.h5") as b:
                for name in ("P", "Q", "user_bias", "item_bias"):
                    np.testing.assert_allclose(a[name][:], b[name][:], rtol=1e-4, atol=1e-5)
        figures = [self.json_of("evaluate", self.dir / "a.h5", data, "--stall-timeout", t, ranks=3) for t in (0, 30)]
        self.assertEqual(*figures)


if __name__ == "__main__":
    unittest.main()
