"""predict and similar say what NumPy says of the model file; what they make of unknown ids, odd files and full disks."""
import json
import os
import resource
import subprocess
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

from command import INPUT, IO, OK, USAGE, CommandTest, command_line, run
from reference import Model, read_sparse

CONTENT = ("none", "concat", "embed")
TOLERANCE = 1e-5


def rows_of(text):
    """The header's names and the fields of each line; no field here is quoted."""
    lines = [line.split(",") for line in text.splitlines()]
    return lines[0], lines[1:]


class ServingTest(CommandTest):
    """One data set and a model of each kind, made once and never changed."""
    made, data = None, None

    def setUp(self):
        super().setUp()
        if not ServingTest.made:
            keeper = tempfile.TemporaryDirectory(prefix="blendmf-test-")
            unittest.addModuleCleanup(keeper.cleanup)
            ServingTest.made = Path(keeper.name)
            ServingTest.data = self.make_dataset(ServingTest.made / "data.h5", users=50, items=30, ratings=600)

    def train(self, data, path, content):
        self.succeed("train", data, "-o", path, "--content", content, "--factors", 5, "--epochs", 3, "--threads", 1)
        return path

    def model(self, content="concat"):
        path = self.made / f"{content}.h5"
        return path if path.exists() else self.train(self.data, path, content)

    def text_model(self):
        """Ids with what CSV has to quote."""
        ratings = self.dir / "texts.csv"
        users, items = ["ann", 'o"hara', "b,c", "zoë"], ["x 1", "y,2", "ß", '"q"']
        lines = [f'"{u}","{i}",{(3 * a + b) % 5 + 1}'.replace('o"hara', 'o""hara').replace('""q""', '"""q"""')
                 for a, u in enumerate(users) for b, i in enumerate(items)]
        ratings.write_text("userId,movieId,rating\n" + "\n".join(lines) + "\n")
        self.succeed("import", "--ratings", ratings, "--split", "none", "-o", self.dir / "texts.h5")
        return self.train(self.dir / "texts.h5", self.dir / "text_model.h5", "none")

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path


