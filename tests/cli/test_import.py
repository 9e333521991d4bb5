"""import: its options, what it says about text that is wrong, and that it leaves nothing behind then."""
import json
import os
import unittest

import h5py

from command import INPUT, IO, CommandTest

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = HEADER + "1,10,4.0,100\n1,11,3.0,101\n2,10,5.0,102\n2,12,1.0,103\n"
LARGEST_ID = 2**63 - 1

# Name, content of the ratings file, line (None: the file as a whole), words that the message must have.
WRONG_RATINGS = [
    ("missing column", "userId,movieId,timestamp\n1,10,100\n", 1, ["rating", '"userId,movieId,timestamp"']),
    ("not a number", GOOD + "3,10,fife,104\n", 6, ["rating", '"fife"', "not a number", "3.5"]),
    ("beyond float", GOOD + "3,10,1e39,104\n", 6, ["rating", '"1e39"', "out of range"]),
    ("NaN", GOOD + "3,10,NaN,104\n", 6, ["rating", '"NaN"']),
    ("infinite", GOOD + "3,10,-inf,104\n", 6, ["rating", '"-inf"']),
    ("no rating", GOOD + "3,10,,104\n", 6, ["rating", "empty"]),
    ("negative id", GOOD + "-3,10,3.0,104\n", 6, ["user", '"-3"', "negative", str(LARGEST_ID)]),
    ("id of 2^63", GOOD + f"3,{LARGEST_ID + 1},3.0,104\n", 6, [str(LARGEST_ID + 1), "out of range", str(LARGEST_ID)]),
    ("time that is none", GOOD + "3,10,3.0,later\n", 6, ["timestamp", '"later"']),
    ("unbalanced quote", GOOD + '3,"10,3.0,104\n4,10,3.0,104\n', 6, ["quote"]),
    ("truncated last line", GOOD + "3,10", 6, ["2 fields", "4"]),
    ("wrong line in the middle", HEADER + "1,10,4.0,100\n1,11\n2,10,5.0,102\n", 3, ["2 fields"]),
    ("empty file", "", None, ["empty"]),
    ("header only", HEADER, None, ["no rating", "header"]),
]


