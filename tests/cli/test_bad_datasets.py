"""Data sets that are not what they should be: told promptly on every rank count, and nothing is written."""
import shutil
import unittest

from command import INPUT, IO
from spoil import ANY_FILE, SpoiledFileTest, flip_byte, remove, set_element

DATASET = ANY_FILE + [
    ("no items", remove("items/id"), INPUT, "items/id"),
    ("an index out of range", set_element("ratings/train/indices", 1 << 20), INPUT, str(1 << 20)),
    ("a rating that is not finite", set_element("ratings/train/data", float("nan")), INPUT, "ratings/train"),
    ("rows that do not start at 0", set_element("ratings/train/indptr", 5), INPUT, "indptr"),
    ("a flipped bit", flip_byte("ratings/train/data"), IO, "ratings/train/data"),
]


class BadDatasets(SpoiledFileTest):
    def test_train(self):
        for name, change, code, word in DATASET:
            for ranks in (None, 3):
                with self.subTest(name, ranks=ranks):
                    self.spoil(self.data, change)
                    self.refuse_train(code, word, ranks)

    def test_evaluate(self):
        for name, change, code, word in DATASET:
            if name not in ("removed", "no items"):
                continue
            for ranks in (None, 3):
                with self.subTest(name, ranks=ranks):
                    self.spoil(self.data, change)
                    self.refuse_evaluate(code, word, self.model, self.bad, ranks)

    def test_evaluate_on_a_flipped_bit_of_the_split(self):
        self.spoil(self.data, flip_byte("ratings/test/data"))
        self.refuse_evaluate(IO, "ratings/test/data", self.model, self.bad, 3)

    def test_info(self):
        for name, change, code, word in ANY_FILE:
            with self.subTest(name):
                self.spoil(self.data, change)
                self.refuse_info(code, word)

    def test_a_model_in_its_place(self):
        shutil.copy(self.model, self.bad)
        self.refuse_train(INPUT, "model")

    def test_a_directory_in_its_place(self):
        self.bad.mkdir()
        self.refuse_train(IO, "directory")
        self.refuse_info(IO, "directory")


if __name__ == "__main__":
    unittest.main()
