"""What commands hold at their peak, less what the same command takes for next to no data, beside what they must."""
import os
import subprocess
import unittest

from command import BLENDMF, OK, CommandTest

USERS, ITEMS, RATINGS, TRAINED = 20_000, 2_000, 1_500_000, 4_000_000
FACTORS = 32


def peak_of(*args):
    """Bytes of the largest resident size of one run."""
    child = subprocess.Popen([BLENDMF, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    with child.stderr as stream:
        text = stream.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != OK:
        raise AssertionError(f"{args}: exit code {child.returncode}\n{text}")
    return usage.ru_maxrss * 1024


class Memory(CommandTest):
    def text(self, name, users, items, ratings, keep, shuffled):
        """A text of ratings with the first `keep` columns. Made by other programs: a child's peak begins with its parent's size."""
        folder = self.dir / name
        self.succeed("synth", "--users", users, "--items", items, "--ratings", ratings, "--features", 0, "-q", "--csv", folder)
        order = "shuf --random-source=ratings.csv" if shuffled else "cat"
        script = f"(head -n 1 ratings.csv; tail -n +2 ratings.csv | {order}) | cut -d, -f 1-{keep} > ../{name}.csv"
        subprocess.run(["sh", "-c", script], cwd=folder, check=True)
        return self.dir / f"{name}.csv"

    def import_peak(self, text, threads):
        return peak_of("import", "--ratings", text, "-o", self.dir / "import.h5", "-q", "--threads", threads)

    def check_import(self, columns, shuffled, most):
        tiny = self.text("tiny", 20, 10, 100, columns, shuffled)
        large = self.text("large", USERS, ITEMS, RATINGS, columns, shuffled)
        arrays = RATINGS * (16 if columns == 4 else 8)
        for threads in 1, 2:
            used = self.import_peak(large, threads) - self.import_peak(tiny, threads)
            self.assertLess(used / arrays, most, f"{threads} threads")

    def test_import_by_users(self):
        self.check_import(4, False, 1.78)

    def test_import_in_any_order(self):
        self.check_import(4, True, 2)

    def test_import_without_times(self):
        self.check_import(3, True, 2.25)

    def test_training(self):
        for name, users, items, ratings in ("tiny", 20, 10, 100), ("large", USERS, ITEMS, TRAINED):
            self.succeed("synth", "--users", users, "--items", items, "--ratings", ratings, "--features", 0, "-q", "-o",
                         self.dir / f"{name}.h5")
        parameters = 4 * (USERS + ITEMS) * (FACTORS + 1)
        must = 8 * 0.85 * TRAINED + 2 * parameters  # training and validation; the parameters and the best of them
        for threads in 1, 2:
            tiny, large = (peak_of("train", self.dir / f"{name}.h5", "-o", self.dir / "m.h5", "-q", "--content", "none",
                                   "--epochs", 2, "--factors", FACTORS, "--threads", threads) for name in ("tiny", "large"))
            merge = 2 * 4 * ITEMS * (FACTORS + 1) if threads > 1 else 0  # a second copy of the items; where the window began
            self.assertLess((large - tiny) / (must + merge), 1.25, f"{threads} threads")

    def test_fitting_effects_of_time(self):
        """What it takes is in what is predicted."""
        self.succeed("synth", "--users", USERS, "--items", ITEMS, "--ratings", TRAINED, "--features", 0, "-q", "-o", self.dir / "d.h5")
        for effects in "items", "users", "both":
            told = self.json_of("train", self.dir / "d.h5", "-o", self.dir / "m.h5", "-q", "--content", "none", "--epochs", 1,
                                "--factors", FACTORS, "--threads", 1, "--time-effects", effects)
            self.assertLess(told["peak_bytes"] / told["memory"]["total"], 1.15, effects)
            self.assertGreater(told["peak_bytes"] / told["memory"]["total"], 0.9, effects)


class Serving(CommandTest):
    """Sixteen times the input takes no more memory, but for the numbers of the users who are asked for."""

    def setUp(self):
        super().setUp()
        self.data, self.model = self.dir / "data.h5", self.dir / "m.h5"
        self.succeed("synth", "--users", 2500, "--items", 300, "--ratings", 20000, "-q", "-o", self.data)
        self.succeed("train", self.data, "-o", self.model, "-q", "--content", "none", "--epochs", 1)

    def write(self, script):
        path = self.dir / "input"
        with open(path, "wb") as file:
            subprocess.run(["sh", "-c", script], stdout=file, check=True)
        return path

    def test_predict(self):
        few, many = (peak_of("predict", self.model, "--pairs", self.write(f"yes 1234,23456 | head -n {count}"), "--threads", 1)
                     for count in (200_000, 3_200_000))
        self.assertLess(many - few, 4 << 20)

    def test_recommend(self):
        few, many = (peak_of("recommend", self.model, "--users", self.write(f"seq {count} | awk '{{ print $1 % 2500 + 1 }}'"),
                             "--exclude", self.data, "--top", 50, "--threads", 1, "--memory", 8) for count in (5000, 80_000))
        self.assertLess(many - few, 6 << 20)


if __name__ == "__main__":
    unittest.main()
