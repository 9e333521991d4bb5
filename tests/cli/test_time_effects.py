"""Biases that drift with time: planted ones are found, figures are those of the file's arrays, and nothing else goes on."""
import csv
import shutil
import sys
import unittest
from pathlib import Path

import h5py
import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent / "fault"))
from checkpoints import differences  # noqa: E402
from command import INPUT, IO, USAGE, CommandTest  # noqa: E402
from spoil import SpoiledFileTest, flip_byte, remove, set_attribute, set_element  # noqa: E402

DAY = 86400
START, DAYS = 1_000_000_000, 1000
USERS, ITEMS, EACH = 150, 30, 25
ITEM_DRIFT, USER_SLOPE, NOISE = 0.6, 0.08, 0.3


def power(days):
    return np.sign(days) * np.abs(days) ** 0.4


def planted():
    """Rows user, item, rating, time: every second item rises by 2 ITEM_DRIFT in the middle of the period, the others fall; every
    second user's ratings rise with USER_SLOPE, the others' fall."""
    draw = np.random.default_rng(1)
    user_bias, item_bias = draw.normal(0, 0.3, USERS), draw.normal(0, 0.3, ITEMS)
    rows = []
    for user in range(USERS):
        days = draw.uniform(0, DAYS, EACH)
        for item, day in zip(draw.permutation(ITEMS)[:EACH], days):
            drift = ITEM_DRIFT * (1 if (day > DAYS / 2) == (item % 2 == 0) else -1)
            line = USER_SLOPE * (1 if user % 2 == 0 else -1) * power(day - days.mean())
            rating = 5 + user_bias[user] + item_bias[item] + drift + line + draw.normal(0, NOISE)
            rows.append((user, item, f"{rating:.4f}", START + int(day * DAY)))
    return rows


def csr(group):
    indptr = group["indptr"][:]
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), group["indices"][:], group["data"][:]


class TimeEffectsTest(CommandTest):
    def write(self, name, rows, columns="userId,movieId,rating,timestamp"):
        path = self.dir / name
        with open(path, "w", newline="", encoding="utf-8") as file:
            file.write(columns + "\n")
            csv.writer(file).writerows(rows)
        return path

    def make_planted(self, change=lambda row: row, columns="userId,movieId,rating,timestamp", name="planted"):
        data = self.dir / f"{name}.h5"
        ratings = self.write(f"{name}.csv", [change(row) for row in planted()], columns)
        items = self.write("movies.csv", [(i, f"Film {i} (19{50 + i})", ("Drama", "Comedy", "Drama|War")[i % 3]) for i in range(ITEMS)],
                           "movieId,title,genres")
        self.succeed("import", "--ratings", ratings, "--items", items, "--split", "random", "-o", data)
        return data

    def train(self, data, effects, *more, name="model.h5", ranks=None):
        model = self.dir / name
        self.succeed("train", data, "-o", model, "--time-effects", effects, "--factors", 2, "--threads", 1, "--content", "none",
                     "--epochs", 40, *more, ranks=ranks)
        return model

    PLANTED = ("--time-bins", 2, "--time-item-damping", 1, "--time-user-damping", 10)


