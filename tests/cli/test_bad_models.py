"""Models that are not what they should be: told promptly on every rank count, and nothing is written."""
import shutil
import unittest

from command import INPUT, IO
from spoil import ANY_FILE, SpoiledFileTest, flip_byte, remove, set_element

MODEL = ANY_FILE + [
    ("no item factors", remove("Q"), INPUT, "Q"),
    ("a factor that is not finite", set_element("P", float("inf")), INPUT, "P"),
    ("a flipped bit", flip_byte("P"), IO, "P"),
]


class BadModels(SpoiledFileTest):
    def test_evaluate(self):
        for name, change, code, word in MODEL:
            for ranks in (None, 3):
                with self.subTest(name, ranks=ranks):
                    self.spoil(self.model, change)
                    self.refuse_evaluate(code, word, self.bad, self.data, ranks)

    def test_info(self):
        for name, change, code, word in ANY_FILE:
            with self.subTest(name):
                self.spoil(self.model, change)
                self.refuse_info(code, word)

    def test_a_data_set_in_its_place(self):
        shutil.copy(self.data, self.bad)
        self.refuse_evaluate(INPUT, "data set", self.bad, self.data, 3)


if __name__ == "__main__":
    unittest.main()
