#!/usr/bin/env python3
"""Measures the quality that the README states: means over seeds, with their spread, as Markdown tables.

    scripts/quality.py BLENDMF DIR_WITH_MOVIELENS [--tweetings DIR] [--seeds 5]
                       [--table notebook|blend|merge|content|time|users|speed|all]

BLENDMF is the built program; DIR_WITH_MOVIELENS holds ratings.csv, movies.csv and tags.csv of ml-latest-small, and the
directory of --tweetings ratings.dat and movies.dat of MovieTweetings, which the table of time then has too. The table of users takes
other data sets too, as csv or as dat.
"""
import argparse
import os
import statistics
import tempfile
import time

from runs import DIVERGED, check, epochs_of, json_of, run, train_command

PLAIN = ["--content", "none", "--factors", "42", "--learning-rate", "0.012376565", "--regularization", "3.677e-5",
         "--init-std", "0.01", "--patience", "5"]
BLENDED = ["--content", "concat", "--factors", "28", "--learning-rate", "0.0080895748", "--regularization", "1.6073e-5",
           "--init-std", "0.01", "--patience", "5"]
MERGE = ["--content", "none", "--factors", "32", "--learning-rate", "0.0097", "--regularization", "0.0416",
         "--bias-regularization", "0.00044", "--init-std", "0.01", "--patience", "12", "--epochs", "100"]

# What content is made of: name, options of import, further options of train.
DECADE = ["--feature-weighting", "binary", "--title-features", "decade"]
CONTENTS = [
    ("genres and tags, tfidf", [], []),
    ("with year", ["--title-features", "year"], []),
    ("with decade", ["--title-features", "decade"], []),
    ("with year and decade", ["--title-features", "year,decade"], []),
    ("with words of titles", ["--title-features", "words"], []),
    ("tags as phrases", ["--tag-features", "phrases"], []),
    ("genres and tags, binary", ["--feature-weighting", "binary"], []),
    ("binary, with year", ["--feature-weighting", "binary", "--title-features", "year"], []),
    ("binary, with decade", DECADE, []),
    *((f"tfidf, reduced to {d}", [], ["--content-svd", d]) for d in (8, 16, 32, 64)),
    *((f"binary, with decade, reduced to {d}", DECADE, ["--content-svd", d]) for d in (16, 32, 64)),
]


# Chosen by the validation loss on ml-latest-small with the features of DECADE, among 45 random ones.
TUNED = ["--factors", "96", "--learning-rate-decay", "0.97", "--regularization", "0.03", "--item-bias-regularization", "0.0005",
         "--content-regularization", "0.01", "--content-weight", "1.5", "--init-std", "0.03", "--merges-per-epoch", "8"]
TIME_EFFECTS = ("none", "items", "users", "both")
STEPS = ["--content-updates", "step"]

# Planted users with features: five ratings each, a tenth of them without any to train on; and a hundred each.
PLANTED = [("5 ratings a user", ["--users", "20000", "--items", "2000", "--ratings", "100000"]),
           ("100 ratings a user", ["--users", "1000", "--items", "1600", "--ratings", "100000"])]
COLUMNS = (("epoch", 1), ("val_mse", 4), ("rmse", 4), ("precision", 4), ("recall", 4))
OF_USERS = (("epoch", 1), ("val_mse", 4), ("rmse", 4), ("new_user", 4))


