"""Ways to spoil a file of ours, and the tests that all spoiled files go through."""
import shutil
import time

import h5py
import numpy as np

from command import INPUT, IO, CommandTest

PROMPT = 15  # seconds, on a busy machine


def set_attribute(name, value):
    def change(path):
        with h5py.File(path, "r+") as file:
            file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
    return change


def remove(name):
    def change(path):
        with h5py.File(path, "r+") as file:
            del file[name]
    return change


def set_element(name, value):
    def change(path):
        with h5py.File(path, "r+") as file:
            file[name][0] = value
    return change


def truncate(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def not_hdf5(path):
    path.write_text("userId,movieId,rating,timestamp\n1,10,4.0,100\n")


def flip_byte(name):
    """One bit in the middle of what is stored of a data set."""
    def change(path):
        with h5py.File(path) as file:
            array = file[name].id
            if array.get_offset() is not None:
                place = array.get_offset() + array.get_storage_size() // 2
            else:
                chunk = array.get_chunk_info(0)
                place = chunk.byte_offset + chunk.size // 2
        content = bytearray(path.read_bytes())
        content[place] ^= 0x10
        path.write_bytes(bytes(content))
    return change


def arrays_of(path):
    names = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.size else None)
    return names


# Name, change, exit code, a word of the message.
ANY_FILE = [
    ("another format", set_attribute("format", "somebody-else"), INPUT, "somebody-else"),
    ("a later version", set_attribute("format_version", 99), INPUT, "99"),
    ("truncated", truncate, IO, ""),
    ("not HDF5", not_hdf5, INPUT, ""),
    ("removed", lambda path: path.unlink(), IO, "No such file"),
]


class SpoiledFileTest(CommandTest):
    """self.data and self.model are good, self.bad is where spoiled copies go."""

    def setUp(self):
        super().setUp()
        self.data = self.make_dataset()
        self.model = self.make_model(self.data)
        self.bad = self.dir / "bad.h5"
        self.before = self.files()

    def spoil(self, good, change):
        shutil.copy(good, self.bad)
        change(self.bad)

    def refuse(self, code, word, *args, ranks=None):
        """The command fails promptly with one message that names the file, and writes nothing."""
        start = time.monotonic()
        message = self.fail_with(code, *args, ranks=ranks)
        self.assertLess(time.monotonic() - start, PROMPT)
        self.assertIn(str(self.bad), message)
        self.assertIn(word, message)
        self.assertEqual(set(self.files()) - {"bad.h5"}, set(self.before))

    def refuse_train(self, code, word, ranks=None):
        self.refuse(code, word, "train", self.bad, "-o", self.dir / "new.h5", "--log-json", self.dir / "log", "--json",
                    self.dir / "json", ranks=ranks)

    def refuse_evaluate(self, code, word, model, data, ranks=None):
        self.refuse(code, word, "evaluate", model, data, "--json", self.dir / "json", ranks=ranks)

    def refuse_info(self, code, word):
        self.refuse(code, word, "info", self.bad, "--json", self.dir / "json")