class Predict(ServingTest):
    def check(self, model, pairs, *args):
        text = self.succeed("predict", model, "--pairs", pairs, *args).stdout
        header, rows = rows_of(text)
        self.assertEqual(header, ["user", "item", "prediction", "basis"])
        reference, bases = Model(model), set()
        for user, item, prediction, basis in rows:
            expected, expected_basis = reference.predict(int(user), int(item))
            self.assertAlmostEqual(float(prediction), expected, delta=TOLERANCE)
            self.assertEqual(basis, expected_basis, (user, item))
            bases.add(basis)
        return rows, bases

    def test_every_pair_as_numpy_has_it(self):
        """All pairs of the model and some that it has not, in three pieces of the text."""
        lines = [f"{u},{i}" for u in range(1, 53) for i in range(1, 33)]
        pairs = self.write("pairs.csv", "user,item\n" + "\n".join(lines) + "\n")
        for content in CONTENT:
            with self.subTest(content):
                rows, bases = self.check(self.model(content), pairs, "--threads", 3)
                self.assertEqual([",".join(row[:2]) for row in rows], lines)
                self.assertLessEqual({"factors", "bias", "mean"}, bases)

    def test_items_known_by_content_alone(self):
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(
            f"{u},{i},{(u * i) % 5 + 1}\n" for u in range(1, 9) for i in range(1, 7)))
        items = self.write("i.csv", "movieId,title,genres\n" + "".join(
            f"{i},t{i},{'|'.join(g for b, g in enumerate(['red', 'green', 'blue']) if (i + 1) >> b & 1)}\n" for i in range(1, 10)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "--items", items, "--split", "none", "-o", data)
        pairs = self.write("p.csv", "".join(f"{u},{i}\n" for u in range(1, 11) for i in range(1, 12)))
        for content in CONTENT:
            with self.subTest(content):
                _, bases = self.check(self.train(data, self.dir / f"{content}.h5", content), pairs)
                self.assertEqual("content" in bases, content != "none")

    def test_forms_of_pairs(self):
        model = self.model()
        expected = self.succeed("predict", model, "--pairs", self.write("a", "1,2\n3,4\n")).stdout
        for name, text in (("header", "userId,movieId\n1,2\n3,4\n"), ("other order", "item,x,user\n2,a,1\n4,b,3\n"),
                           ("tabs", "1\t2\n3\t4\n"), ("tabs and header", "user\titem\n1\t2\n3\t4\n"),
                           ("colons", "1::2\n3::4\n"), ("ratings", "1,2,3.5,99\n3,4,2,98\n"), ("quotes", '"1","2"\n"3",4\n'),
                           ("no last line end", "1,2\n3,4"), ("line ends of Windows", "1,2\r\n3,4\r\n"),
                           ("blank lines", "\n1,2\n\n\n3,4\n\n"), ("byte-order mark", "\ufeff1,2\n3,4\n"),
                           ("zeros", "01,2\n3,0004\n")):
            with self.subTest(name):
                self.assertEqual(self.succeed("predict", model, "--pairs", self.write("b", text)).stdout, expected)

    def test_standard_input(self):
        model = self.model()
        for ranks in (None, 3):
            done = subprocess.run(command_line(["predict", model, "--pairs", "-"], ranks), input=b"1,2\n9,9\n",
                                  stdout=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout.count(b"\n")), (OK, 3))

    def test_long_input(self):
        """Several pieces; lines that end just at, before and behind their borders; the result for any number of threads."""
        model = self.model()
        lines = [f"{u % 60},{i % 40}" + "0" * (7 * u % 11 == 0 and i % 40 > 0) for u in range(300) for i in range(400)]
        rest = ",3.5,1234567890\n"
        pairs = self.write("long.csv", "user,item,rating,timestamp\n" + rest.join(lines) + rest)
        one = self.succeed("predict", model, "--pairs", pairs, "--threads", 1).stdout
        self.assertTrue(one == self.succeed("predict", model, "--pairs", pairs, "--threads", 4).stdout)
        self.assertTrue([line.rsplit(",", 2)[0] for line in one.splitlines()[1:]] == lines)
        pairs.write_text(rest.join(lines) + rest + "1,x" + rest)
        message = self.fail_with_output(INPUT, "predict", model, "--pairs", pairs)
        self.assertIn(f"{pairs}:{len(lines) + 1}: ", message)

    def fail_with_output(self, code, *args):
        """The rows before the one that is wrong may be there."""
        result = run(*args)
        self.assertEqual((result.code, len(result.errors())), (code, 1), result)
        return result.errors()[0]

    def test_wrong_pairs(self):
        model = self.model()
        out = self.write("out.csv", "older")
        for name, text, line, words in (
                ("text", "1,2\n3,b\n", 2, ['item id "b" is not a number']), ("negative", "-1,2\n", 1, ['"-1"', "negative"]),
                ("nothing", "1,2\n,4\n", 2, ["user id is empty"]), ("one field", "1,2\n3\n", 2, ["1 field", "2"]),
                ("five", "1,2,3,4,5\n", 1, ["2 to 4 fields"]), ("quote", '1,2\n"3,4\n', 2, ["quote"]),
                ("header without items", "userId,title\n1,2\n", 1, ["item_id", '"userId,title"']),
                ("bytes", "1,2\n\udcff,4\n", 2, ["UTF-8"]), ("empty", "", None, ["empty"]), ("zero", "1,2\0\n", None, ["binary"])):
            with self.subTest(name):
                pairs = self.dir / "wrong.csv"
                pairs.write_bytes(text.encode(errors="surrogateescape"))
                message = self.fail_with(INPUT, "predict", model, "--pairs", pairs, "-o", out)
                for word in [f"{pairs}:{line}: " if line else f"{pairs}: "] + words:
                    self.assertIn(word, message)
                self.assertEqual(out.read_text(), "older")
        self.assertIn("cannot be opened", self.fail_with(IO, "predict", model, "--pairs", self.dir / "none"))
        self.assertIn("is a directory", self.fail_with(IO, "predict", model, "--pairs", self.dir))
        self.assertIn("data set", self.fail_with(INPUT, "predict", self.data, "--pairs", pairs))

    def test_header_alone(self):
        text = self.succeed("predict", self.model(), "--pairs", self.write("p", "user,item\n")).stdout
        self.assertEqual(text, "user,item,prediction,basis\n")

    def test_file_and_json(self):
        model, out, told = self.model(), self.dir / "out.csv", self.dir / "out.json"
        pairs = self.write("p.csv", "1,2\n1,999\n999,1\n999,999\n")
        plain = self.succeed("predict", model, "--pairs", pairs).stdout
        result = self.succeed("predict", model, "--pairs", pairs, "-o", out, "--json", told)
        self.assertEqual((result.stdout, out.read_text()), ("", plain))
        self.assertIn("4 pairs predicted: 1 by factors, 0 by content, 2 by a bias alone, 1 by the mean", result.stderr)
        json_result = json.loads(told.read_text())
        self.assertEqual(self.json_of("predict", model, "--pairs", pairs), json_result)
        self.assertEqual(json_result["basis"], {"factors": 1, "content": 0, "bias": 2, "mean": 1})
        self.assertEqual([",".join(str(v) for v in row.values()) for row in json_result["predictions"]],
                         plain.splitlines()[1:])
        empty = self.json_of("predict", model, "--pairs", self.write("e.csv", "user,item\n"))
        self.assertEqual((empty["predictions"], empty["pairs"]), ([], 0))
        self.assertEqual(self.succeed("predict", model, "--pairs", pairs, "--quiet").stderr, "")

    def test_texts_as_ids(self):
        model = self.text_model()
        pairs = self.write("p.csv", 'zoë,"y,2"\n"o""hara",ß\nnobody,"""q"""\nann,"no ""1"""\n')
        text = self.succeed("predict", model, "--pairs", pairs).stdout
        self.assertEqual([line.rsplit(",", 2)[0] for line in text.splitlines()[1:]], pairs.read_text().splitlines())
        rows = self.json_of("predict", model, "--pairs", pairs)["predictions"]
        self.assertEqual([(r["user"], r["item"], r["basis"]) for r in rows],
                         [("zoë", "y,2", "factors"), ('o"hara', "ß", "factors"), ("nobody", '"q"', "bias"),
                          ("ann", 'no "1"', "bias")])
        reference = Model(model)
        for row in rows:
            self.assertAlmostEqual(row["prediction"], reference.predict(row["user"], row["item"])[0], delta=TOLERANCE)

    def test_clipping(self):
        """Users and items so generous, or so mean, that their biases add up to more than the scale has."""
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(
            f"{u},{i},{5 if u + i > 9 else 1}\n" for u in range(1, 9) for i in range(1, 9) if (u, i) not in ((1, 1), (8, 8))))
        self.succeed("import", "--ratings", ratings, "--split", "none", "-o", self.dir / "d.h5")
        model = self.dir / "m.h5"
        self.succeed("train", self.dir / "d.h5", "-o", model, "--factors", 1, "--epochs", 100, "--learning-rate", 0.05)
        pairs = self.write("p.csv", "1,1\n8,8\n4,4\n")
        free, clipped = ([float(r[2]) for r in rows_of(self.succeed("predict", model, "--pairs", pairs, *option).stdout)[1]]
                         for option in ((), ("--clip-to-range",)))
        self.assertLess(free[0], 1)
        self.assertGreater(free[1], 5)
        self.assertEqual(clipped, [1, 5, free[2]])