class Bench:
    """One data set, trained and evaluated many times in a temporary directory."""

    def __init__(self, program, source, directory, features=(), planted=None):
        self.program, self.directory = program, directory
        self.data = os.path.join(directory, "data.h5")
        if planted:
            check([program, "synth", *planted, "--user-features", 30, "-o", self.data])
            return
        kind = "csv" if os.path.exists(f"{source}/ratings.csv") else "dat"
        tags = ["--tags", f"{source}/tags.{kind}"] if os.path.exists(f"{source}/tags.{kind}") else []
        check([program, "import", "--ratings", f"{source}/ratings.{kind}", "--items", f"{source}/movies.{kind}", *tags, *features,
               "-o", self.data])

    def once(self, options, ranks, threads, seed):
        """Trains and evaluates; returns the figures of the run, or None if it diverged."""
        model, train, test = (os.path.join(self.directory, name) for name in ("model.h5", "train.json", "test.json"))
        for stale in (model, train, test):
            if os.path.exists(stale):
                os.remove(stale)
        outcome = run(train_command(self.program, self.data, model, ranks, threads,
                                    ["--seed", seed, "--json", train, *options]))
        if outcome.code == DIVERGED:
            return None
        if outcome.code != 0:
            raise SystemExit(outcome.stderr)
        check([self.program, "evaluate", model, self.data, "--json", test])
        trained, tested = json_of(train), json_of(test)
        return {"epoch": trained["best_epoch"], "val_mse": trained["val_mse"], "rmse": tested["rmse"],
                "precision": tested["precision"], "recall": tested["recall"],
                "new_user": tested["segments"]["new_user"]["rmse"],
                "rollbacks": trained["rollbacks"]}

    def epoch_seconds(self, content):
        """Median seconds of an epoch of 60, one rank and one thread."""
        log, model = os.path.join(self.directory, "log.json"), os.path.join(self.directory, "model.h5")
        check(train_command(self.program, self.data, model, 1, 1,
                            ["--epochs", 60, "--patience", 0, "--factors", 32, "--content", content, "--log-json", log]))
        return statistics.median(record["seconds"] for record in epochs_of(log))

    def speed(self):
        """Whole job on two ranks, and what content costs an epoch: plain and concat in turn."""
        model, walls = os.path.join(self.directory, "model.h5"), []
        for _ in range(5):
            start = time.monotonic()
            check(train_command(self.program, self.data, model, 2, 1,
                                ["--epochs", 30, "--patience", 0, "--content", "concat"]))
            walls.append(time.monotonic() - start)
        pairs = [(self.epoch_seconds("none"), self.epoch_seconds("concat")) for _ in range(25)]
        print(f"\n`mpirun -n 2 blendmf train`, concat, 30 epochs, start to end: median {statistics.median(walls):.2f} s "
              f"(of {len(walls)}; {min(walls):.2f} to {max(walls):.2f})\n"
              f"epoch of concat to epoch of plain, k 32, {len(pairs)} pairs: median {statistics.median(c / p for p, c in pairs):.2f} "
              f"({min(c / p for p, c in pairs):.2f} to {max(c / p for p, c in pairs):.2f})", flush=True)

    def row(self, name, options, ranks, threads, seeds, columns=COLUMNS):
        """One line of a table: mean ± standard deviation over the seeds, and how often learning rates were halved."""
        results = [self.once(options, ranks, threads, seed) for seed in range(1, seeds + 1)]
        kept = [result for result in results if result]
        cells = [f"diverged ({len(results) - len(kept)} of {len(results)})"] + [""] * (len(columns) - 1)
        if len(kept) == len(results):
            cells = [cell([result[key] for result in kept], digits) for key, digits in columns]
        rollbacks = sum(result["rollbacks"] for result in kept)
        if rollbacks:
            name += f", η halved {rollbacks} times in {len(kept)} runs"
        print(f"| {name} | {ranks} × {threads} | " + " | ".join(cells) + " |", flush=True)


def cell(values, digits):
    """Mean ± standard deviation; nothing where there is no such figure."""
    if None in values:
        return ""
    return f"{statistics.mean(values):.{digits}f} ± {statistics.pstdev(values):.{digits}f}"


def head(title, last=("P@10", "R@10")):
    print(f"\n{title}\n\n| run | ranks × threads | best epoch | val MSE | test RMSE | {' | '.join(last)} |\n"
          f"|---|---|---|---|---|{'---|' * len(last)}", flush=True)


