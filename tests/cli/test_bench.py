"""The benchmark on small data: it ends, says everything it promises, and what it says is possible. Not how fast anything is."""
import json
import math
import os
import subprocess
import sys
import unittest
from pathlib import Path

from command import BLENDMF, CommandTest, LONGEST_RUN

BUILD = Path(BLENDMF).resolve().parent
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench.py"

SWEEP = {"factors", "threads", "kernel", "ratings", "updates_per_second", "spread", "reference_updates_per_second",
         "in_cache_updates_per_second", "concat_updates_per_second", "to_reference", "to_in_cache", "concat_cost",
         "bytes_per_update", "gigabytes_per_second", "in_l2_share", "beyond_l2_gigabytes_per_second", "flops_per_update",
         "gigaflops", "in_cache_bytes", "l2_bytes"}
EPOCH = {"factors", "ranks", "threads", "seconds", "spread", "updates_per_second", "epoch_updates_per_second",
         "merge_share", "speed_up", "phase"}
CONTENT = {"features", "features_per_item", "plain_seconds", "concat_seconds", "ratio"}
MEMORY = {"factors", "ranks", "peak_bytes", "base_bytes", "used_bytes", "model_bytes", "used_to_model", "merge_bytes"}
CHECKPOINT = {"factors", "ranks", "bytes", "epoch_seconds", "checkpoint_seconds", "disk_seconds", "to_epoch", "to_disk"}
COST = {"threads", "main_nanoseconds", "large_nanoseconds", "ratio", "in_l2_share", "row_nanoseconds",
        "small_page_nanoseconds"}
ROWS = {"data", "rows", "pages", "bytes", "read_nanoseconds", "update_nanoseconds", "read_gigabytes_per_second"}
TOPN = {"users", "items", "factors", "top", "threads", "users_per_second", "gigaflops", "sgemm_gigaflops", "to_sgemm",
        "spread", "memory_bytes"}


