"""The whole path: planted text files, import, training in two processes, evaluation, and what the files hold."""
import json
import math
import re
import unittest

import h5py
import numpy as np
import scipy.sparse

from command import DIVERGED, CommandTest, epoch_lines, run

EPOCH_KEYS = ["epoch", "train_mse", "val_mse", "val_rmse", "learning_rate", "updates_per_second", "seconds",
              "merge_share", "merge_bytes"]
EVALUATION_KEYS = ["split", "ratings", "users", "rmse", "mae", "rmse_without_content", "top", "threshold", "candidates",
                   "precision", "recall", "ndcg", "map", "coverage", "segments", "sparsity"]
METRICS = ["rmse", "mae", "precision", "recall", "ndcg", "map", "coverage"]


def csr(group):
    return scipy.sparse.csr_matrix((group["data"][:], group["indices"][:], group["indptr"][:]),
                                   shape=tuple(group.attrs["shape"]))


def numbers(text):
    return [float(word) for word in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


class WholePath(CommandTest):
    def test_csv_to_evaluation(self):
        text, data, model = self.dir / "csv", self.dir / "data.h5", self.dir / "model.h5"
        self.succeed("synth", "--csv", text, "--users", 120, "--items", 80, "--ratings", 4000, "--features", 20,
                     "--factors", 3, "--noise", 0.3, "--seed", 3)
        self.assertEqual(sorted(p.name for p in text.iterdir()), ["movies.csv", "ratings.csv", "tags.csv"])
        report = self.import_text(text, data)
        self.train(data, model)
        self.evaluate(data, model, report)
        self.inspect(data, model)

    def import_text(self, text, data):
        result = self.succeed("import", "--ratings", text / "ratings.csv", "--items", text / "movies.csv", "--tags",
                              text / "tags.csv", "-o", data, "--json", self.dir / "import.json")
        report = json.loads((self.dir / "import.json").read_text())
        splits = [report["splits"][name] for name in ("train", "val", "test")]
        self.assertEqual(sum(split["ratings"] for split in splits), 4000)
        self.assertEqual(report["all"]["ratings"], 4000)
        self.assertEqual((report["users"], report["items"], report["totals_consistent"]), (120, 80, True))
        self.assertAlmostEqual(report["sparsity"], 1 - 4000 / (120 * 80), places=12)
        row = next(line for line in result.stdout.splitlines() if line.startswith("ratings "))
        self.assertEqual(numbers(row), [split["ratings"] for split in splits] + [4000])
        self.assertRegex(result.stdout, r"(?m)^totals consistent +yes$")
        with h5py.File(data) as file:
            values = np.concatenate([file[f"ratings/{name}/data"][:] for name in ("train", "val", "test")])
            self.assertAlmostEqual(report["all"]["mean"], values.mean(dtype=np.float64), places=6)
            self.assertEqual((report["all"]["minimum"], report["all"]["maximum"]), (values.min(), values.max()))
            for name, split in zip(("train", "val", "test"), splits):
                matrix = csr(file[f"ratings/{name}"])
                self.assertEqual(matrix.shape, (120, 80))
                self.assertEqual(split["users"], np.count_nonzero(np.diff(matrix.indptr)))
                self.assertEqual(split["items"], len(np.unique(matrix.indices)))
            self.assertEqual(report["features"], csr(file["content"]).shape[1])
        return report

    def train(self, data, model):
        result = self.succeed("train", data, "-o", model, "--content", "concat", "--factors", 4, "--epochs", 40,
                              "--patience", 4, "--json", self.dir / "train.json", "--log-json",
                              self.dir / "epochs.jsonl", ranks=2)
        *epochs, last = epoch_lines(result.stdout)
        for number, line in enumerate(epochs, start=1):
            self.assertEqual([key for key, _ in line], EPOCH_KEYS)
            self.assertEqual(line[0][1], str(number))
        self.assertEqual([key for key, _ in last], ["best_epoch", "val_mse", "stopped"])
        summary = json.loads((self.dir / "train.json").read_text())
        self.assertEqual(last[0][1], str(summary["best_epoch"]))
        self.assertEqual(last[2][1], summary["stopped"])
        losses = [record["val_mse"] for record in summary["history"]]
        self.assertEqual(len(losses), len(epochs))
        self.assertEqual(summary["best_epoch"], 1 + losses.index(min(losses)))
        self.assertEqual(summary["val_mse"], min(losses))
        self.assertEqual(summary["options"]["ranks"], 2)
        logged = [json.loads(line) for line in (self.dir / "epochs.jsonl").read_text().splitlines()]
        best_so_far = [record.pop("best") for record in logged]
        self.assertEqual(logged[0].pop("memory"), summary["memory"])
        self.assertEqual(logged, summary["history"])
        self.assertEqual(max(i for i, best in enumerate(best_so_far) if best) + 1, summary["best_epoch"])
        self.assertIn("2 ranks x 1 thread, content concat, 4 factors", result.stderr)

    def evaluate(self, data, model, report):
        result = self.json_of("evaluate", model, data, "--baselines", ranks=2)
        self.assertEqual(list(result), EVALUATION_KEYS + ["baselines"])
        self.assertEqual((result["split"], result["top"], result["threshold"], result["candidates"]),
                         ("test", 10, 3.5, "rated"))
        self.assertEqual(result["ratings"], report["splits"]["test"]["ratings"])
        self.assertEqual(result["users"], report["splits"]["test"]["users"])
        self.assertEqual(list(result["segments"]), ["warm", "new_item", "new_user"])
        self.assertEqual(sum(part["count"] for part in result["segments"].values()), result["ratings"])
        self.assertEqual(list(result["baselines"]), ["global_mean", "bias", "popularity", "random"])
        for baseline in result["baselines"].values():
            self.assertEqual(list(baseline), METRICS)
        self.assertIsNone(result["baselines"]["random"]["rmse"])
        self.assertLess(result["rmse"], result["baselines"]["global_mean"]["rmse"])
        self.assertEqual(result, self.json_of("evaluate", model, data, "--baselines"))
        self.assertEqual(list(self.json_of("evaluate", model, data)), EVALUATION_KEYS)
        text = self.succeed("evaluate", model, data, "--baselines").stdout
        row = next(line for line in text.splitlines() if line.startswith("RMSE"))
        self.assertEqual(row.split()[1], f"{result['rmse']:.4f}")
        self.assertEqual(row.split()[-1], "-")

    def inspect(self, data, model):
        described = self.json_of("info", data)
        self.assertEqual((described["kind"], described["users"], described["items"]), ("dataset", 120, 80))
        self.assertEqual(sum(described["ratings"].values()), 4000)
        summary = json.loads((self.dir / "train.json").read_text())
        described_model = self.json_of("info", model)
        self.assertEqual(described_model["kind"], "model")
        self.assertEqual(described_model["best_epoch"], summary["best_epoch"])
        measured = [{key: epoch[key] for key in described_model["history"][0]} for epoch in summary["history"]]
        self.assertEqual(described_model["history"], measured)  # the file keeps all but the phases of an epoch
        self.assertTrue(all(set(epoch) - set(described_model["history"][0]) <= {"phase", "merge_bytes"} for epoch in summary["history"]))
        self.assertEqual(described_model["options"]["dataset_fingerprint"], described["fingerprint"])
        with h5py.File(model) as file:
            for name, shape in described_model["arrays"].items():
                found = file[name].attrs["shape"] if isinstance(file[name], h5py.Group) else file[name].shape
                self.assertEqual(math.prod(found), math.prod(shape), name)
            self.assertEqual(file["P"].shape, (120, 4))
            self.assertEqual(file["Q"].shape, (80, 4))
            weights = csr(file["W"])
            self.assertTrue(np.isfinite(weights.data).all())
            self.assertEqual(weights.nnz, described_model["content_weights"])
            with h5py.File(data) as source:
                seen = csr(source["ratings/train"]).astype(bool) @ csr(source["content"]).astype(bool)
            self.assertTrue(((weights != 0) != seen).nnz == 0)  # of the features of the user's training items, no other
        for path in (data, model):
            screen = self.succeed("info", path).stdout.splitlines()
            self.assertLessEqual(len(screen), 26)
            self.assertIn(f"format version {1 if path == data else 2}", screen[0])


class Training(CommandTest):
    def test_regularization_alone_is_for_every_role(self):
        data = self.make_dataset()
        one = ["--epochs", 1, "--factors", 2]
        roles = ("regularization", "bias_regularization", "content_regularization")

        def trained(*args):
            options = self.json_of("train", data, "-o", self.dir / "m.h5", *one, *args)["options"]
            return tuple(options[role] for role in roles)

        self.assertEqual(trained("--regularization", 0.25), (0.25, 0.25, 0.25))
        self.assertEqual(trained("--regularization", 0.25, "--bias-regularization", 0.5), (0.25, 0.5, 0.25))
        factors, biases, content = trained("--content-regularization", 0.125)
        self.assertEqual(content, 0.125)
        self.assertEqual((factors, biases), trained()[:2])

    def test_regularization_of_one_role(self):
        data = self.make_dataset()
        roles = ("user_regularization", "item_regularization", "user_bias_regularization", "item_bias_regularization")

        def trained(*args):
            options = self.json_of("train", data, "-o", self.dir / "m.h5", "--epochs", 1, "--factors", 2, *args)["options"]
            return tuple(options[role] for role in roles)

        self.assertEqual(trained("--regularization", 0.25), (0.25, 0.25, 0.25, 0.25))
        self.assertEqual(trained("--regularization", 0.25, "--item-regularization", 0.5), (0.25, 0.5, 0.25, 0.25))
        self.assertEqual(trained("--regularization", 0.25, "--bias-regularization", 0.5, "--user-bias-regularization", 1,
                                 "--user-regularization", 2), (2, 0.25, 1, 0.5))
        self.assertIn("user biases 1,", self.succeed("info", self.dir / "m.h5").stdout)
        rates = self.json_of("train", data, "-o", self.dir / "m.h5", "--epochs", 1, "--factors", 2, "--learning-rate", 0.02)
        self.assertEqual(rates["options"]["bias_learning_rate"], 0.02)
        for schedule in (("--schedule", "adagrad"), ("--regularization-scaling", 0.5)):
            message = self.fail_with(2, "train", data, "-o", self.dir / "n.h5", "--content", "concat", *schedule)
            self.assertIn("not with --content concat", message)
        apart = self.json_of("train", data, "-o", self.dir / "m.h5", "--epochs", 1, "--factors", 2, "--learning-rate", 0.02,
                             "--bias-learning-rate", 0.005)
        self.assertEqual(apart["options"]["bias_learning_rate"], 0.005)
        self.assertNotEqual(rates["history"][0]["val_rmse"], apart["history"][0]["val_rmse"])
        message = self.fail_with(2, "train", data, "-o", self.dir / "m.h5", "--learning-rate", 0.5,
                                 "--item-bias-regularization", 3)
        self.assertIn("--item-bias-regularization 3", message)

    def test_without_validation_ratings(self):
        data = self.make_dataset(split_ratios="1,0,0")
        result = self.succeed("train", data, "-o", self.dir / "m.h5", "--epochs", 3, "--factors", 2)
        *epochs, last = epoch_lines(result.stdout)
        self.assertEqual([dict(line)["val_mse"] for line in epochs], ["-"] * 3)
        self.assertEqual(dict(last), {"best_epoch": "3", "val_mse": "-", "stopped": "epochs"})
        self.assertIsNone(self.json_of("info", self.dir / "m.h5")["val_mse"])
        empty = self.json_of("evaluate", self.dir / "m.h5", data)
        self.assertEqual((empty["ratings"], empty["users"], empty["rmse"], empty["precision"]), (0, 0, None, None))
        self.assertIn("-", self.succeed("evaluate", self.dir / "m.h5", data).stdout)

    def test_same_seed_same_model_on_one_thread(self):
        data = self.make_dataset()
        for content, own in (("concat", ["W/indptr", "W/indices", "W/data"]), ("embed", ["V", "feature_bias"])):
            for name in ("a.h5", "b.h5"):
                self.succeed("train", data, "-o", self.dir / name, "--content", content, "--threads", 1, "--seed", 7,
                             "--epochs", 3, ranks=2)
            with h5py.File(self.dir / "a.h5") as a, h5py.File(self.dir / "b.h5") as b:
                for name in ["P", "Q", "user_bias", "item_bias", *own]:
                    self.assertTrue(np.array_equal(a[name][:], b[name][:]), name)

    def test_content_weights_are_the_same_ones_on_any_ranks(self):
        """Which weights a user has is his own affair; so is how they start, seen before the ranks' item sides differ."""
        data = self.make_dataset(features=60)
        few = ["--content", "concat", "--epochs", 1, "--factors", 2, "--seed", 3, "--learning-rate", 1e-9]
        rows = []
        for ranks in (None, 3):
            self.succeed("train", data, "-o", self.dir / "m.h5", *few, ranks=ranks)
            with h5py.File(self.dir / "m.h5") as file:
                rows.append(csr(file["W"]))
        with h5py.File(data) as file:
            met = csr(file["ratings/train"]).astype(bool) @ csr(file["content"]).astype(bool)
        self.assertLess(rows[0].nnz, 60 * 60)
        for row in rows:
            self.assertTrue(row.has_sorted_indices)
            self.assertEqual(((row != 0) != met).nnz, 0)
        self.assertLess(abs(rows[0] - rows[1]).max(), 1e-6)
        self.assertGreater(abs(rows[0]).max(), 1e-3)

    def test_memory_does_not_grow_with_the_number_of_features(self):
        parts = []
        for features in (50, 50000):
            data = self.make_dataset(name=f"data{features}.h5", users=300, items=200, features=features)
            parts.append(self.json_of("train", data, "-o", self.dir / "m.h5", "--content", "concat", "--epochs", 1,
                                      "--factors", 2, "--threads", 1)["memory"])
        dense = 300 * 50000 * 4
        self.assertLess(parts[1]["parameters"], 20 * parts[0]["parameters"])
        self.assertLess(20 * (parts[1]["parameters"] + parts[1]["content"]), dense)

    def test_divergence_has_a_code_of_its_own(self):
        data = self.make_dataset()
        model = self.dir / "m.h5"
        for ranks in (None, 2):
            for older in (None, b"an older model"):
                with self.subTest(ranks=ranks, older=older):
                    model.unlink(missing_ok=True)
                    if older:
                        model.write_bytes(older)
                    before = self.files()
                    result = run("train", data, "-o", model, "--learning-rate", 9, "--regularization", 0, "--clip", 1e6,
                                 "--init-std", 5, "--threads", 1, "--json", self.dir / "result.json", ranks=ranks)
                    self.assertEqual(result.code, DIVERGED, result)
                    self.assertEqual(len(result.errors()), 1, result)
                    self.assertIn("diverged", result.errors()[0])
                    self.assertEqual(self.files(), before)
                    if older:
                        self.assertEqual(model.read_bytes(), older)


if __name__ == "__main__":
    unittest.main()