def users(bench, source, seeds):
    """What is known of users beside their ratings, and which items they have rated."""
    without = ("RMSE of users without training ratings",)
    for title, planted in PLANTED:
        with_groups = Bench(bench.program, source, bench.directory, planted=planted)
        head(f"Features of users, planted, {title}, default options but for what is named", without)
        for content in ("none", "embed"):
            for of_users in ("none", "embed"):
                with_groups.row(f"{content}, users {of_users}", ["--content", content, "--user-content", of_users], 1, 1, seeds,
                                OF_USERS)
        for ranks in (2, 3, 4):
            with_groups.row("embed, users embed", [], ranks, 1, seeds, OF_USERS)
    head("Implicit feedback, default options but for what is named", without)
    for features, title in (([], "tfidf"), (DECADE, "binary with decade")):
        data = Bench(bench.program, source, bench.directory, features)
        for content in ("none", "concat", "embed") if not features else ("embed",):
            for implicit in ([], ["--implicit-feedback"]):
                data.row(f"{content}, {title}{', implicit feedback' if implicit else ''}", ["--content", content, *implicit], 1, 1,
                         seeds, OF_USERS)
    for ranks in (2, 3, 4):
        data.row("embed, binary with decade, implicit feedback", ["--implicit-feedback"], ranks, 1, seeds, OF_USERS)
    for implicit in ([], ["--implicit-feedback"]):
        data.row(f"embed, tuned{', implicit feedback' if implicit else ''}", TUNED + implicit, 1, 1, seeds, OF_USERS)


def measure_time(program, sources, directory, seeds):
    """What effects of time buy, on data sets split by time and at random."""
    for name, source in sources.items():
        for split in ("temporal", "random"):
            head(f"Effects of time: {name}, {split} split")
            bench = Bench(program, source, directory, ["--split", split])
            for effects in TIME_EFFECTS:
                bench.row(f"`--time-effects {effects}`", ["--time-effects", effects], 1, 1, seeds)
    head("Effects of time: MovieLens, temporal split, binary with decade, tuned")
    decade = Bench(program, sources["MovieLens"], directory, DECADE)
    for effects in TIME_EFFECTS:
        decade.row(f"`--time-effects {effects}`", [*TUNED, "--time-effects", effects], 1, 1, seeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("source")
    parser.add_argument("--tweetings")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table", choices=("notebook", "blend", "merge", "content", "time", "users", "speed", "all"), default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(os.path.abspath(options.program), options.source, directory)
        if options.table in ("notebook", "all"):
            head("The parameters of the original notebook")
            for ranks, threads in ((ranks, threads) for ranks in (1, 2, 3, 4) for threads in (1, 2)):
                bench.row("plain", PLAIN, ranks, threads, options.seeds)
                bench.row("concat", BLENDED, ranks, threads, options.seeds)
        if options.table in ("blend", "all"):
            head("Ways to blend, default options but for what is named")
            for content in ("none", "concat", "embed"):
                bench.row(f"{content}, tfidf", ["--content", content], 1, 1, options.seeds)
            decade = Bench(bench.program, options.source, directory, DECADE)
            for content in ("none", "concat", "embed"):
                decade.row(f"{content}, binary with decade", ["--content", content], 1, 1, options.seeds)
            decade.row("embed at every rating", STEPS, 1, 1, options.seeds)
            for ranks in (1, 2, 3, 4, 16, 64):
                decade.row("embed, tuned", TUNED, ranks, 1, options.seeds)
        if options.table in ("merge", "all"):
            head("One merge an epoch on many ranks")
            for ranks in (1, 16, 64):
                bench.row("saturating", MERGE + ["--merge", "saturating"], ranks, 1, options.seeds)
            for rule in ("average", "weighted", "sum"):
                bench.row(rule, MERGE + ["--merge", rule], 16, 1, options.seeds)
        if options.table in ("speed", "all"):
            bench.speed()
        if options.table in ("users", "all"):
            users(bench, options.source, options.seeds)
        if options.table in ("content", "all"):
            head("What content is made of")
            for name, features, more in CONTENTS:
                Bench(bench.program, options.source, directory, features).row(name, BLENDED + more, 1, 1, options.seeds)
        if options.table in ("time", "all"):
            sources = {"MovieLens": options.source, **({"MovieTweetings": options.tweetings} if options.tweetings else {})}
            measure_time(bench.program, sources, directory, options.seeds)


if __name__ == "__main__":
    main()
