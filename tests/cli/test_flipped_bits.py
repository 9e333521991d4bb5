"""One flipped bit in any array that is read is an error that names the file, never a wrong result."""
import unittest

from command import IO
from spoil import SpoiledFileTest, arrays_of, flip_byte


class FlippedBits(SpoiledFileTest):
    def test_dataset(self):
        """train reads all that matters before its first epoch."""
        names = arrays_of(self.data)
        self.assertGreaterEqual(len(names), 3 * 3 + 3 + 2)
        for name in names:
            if name == "items/title" or name.endswith("timestamp"):
                continue  # train has no use for these
            with self.subTest(name):
                self.spoil(self.data, flip_byte(name))
                self.refuse_train(IO, name)

    def test_model(self):
        names = arrays_of(self.model)
        self.assertTrue({"P", "Q", "W", "user_bias", "item_bias"} <= set(names), names)
        for name in names:
            with self.subTest(name):
                self.spoil(self.model, flip_byte(name))
                if name.startswith("history"):
                    self.refuse_info(IO, name)
                else:
                    self.refuse_evaluate(IO, name, self.bad, self.data)


if __name__ == "__main__":
    unittest.main()
