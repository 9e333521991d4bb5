"""Every command that has threads, with four of them, under ThreadSanitizer: a race ends it with exit code 66."""
import os
import unittest
import unittest.mock

from command import ALONE, CommandTest

FOUR = ("--threads", 4)


class Commands(CommandTest):
    def setUp(self):
        super().setUp()
        patch = unittest.mock.patch.dict(os.environ, {**ALONE, "OMP_NUM_THREADS": "4", "TMPDIR": str(self.dir)})
        patch.start()
        self.addCleanup(patch.stop)

    def train(self, data, *more, model="m.h5"):
        return self.succeed("train", data, "-o", self.dir / model, "--epochs", 2, *FOUR, *more)

    def test_import(self):
        self.succeed("synth", "--csv", self.dir / "csv", "--users", 300, "--items", 100, "--ratings", 9000, "--features", 20)
        files = [self.dir / "csv" / f"{name}.csv" for name in ("ratings", "movies", "tags")]
        self.succeed("import", "--ratings", files[0], "--items", files[1], "--tags", files[2], "-o", self.dir / "d.h5", *FOUR)

    def test_train_and_evaluate(self):
        """By the plain kernel, whose accesses are all looked at, and a fast one, whose long vectors are not."""
        data = self.make_dataset(users=300, items=100, ratings=9000, user_features=6)
        for content in ("none", "concat", "embed"):
            for kernel in ("ref", "baseline"):
                with self.subTest(content, kernel=kernel), unittest.mock.patch.dict(os.environ, BMF_KERNEL=kernel):
                    self.train(data, "--content", content, "--factors", 8, "--exact-train-loss", "--merges-per-epoch", 3)
                    self.train(data, "--content", content, "--factors", 8, "--implicit-feedback")
            for candidates in ("rated", "all"):
                self.succeed("evaluate", self.dir / "m.h5", data, "--baselines", "--candidates", candidates, *FOUR)

    def test_checkpoints(self):
        data = self.make_dataset(users=300, items=100, ratings=9000)
        for epochs in (2, 4):
            self.train(data, "--factors", 8, "--checkpoint", self.dir / "c.h5", "--checkpoint-every", 1, "--resume",
                       "--epochs", epochs)

    def test_shared_item_factors(self):
        """Four copies of them would take more than 64 MiB: the threads update one, and the race in it is meant."""
        data = self.make_dataset(users=60, items=60000, ratings=3000)
        with unittest.mock.patch.dict(os.environ, BMF_KERNEL="ref"):
            result = self.train(data, "--factors", 72, "--content", "none")
        self.assertIn("too large for a copy for each thread", result.stderr)


if __name__ == "__main__":
    unittest.main()
