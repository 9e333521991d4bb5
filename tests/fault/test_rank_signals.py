"""Signals that reach one rank only, and data sets that change while training runs."""
import os
import signal
import time
import unittest
import unittest.mock

import h5py

from checkpoints import CheckpointTest, differences, is_alive, not_finite, wait_until
from command import IO, OK, STOPPED, run

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
END = 15  # seconds for a run to end, on a busy machine


class RankSignals(CheckpointTest):
    def setUp(self):
        super().setUp()
        self.model = self.dir / "m.h5"

    def args(self, data, *more):
        return ["train", data, "-o", self.model, "--patience", "0", "--threads", "1", "--merges-per-epoch", "4",
                "--checkpoint", self.checkpoint, *map(str, more)]

    def hit(self, process, rank, number):
        pids = process.rank_pids()
        self.assertGreater(len(pids), rank)
        os.kill(pids[rank], number)

    def check_stopped(self, process, data):
        """Exit code 7 of all ranks, one message, files that are whole. Returns the state of the checkpoint."""
        result = process.finish(END)
        self.assertEqual(result.code, STOPPED, result)
        self.assertEqual(len(result.errors()), 1, result)
        self.assertRegex(result.errors()[0], rf"stopped on a signal .*{self.model} holds .*goes on from {self.checkpoint}$")
        self.readable(self.checkpoint, data)
        self.readable(self.model, data)
        self.assertEqual([path for path in self.dir.iterdir() if ".part-" in path.name], [])
        return self.json_of("info", self.checkpoint)["state"]

    def check_resumes(self, state, data, ranks, *more):
        """Two epochs more come to what the same epochs come to in one go."""
        line = self.args(data, *more, "--epochs", state["epoch"] + 2)
        self.assertEqual(run(*line, "--resume", ranks=ranks).code, OK)
        resumed = self.dir / "resumed.h5"
        self.model.rename(resumed)
        for path in (self.checkpoint, self.previous):
            path.unlink(missing_ok=True)
        self.assertEqual(run(*line, ranks=ranks).code, OK)
        self.assertEqual(differences(resumed, self.model), [])
        for path in (resumed, self.model, self.checkpoint):
            path.unlink()

    def test_to_one_rank(self):
        data, settings = self.make_dataset(users=300, items=200, ratings=20000), ("--factors", 16, "--content", "concat")
        for ranks, rank in ((2, 0), (2, 1), (3, 2)):
            for number in SIGNALS:
                with self.subTest(number=number.name, rank=rank, of=ranks):
                    process = self.start(*self.args(data, *settings, "--epochs", 1000000), ranks=ranks)
                    self.assertTrue(process.wait_for_epochs(3))
                    self.hit(process, rank, number)
                    state = self.check_stopped(process, data)
                    self.assertGreaterEqual(state["epoch"], 3)
                    self.check_resumes(state, data, ranks, *settings)

    def test_in_the_first_epoch(self):
        """Four merges of an epoch that takes a good part of a second: no epoch is over, and none is best."""
        data, settings = self.make_dataset(users=2000, items=500, ratings=200000), ("--factors", 2048, "--content", "none")
        for ranks in (None, 2):
            for number in SIGNALS:
                with self.subTest(number=number.name, ranks=ranks):
                    process = self.start(*self.args(data, *settings, "--epochs", 1000), ranks=ranks)
                    wait_until(lambda: "merges per epoch" in process.text[1].read_text(), END)
                    self.hit(process, 0 if ranks is None else 1, number)
                    state = self.check_stopped(process, data)
                    self.assertEqual(state["epoch"], 0)
                    self.assertIn(state["window"], (1, 2, 3))
                    self.assertEqual(self.json_of("info", self.model)["best_epoch"], 0)
                    arrays = [name for name in not_finite(self.model) if not name.startswith("history/")]
                    self.assertEqual(arrays, [])
                    if number == signal.SIGUSR1:
                        self.check_resumes(state, data, ranks, *settings)
                    self.checkpoint.unlink(missing_ok=True)

    def test_second_signal_ends_all_ranks(self):
        """One rank, in a window of some seconds (of the plain kernel): it ends, and mpirun ends the others."""
        data = self.make_dataset(users=5000, items=1500, ratings=1000000)
        with unittest.mock.patch.dict(os.environ, BMF_KERNEL="ref"):
            process = self.start("train", data, "-o", self.model, "--factors", 4000, "--content", "none", "--threads", 1,
                                 "--merges-per-epoch", 1, ranks=2)
        self.assertTrue(wait_until(lambda: "merges per epoch" in process.text[1].read_text(), 2 * END))
        ranks = process.rank_pids()
        self.hit(process, 1, signal.SIGTERM)
        time.sleep(1.1)
        self.assertIsNone(process.popen.poll())
        self.hit(process, 1, signal.SIGTERM)
        self.assertNotIn(process.finish(END).code, (OK, STOPPED))
        self.assertTrue(wait_until(lambda: not any(map(is_alive, ranks)), END))
        self.assertFalse(self.model.exists())