class WrongText(CommandTest):
    def fail_import(self, code, ratings, *args):
        """Nothing but the inputs is there afterwards, and an older data set still is."""
        output = self.dir / "old.h5"
        output.write_bytes(b"older data set")
        before = self.files()
        message = self.fail_with(code, "import", "--ratings", ratings, "-o", output, "--json", self.dir / "r.json", *args)
        self.assertEqual(self.files(), before)
        self.assertEqual(output.read_bytes(), b"older data set")
        return message

    def test_ratings(self):
        path = self.dir / "ratings.csv"
        for name, text, line, words in WRONG_RATINGS:
            with self.subTest(name):
                path.write_text(text)
                message = self.fail_import(INPUT, path)
                place = f"{path}:{line}: " if line else f"{path}: "
                self.assertTrue(message.startswith(f"blendmf import: {place}"), message)
                for word in words:
                    self.assertIn(word, message)

    def test_files_that_are_no_text(self):
        binary = self.dir / "binary.csv"
        binary.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
        message = self.fail_import(INPUT, binary)
        self.assertIn("binary", message)
        self.assertIn(str(binary), message)
        self.assertIn("directory", self.fail_import(IO, self.dir))
        self.assertIn("No such file", self.fail_import(IO, self.dir / "missing.csv"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become a user who may not read")
    def test_unreadable_file(self):
        path, out = self.dir / "ratings.csv", self.dir / "out"
        path.write_text(GOOD)
        path.chmod(0)
        out.mkdir()
        out.chmod(0o777)
        self.dir.chmod(0o755)
        message = self.fail_with(IO, "import", "--ratings", path, "-o", out / "d.h5", user=65534, group=65534,
                                 extra_groups=[])
        self.assertEqual(message, f"blendmf import: {path}: cannot be opened: Permission denied")
        self.assertEqual(list(out.iterdir()), [])

    def test_items_and_tags_are_named_too(self):
        ratings, other = self.dir / "ratings.csv", self.dir / "other.csv"
        ratings.write_text(GOOD)
        other.write_text("movieId,title,genres\n10,A\n")
        self.assertIn(f"{other}:2: ", self.fail_import(INPUT, ratings, "--items", other))
        other.write_text("userId,movieId,tag,timestamp\n1,x,nice,5\n1,10,\"odd,6\n")
        self.assertIn(f"{other}:", self.fail_import(INPUT, ratings, "--tags", other))


class Accepted(CommandTest):
    def setUp(self):
        super().setUp()
        self.ratings, self.data = self.dir / "ratings.csv", self.dir / "data.h5"

    def read(self, text, *args):
        self.ratings.write_text(text)
        return self.json_of("import", "--ratings", self.ratings, "-o", self.data, *args)

    def test_duplicates(self):
        twice = GOOD + "1,10,2.0,104\n"
        for keep, rating in (("last", 2.0), ("first", 4.0), ("mean", 3.0)):
            with self.subTest(keep):
                report = self.read(twice, "--duplicates", keep, "--split", "none")
                self.assertEqual((report["import"]["duplicate_ratings"], report["all"]["ratings"]), (1, 4))
                self.assertEqual(report["import"]["duplicates"], keep)
                self.assertAlmostEqual(report["all"]["mean"], (rating + 3 + 5 + 1) / 4, places=6)
        message = self.fail_with(INPUT, "import", "--ratings", self.ratings, "-o", self.data, "--duplicates", "error")
        self.assertTrue(message.startswith(f"blendmf import: {self.ratings}:6: "), message)
        self.assertIn("line 2", message)

    def test_bad_lines_up_to_a_limit(self):
        text = GOOD + "3,10,fife,104\n3,11,4.0,105\n3,12\n"
        result = self.read(text, "--max-bad-lines", 2)
        self.assertEqual((result["import"]["bad_lines"], result["all"]["ratings"]), (2, 5))
        done = self.succeed("import", "--ratings", self.ratings, "-o", self.data, "--max-bad-lines", 2)
        warnings = [line for line in done.stderr.splitlines() if "warning" in line]
        self.assertIn(f"{self.ratings}:6: ", warnings[0])
        self.assertIn(f"{self.ratings}:8: ", warnings[1])
        message = self.fail_with(INPUT, "import", "--ratings", self.ratings, "-o", self.data, "--max-bad-lines", 1)
        self.assertIn(f"{self.ratings}:8: ", message)

    def test_tags_of_unknown_items_are_counted(self):
        items, tags = self.dir / "movies.csv", self.dir / "tags.csv"
        items.write_text("movieId,title,genres\n10,A (1990),Drama\n11,B,Comedy|Drama\n12,C,Action\n13,D,Western\n")
        tags.write_text("userId,movieId,tag,timestamp\n1,10,nice,5\n1,99,odd,6\n")
        report = self.read(GOOD, "--items", items, "--tags", tags)
        self.assertEqual((report["import"]["unknown_tags"], report["items"], report["features"]), (1, 4, 5))

    def test_one_user_and_one_item(self):
        for text, word in ((HEADER + "1,10,4,1\n1,11,3,2\n1,12,3,3\n", "user"), (HEADER + "1,10,4,1\n2,10,3,2\n", "item")):
            self.ratings.write_text(text)
            result = self.succeed("import", "--ratings", self.ratings, "-o", self.data)
            self.assertIn(f"one {word}", result.stderr)

    def test_split_options(self):
        text = HEADER + "".join(f"{user},{item},{1 + (user + item) % 5},{(7 * item + 3 * user) % 20}\n"
                                for user in range(20) for item in range(20))
        report = self.read(text, "--split-ratios", "0.5,0.25,0.25")
        self.assertEqual([report["splits"][name]["ratings"] for name in ("train", "val", "test")], [200, 100, 100])
        everything = self.read(text, "--split", "none")
        self.assertEqual(everything["splits"]["train"]["ratings"], 400)
        self.assertEqual((everything["splits"]["val"]["ratings"], everything["splits"]["val"]["mean"]), (0, None))
        cold = self.read(text, "--cold-items", 0.25)
        self.assertEqual(cold["splits"]["train"]["items"], 15)  # the other five have no rating outside test
        first = self.read(text, "--split", "random", "--seed", 1)
        with h5py.File(self.data) as file:
            before = file["ratings/test/indices"][:].tolist()
        self.read(text, "--split", "random", "--seed", 2)
        with h5py.File(self.data) as file:
            self.assertNotEqual(file["ratings/test/indices"][:].tolist(), before)
        self.assertEqual(first["import"]["split"], "random")

    def test_quiet_prints_nothing(self):
        self.ratings.write_text(GOOD)
        result = self.succeed("import", "--ratings", self.ratings, "-o", self.data, "--quiet", "--json", self.dir / "r.json")
        self.assertEqual((result.stdout, result.stderr), ("", ""))
        self.assertEqual(json.loads((self.dir / "r.json").read_text())["dataset"], str(self.data))


if __name__ == "__main__":
    unittest.main()
