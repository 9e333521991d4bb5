"""export: arrays with which NumPy says what predict says; a directory that is there whole or not at all."""
import csv
import os
import resource
import subprocess
import time
import unittest

import numpy as np
import scipy.sparse

from command import BLENDMF, INPUT, IO, CommandTest, run
from reference import Model

CONTENT = ("none", "concat", "embed")
FACTORS = ["P_matrix", "Q_matrix", "b_i", "b_u", "mu"]
MORE = {"none": [], "concat": ["W", "content", "idf"],
        "embed": ["Q_own", "V_matrix", "b_i_own", "beta", "content", "idf"]}


class ExportTest(CommandTest):
    def model(self, content, data=None):
        path = self.dir / f"{content}.h5"
        data = data or self.make_dataset(users=40, items=30, ratings=500)
        self.succeed("train", data, "-o", path, "--content", content, "--factors", 5, "--epochs", 3, "--threads", 1)
        return path

    def predictions(self, model, users, items):
        """(users × items), as predict prints them."""
        pairs = self.dir / "pairs.csv"
        with open(pairs, "w", newline="") as file:
            csv.writer(file).writerows((u, i) for u in users for i in items)
        rows = self.json_of("predict", model, "--pairs", pairs)["predictions"]
        return np.array([row["prediction"] for row in rows]).reshape(len(users), len(items))


