"""Damaged checkpoints, and disks that are full: never a wrong model, and the work up to a good checkpoint is never lost."""
import os
import random
import shutil
import subprocess
import unittest

import h5py
import numpy as np

from checkpoints import CheckpointTest, differences
from command import INPUT, IO, OK, run

BLOCK = int(os.environ.get("BLENDMF_CUTS", "512"))  # bytes from one cut to the next
FLIPS = int(os.environ.get("BLENDMF_FLIPS", "120"))
SEED = 1


class Damage(CheckpointTest):
    def setUp(self):
        super().setUp()
        self.data, self.model = self.make_dataset(users=40, items=30, ratings=600), self.dir / "m.h5"
        self.train("--epochs", 3, "--checkpoint-every", 1)
        self.good, self.older = self.checkpoint.read_bytes(), self.previous.read_bytes()
        self.assertEqual(self.train("--epochs", 5, "--resume").code, OK)
        self.whole = self.dir / "whole.h5"
        self.model.rename(self.whole)

    def train(self, *more, ranks=None):
        return run("train", self.data, "-o", self.model, "--factors", 4, "--threads", 1, "--patience", 0, "--content",
                   "concat", "--time-effects", "both", "--time-bins", 3, "--checkpoint", self.checkpoint, *more, ranks=ranks)

    def put(self, last, previous):
        for path, content in ((self.checkpoint, last), (self.previous, previous)):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        (self.dir / "ck.h5.damaged").unlink(missing_ok=True)
        self.model.unlink(missing_ok=True)

    def resumed(self):
        result = self.train("--epochs", 5, "--resume", "-q")
        if result.code == OK:
            self.assertEqual(differences(self.model, self.whole), [], result)
        return result

    def refused(self, result, content):
        self.assertIn(result.code, (INPUT, IO), result)
        self.assertEqual(len(result.errors()), 1, result)
        self.assertIn("ck.h5", result.errors()[0])
        self.assertEqual(self.checkpoint.read_bytes(), content)
        self.assertFalse(self.model.exists())

    def test_cut_at_every_block(self):
        for length in range(0, len(self.good), BLOCK):
            with self.subTest(length=length):
                self.put(self.good[:length], self.older)
                result = self.resumed()
                self.assertEqual(result.code, OK, result)
                self.assertEqual((self.dir / "ck.h5.damaged").read_bytes(), self.good[:length])
                if length // BLOCK % 2:
                    continue
                self.put(self.good[:length], None)
                self.refused(self.resumed(), self.good[:length])

    def test_flipped_bits(self):
        """Noticed, or without effect."""
        draw, noticed = random.Random(SEED), 0
        for _ in range(FLIPS):
            at, bit = draw.randrange(len(self.good)), draw.randrange(8)
            content = bytearray(self.good)
            content[at] ^= 1 << bit
            with self.subTest(at=at, bit=bit):
                self.put(bytes(content), None)
                result = self.resumed()
                if result.code != OK:
                    noticed += 1
                    self.refused(result, bytes(content))
                    self.put(bytes(content), self.older)
                    self.assertEqual(self.resumed().code, OK)
        print(f"{noticed} of {FLIPS} flipped bits noticed, the others without effect")
        self.assertGreater(noticed, FLIPS / 4)


class FullDisk(CheckpointTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=3000, items=1000, ratings=60000)
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        # a checkpoint takes 0.8 MB, and 1.4 are set aside while it is written: room for the last two, none for a third
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k", "blendmf-test", self.disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("a tmpfs cannot be mounted here (root is needed)")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])
        self.checkpoint = self.disk / "ck.h5"

    def train(self, epochs, ranks, *more):
        return run("train", self.data, "-o", self.dir / "m.h5", "--factors", 48, "--threads", 1, "--patience", 0, "--content",
                   "none", "--checkpoint", self.checkpoint, "--checkpoint-every", 1, "--epochs", epochs, *more, ranks=ranks)

    def test_room_for_two(self):
        for ranks in (None, 2, 4):
            with self.subTest(ranks=ranks):
                for path in self.disk.iterdir():
                    path.unlink()
                result = self.train(9, ranks)
                self.assertEqual(result.code, IO, result)
                self.assertEqual(len(result.errors()), 1, result)
                self.assertRegex(result.errors()[0], rf"{self.checkpoint}: cannot reserve \d+ bytes: No space left on device")
                self.assertEqual(sorted(path.name for path in self.disk.iterdir()), ["ck.h5", "ck.h5.previous"])
                self.readable(self.checkpoint, self.data)
                self.assertEqual(self.json_of("info", self.checkpoint)["state"]["epoch"], 2)
                subprocess.run(["mount", "-o", "remount,size=16m", self.disk], check=True)
                self.assertEqual(self.train(4, ranks, "--resume").code, OK)
                self.assertEqual(self.json_of("info", self.checkpoint)["state"]["epoch"], 4)
                for path in self.disk.iterdir():
                    path.unlink()
                subprocess.run(["mount", "-o", "remount,size=2500k", self.disk], check=True)

    def test_data_set_that_goes_away(self):
        """The open file is what counts."""
        shutil.copy(self.data, self.dir / "gone.h5")
        process = self.start("train", self.dir / "gone.h5", "-o", self.dir / "m.h5", "--factors", 4, "--threads", 1,
                             "--patience", 0, "--epochs", 1000000, "--max-seconds", 2, "--checkpoint", self.dir / "c.h5")
        self.assertTrue(process.wait_for_epochs(1))
        (self.dir / "gone.h5").unlink()
        self.assertEqual(process.finish().code, 7)
        self.readable(self.dir / "c.h5", self.data)


class Overshooting(CheckpointTest):
    def test_nothing_but_numbers(self):
        """Learning rates that no training survives, or hardly: a model with finite values, or the reason and none."""
        data = self.make_dataset(users=300, items=200, ratings=9000)
        for eta in (1, 3, 10):
            for content in ("none", "concat", "embed"):
                for ranks in (None, 2):
                    with self.subTest(eta=eta, content=content, ranks=ranks):
                        model = self.dir / "m.h5"
                        model.unlink(missing_ok=True)
                        self.checkpoint.unlink(missing_ok=True)
                        self.previous.unlink(missing_ok=True)
                        result = run("train", data, "-o", model, "--factors", 32, "--epochs", 8, "--learning-rate", eta,
                                     "--threads", 1, "--content", content, "--checkpoint", self.checkpoint,
                                     "--checkpoint-every", 1, ranks=ranks)
                        self.assertIn(result.code, (OK, 6), result)
                        self.assertEqual(model.exists(), "no model is written" not in result.stderr, result)
                        for path in (model, self.checkpoint, self.previous):
                            if path.exists():
                                self.check_finite(path)

    def check_finite(self, path):
        with h5py.File(path) as file:
            file.visititems(lambda name, node: isinstance(node, h5py.Dataset) and node.dtype.kind == "f" and
                            self.assertTrue(np.isfinite(node[()]).all(), (path, name)) and None)


if __name__ == "__main__":
    unittest.main()