def bench(*arguments):
    return subprocess.run([sys.executable, "-B", SCRIPT, BUILD, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=2 * LONGEST_RUN)


def tool(name, *arguments):
    return subprocess.run([BUILD / "tests" / "bench" / name, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LONGEST_RUN)


class Bench(CommandTest):
    def measured(self, *arguments):
        """The JSON and the text of a small run."""
        file = self.dir / "bench.json"
        done = bench("--small", "--json", file, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(file.read_text()), done.stdout

    def check_rows(self, rows, keys, may_be_zero=()):
        """Each row has the keys, and its numbers are finite and above 0."""
        for row in rows:
            self.assertLessEqual(keys, row.keys())
            for key in keys:
                value = row[key]
                if isinstance(value, (int, float)):
                    self.assertTrue(math.isfinite(value), (key, row))
                    self.assertGreaterEqual(value, 0, (key, row))
                    if key not in may_be_zero:
                        self.assertGreater(value, 0, (key, row))

    def test_every_part_is_there_and_possible(self):
        other = self.dir / "other.json"
        other.write_text(json.dumps({"name": "other 1", "updates_per_second": {"32": 1e6, "64": {"2": 2e6}}}))
        found, text = self.measured("--beside", other)
        self.assertLessEqual({"machine", "rounds", "warnings", "beside", "data", "sweep", "epoch", "content", "memory",
                              "read"}, found.keys())
        self.check_sweep(found["sweep"])
        self.check_epochs(found["epoch"])
        self.check_rows(found["content"], CONTENT)
        self.assertEqual([row["features"] for row in found["content"]], [50, 500, 5000])
        self.check_memory(found["memory"])
        self.check_read(found["read"])
        self.check_topn(found["topn"])
        self.check_rows(found["checkpoint"], CHECKPOINT)
        for word in ("to reference", "to in-cache", "GB/s", "Gflop/s", "merge share", "**Content**", "**Memory**",
                     "**Reading**", "to other 1"):
            self.assertIn(word, text)
        for warning in found["warnings"]:
            self.assertIn(warning, text)

    def check_sweep(self, rows):
        self.assertEqual([(r["factors"], r["threads"]) for r in rows],
                         [(k, t) for k in (32, 64, 128) for t in (1, 2)])
        self.check_rows(rows, SWEEP, may_be_zero={"spread"})
        for row in rows:
            speed = row["updates_per_second"]
            self.assertAlmostEqual(row["to_reference"], speed / row["reference_updates_per_second"], 4)
            self.assertAlmostEqual(row["to_in_cache"], speed / row["in_cache_updates_per_second"], 4)
            self.assertEqual(row["bytes_per_update"], 8 * row["factors"] + 8)
            self.assertEqual(row["flops_per_update"], 10 * row["factors"] + 13)
            self.assertAlmostEqual(row["gigaflops"] * 1e9 / (speed * row["flops_per_update"]), 1, 5)
            self.assertEqual(row["in_cache_bytes"], 4 * 1000 * row["factors"])
            self.assertLessEqual(row["in_l2_share"], 1)

    def check_topn(self, rows):
        self.assertEqual([(r["content"], r["threads"]) for r in rows],
                         [(c, t) for c in ("none", "concat") for t in (1, 2)])
        self.check_rows(rows, TOPN, may_be_zero={"spread", "memory_bytes"})
        for row in rows:
            self.assertAlmostEqual(row["to_sgemm"], row["gigaflops"] / row["sgemm_gigaflops"], 4)
            flops = 2 * row["items"] * row["factors"] * row["users_per_second"]
            self.assertAlmostEqual(row["gigaflops"] * 1e9 / flops, 1, 5)
            self.assertLess(row["memory_bytes"], 300e6)

    def check_epochs(self, rows):
        self.assertEqual([(r["ranks"], r["threads"]) for r in rows], [(1, 1), (1, 2), (2, 1)])
        self.check_rows(rows, EPOCH, may_be_zero={"spread", "merge_share"})
        for row in rows:
            phases = row["phase"]
            self.assertLessEqual({"sweep", "merge"}, phases.keys())
            self.assertTrue(all(seconds >= 0 for seconds in phases.values()), row)
            self.assertLess(row["merge_share"], 1)
            if row["ranks"] == 2:
                self.assertGreater(phases["merge"], 0)
        self.assertEqual(rows[0]["speed_up"], 1)

    def check_memory(self, rows):
        self.assertEqual([row["ranks"] for row in rows], [1, 2])
        self.check_rows(rows, MEMORY, may_be_zero={"merge_bytes"})
        for row in rows:
            self.assertEqual(row["used_bytes"], row["peak_bytes"] - row["base_bytes"])
            self.assertAlmostEqual(row["model_bytes"],
                                   row["ratings_bytes"] + row["parameter_bytes"] + row["merge_bytes"], 3)

    def check_read(self, found):
        """Skipped aloud where the program is missing, else figures."""
        if isinstance(found, dict):
            self.assertIn("bench_read", found["skipped"])
            self.assertFalse((BUILD / "tests" / "bench" / "bench_read").exists())
        else:
            self.assertTrue(any(row.get("ratings_per_second", 0) > 0 for row in found), found)

    def test_large_gives_the_cost_and_its_reasons(self):
        found, text = self.measured("--part", "large", "--large", "--rounds", "1")
        large = found["large"]
        self.check_rows(large["cost"], COST)
        self.check_rows(large["rows"], ROWS)
        for row in large["rows"]:  # −1: the system does not say
            if row["pages"] == "small":
                self.assertLessEqual(row["huge_bytes"], 0)
        self.assertEqual(len(large["rows"]), 2 * 3 * 2)
        for cost in large["cost"]:
            self.assertAlmostEqual(cost["ratio"], cost["large_nanoseconds"] / cost["main_nanoseconds"])
        self.assertIn("**Large**", text)

    def test_wrong_use_is_refused(self):
        wrong = self.dir / "wrong.json"
        wrong.write_text('{"name": "x"}')
        for arguments, word in ((["--part", "swoop"], "swoop"), (["--rounds", "0"], "--rounds"),
                                (["--beside", wrong], "wrong.json"), (["--beside", self.dir / "none"], "none")):
            with self.subTest(arguments):
                done = bench("--small", *arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_programs_refuse_wrong_arguments(self):
        data = self.make_dataset()
        for line in (["bench_sweep"], ["bench_sweep", data, "--factors", "8,x"], ["bench_sweep", data, "--rounds", "0"],
                     ["bench_rows"], ["bench_rows", data, "--factors", "0"], ["with_content", data], ["bench_topn"], ["bench_topn", data, "--top", "0"],
                     ["with_content", data, "4", "5", self.dir / "o.h5"]):
            with self.subTest(line[0]):
                done = tool(*line)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(line[0], done.stderr)
        self.assertEqual(tool("bench_sweep", self.dir / "none.h5").returncode, 4)
        self.assertFalse(os.path.exists(self.dir / "o.h5"))

    def test_content_is_as_wanted(self):
        import h5py
        import numpy
        data, out = self.make_dataset(), self.dir / "out.h5"
        done = tool("with_content", data, 30, 6, out)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(data) as before, h5py.File(out) as after:
            self.assertEqual(tuple(after["content"].attrs["shape"]), (40, 30))
            self.assertTrue((numpy.diff(after["content/indptr"][:]) == 6).all())
            rows = after["content/indices"][:].reshape(40, 6)
            self.assertTrue((numpy.diff(rows, axis=1) > 0).all())
            numpy.testing.assert_allclose((after["content/data"][:].reshape(40, 6) ** 2).sum(axis=1), 1, rtol=1e-6)
            for split in ("train", "val", "test"):
                numpy.testing.assert_array_equal(before[f"ratings/{split}/data"], after[f"ratings/{split}/data"])
                numpy.testing.assert_array_equal(before[f"ratings/{split}/indices"], after[f"ratings/{split}/indices"])


if __name__ == "__main__":
    unittest.main()
