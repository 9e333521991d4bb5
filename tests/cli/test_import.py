"""import: its options, what it says about text that is wrong, and that it leaves nothing behind then."""
import json
import os
import time
import unittest

import h5py
import numpy
import scipy.sparse

from command import INPUT, IO, CommandTest

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = HEADER + "1,10,4.0,100\n1,11,3.0,101\n2,10,5.0,102\n2,12,1.0,103\n"
LARGEST_ID = 2**63 - 1
PROMPT = 15  # seconds, on a busy machine

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

    def test_tags_of_unknown_items_are_bad_lines(self):
        items, tags = self.dir / "movies.csv", self.dir / "tags.csv"
        items.write_text("movieId,title,genres\n10,A (1990),Drama\n11,B,Comedy|Drama\n12,C,Action\n13,D,Western\n")
        tags.write_text("userId,movieId,tag,timestamp\n1,10,nice,5\n1,99,odd,6\n")
        self.ratings.write_text(GOOD)
        message = self.fail_with(INPUT, "import", "--ratings", self.ratings, "-o", self.data, "--items", items, "--tags", tags)
        self.assertTrue(message.startswith(f"blendmf import: {tags}:3: "), message)
        for word in ('"99"', "items", "rated", "--max-bad-lines"):
            self.assertIn(word, message)
        report = self.read(GOOD, "--items", items, "--tags", tags, "--max-bad-lines", 1)
        self.assertEqual((report["import"]["unknown_tags"], report["items"], report["features"]), (1, 4, 5))

    def test_features_of_items_and_users(self):
        items, users = self.dir / "movies.csv", self.dir / "u.user"
        items.write_text("movieId,title,genres,studio\n10,A Film (1990),Drama,Acme\n11,Films (1995),,acme|Bell\n")
        users.write_text("1|24|M|writer|85711\n3|30|F|other|T8H\n7|9|F|none|1\n")
        report = self.read(GOOD, "--items", items, "--title-features", "decade,year,words", "--item-columns", "studio",
                           "--feature-weighting", "binary", "--users", users)
        made = report["import"]
        self.assertEqual([made[key] for key in ("title_features", "item_columns", "feature_weighting", "users")],
                         ["year,decade,words", "studio", "binary", "u.user"])
        described = self.json_of("info", self.data)
        self.assertEqual(described["import"], made)
        self.assertEqual(described["user_features"], report["user_features"])
        self.assertIn("u.user", self.succeed("info", self.data).stdout)
        with h5py.File(self.data) as file:
            for group, rows in (("content", {0: "decade:1990 drama studio:acme title:film year:1990",
                                             1: "decade:1990 studio:acme studio:bell title:films year:1995"}),
                                ("user_content", {0: "age:24 gender:m occupation:writer", 1: ""})):
                names = [name.decode() for name in file[group]["feature"][:]]
                part = file[group]
                matrix = scipy.sparse.csr_matrix((part["data"], part["indices"], part["indptr"]), shape=part.attrs["shape"])
                for row, wanted in rows.items():
                    self.assertEqual(" ".join(names[f] for f in matrix[row].indices), wanted)
                    self.assertTrue(numpy.allclose(matrix[row].data ** 2 * max(1, matrix[row].nnz), 1))
            old = dict(file["import"].attrs)
        with h5py.File(self.data, "r+") as file:  # as older programs wrote it
            for name in ("feature_weighting", "title_features", "tag_features", "item_columns", "users", "user_columns"):
                del file["import"].attrs[name]
            del file["user_content"]
        described = self.json_of("info", self.data)
        self.assertEqual((described["import"]["feature_weighting"], described["import"]["users"]), ("tfidf", ""))
        self.assertEqual(described["user_features"], 0)
        self.assertEqual(old["tag_features"], b"words")

    def test_one_user_and_one_item(self):
        for text, word, needed in ((HEADER + "1,10,4,1\n1,11,3,2\n1,12,3,3\n", "user 1", "2 users"),
                                   (HEADER + "1,10,4,1\n2,10,3,2\n", "item 10", "2 items")):
            self.ratings.write_text(text)
            message = self.fail_with(INPUT, "import", "--ratings", self.ratings, "-o", self.data)
            self.assertTrue(message.startswith(f"blendmf import: {self.ratings}: "), message)
            self.assertIn(word, message)
            self.assertIn(f"at least {needed}", message)
            self.assertFalse(self.data.exists())

    def test_split_options(self):
        text = HEADER + "".join(f"{user},{item},{1 + (user + item) % 5},{(7 * item + 3 * user) % 20}\n"
                                for user in range(20) for item in range(20))
        report = self.read(text, "--split-ratios", "0.5,0.25,0.25")
        self.assertEqual([report["splits"][name]["ratings"] for name in ("train", "val", "test")], [200, 100, 100])
        everything = self.read(text, "--split", "none")
        self.assertEqual(everything["splits"]["train"]["ratings"], 400)
        cold = self.read(text, "--cold-items", 0.25)
        self.assertEqual(cold["splits"]["train"]["items"], 15)  # the other five have no rating outside test
        first = self.read(text, "--split", "random", "--seed", 1)
        with h5py.File(self.data) as file:
            before = file["ratings/test/indices"][:].tolist()
        self.read(text, "--split", "random", "--seed", 2)
        with h5py.File(self.data) as file:
            self.assertNotEqual(file["ratings/test/indices"][:].tolist(), before)
        self.assertEqual(first["import"]["split"], "random")

    def test_values_of_an_empty_split(self):
        """There is no mean of nothing: null in JSON, a dash in text."""
        report = self.read(GOOD, "--split", "none")
        for name in ("val", "test"):
            split = report["splits"][name]
            self.assertEqual((split["ratings"], split["users"], split["items"]), (0, 0, 0))
            self.assertEqual((split["minimum"], split["maximum"], split["mean"]), (None, None, None))
        text = self.succeed("import", "--ratings", self.ratings, "-o", self.data, "--split", "none").stdout
        rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
        self.assertEqual([rows[name] for name in ("minimum", "maximum", "mean")],
                         [["1.0000", "-", "-", "1.0000"], ["5.0000", "-", "-", "5.0000"], ["3.2500", "-", "-", "3.2500"]])

    def test_quiet_prints_nothing(self):
        self.ratings.write_text(GOOD)
        result = self.succeed("import", "--ratings", self.ratings, "-o", self.data, "--quiet", "--json", self.dir / "r.json")
        self.assertEqual((result.stdout, result.stderr), ("", ""))
        self.assertEqual(json.loads((self.dir / "r.json").read_text())["dataset"], str(self.data))


