"""One flipped bit in any array that is read is an error that names the file, never a wrong result."""
import unittest

import h5py

from command import FEWER, IO
from spoil import SpoiledFileTest, arrays_of, flip_byte


class FlippedBits(SpoiledFileTest):
    def test_dataset(self):
        """train reads all but the titles before its first epoch."""
        names = arrays_of(self.data)
        times = [f"ratings/{split}/timestamp" for split in ("train", "val", "test")]
        self.assertTrue({"items/title", "items/id", "users/id", "content/data", *times} <= set(names), names)
        self.assertGreaterEqual(len(names), 3 * 4 + 3 + 3)
        for name in names:
            if name == "items/title":
                continue
            with self.subTest(name):
                self.spoil(self.data, flip_byte(name))
                self.refuse_train(IO, name)

    def test_titles_are_checked_too(self):
        """No command reads them, but whoever does is told."""
        self.spoil(self.data, lambda path: None)
        with h5py.File(self.bad) as file:
            self.assertEqual(len(file["items/title"][:]), 40)
        self.spoil(self.data, flip_byte("items/title"))
        with h5py.File(self.bad) as file, self.assertRaises(OSError):
            file["items/title"][:]

    def test_model(self):
        self.refuse_each(self.model, {"P", "Q", "W/data", "W/indices", "W/indptr", "user_bias", "item_bias"})

    def test_model_with_factors_of_features(self):
        self.refuse_each(self.make_model(self.data, content="embed"),
                         {"P", "Q", "V", "feature_bias", "user_bias", "item_bias", "content/data"})

    def test_model_with_effects_of_time(self):
        model = self.dir / "timed.h5"
        self.succeed("train", self.data, "-o", model, "--time-effects", "both", "--time-bins", 8, "--factors", 4, "--epochs", 2,
                     "--threads", 1)
        self.before = self.files()
        self.refuse_each(model, {"P", "time/begin", "time/item_effect", "time/user_slope", "time/user_mean"})

    def refuse_each(self, model, least):
        names = arrays_of(model)
        self.assertTrue(least <= set(names), names)
        for name in names[::3] if FEWER else names:
            with self.subTest(name):
                self.spoil(model, flip_byte(name))
                if name.startswith("history"):
                    self.refuse_info(IO, name)
                else:
                    self.refuse_evaluate(IO, name, self.bad, self.data)


if __name__ == "__main__":
    unittest.main()
