"""libblendmf as others get it: installed into a directory, then used by a program that knows nothing but that."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MPI = re.compile(r"^(OMPI_|PMIX_|BLENDMF_)")
CLEAN = {key: value for key, value in os.environ.items() if not MPI.match(key)}  # as a caller who has no MPI


def run(*command, env=None, code=0):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=env, check=False)
    if done.returncode != code:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def declared():
    """The functions of the public headers."""
    text = "".join(path.read_text() for path in (ROOT / "include" / "blendmf").glob("*.h"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return sorted(re.findall(r"(?m)^BLENDMF_API\b[^;(]*?\b(\w+)\(", text))


def weights(file, user, features):
    """A user's content weights as a dense row."""
    row, W = numpy.zeros(features), file["W"]
    first, last = W["indptr"][user:user + 2]
    row[W["indices"][first:last]] = W["data"][first:last]
    return row


def predictions(path, user_id):
    """By the formula of the README from the arrays of the file: r̂ of all items for a user, and the items' ids."""
    with h5py.File(path) as file:
        user = int(numpy.flatnonzero(file["users/id"][:] == user_id)[0])
        content = file["content"]
        shape = content.attrs["shape"]
        X = numpy.zeros(shape)
        for i in range(shape[0]):
            first, last = content["indptr"][i:i + 2]
            X[i, content["indices"][first:last]] = content["data"][first:last]
        trained = (file["items/ratings"][:] > 0)[:, None]
        out = file["Q"][:].astype(float) * trained @ file["P"][user].astype(float) + file["item_bias"][:]
        out += file.attrs["global_mean"] + float(file["user_bias"][user])
        out += X @ weights(file, user, shape[1]) * file.attrs["content_weight"]
        return out, file["items/id"][:]


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        keeper = tempfile.TemporaryDirectory(prefix="blendmf-install-")
        cls.addClassCleanup(keeper.cleanup)
        cls.dir = Path(keeper.name).resolve()
        cls.prefix = cls.dir / "prefix"
        run(os.environ["CMAKE"], "--install", os.environ["BUILD"], "--prefix", cls.prefix)
        cls.libdir = next(cls.prefix.rglob("libblendmf.so")).parent
        program, sample = cls.prefix / "bin" / "blendmf", ROOT / "data" / "sample"
        cls.model = cls.dir / "model.h5"
        run(program, "import", "--ratings", sample / "ratings.csv", "--items", sample / "movies.csv", "--tags",
            sample / "tags.csv", "-o", cls.dir / "data.h5", "-q")
        run(program, "train", cls.dir / "data.h5", "-o", cls.model, "--content", "concat", "--epochs", "4", "--threads", "1",
            "-q")
        with h5py.File(cls.model) as file:
            cls.user, cls.items = int(file["users/id"][3]), [str(i) for i in file["items/id"][:12]]

    def ask(self, example, **env):
        """The lines of the example by their first field."""
        done = run(example, self.model, self.user, *self.items, env={**CLEAN, **env})
        self.assertEqual(done.stderr, "")
        lines = {}
        for line in done.stdout.splitlines():
            what, item, value, basis = line.split("\t")
            lines.setdefault(what, []).append((item, float(value), basis))
        return lines

    def check(self, example, **env):
        lines = self.ask(example, **env)
        wanted, ids = predictions(self.model, self.user)
        by_id = dict(zip(map(str, ids), wanted))
        self.assertEqual([item for item, _, _ in lines["predict"]], self.items)
        for what in ("predict", "recommend"):
            for item, value, _ in lines[what]:
                self.assertAlmostEqual(value, by_id[item], places=5)
        best = sorted((value for item, value in by_id.items() if item != self.items[0]), reverse=True)[:5]
        for (_, value, _), other in zip(lines["recommend"], best, strict=True):
            self.assertAlmostEqual(value, other, places=5)
        self.assertEqual(len(lines["similar"]), 5)
        self.assertEqual(len(lines["newcomer"]), 5)
        return lines

    def test_pkg_config(self):
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig")}
        flags = run(os.environ["PKG_CONFIG"], "--cflags", "--libs", "blendmf", env=env).stdout.split()
        example = self.dir / "by_pkg_config"
        run(os.environ["CC"], HERE / "example.c", *flags, "-o", example)
        self.check(example, LD_LIBRARY_PATH=str(self.libdir))
        self.assertEqual(run(os.environ["PKG_CONFIG"], "--modversion", "blendmf", env=env).stdout.strip(), "0.1.0")

    def test_pkg_config_static(self):
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig")}
        flags = run(os.environ["PKG_CONFIG"], "--static", "--cflags", "--libs", "blendmf", env=env).stdout.split()
        flags = [flag if flag != "-lblendmf" else str(self.libdir / "libblendmf.a") for flag in flags]
        example = self.dir / "by_pkg_config_static"
        run(os.environ["CC"], HERE / "example.c", *flags, "-o", example)
        self.check(example)

    def test_cmake(self):
        run(os.environ["CMAKE"], "-S", HERE / "project", "-B", self.dir / "project",
            f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DEXAMPLE={HERE / 'example.c'}",
            f"-DCMAKE_C_COMPILER={os.environ['CC']}")
        run(os.environ["CMAKE"], "--build", self.dir / "project")
        self.assertEqual(self.check(self.dir / "project" / "shared_example"),
                         self.check(self.dir / "project" / "static_example"))

    def test_only_the_declared_is_visible(self):
        self.assertIn("bmf_status_text", declared())
        self.assertIn("blendmf_recommend_many", declared())
        for options, name in ((["-D"], "libblendmf.so"), (["-g"], "libblendmf.a")):
            told = run(os.environ["NM"], *options, "--defined-only", self.libdir / name).stdout
            found = sorted(line.split()[-1] for line in told.splitlines() if len(line.split()) == 3)
            self.assertEqual(found, declared(), name)

    def test_headers_stand_alone(self):
        for compiler, language in ((os.environ["CC"], "c"), (shutil.which("c++"), "c++")):
            for header in sorted((self.prefix / "include" / "blendmf").glob("*.h")):
                if compiler:
                    run(compiler, "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I",
                        self.prefix / "include", header)

    def test_failures_are_told(self):
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig")}
        flags = run(os.environ["PKG_CONFIG"], "--cflags", "--libs", "blendmf", env=env).stdout.split()
        example = self.dir / "failing"
        run(os.environ["CC"], HERE / "example.c", *flags, f"-Wl,-rpath,{self.libdir}", "-o", example)
        done = run(example, self.dir / "none.h5", "1", "1", env=CLEAN, code=4)
        self.assertIn("none.h5", done.stderr)
        damaged = self.dir / "damaged.h5"
        damaged.write_bytes(self.model.read_bytes()[:-100])
        done = run(example, damaged, "1", "1", env=CLEAN, code=4)
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