class UnderMpirun(CommandTest):
    """Commands whose work is one process's: rank 0 does it, and all ranks end alike."""

    def test_bad_input(self):
        ratings = self.dir / "ratings.csv"
        for name, text, line, words in WRONG_RATINGS[:2]:
            with self.subTest(name):
                ratings.write_text(text)
                start = time.monotonic()
                message = self.fail_with(INPUT, "import", "--ratings", ratings, "-o", self.dir / "d.h5", "--json",
                                         self.dir / "r.json", ranks=3)
                self.assertLess(time.monotonic() - start, PROMPT)
                self.assertTrue(message.startswith(f"blendmf import: {ratings}:{line}: "), message)
                self.assertEqual(self.files(), ["ratings.csv"])
        message = self.fail_with(IO, "info", self.dir / "missing.h5", ranks=2)
        self.assertIn("missing.h5", message)

    def test_one_report(self):
        ratings, data = self.dir / "ratings.csv", self.dir / "d.h5"
        ratings.write_text(GOOD)
        args = ["import", "--ratings", ratings, "-o", data]
        report = self.succeed(*args, ranks=3).stdout
        self.assertEqual(report.count("totals consistent"), 1)
        self.assertEqual(report, self.succeed(*args).stdout)
        self.assertEqual(self.files(), ["d.h5", "ratings.csv"])
        self.assertEqual(self.json_of("info", data, ranks=3), self.json_of("info", data))

    def test_synth(self):
        sizes = ["--users", 9, "--items", 9, "--ratings", 20]
        done = self.json_of("synth", *sizes, "-o", self.dir / "x.h5", ranks=2)
        self.assertEqual(done["all"]["ratings"], 20)
        self.succeed("synth", *sizes, "--csv", self.dir / "x", ranks=2)
        self.assertEqual(self.files(), ["x", "x.h5"])


if __name__ == "__main__":
    unittest.main()