class Planted(TimeEffectsTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_planted()

    def rmse(self, effects):
        return self.json_of("evaluate", self.train(self.data, effects, *self.PLANTED), self.data)["rmse"]

    def test_what_each_buys(self):
        """The variance of what is planted goes out of the error."""
        none, items, users, both = (self.rmse(effects) for effects in ("none", "items", "users", "both"))
        with h5py.File(self.data) as file:
            user, _, _ = csr(file["ratings/test"])
            days = file["ratings/test/timestamp"][:] / DAY
            mean = np.array([np.mean(csr_times(file, u)) for u in range(USERS)]) / DAY
        of_lines = np.mean((USER_SLOPE * power(days - mean[user])) ** 2)
        self.assertAlmostEqual(none ** 2 - items ** 2, ITEM_DRIFT ** 2, delta=0.15)
        self.assertAlmostEqual(none ** 2 - users ** 2, of_lines, delta=0.15)
        self.assertAlmostEqual(none ** 2 - both ** 2, ITEM_DRIFT ** 2 + of_lines, delta=0.15)
        self.assertLess(both, 1.25 * NOISE)

    def test_what_is_found(self):
        with h5py.File(self.train(self.data, "both", *self.PLANTED)) as model:
            begin, effect, slope = (model[f"time/{name}"][:] for name in ("begin", "item_effect", "user_slope"))
            self.assertEqual(effect.shape, (ITEMS, 2))
            self.assertAlmostEqual((begin[1] - START) / DAY, DAYS / 2, delta=20)
            even = np.arange(ITEMS) % 2 == 0
            rise = effect[:, 1] - effect[:, 0]
            np.testing.assert_allclose(rise[even], 2 * ITEM_DRIFT, atol=0.3)
            np.testing.assert_allclose(rise[~even], -2 * ITEM_DRIFT, atol=0.3)
            sign = np.where(np.arange(USERS) % 2 == 0, 1, -1)
            self.assertAlmostEqual(np.mean(sign * slope), USER_SLOPE, delta=0.01)
            self.assertGreater(np.corrcoef(sign, slope)[0, 1], 0.95)

    def test_ranks_and_threads(self):
        """Effects are the same to the bit; the training after them is as it is."""
        one = self.train(self.data, "both", name="one.h5")
        for ranks, threads in ((2, 1), (3, 1), (2, 2), (None, 2)):
            with self.subTest(ranks=ranks, threads=threads):
                model = self.train(self.data, "both", "--threads", threads, name="some.h5", ranks=ranks)
                with h5py.File(one) as a, h5py.File(model) as b:
                    for name in a["time"]:
                        np.testing.assert_array_equal(a["time"][name][:], b["time"][name][:], name)
                first, other = (self.json_of("evaluate", path, self.data)["rmse"] for path in (one, model))
                self.assertAlmostEqual(first, other, delta=0.01)

    def test_collective_writing(self):
        for effects in ("items", "both"):
            rank0 = self.train(self.data, effects, name="rank0.h5", ranks=2)
            together = self.train(self.data, effects, "--io", "collective", name="together.h5", ranks=2)
            self.assertEqual(differences(rank0, together), [])


def csr_times(file, user):
    """The training times of a user."""
    group = file["ratings/train"]
    first, last = group["indptr"][user:user + 2]
    return group["timestamp"][first:last]


class Figures(TimeEffectsTest):
    """evaluate, predict and export against the arrays in the file."""

    def setUp(self):
        super().setUp()
        self.data = self.make_planted()

    def effects(self, model, user, item, time):
        group = model["time"]
        effect = np.zeros(len(user))
        if "item_effect" in group:
            at = np.clip(np.searchsorted(group["begin"][:], time, side="right") - 1, 0, None)
            effect += group["item_effect"][:][item, at]
        if "user_slope" in group:
            first, mean, last = (group[f"user_{name}"][:][user] for name in ("first", "mean", "last"))
            effect += group["user_slope"][:][user] * power((np.clip(time, first, last) - mean) / DAY)
        return effect

    def timeless(self, model, user, item, content=True):
        """Predictions without effects; without content: by factors and biases of W's model, or the items' own."""
        Q, b_i, attrs = model["Q"][:], model["item_bias"][:], model.attrs
        mode = bytes(attrs["content"]).rstrip(b"\0").decode()
        rows = np.zeros((ITEMS, max(int(attrs["features"]), 1)))
        if mode != "none":
            i, f, value = csr(model["content"])
            rows[i, f] = value * attrs["content_weight"]
        if mode == "embed" and content:
            Q, b_i = Q + rows @ model["V"][:], b_i + rows @ model["feature_bias"][:]
        r = attrs["global_mean"] + model["user_bias"][:][user] + b_i[item] + (model["P"][:][user] * Q[item]).sum(axis=1)
        if mode == "concat" and content:
            W = np.zeros((USERS, rows.shape[1]))
            u, f, value = csr(model["W"])
            W[u, f] = value
            r += (W[user] * rows[item]).sum(axis=1)
        return r

    def check_figures(self, path, split):
        told = self.json_of("evaluate", path, self.data, "--split", split, "--top", 3, "--threshold", 5)
        with h5py.File(path) as model, h5py.File(self.data) as data:
            user, item, rating = csr(data[f"ratings/{split}"])
            drift = self.effects(model, user, item, data[f"ratings/{split}/timestamp"][:])
            predicted = self.timeless(model, user, item) + drift
            self.assertGreater(np.std(drift), 0.05)
            self.assertAlmostEqual(told["rmse"], np.sqrt(np.mean((rating - predicted) ** 2)), delta=1e-5)
            self.assertAlmostEqual(told["mae"], np.mean(np.abs(rating - predicted)), delta=1e-5)
            if told["rmse_without_content"] is not None:
                own = self.timeless(model, user, item, content=False) + drift
                self.assertAlmostEqual(told["rmse_without_content"], np.sqrt(np.mean((rating - own) ** 2)), delta=1e-5)
            hits = [np.sum(rating[rows[np.argsort(-predicted[rows], kind="stable")[:3]]] >= 5) / 3
                    for rows in (np.flatnonzero(user == u) for u in np.unique(user))]
            self.assertAlmostEqual(told["precision"], np.mean(hits), delta=1e-5)

    def test_evaluate(self):
        for effects, content in (("items", "none"), ("users", "concat"), ("both", "embed"), ("both", "concat")):
            with self.subTest(effects=effects, content=content):
                path = self.train(self.data, effects, "--content", content)
                for split in ("test", "train"):
                    self.check_figures(path, split)

    def test_validation_during_training(self):
        """What stops training is the error that evaluate tells."""
        for ranks in (None, 2):
            path = self.train(self.data, "both", ranks=ranks)
            with h5py.File(path) as model:
                self.assertAlmostEqual(self.json_of("evaluate", path, self.data, "--split", "val")["rmse"], model.attrs["val_rmse"], delta=1e-5)

    def test_whole_catalogue(self):
        """Candidates that nobody rated have no time: the lists are those without effects."""
        path = self.train(self.data, "both")
        told = self.json_of("evaluate", path, self.data, "--candidates", "all", "--top", 3, "--threshold", 5)
        with h5py.File(path) as model, h5py.File(self.data) as data:
            user, item, rating = csr(data["ratings/test"])
            seen = [csr(data[f"ratings/{split}"])[:2] for split in ("train", "val")]
            hits = []
            for u in np.unique(user):
                score = self.timeless(model, np.full(ITEMS, u), np.arange(ITEMS))
                for rows, columns in seen:
                    score[columns[rows == u]] = -np.inf
                liked = item[(user == u) & (rating >= 5)]
                hits.append(np.isin(np.argsort(-score, kind="stable")[:3], liked).sum() / 3)
        self.assertAlmostEqual(told["precision"], np.mean(hits), delta=1e-5)

    def test_predict(self):
        path = self.train(self.data, "both")
        pairs = self.write("pairs.csv", [(u, u % ITEMS) for u in range(USERS)], "user,item")
        lines = self.succeed("predict", path, "--pairs", pairs).stdout.splitlines()[1:]
        with h5py.File(path) as model:
            user = np.arange(USERS)
            np.testing.assert_allclose([float(line.split(",")[2]) for line in lines], self.timeless(model, user, user % ITEMS), atol=1e-5)

    def test_export(self):
        path = self.train(self.data, "both")
        self.succeed("export", path, "-o", self.dir / "npy")
        self.succeed("export", path, "--to", "csv", "-o", self.dir / "csv")
        with h5py.File(path) as model:
            for name in model["time"]:
                stem = name if name.startswith("user_") else {"begin": "begin", "item_effect": "item_effect"}[name]
                np.testing.assert_array_equal(np.load(self.dir / "npy" / f"time_{stem}.npy"), model["time"][name][:])
                self.assertTrue((self.dir / "csv" / f"time_{stem}.csv").exists())
        self.succeed("export", self.train(self.data, "none"), "-o", self.dir / "none")
        self.assertEqual([path for path in (self.dir / "none").iterdir() if path.name.startswith("time_")], [])

    def test_info_and_version(self):
        """Older readers refuse models whose predictions they would get wrong, and no others."""
        for effects, version in (("none", 2), ("items", 3), ("both", 3)):
            told = self.json_of("info", self.train(self.data, effects))
            self.assertEqual((told["format_version"], told["options"]["time_effects"]), (version, effects))
            self.assertEqual("time/item_effect" in told["arrays"], effects != "none")
            self.assertEqual("time/user_slope" in told["arrays"], effects == "both")


class WithoutTimes(TimeEffectsTest):
    def refuse(self, data, *words):
        for ranks in (None, 2):
            for effects in ("items", "users"):
                message = self.fail_with(USAGE, "train", data, "-o", self.dir / "m.h5", "--time-effects", effects, ranks=ranks)
                for word in (f"--time-effects {effects}", str(data), *words):
                    self.assertIn(word, message)
                self.assertFalse((self.dir / "m.h5").exists())

    def test_no_column(self):
        self.refuse(self.make_planted(lambda row: row[:3], "userId,movieId,rating"), "has no times", "timestamp")

    def test_all_the_same(self):
        self.refuse(self.make_planted(lambda row: (*row[:3], 0)), "have the same time, 0")

    def test_evaluate_on_a_data_set_without(self):
        """Told, and then predicted at no time: the data set lacks them, the model does not."""
        bare = self.make_planted(lambda row: row[:3], "userId,movieId,rating", name="bare")
        model = self.train(self.make_planted(), "both")
        result = self.succeed("evaluate", model, bare)
        self.assertIn(f"{bare} has no times of its ratings: the model's effects of time are left out", result.stderr)
        timed = self.json_of("evaluate", model, self.dir / "planted.h5")["rmse"]
        self.assertGreater(self.json_of("evaluate", model, bare)["rmse"], timed + 0.1)

    def test_bounds(self):
        for option, value, word in (("--time-bins", 0, "1 to 10000"), ("--time-bins", 10001, "1 to 10000"),
                                    ("--time-item-damping", 0, "above 0"), ("--time-user-damping", -1, "above 0"),
                                    ("--time-effects", "weekly", "none, items, users, both")):
            message = self.fail_with(USAGE, "train", "x.h5", "-o", "m.h5", option, value)
            self.assertIn(option, message)
            self.assertIn(word, message.replace(" or both", ", both"))


class Resumed(TimeEffectsTest):
    def setUp(self):
        super().setUp()
        self.data, self.checkpoint = self.make_planted(), self.dir / "ck.h5"

    def run_on(self, epochs, *more, name="model.h5", ranks=None, content="embed"):
        return self.train(self.data, "both", "--content", content, "--epochs", epochs, "--patience", 0, "--checkpoint", self.checkpoint,
                          "--checkpoint-every", 1, *more, name=name, ranks=ranks)

    def test_bit_for_bit(self):
        for ranks, content in ((None, "embed"), (2, "concat")):
            with self.subTest(ranks=ranks):
                whole = self.run_on(7, name="whole.h5", ranks=ranks, content=content)
                shutil.copy(self.checkpoint, self.dir / "whole-ck.h5")
                self.checkpoint.unlink()
                self.run_on(3, ranks=ranks, content=content)
                resumed = self.run_on(7, "--resume", name="resumed.h5", ranks=ranks, content=content)
                self.assertEqual(differences(whole, resumed), [])
                self.assertEqual(differences(self.dir / "whole-ck.h5", self.checkpoint), [])
                self.json_of("evaluate", self.checkpoint, self.data)
                self.checkpoint.unlink()

    def test_other_options(self):
        self.run_on(2)
        for change, words in ((("--time-effects", "items"), ("--time-effects both (now items)",)),
                              (("--time-effects", "none"), ("--time-effects both (now none)",)),
                              (("--time-bins", 5), ("--time-bins", "(now 5)")),
                              (("--time-item-damping", 7), ("--time-item-damping", "(now 7)")),
                              (("--time-user-damping", 7), ("--time-user-damping", "(now 7)"))):
            message = self.fail_with(USAGE, "train", self.data, "-o", self.dir / "m.h5", "--factors", 2, "--content", "embed",
                                     "--threads", 1, "--checkpoint", self.checkpoint, "--resume", "--time-effects", "both", *change)
            for word in words:
                self.assertIn(word, message)


class Damaged(SpoiledFileTest):
    NAMES = ("begin", "item_effect", "user_slope", "user_first", "user_mean", "user_last")

    def setUp(self):
        super().setUp()
        self.model = self.dir / "timed.h5"
        self.succeed("train", self.data, "-o", self.model, "--time-effects", "both", "--time-bins", 8, "--factors", 4, "--epochs", 2,
                     "--threads", 1)
        self.before = self.files()

    def refuse_evaluate_of(self, change, code, word):
        self.spoil(self.model, change)
        for ranks in (None, 2):
            self.refuse_evaluate(code, word, self.bad, self.data, ranks)

    def test_arrays(self):
        with h5py.File(self.model) as file:
            self.assertEqual(sorted(file["time"]), sorted(self.NAMES))
        for name in self.NAMES:
            with self.subTest(name):
                self.refuse_evaluate_of(flip_byte(f"time/{name}"), IO, name)
                self.refuse_evaluate_of(remove(f"time/{name}"), INPUT, name)
                self.refuse_evaluate_of(set_element(f"time/{name}", float("nan")), INPUT, name)
        self.refuse_evaluate_of(remove("time"), INPUT, "time")

    def test_shape(self):
        def shorten(path):
            with h5py.File(path, "r+") as file:
                rows = file["time/item_effect"][:, :5]
                del file["time/item_effect"]
                file.create_dataset("time/item_effect", data=rows, chunks=rows.shape, fletcher32=True)
        self.refuse_evaluate_of(shorten, INPUT, "40 x 5, the attributes say 40 x 8")

    def test_ranges_that_do_not_ascend(self):
        self.refuse_evaluate_of(set_element("time/begin", 1e12), INPUT, "/time/begin")

    def test_attributes(self):
        for name, value in (("time_effects", "items"), ("time_bins", 7), ("time_last", 0)):
            with self.subTest(name):
                self.refuse_evaluate_of(set_attribute(name, value), IO, "checksum")


if __name__ == "__main__":
    unittest.main()