class Writing(ServingTest):
    def commands(self):
        model, pairs = self.model(), self.write("p.csv", "1,2\n" * 20000)
        return [("predict", model, "--pairs", pairs), ("similar", model, "--item", 1),
                ("recommend", model, "--users", self.write("u.csv", "1\n" * 20000), "--top", 30, "--threads", 1),
                ("export", model, "--to", "csv")]

    def test_full_disk(self):
        """A limit on the size of files stands for it: the older file stays, nothing is left beside it. MPI needs 4 MiB."""
        for command in self.commands():
            if command[0] == "export":
                continue
            with self.subTest(command[0]):
                out = self.write("out.csv", "older")
                before = self.files()
                limit = 6 << 20 if command[0] == "recommend" else 100
                message = self.fail_with(IO, *command, "-o", out,
                                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
                self.assertIn(f"cannot write {out}: File too large", message)
                self.assertEqual((out.read_text(), self.files()), ("older", before))
                with open("/dev/full", "wb") as full:
                    result = run(*command, stdout=full)
                self.assertEqual(result.code, IO, result)
                self.assertEqual(result.errors(),
                                 [f"blendmf {command[0]}: cannot write to standard output: No space left on device"])

    def test_reader_that_went_away(self):
        """As with | head: the command ends, and says why."""
        for command in self.commands()[:3]:
            with self.subTest(command[0]):
                read_end, write_end = os.pipe()
                os.close(read_end)
                result = run(*command, stdout=write_end)
                os.close(write_end)
                self.assertEqual(result.code, IO, result)
                self.assertEqual(result.errors(), [f"blendmf {command[0]}: cannot write to standard output: Broken pipe"])

    def test_outputs_that_are_inputs(self):
        for command in self.commands():
            model = command[1]
            message = self.fail_with(USAGE, *command, "-o", model)
            self.assertIn(f"-o {model} would replace the input {model} (MODEL.h5)", message)
        pairs = self.dir / "p.csv"
        message = self.fail_with(USAGE, "predict", model, "--pairs", pairs, "-o", pairs)
        self.assertIn("(--pairs)", message)
        message = self.fail_with(USAGE, "similar", model, "--item", 1, "--titles", self.data, "--json", self.data)
        self.assertIn("(--titles)", message)


class Evaluate(ServingTest):
    def rmse(self, reference, test):
        scores = np.array([reference.scores(u) for u in range(50)])
        return np.sqrt(np.mean((test.data - scores[test.row, test.col]) ** 2))

    def test_rmse_with_and_without_content(self):
        """As NumPy has them; without: the same model less W, or with the items' own parts only."""
        with h5py.File(self.data) as file:
            test = read_sparse(file["ratings/test"]).tocoo()
        for content in CONTENT:
            with self.subTest(content):
                model = self.model(content)
                reference = Model(model)
                found = self.json_of("evaluate", model, self.data)
                text = self.succeed("evaluate", model, self.data).stdout
                self.assertAlmostEqual(found["rmse"], self.rmse(reference, test), delta=TOLERANCE)
                if content == "none":
                    self.assertIsNone(found["rmse_without_content"])
                    self.assertNotIn("without content", text)
                    continue
                reference.W, reference.Q, reference.b_i = None, reference.own_Q, reference.own_b_i
                without = self.rmse(reference, test)
                self.assertAlmostEqual(found["rmse_without_content"], without, delta=TOLERANCE)
                self.assertNotAlmostEqual(without, found["rmse"], delta=TOLERANCE)
                self.assertRegex(text, rf"without content +{without:.4f}")


class Similar(ServingTest):
    def test_as_numpy_has_it(self):
        for content in CONTENT:
            with self.subTest(content):
                model = self.model(content)
                reference = Model(model)
                for item in (1, 17, 30):
                    cosine = reference.similarity(reference.item[item])
                    header, rows = rows_of(self.succeed("similar", model, "--item", item, "--top", 7).stdout)
                    self.assertEqual(header, ["rank", "item", "similarity"])
                    self.assertEqual([row[0] for row in rows], [str(r) for r in range(1, 8)])
                    for row, best in zip(rows, reference.ranking(cosine)):
                        self.assertAlmostEqual(float(row[2]), cosine[best], delta=TOLERANCE)
                        self.assertAlmostEqual(cosine[reference.item[int(row[1])]], cosine[best], delta=TOLERANCE)

    def test_more_than_there_are(self):
        model = self.model()
        _, rows = rows_of(self.succeed("similar", model, "--item", 5, "--top", 1000).stdout)
        self.assertEqual(len({row[1] for row in rows} - {"5"}), 29)

    def test_unknown_item(self):
        model = self.model()
        self.assertEqual(self.fail_with(INPUT, "similar", model, "--item", 99), f"blendmf similar: {model} knows no item 99")
        self.assertIn('item id "Toy Story" is not a number', self.fail_with(INPUT, "similar", model, "--item", "Toy Story"))

    def test_titles_and_json(self):
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(
            f"{u},{i},{(u + i) % 5 + 1}\n" for u in range(1, 7) for i in range(1, 6)))
        items = self.write("i.csv", "movieId,title,genres\n" + "".join(f'{i},"T, {i}",g{i % 2}\n' for i in range(1, 6)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "--items", items, "--split", "none", "-o", data)
        model = self.train(data, self.dir / "m.h5", "concat")
        text = self.succeed("similar", model, "--item", 2, "--top", 2, "--titles", data).stdout
        self.assertRegex(text, r'^rank,item,similarity,title\n1,(\d),[^,]+,"T, \1"\n2,(\d),[^,]+,"T, \2"\n$')
        told = self.json_of("similar", model, "--item", 2, "--top", 2, "--titles", data)
        self.assertEqual((told["item"], told["title"], len(told["similar"])), (2, "T, 2", 2))
        self.assertEqual(told["similar"][0]["title"], f"T, {told['similar'][0]['item']}")
        self.succeed("import", "--ratings", ratings, "-o", self.dir / "untitled.h5")
        message = self.fail_with(INPUT, "similar", model, "--item", 2, "--titles", self.dir / "untitled.h5")
        self.assertIn("has no titles", message)


if __name__ == "__main__":
    unittest.main()