class Npy(ExportTest):
    def load(self, model):
        """Arrays by name, sparse ones put together."""
        self.succeed("export", model, "-o", self.dir / "out")
        arrays = {path.stem: np.load(path) for path in (self.dir / "out").iterdir()}
        for name in ("W", "content"):
            if f"{name}_data" in arrays:
                parts = [arrays.pop(f"{name}_{part}") for part in ("data", "indices", "indptr")]
                features = len(arrays["feature_names"])
                arrays[name] = scipy.sparse.csr_matrix(tuple(parts), shape=(len(parts[2]) - 1, features))
        return arrays

    def check(self, model, content):
        arrays = self.load(model)
        names = FACTORS + MORE[content] + ["user_ids", "item_ids"] + ["feature_names"] * (content != "none")
        self.assertEqual(sorted(arrays), sorted(names))
        users, items = arrays["user_ids"].tolist(), arrays["item_ids"].tolist()
        self.assertEqual((arrays["P_matrix"].shape, arrays["mu"].shape), ((len(users), 5), ()))
        scores = (arrays["mu"] + arrays["b_u"][:, None] + arrays["b_i"][None, :]
                  + arrays["P_matrix"] @ arrays["Q_matrix"].T)
        if content == "concat":
            scores = scores + arrays["W"] @ arrays["content"].T
        np.testing.assert_allclose(np.asarray(scores), self.predictions(model, users, items), rtol=0, atol=1e-5)
        return arrays

    def test_arrays_predict(self):
        for content in ("none", "concat"):
            with self.subTest(content):
                self.check(self.model(content), content)
                for path in (self.dir / "out").iterdir():
                    path.unlink()

    def test_embedded_content(self):
        """The items' vectors are their own parts and those of their features."""
        arrays = self.check(self.model("embed"), "embed")
        np.testing.assert_allclose(arrays["Q_own"] + arrays["content"] @ arrays["V_matrix"], arrays["Q_matrix"], atol=1e-5)
        np.testing.assert_allclose(arrays["b_i_own"] + arrays["content"] @ arrays["beta"], arrays["b_i"], atol=1e-5)

    def test_types(self):
        arrays = self.load(self.model("concat"))
        types = {name: array.dtype.str for name, array in arrays.items()}
        self.assertEqual({types.pop(name) for name in ("user_ids", "item_ids")}, {"<i8"})
        self.assertEqual({types.pop(name) for name in ("mu", "idf")}, {"<f8"})
        self.assertEqual(types.pop("feature_names")[:2], "<U")
        self.assertEqual(set(types.values()), {"<f4"})

    def test_texts_as_ids(self):
        ratings = self.dir / "r.csv"
        users, items = ["ann", "b,c", "zoë", "\U0001f600"], ["x", "größer", "日本語の題"]
        ratings.write_text("userId,movieId,rating\n" + "".join(
            f'"{u}",{i},{(a + 2 * b) % 5 + 1}\n' for a, u in enumerate(users) for b, i in enumerate(items)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "--split", "none", "-o", data)
        arrays = self.check(self.model("none", data), "none")
        self.assertEqual((arrays["user_ids"].tolist(), arrays["item_ids"].tolist()), (sorted(users), sorted(items)))


class Csv(ExportTest):
    def read(self, name):
        with open(self.dir / "out" / f"{name}.csv", newline="") as file:
            return list(csv.reader(file))

    def test_files(self):
        for content in CONTENT:
            with self.subTest(content):
                model = self.model(content)
                reference = Model(model)
                self.succeed("export", model, "--to", "csv", "-o", self.dir / "out")
                names = [path.stem for path in (self.dir / "out").iterdir()]
                self.assertEqual(sorted(names), sorted(FACTORS + MORE[content]))
                header, *rows = self.read("Q_matrix")
                self.assertEqual(header, ["item", "f1", "f2", "f3", "f4", "f5"])
                self.assertEqual([int(row[0]) for row in rows], reference.items)
                np.testing.assert_allclose(np.array(rows, float)[:, 1:], reference.Q, atol=1e-6)
                self.assertEqual(float(self.read("mu")[1][0]), reference.mean)
                header, *rows = self.read("b_u")
                self.assertEqual(header, ["user", "b_u"])
                np.testing.assert_allclose([float(row[1]) for row in rows], reference.b_u, atol=1e-7)
                if content == "concat":
                    header, *rows = self.read("W")
                    self.assertEqual(header, ["user", "feature", "weight"])
                    dense = reference.W.toarray()
                    self.assertEqual(len(rows), reference.W.nnz)
                    for user, feature, weight in rows:
                        at = reference.user[int(user)], reference.features.index(feature)
                        self.assertAlmostEqual(float(weight), dense[at], delta=1e-7)
                for path in (self.dir / "out").iterdir():
                    path.unlink()


class Directory(ExportTest):
    def test_existing_directories(self):
        model, out = self.model("none"), self.dir / "out"
        out.mkdir()
        self.succeed("export", model, "-o", f"{out}/")
        before = sorted(out.iterdir())
        self.assertEqual(len(before), 7)
        message = self.fail_with(IO, "export", model, "-o", out)
        self.assertEqual(message, f"blendmf export: cannot write {out}: the directory is not empty; give another name or "
                                  "remove it")
        self.assertEqual(sorted(out.iterdir()), before)
        self.assertIn("is no directory", self.fail_with(IO, "export", model, "-o", self.dir / "data.h5"))
        message = self.fail_with(IO, "export", model, "-o", self.dir / "gone" / "out")
        self.assertIn("No such file or directory", message)
        self.assertEqual(self.files(), ["data.h5", "none.h5", "out"])

    def test_report(self):
        model = self.model("concat")
        told = self.json_of("export", model, "-o", self.dir / "out")
        sizes = [path.stat().st_size for path in (self.dir / "out").iterdir()]
        self.assertEqual((told["bytes"], len(told["files"])), (sum(sizes), len(sizes)))
        self.assertEqual((told["users"], told["items"], told["factors"], told["content"]), (40, 30, 5, "concat"))

    def test_full_disk(self):
        model = self.model("none")
        before = self.files()
        message = self.fail_with(IO, "export", model, "-o", self.dir / "out",
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)))
        self.assertRegex(message, r"cannot write .*/out: \w+\.npy: cannot be written: File too large")
        self.assertEqual(self.files(), before)

    def test_damaged_model(self):
        model = self.model("none")
        raw = bytearray(model.read_bytes())
        raw[len(raw) // 2:len(raw) // 2 + 2000] = bytes(2000)
        model.write_bytes(raw)
        before = self.files()
        result = run("export", model, "-o", self.dir / "out")
        self.assertIn(result.code, (INPUT, IO), result)
        self.assertEqual(self.files(), before)

    def test_left_overs_of_killed_processes_are_removed(self):
        model = self.model("concat", self.make_dataset(users=4000, items=3000, ratings=60000))
        out = self.dir / "out"
        child = subprocess.Popen([BLENDMF, "export", model, "-o", out, "--to", "csv"], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not list(self.dir.glob("out.blendmf.part-*")) and time.monotonic() < deadline:
            time.sleep(0.001)
        child.kill()
        child.wait()
        self.assertFalse(out.exists())
        self.assertEqual(len(list(self.dir.glob("out.blendmf.part-*"))), 1)
        other = self.dir / "out.blendmf.part-12-x"
        other.mkdir()
        self.succeed("export", model, "-o", out)
        self.assertEqual(list(self.dir.glob("out.blendmf.part-*")), [other])


if __name__ == "__main__":
    unittest.main()
