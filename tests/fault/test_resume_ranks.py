"""Saved by some ranks and resumed by others: the quality of a run that was left alone, on MovieLens ml-latest-small."""
import os
import unittest
from pathlib import Path

from checkpoints import CheckpointTest
from command import OK, STOPPED, run

REFERENCE = os.environ.get("BLENDMF_REFERENCE_DATA")
EPOCHS, LATER = 14, 25  # saved after these, and how many there are in all
PATHS = [(1, 2), (1, 3), (1, 4), (2, 1), (4, 1), (1, 2, 1), (3, 4, 2)]  # numbers of ranks, one after the other
WITHIN = 0.002
TRIED = int(os.environ.get("BLENDMF_RESUME_PATHS", len(PATHS)))  # of the paths, the last ones


@unittest.skipUnless(REFERENCE, "BLENDMF_REFERENCE_DATA is not set: there is no MovieLens to train on")
class ResumeOnOtherRanks(CheckpointTest):
    def setUp(self):
        super().setUp()
        source = Path(REFERENCE) / "data" / "ml-latest-small"
        self.data, self.model = self.dir / "ml.h5", self.dir / "m.h5"
        self.succeed("import", "--ratings", source / "ratings.csv", "--items", source / "movies.csv", "--tags",
                     source / "tags.csv", "-o", self.data, "-q")

    def part(self, ranks, epochs, *more):
        return run("train", self.data, "-o", self.model, "--factors", 32, "--checkpoint", self.checkpoint, "--resume",
                   "--patience", 0, "--epochs", epochs, "--threads", self.threads, "--content", self.content, *self.more, *more,
                   ranks=ranks)

    def rmse(self):
        return self.json_of("evaluate", self.model, self.data)["rmse"]

    def forget(self):
        for path in (self.checkpoint, self.previous):
            path.unlink(missing_ok=True)

    def test_quality(self):
        for self.content, self.threads, *self.more in (("none", 1), ("concat", 1), ("embed", 1), ("concat", 2),
                                                       ("none", 1, "--implicit-feedback")):
            self.forget()
            self.assertEqual(self.part(1, LATER).code, OK)
            whole = self.rmse()
            for ranks in PATHS[-TRIED:]:
                with self.subTest(content=self.content, threads=self.threads, more=self.more, ranks=ranks):
                    self.forget()
                    for i, count in enumerate(ranks):
                        epochs = EPOCHS + (LATER - EPOCHS) * i // (len(ranks) - 1)
                        result = self.part(count, epochs)
                        self.assertEqual(result.code, OK, result)
                    print(f"{self.content} x {self.threads} threads, ranks {ranks}: test RMSE {self.rmse():.4f}, "
                          f"left alone {whole:.4f}")
                    self.assertAlmostEqual(self.rmse(), whole, delta=WITHIN)

    def test_in_the_middle_of_an_epoch(self):
        """Stopped by the clock after some merge of eight, and resumed with other numbers of ranks and merges."""
        self.content, self.threads, self.more = "none", 1, []
        self.assertEqual(self.part(1, LATER).code, OK)
        whole, in_the_middle = self.rmse(), 0
        for attempt in range(4):
            self.forget()
            result = self.part(1, 100000, "--merges-per-epoch", 8, "--max-seconds", 0.05 + 0.003 * attempt)
            self.assertEqual(result.code, STOPPED, result)
            state = self.json_of("info", self.checkpoint)["state"]
            in_the_middle += state["window"] > 0
            if state["epoch"] < LATER:
                result = self.part(3, LATER, "--merges-per-epoch", 3)
                self.assertEqual(result.code, OK, result)
                self.assertAlmostEqual(self.rmse(), whole, delta=WITHIN)
        self.assertGreater(in_the_middle, 0)


if __name__ == "__main__":
    unittest.main()
