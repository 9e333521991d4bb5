"""Training that is killed again and again, and resumed each time, comes to the model of a run that was left alone.

BLENDMF_KILLS sets the number of kills, BLENDMF_KILLS_SEED their seed.
"""
import os
import random
import shutil
import signal
import time
import unittest

from checkpoints import CheckpointTest, contents, differences, epoch_of, is_alive, wait_until

KILLS = int(os.environ.get("BLENDMF_KILLS", "50"))
SEED = int(os.environ.get("BLENDMF_KILLS_SEED", "1"))
EPOCHS = 100
MPIRUN = 3  # seconds in which mpirun notices that its ranks are dead; it is known to hang
ORPHANS = 20  # seconds for ranks without an mpirun to notice
LOST = 2  # seconds that a kill may cost, besides starting and one interval
WHO = ["one rank", "all ranks", "mpirun"]


class Kills(CheckpointTest):
    def train(self, *more):
        return ["train", self.data, "-o", self.model, "--factors", "48", "--content", "concat", "--patience", "0",
                "--threads", "1", "--checkpoint", self.checkpoint, "--checkpoint-every", "1", "--resume", *more]

    def timed(self, epochs):
        start = time.monotonic()
        self.succeed(*self.train("--epochs", epochs), ranks=2)
        return time.monotonic() - start

    def forget(self):
        for path in (self.checkpoint, self.previous, self.model):
            path.unlink(missing_ok=True)

    def kill(self, process, who):
        """Returns once nothing of the run is left, which with no mpirun takes the ranks a moment to notice."""
        ranks = process.rank_pids()
        victims = {"one rank": [self.random.choice(ranks)] if ranks else [], "all ranks": ranks}.get(who, [])
        for pid in victims or [process.popen.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not wait_until(lambda: process.popen.poll() is not None, MPIRUN):
            self.hangs += 1
            process.end()
        self.assertTrue(wait_until(lambda: not any(map(is_alive, ranks)), ORPHANS), f"ranks outlive {who}")

    def left_overs(self):
        return [path for path in self.dir.iterdir() if ".part-" in path.name]

    def check_files(self, process):
        """Every checkpoint that has its name is whole, and at most one epoch's work is lost."""
        if self.checkpoint.exists():
            self.readable(self.checkpoint, self.data)
        if self.previous.exists():
            contents(self.previous)  # its checksums are looked at
        self.assertFalse(self.previous.exists() and not self.checkpoint.exists(), "the last checkpoint is gone")
        epoch = epoch_of(self.checkpoint) if self.checkpoint.exists() else 0
        self.assertGreaterEqual(epoch, self.epoch, "an older checkpoint came back")
        seen = [int(line.split()[0].partition("=")[2]) for line in process.lines() if line.startswith("epoch=")]
        if seen:
            self.assertGreaterEqual(epoch, seen[-1] - 1, "the checkpoint of an epoch is missing")
        self.assertLessEqual(len(self.left_overs()), 1)
        self.epoch = epoch

    def check_end(self, result):
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.left_overs(), [])
        self.assertEqual(differences(self.model, self.whole), [])
        self.forget()
        self.epoch = 0
        self.ended += 1

    def round(self, who):
        """True if the run was killed, False if it came to its end before."""
        begin = time.monotonic()
        process = self.start(*self.train("--epochs", EPOCHS), ranks=2)
        life = self.random.uniform(0.4 * self.startup, self.startup + 2 * self.piece)
        wait_until(lambda: process.popen.poll() is not None, life)
        if process.popen.poll() is None:
            self.kill(process, who)
        result = process.finish()
        self.spent += time.monotonic() - begin
        if result.code == 0 and self.model.exists():
            self.check_end(result)
            return False
        self.check_files(process)
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        return True

    def test_killed_again_and_again(self):
        self.random = random.Random(SEED)
        self.data = self.make_dataset(users=4000, items=2000, ratings=200000, features=20)
        self.model, self.whole = self.dir / "m.h5", self.dir / "whole.h5"
        alone = self.timed(EPOCHS)
        self.model.rename(self.whole)
        self.forget()
        self.startup = self.timed(1)
        self.forget()
        interval = (alone - self.startup) / (EPOCHS - 1)
        self.piece = 1.2 * (alone - self.startup) / max(KILLS, 5)  # more than one whole run
        self.epoch = self.ended = self.spent = self.hangs = 0
        writing = kills = 0
        while kills < KILLS:
            if self.round(WHO[kills % len(WHO)]):
                kills += 1
                writing += bool(self.left_overs())
        begin = time.monotonic()
        self.check_end(self.succeed(*self.train("--epochs", EPOCHS), ranks=2))
        self.spent += time.monotonic() - begin
        lost = (self.spent - self.ended * alone) / kills
        print(f"{kills} kills, {writing} while a checkpoint was written; {self.ended} runs of {alone:.1f} s took "
              f"{self.spent:.1f} s: {lost:.2f} s a kill, where a start is {self.startup:.2f} s and an interval "
              f"{interval:.3f} s; mpirun hung {self.hangs} times")
        self.assertGreater(writing, kills / 10)
        self.assertLessEqual(lost, self.startup + interval + LOST)


if __name__ == "__main__":
    unittest.main()