class ChangingDataset(CheckpointTest):
    """The ids are read from the data set each time that a checkpoint is written."""

    def spoil_while_training(self, change, ranks):
        data = self.make_dataset("gone.h5", users=3000, items=1000, ratings=30000)
        process = self.start("train", data, "-o", self.dir / "m.h5", "--factors", 8, "--threads", 1, "--patience", 0,
                             "--content", "concat", "--epochs", 1000000, "--max-seconds", 8, "--checkpoint",
                             self.checkpoint, "--checkpoint-every", 1, ranks=ranks)
        self.assertTrue(process.wait_for_epochs(3))
        self.assertIsNone(process.popen.poll())
        change(data)
        return data, process.finish(END)

    def check_refused(self, change):
        good = self.make_dataset("good.h5", users=3000, items=1000, ratings=30000)
        for ranks in (None, 2, 3):
            with self.subTest(ranks=ranks):
                data, result = self.spoil_while_training(change, ranks)
                self.assertIn(result.code, (3, IO), result)
                self.assertEqual(len(result.errors()), 1, result)
                self.assertIn(str(data), result.errors()[0])
                self.readable(self.checkpoint, good)
                self.assertFalse((self.dir / "m.h5").exists())
                self.assertEqual([path for path in self.dir.iterdir() if ".part-" in path.name], [])
                resumed = run("train", good, "-o", self.dir / "m.h5", "--factors", 8, "--threads", 1, "--patience", 0,
                              "--content", "concat", "--epochs", 1, "--checkpoint", self.checkpoint, "--resume",
                              ranks=ranks)
                self.assertEqual(resumed.code, OK, resumed)
                for path in (self.dir / "m.h5", self.checkpoint, self.previous, data):
                    path.unlink(missing_ok=True)

    def test_cut_short(self):
        self.check_refused(lambda path: os.truncate(path, 4096))

    def test_ids_written_over(self):
        def change(path):
            with h5py.File(path) as file:
                chunk = file["users/id"].id.get_chunk_info(0)
            with open(path, "r+b") as file:
                file.seek(chunk.byte_offset)
                file.write(b"\xaa" * chunk.size)
        self.check_refused(change)

    def test_another_put_in_its_place(self):
        """The open file is what counts: other ids under its name do not get into the checkpoint."""
        other = self.make_dataset("other.h5", users=3000, items=1000, ratings=30000, seed=9)
        data, result = self.spoil_while_training(lambda path: os.replace(other, path), 2)
        self.assertEqual(result.code, STOPPED, result)
        again = run("train", data, "-o", self.dir / "m.h5", "--factors", 8, "--threads", 1, "--content", "concat",
                    "--checkpoint", self.checkpoint, "--resume", ranks=2)
        self.assertEqual(again.code, 3, again)
        self.assertIn("was made from another data set", again.errors()[0])


if __name__ == "__main__":
    unittest.main()
