"""New users that the library folds in are predicted about as well as if they had been trained with."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from command import CommandTest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BLENDMF", "blendmf")).resolve().parent


class FoldIn(CommandTest):
    def test_on_the_sample(self):
        data, out, sample = self.dir / "data.h5", self.dir / "out.json", ROOT / "data" / "sample"
        self.succeed("import", "--ratings", sample / "ratings.csv", "--items", sample / "movies.csv", "--tags",
                    sample / "tags.csv", "-o", data)
        done = subprocess.run([sys.executable, "-B", ROOT / "scripts" / "fold_in.py", BUILD, data, "--seeds", "2", "--json",
                               out], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        means = json.loads(out.read_text())
        self.assertEqual([mean["content"] for mean in means], ["none", "concat", "embed"])
        for mean in means:
            with self.subTest(mean["content"]):
                self.assertLess(mean["difference"], 0.01)
                self.assertLess(mean["folded_in"], mean["unknown"] - 0.05)
                self.assertEqual([row["seed"] for row in mean["rows"]], [1, 2])
                self.assertIn(f"{mean['folded_in']:.4f}", done.stdout)


if __name__ == "__main__":
    unittest.main()
