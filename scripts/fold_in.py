#!/usr/bin/env python3
"""How well users whom training has not seen are predicted when the library folds them in.

    scripts/fold_in.py BUILD_TREE DATA.h5 [--seeds N] [--content none,concat,embed] [--share S] [--json FILE]

For each seed a share of the users (0.1) is drawn. Of their ratings, all splits together in order of time, the first half is
shown and the second half to be predicted. Two models are trained with otherwise equal options and ratings: one without these
users, which then folds them in from the shown half, and one with the shown half among its training ratings. The table has
the RMSE of both on the other half, and of the first model when it knows nothing of the users.

BUILD_TREE has blendmf and libblendmf.so, which this loads; DATA.h5 comes from `blendmf import`.
"""
import argparse
import ctypes
import json
import os
import shutil
import tempfile
from dataclasses import dataclass

import h5py
import numpy

from runs import check

SPLITS = ("train", "val", "test")
COLUMNS = ("indices", "data", "timestamp")


class Library:
    """libblendmf, as far as it is needed here."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.error = ctypes.create_string_buffer(8192)  # a blendmf_error: the status, then the text

    def call(self, name, *arguments):
        if getattr(self.lib, name)(*arguments, self.error) != 0:
            raise SystemExit(f"{name}: {self.error[4:].split(bytes(1))[0].decode()}")

    def open(self, path):
        model = ctypes.c_void_p()
        self.call("blendmf_open", os.fsencode(path), ctypes.byref(model))
        return model

    def close(self, model):
        self.lib.blendmf_close(ctypes.byref(model))

    def predict(self, model, user, items):
        users, items, out = numpy.full(len(items), user, numpy.int64), items.astype(numpy.int64), numpy.zeros(len(items))
        self.call("blendmf_predict", model, pointer(users), pointer(items), ctypes.c_int64(len(items)), pointer(out), None)
        return out

    def fold_in(self, model, shown, items):
        """Predictions of the items for somebody who gave the shown ratings."""
        user, out = ctypes.c_void_p(), numpy.zeros(len(items))
        known, ratings, items = shown.items.astype(numpy.int64), shown.ratings.astype(float), items.astype(numpy.int64)
        self.call("blendmf_fold_in_user", model, pointer(known), pointer(ratings), ctypes.c_int64(len(known)),
                  ctypes.byref(user))
        self.call("blendmf_user_predict", user, pointer(items), ctypes.c_int64(len(items)), pointer(out), None)
        self.lib.blendmf_user_free(ctypes.byref(user))
        return out


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


@dataclass
class Half:
    items: numpy.ndarray
    ratings: numpy.ndarray


class Ratings:
    """The ratings of a data set by split and user."""

    def __init__(self, path):
        self.path = path
        with h5py.File(path) as file:
            self.split = {name: {key: data[:] for key, data in file["ratings"][name].items()} for name in SPLITS}
        self.users = len(self.split["train"]["indptr"]) - 1

    def of(self, split, user):
        """A user's columns in one split."""
        columns = self.split[split]
        first, last = columns["indptr"][user:user + 2]
        return {key: columns[key][first:last] for key in COLUMNS if key in columns}

    def all_of(self, user):
        parts = [self.of(split, user) for split in SPLITS]
        return {key: numpy.concatenate([part[key] for part in parts]) for key in parts[0]}

    def halves(self, user):
        whole = self.all_of(user)
        middle = len(whole["data"]) // 2
        return (Half(whole["indices"][:middle], whole["data"][:middle]),
                Half(whole["indices"][middle:], whole["data"][middle:]))

    def write(self, path, drawn, shown):
        """The data set again, the drawn users with the first half of their ratings to train on if `shown`, else with none;
        their other ratings are among those to test on."""
        parts = {name: [] for name in SPLITS}
        for user in range(self.users):
            if user in drawn:
                whole = self.all_of(user)
                middle = len(whole["data"]) // 2 if shown else 0
                cut = {"train": slice(0, middle), "val": slice(0, 0), "test": slice(middle, None)}
                of_user = {name: {key: column[cut[name]] for key, column in whole.items()} for name in SPLITS}
            else:
                of_user = {name: self.of(name, user) for name in SPLITS}
            for name in SPLITS:
                parts[name].append(of_user[name])
        shutil.copyfile(self.path, path)
        with h5py.File(path, "r+") as file:
            for name in SPLITS:
                replace(file["ratings"][name], parts[name])


def replace(group, users):
    """Puts the columns of all users in the place of those of a split."""
    lengths = [len(columns["data"]) for columns in users]
    new = {"indptr": numpy.concatenate([[0], numpy.cumsum(lengths)])}
    new.update({key: numpy.concatenate([columns[key] for columns in users]) for key in users[0]})
    for key, values in new.items():
        kind = group[key].dtype
        del group[key]
        group.create_dataset(key, data=values.astype(kind), chunks=(max(1, min(65536, len(values))),), fletcher32=True)


def rmse(errors):
    return float(numpy.sqrt(numpy.mean(numpy.concatenate(errors) ** 2)))


def measure(options, library, ratings, folder, content, seed):
    """One seed: the row of the table."""
    drawn = numpy.random.default_rng(seed).permutation(ratings.users)[:max(1, int(options.share * ratings.users))]
    models = {}
    for name, shown in (("hidden", False), ("shown", True)):
        data, model = os.path.join(folder, "data.h5"), os.path.join(folder, f"{name}.h5")
        ratings.write(data, set(drawn.tolist()), shown)
        check([os.path.join(options.build, "blendmf"), "train", data, "-o", model, "--content", content, "--seed", seed,
               "--threads", 1, "-q"])
        models[name] = library.open(model)
    errors = {"trained": [], "folded_in": [], "unknown": []}
    for user in drawn:
        shown, other = ratings.halves(user)
        errors["trained"].append(other.ratings - library.predict(models["shown"], user, other.items))
        errors["folded_in"].append(other.ratings - library.fold_in(models["hidden"], shown, other.items))
        errors["unknown"].append(other.ratings - library.predict(models["hidden"], -1, other.items))
    for model in models.values():
        library.close(model)
    row = {"content": content, "seed": seed, "users": len(drawn), **{key: rmse(value) for key, value in errors.items()}}
    return {**row, "difference": row["folded_in"] - row["trained"]}


def print_row(row):
    print(f"| {row['content']} | {row['seed']} | {row['trained']:.4f} | {row['folded_in']:.4f} | {row['difference']:+.4f} "
          f"| {row['unknown']:.4f} |", flush=True)


def mean_of(rows):
    numbers = {key: sum(row[key] for row in rows) / len(rows) for key in ("trained", "folded_in", "unknown", "difference")}
    return {"content": rows[0]["content"], "seed": "mean", **numbers}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--content", default="none,concat,embed")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if options.seeds < 1 or not 0 < options.share < 1:
        parser.error("--seeds must be at least 1 and --share between 0 and 1")
    return options


def main():
    options, means = parse(), []
    ratings = Ratings(options.data)
    library = Library(os.path.join(os.path.abspath(options.build), "libblendmf.so"))
    print("| content | seed | trained with them | folded in | difference | not known |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="blendmf-fold-in-") as folder:
        for content in options.content.split(","):
            rows = [measure(options, library, ratings, folder, content, seed) for seed in range(1, options.seeds + 1)]
            for row in rows:
                print_row(row)
            means.append({**mean_of(rows), "rows": rows})
            print_row(means[-1])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(means, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
