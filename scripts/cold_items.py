#!/usr/bin/env python3
"""How well items are predicted that nobody has rated in training.

    scripts/cold_items.py BLENDMF DIR_WITH_MOVIELENS [--seeds 5] [--options ".."]

For each seed `import --cold-items 0.1` puts all ratings of a tenth of the items into test. The table has the RMSE of their
ratings, mean ± standard deviation over the seeds, for each way to blend and for each user's mean rating; those that had no
training rating without being drawn are left out. --options are further options of train for the last row.
"""
import argparse
import os
import statistics
import tempfile

import h5py
import numpy
import scipy.sparse

from runs import check, train_command

FEATURES = ["--feature-weighting", "binary", "--title-features", "decade"]
COLD = ["--item-bias-regularization", "0.2", "--item-regularization", "0.1", "--content-weight", "2"]


def csr(group):
    return scipy.sparse.csr_matrix((group["data"][:], group["indices"][:], group["indptr"][:]), shape=tuple(group.attrs["shape"]))


def rated(matrix):
    """How many ratings each item has."""
    return numpy.bincount(matrix.indices, minlength=matrix.shape[1])


def predicted(model, user, item):
    """The model's predictions, by the README's formulas."""
    P, Q, b_u, b_i = (model[name][:] for name in ("P", "Q", "user_bias", "item_bias"))
    x = csr(model["content"]) * model.attrs["content_weight"] if "content" in model else None
    own = 0
    if "V" in model:
        Q, b_i = Q + x @ model["V"][:], b_i + x @ model["feature_bias"][:]
    if "W" in model:
        own = numpy.asarray(csr(model["W"])[user].multiply(x[item]).sum(axis=1)).ravel()
    return model.attrs["global_mean"] + b_u[user] + b_i[item] + (P[user] * Q[item]).sum(axis=1) + own


class Split:
    """A data set with cold items, and the test ratings of those."""

    def __init__(self, program, source, path, seed, known):
        self.program, self.path = program, path
        check([program, "import", "--ratings", f"{source}/ratings.csv", "--items", f"{source}/movies.csv", "--tags",
               f"{source}/tags.csv", *FEATURES, "--cold-items", 0.1, "--seed", seed, "-o", path])
        with h5py.File(path) as file:
            train, test = csr(file["ratings/train"]), csr(file["ratings/test"]).tocoo()
        cold = ((known > 0) & (rated(train) == 0))[test.col]
        self.user, self.item, self.rating = test.row[cold], test.col[cold], test.data[cold]
        self.user_mean = numpy.asarray(train.sum(axis=1)).ravel() / numpy.maximum(numpy.diff(train.indptr), 1)

    def rmse(self, prediction):
        return float(numpy.sqrt(numpy.mean((self.rating - prediction) ** 2)))

    def train(self, seed, options):
        model = f"{self.path}.model"
        check(train_command(self.program, self.path, model, 1, 1, ["--seed", seed, *options]))
        with h5py.File(model) as file:
            return self.rmse(predicted(file, self.user, self.item))


def row(name, values):
    print(f"| {name} | {statistics.mean(values):.4f} ± {statistics.pstdev(values):.4f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("source")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--options", default=" ".join(COLD))
    options = parser.parse_args()
    program, seeds = os.path.abspath(options.program), range(1, options.seeds + 1)
    with tempfile.TemporaryDirectory() as directory:
        whole = os.path.join(directory, "whole.h5")
        check([program, "import", "--ratings", f"{options.source}/ratings.csv", "--items", f"{options.source}/movies.csv", "-o", whole])
        with h5py.File(whole) as file:
            known = rated(csr(file["ratings/train"]))
        splits = [Split(program, options.source, os.path.join(directory, f"{seed}.h5"), seed, known) for seed in seeds]
        print("\n| model | RMSE on cold items |\n|---|---|", flush=True)
        row("each user's mean rating", [split.rmse(split.user_mean[split.user]) for split in splits])
        for content in ("none", "concat", "embed"):
            row(content, [split.train(seed, ["--content", content]) for seed, split in zip(seeds, splits)])
        row(f"embed {options.options}", [split.train(seed, options.options.split()) for seed, split in zip(seeds, splits)])


if __name__ == "__main__":
    main()
