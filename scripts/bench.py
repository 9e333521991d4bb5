#!/usr/bin/env python3
"""The benchmark of blendmf: how fast a sweep, an epoch and the reading of data are, and how much memory training takes.

    scripts/bench.sh [OPTIONS]       builds, then runs this with the build tree
    scripts/bench.py BUILD_TREE [--small] [--large] [--part PART,..] [--rounds N] [--beside FILE.json].. [--json FILE]

Contenders take turns, round after round, so that a machine whose speed drifts is fair to all. A figure is the median of
the rounds (5); where the quartiles are more than 10 % of it apart, the output says so. All ratios are of one run.

Parts:
  sweep    updates per second for each k and number of threads, against the plain reference loop and the in-cache bound
  epoch    whole epochs for ranks x threads: phases, the share of merging, speed-up over one thread
  content  an epoch of concat against one of plain, by the number of features, 6 to an item
  memory   the peak of training against what it must hold
  read     import of text and loading of the data set
  topn     lists of the best items for all users, against the bare matrix product
  hosts    merges between four hosts (network namespaces; needs root) by what is sent and over which links
  plan     what `train --plan` says of five shapes, against what training takes
  checkpoint  what a checkpoint after every epoch costs, against the epoch and against the bare disk
  large    with --large: ten times the ratings, what an update costs there, and why

--small takes a few seconds, for testing the benchmark. --beside FILE.json puts figures that were measured with another
tool, elsewhere, into the table of the sweep: {"name": "tool 1.2", "updates_per_second": {"32": RATE, "64": {"1": RATE,
"2": RATE}}}, by k and, where given, by threads (1 if not).
"""
import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time

import bench_tables
import hosts
from runs import OUT_OF_MEMORY, check, epochs_of, json_of, run, train_command

PARTS = ("sweep", "epoch", "content", "memory", "read", "topn", "hosts", "plan", "checkpoint", "large")
WIDE = 0.10  # a spread above this is reported
PER_ITEM = 6  # features of an item where the cost of content is measured
RATIOS = "0.9,0.1,0"
FULL = {"users": 70_000, "items": 10_700, "ratings": 10_000_000, "features": 500, "epochs": 4, "rounds": 5,
        "factors": [32, 64, 128], "content_features": [500, 5_000, 50_000]}
FULL_LARGE = {"users": 400_000, "items": 100_000, "ratings": 100_000_000}
FULL_CHECKPOINT = {"users": 162_000, "items": 60_000, "ratings": 25_000_000}
SMALL_CHECKPOINT = {"users": 2_000, "items": 1_000, "ratings": 100_000}
SMALL = {"users": 2_000, "items": 500, "ratings": 100_000, "features": 50, "epochs": 3, "rounds": 2,
         "factors": [32], "content_features": [50, 500, 5_000]}
SMALL_LARGE = {"users": 8_000, "items": 2_500, "ratings": 1_000_000}
FACTORS, THREADS, LARGE_FACTORS = [32, 64, 128], [1, 2], 64
PLANS = [("main", 1, 1, ["--content", "none", "--factors", 32]), ("main", 1, 2, ["--content", "embed", "--factors", 32]),
         ("main", 2, 1, ["--content", "none", "--factors", 128]), ("main", 1, 1, ["--content", "concat", "--factors", 64]),
         ("more", 2, 1, ["--content", "none", "--factors", 64])]  # data, ranks, threads, options
GRIDS = [(1, 1), (1, 2), (2, 1)]  # ranks, threads
HOSTS, HOST_MERGES = 4, 4  # of the part hosts; merges in an epoch
LINKS = [("none", 0), ("10gbit", 50), ("1gbit", 200)]  # rate of each host's, µs from host to host
BITS = {"10gbit": 1e10, "1gbit": 1e9}
# What is merged how: by MPI's own allreduce of all rows, or each host a part of them, in few bytes
WAYS = [("allreduce", ["--ranks-per-host", HOSTS]),
        *[(p, ["--merge-precision", p]) for p in ("float32", "bfloat16", "int8", "int4")]]


def spread(values):
    """Distance between the quartiles relative to the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)


def comma(values):
    return ",".join(map(str, values))


def phases_of(record):
    """Seconds of an epoch by phase. A log without them has the sweep with its ordering, the merge, and the rest."""
    if "phase" in record:
        named = {name.removesuffix("_seconds"): seconds for name, seconds in record["phase"].items()}
        return {**named, "rest": max(record["seconds"] - sum(named.values()), 0)}
    merge = record["merge_share"] * record["seconds"]
    sweep = record["updates"] / record["updates_per_second"] - merge
    return {"sweep": sweep, "merge": merge, "rest": record["seconds"] - sweep - merge}


class Bench:
    """One run of the benchmark: its programs, sizes, data sets, and what it found."""

    def __init__(self, build, directory, options):
        self.program = os.path.join(build, "blendmf")
        self.tools = os.path.join(build, "tests", "bench")
        self.directory = directory
        self.sizes = SMALL if options.small else FULL
        self.large_sizes = SMALL_LARGE if options.small else FULL_LARGE
        self.checkpoint_sizes = SMALL_CHECKPOINT if options.small else FULL_CHECKPOINT
        self.rounds = options.rounds or self.sizes["rounds"]
        self.kept = {}
        self.result = {"machine": machine(), "rounds": self.rounds, "warnings": []}

    def path(self, name):
        return os.path.join(self.directory, name)

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def warn(self, text):
        self.say(text)
        self.result["warnings"].append(text)

    def watch(self, what, value):
        """Notes a spread that is too wide to trust the median far."""
        if value is not None and value > WIDE:
            self.warn(f"{what}: spread {100 * value:.0f} %")

    # Data sets, made when first wanted

    def data(self, name, users, items, ratings, features):
        path = self.path(name)
        if path not in self.kept:
            self.say(f"making {name}: {users} users, {items} items, {ratings} ratings")
            check([self.program, "synth", "--users", users, "--items", items, "--ratings", ratings, "--features", features,
                   "--split-ratios", RATIOS, "-q", "-o", path, "--json", path + ".json"])
            self.kept[path] = json_of(path + ".json")
        return path

    def main_data(self):
        s = self.sizes
        return self.data("main.h5", s["users"], s["items"], s["ratings"], s["features"])

    def large_data(self):
        s = self.large_sizes
        return self.data("large.h5", s["users"], s["items"], s["ratings"], 0)

    def content_data(self, features):
        """The main data set, every item with six of so many features."""
        path = self.path(f"content-{features}.h5")
        if path not in self.kept:
            check([os.path.join(self.tools, "with_content"), self.main_data(), features, PER_ITEM, path])
            self.kept[path] = True
        return path

    def tool(self, name, *arguments):
        """The rows that a benchmark program wrote."""
        rows = self.path(f"{name}.json")
        check([os.path.join(self.tools, name), *arguments, "--json", rows])
        found = json_of(rows)
        return found["rows"] if isinstance(found, dict) else found

    # Training, as a whole program

    def train(self, data, ranks, threads, options, memory=None):
        """Records of the epochs, the first one left out: its pages are new. And how the program ended."""
        log = self.path("epochs.log")
        outcome = run(train_command(self.program, data, self.path("model.h5"), ranks, threads,
                                    ["--epochs", self.sizes["epochs"], "--patience", 0, "--log-json", log, "-q", *options]),
                      memory)
        if outcome.code != 0:
            return None, outcome
        return epochs_of(log)[1:], outcome

    def trained(self, data, ranks, threads, options):
        records, outcome = self.train(data, ranks, threads, options)
        if records is None:
            raise SystemExit(f"train failed with exit code {outcome.code}: {outcome.stderr}")
        return records, outcome

    # The parts

    def sweep(self):
        self.say("sweep")
        rows = self.tool("bench_sweep", self.main_data(), "--factors", comma(FACTORS), "--threads", comma(THREADS),
                         "--rounds", self.rounds)
        for row in rows:
            for name in ("", "concat_", "reference_", "in_cache_"):
                self.watch(f"sweep k {row['factors']} × {row['threads']} threads {(name or 'plain_')[:-1]}",
                           row.get(name + "spread"))
        return rows

    def epoch(self):
        self.say("epochs")
        data, runs = self.main_data(), {}
        for _ in range(self.rounds):
            for k in self.sizes["factors"]:
                for grid in GRIDS:
                    records, _ = self.trained(data, *grid, ["--content", "none", "--factors", k])
                    runs.setdefault((k, *grid), []).append(records)
        return [self.epoch_row(runs, *key) for key in sorted(runs)]

    def epoch_row(self, runs, k, ranks, threads):
        """One line: medians over rounds of the medians over a run's epochs."""
        ratings = self.kept[self.main_data()]["splits"]["train"]["ratings"]
        seconds = [statistics.median(r["seconds"] for r in run) for run in runs[k, ranks, threads]]
        alone = [statistics.median(r["seconds"] for r in run) for run in runs[k, 1, 1]]
        records = [{**r, "updates": ratings} for run in runs[k, ranks, threads] for r in run]
        phases = [phases_of(record) for record in records]
        self.watch(f"epoch k {k} {ranks} × {threads}", spread(seconds))
        return {
            "factors": k, "ranks": ranks, "threads": threads, "seconds": statistics.median(seconds),
            "spread": spread(seconds), "epoch_updates_per_second": ratings / statistics.median(seconds),
            "updates_per_second": statistics.median(r["updates_per_second"] for r in records),
            "merge_share": statistics.median(r["merge_share"] for r in records),
            "speed_up": statistics.median(a / b for a, b in zip(alone, seconds)),
            "phase": {name: statistics.median(p[name] for p in phases) for name in phases[0]},
        }

    def content(self):
        self.say("content")
        plain, concat, failed = [], {}, {}
        options = ["--factors", 32]
        memory = available_bytes() // 2
        for _ in range(self.rounds):
            records, _ = self.trained(self.content_data(self.sizes["content_features"][0]), 1, 1,
                                      [*options, "--content", "none"])
            plain.append(statistics.median(r["seconds"] for r in records))
            for features in self.sizes["content_features"]:
                if features in failed:
                    continue
                records, outcome = self.train(self.content_data(features), 1, 1, [*options, "--content", "concat"], memory)
                if records is None and outcome.code != OUT_OF_MEMORY:
                    raise SystemExit(f"train failed with exit code {outcome.code}: {outcome.stderr}")
                if records is None:
                    failed[features] = outcome.stderr.strip().splitlines()[-1]
                    self.warn(f"content {features} features: {failed[features]}")
                else:
                    concat.setdefault(features, []).append(statistics.median(r["seconds"] for r in records))
        return [self.content_row(features, plain, concat.get(features), failed.get(features))
                for features in self.sizes["content_features"]]

    def content_row(self, features, plain, concat, failure):
        row = {"features": features, "features_per_item": PER_ITEM, "factors": 32,
               "plain_seconds": statistics.median(plain), "plain_spread": spread(plain)}
        if failure:
            return {**row, "concat_seconds": None, "ratio": None, "skipped": failure}
        self.watch(f"content {features} features", max(spread(plain), spread(concat)))
        return {**row, "concat_seconds": statistics.median(concat), "concat_spread": spread(concat),
                "ratio": statistics.median(c / p for p, c in zip(plain, concat))}

    def memory(self):
        self.say("memory")
        tiny = self.data("tiny.h5", 20, 20, 200, 0)
        return [self.memory_row(tiny, k, ranks) for k in self.sizes["factors"] for ranks in (1, 2)]

    def memory_row(self, tiny, k, ranks):
        """Peak of the largest rank, less what the same program takes for next to no data."""
        options = ["--content", "none", "--factors", k]
        splits = self.kept[self.main_data()]["splits"]
        base = self.trained(tiny, ranks, 1, options)[1].peak_bytes
        peak = self.trained(self.main_data(), ranks, 1, options)[1].peak_bytes
        users, items = self.sizes["users"], self.sizes["items"]
        parameters = 4 * (users / ranks + items) * (k + 1)
        merge = 4 * items * (k + 1) + (2 << 20) if ranks > 1 else 0  # where the window began; a piece of the reduction
        ratings = 8 * splits["train"]["ratings"] / ranks
        validation = 8 * splits["val"]["ratings"] / ranks
        model = ratings + parameters + merge
        return {"factors": k, "ranks": ranks, "peak_bytes": peak, "base_bytes": base, "used_bytes": peak - base,
                "ratings_bytes": ratings, "parameter_bytes": parameters, "merge_bytes": merge, "model_bytes": model,
                "used_to_model": (peak - base) / model, "best_copy_bytes": parameters, "validation_bytes": validation,
                "used_to_model_with_best_and_validation": (peak - base) / (model + parameters + validation)}

    def read(self):
        if not os.path.exists(os.path.join(self.tools, "bench_read")):
            self.warn("read: skipped, there is no bench_read in this build")
            return {"skipped": "there is no bench_read in this build"}
        self.say("reading")
        s, folder = self.sizes, self.path("csv")
        check([self.program, "synth", "--users", s["users"], "--items", s["items"], "--ratings", s["ratings"], "--features",
               s["features"], "-q", "--csv", folder])
        return self.tool("bench_read", os.path.join(folder, "ratings.csv"), self.path("read.h5"), "--threads",
                         comma(THREADS))

    def topn(self):
        self.say("lists")
        rows = []
        for content in ("none", "concat"):
            model = self.path(f"topn-{content}.h5")
            check(train_command(self.program, self.main_data(), model, 1, 1, ["--content", content, "--factors", LARGE_FACTORS,
                                                                              "--epochs", 1, "-q"]))
            rows += self.tool("bench_topn", model, "--threads", comma(THREADS), "--rounds", self.rounds)
        for row in rows:
            self.watch(f"topn {row['content']} × {row['threads']} threads", row["spread"])
        return rows

    def hosts(self):
        reason = hosts.why_not()
        if reason:
            self.warn(f"hosts: skipped, {reason}")
            return {"skipped": reason}
        self.say("hosts")
        rows = []
        for rate, delay in LINKS:
            shaped = None if rate == "none" else rate
            with hosts.Network(HOSTS, shaped, delay, os.path.join(self.tools, "..", "hosts", "cable")) as network:
                found = {way: [] for way, _ in WAYS}
                for _ in range(self.rounds):
                    for way, options in WAYS:
                        found[way].append(self.across(network, options))
            rows += [self.hosts_row(rate, delay, way, found[way], found["allreduce"]) for way, _ in WAYS]
        return rows

    def across(self, network, options):
        """Records of the epochs of a run with one rank on each host, but for the first."""
        log = self.path("hosts.log")
        if os.path.exists(log):
            os.unlink(log)
        done = network.mpirun(1, train_command(self.program, self.main_data(), self.path("model.h5"), 1, 1,
                                               ["--content", "none", "--factors", 32, "--merges-per-epoch", HOST_MERGES,
                                                "--epochs", 3 * self.sizes["epochs"], "--patience", 0, "--log-json", log, "-q",
                                                *options]))
        if done.returncode != 0:
            raise SystemExit(f"train across hosts failed with exit code {done.returncode}: {done.stderr}")
        return epochs_of(log)[1:]

    def hosts_row(self, rate, delay, way, runs, of_allreduce):
        seconds = [statistics.median(r["seconds"] for r in run) for run in runs]
        others = [statistics.median(r["seconds"] for r in run) for run in of_allreduce]
        merge = [statistics.median(r["merge_share"] * r["seconds"] for r in run) for run in runs]
        sent = runs[0][-1]["merge_bytes"]
        self.watch(f"hosts {rate} {way}", spread(seconds))
        return {"rate": rate, "delay_microseconds": delay, "merge": way, "seconds": statistics.median(seconds),
                "merge_seconds": statistics.median(merge),
                "merge_share": statistics.median(r["merge_share"] for run in runs for r in run), "merge_bytes": sent,
                "link_seconds": sent * 8 / BITS[rate] if rate in BITS else None,
                "speed_up": statistics.median(b / a for a, b in zip(seconds, others)), "val_rmse": runs[0][-1]["val_rmse"]}

    def plan(self):
        self.say("plan")
        c = self.checkpoint_sizes
        data = {"main": self.main_data(), "more": self.data("more.h5", c["users"], c["items"], c["ratings"], 0)}
        return [self.plan_row(data[name], name, *shape) for name, *shape in PLANS]

    def plan_row(self, data, name, ranks, threads, options):
        told, taken, predicted, measured = [], [], 0, 0
        plan, result = self.path("plan.json"), self.path("result.json")
        for _ in range(self.rounds):
            check(train_command(self.program, data, self.path("model.h5"), ranks, threads, [*options, "--plan", "--json", plan]))
            check(train_command(self.program, data, self.path("model.h5"), ranks, threads,
                                [*options, "--epochs", 2 * self.sizes["epochs"], "--patience", 0, "-q", "--json", result]))
            found = json_of(result)
            told.append(json_of(plan)["epoch_seconds"])
            taken.append(statistics.median(e["seconds"] for e in found["history"][1:]))
            predicted, measured = json_of(plan)["memory"]["total"], found["peak_bytes"]
        self.watch(f"plan {name} {ranks} × {threads}", max(spread(told), spread(taken)))
        return {"data": name, "ranks": ranks, "threads": threads, "options": comma(options),
                "told_seconds": statistics.median(told), "seconds": statistics.median(taken),
                "to_seconds": statistics.median(a / b for a, b in zip(told, taken)), "told_bytes": predicted,
                "bytes": measured, "to_bytes": predicted / measured}

    def checkpoint(self):
        self.say("checkpoints")
        s = self.checkpoint_sizes
        data = self.data("checkpoint.h5", s["users"], s["items"], s["ratings"], 0)
        return [self.checkpoint_row(data, ranks) for ranks in (1, 2)]

    def checkpoint_row(self, data, ranks):
        """Medians over rounds: an epoch, a checkpoint after it, and the same bytes written and synced by themselves."""
        file, result, seconds, epochs, disk = self.path("checkpoint"), self.path("result.json"), [], [], []
        for _ in range(self.rounds):
            records, _ = self.trained(data, ranks, 1, ["--content", "none", "--factors", LARGE_FACTORS, "--checkpoint", file,
                                                       "--checkpoint-every", 1, "--json", result])
            found = json_of(result)
            epochs.append(statistics.median(r["seconds"] for r in records))
            seconds.append(found["checkpoint_seconds"] / found["checkpoints"])
            disk.append(seconds_on_disk(self.path("bare"), os.path.getsize(file)))
        self.watch(f"checkpoint {ranks} ranks", max(spread(epochs), spread(seconds)))
        return {"factors": LARGE_FACTORS, "ranks": ranks, "bytes": os.path.getsize(file),
                "epoch_seconds": statistics.median(epochs), "checkpoint_seconds": statistics.median(seconds),
                "disk_seconds": statistics.median(disk),
                "to_epoch": statistics.median(c / e for c, e in zip(seconds, epochs)),
                "to_disk": statistics.median(c / d for c, d in zip(seconds, disk))}

    def large(self):
        """The cost of an update on ten times the ratings beside that on the main data, and what the memory says to it."""
        self.say("large")
        both = [self.main_data(), self.large_data()]
        sweeps = self.tool("bench_sweep", *both, "--factors", LARGE_FACTORS, "--threads", comma(THREADS), "--rounds",
                           self.rounds)
        rows = self.tool("bench_rows", *both, "--factors", LARGE_FACTORS, "--rounds", self.rounds)
        for row in sweeps:
            self.watch(f"large {row['data']} × {row['threads']} threads", row["spread"])
        return {"factors": LARGE_FACTORS, "sweep": sweeps, "rows": rows,
                "cost": [large_cost(sweeps, rows, threads) for threads in THREADS]}


def large_cost(sweeps, rows, threads):
    """Nanoseconds of an update on both data sets, and of fetching and storing its row in the same order."""
    main, large = (next(r for r in sweeps if (r["data"], r["threads"]) == (name, threads))
                   for name in ("main.h5", "large.h5"))
    row = {(r["data"], r["pages"]): r["update_nanoseconds"] for r in rows if r["rows"] == "ratings"}
    of_update = [1e9 / r["updates_per_second"] for r in (main, large)]
    return {"threads": threads, "main_nanoseconds": of_update[0], "large_nanoseconds": of_update[1],
            "ratio": of_update[1] / of_update[0], "extra_nanoseconds": of_update[1] - of_update[0],
            "in_l2_share": [main["in_l2_share"], large["in_l2_share"]],
            "to_in_cache": [main["to_in_cache"], large["to_in_cache"]],
            "row_nanoseconds": [row["main.h5", "large"], row["large.h5", "large"]],
            "small_page_nanoseconds": [row["main.h5", "small"], row["large.h5", "small"]]}


def seconds_on_disk(path, size):
    """How long it takes to write so many bytes to a new file and sync it."""
    piece, left = bytes(1 << 20), size
    start = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        while left > 0:
            left -= file.write(piece[:min(left, len(piece))])
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    os.unlink(path)
    return seconds


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def cache_bytes(level):
    try:
        return os.sysconf(f"SC_LEVEL{level}_{'D' if level == 1 else ''}CACHE_SIZE")
    except (ValueError, OSError):
        return None


def machine():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor()
    return {"processor": name, "cores": os.cpu_count(), "kernel": platform.release(),
            **{f"l{level}_bytes": cache_bytes(level) for level in (1, 2, 3)}}


def read_beside(path):
    """Figures of another tool as {"name", "updates_per_second": {k: {threads: rate}}}, all numbers checked."""
    try:
        found = json_of(path)
        rates = {str(int(k)): {str(int(t)): float(rate) for t, rate in (by if isinstance(by, dict) else {"1": by}).items()}
                 for k, by in found["updates_per_second"].items()}
        return {"name": str(found["name"]), "updates_per_second": rates}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"bench.py: {path}: not figures to stand beside ({type(error).__name__}: {error}); "
                         'wanted is {"name": .., "updates_per_second": {"32": RATE, ..}}') from error


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build tree with blendmf and tests/bench")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--part", default=None)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--beside", action="append", default=[], metavar="FILE.json")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.part = options.part.split(",") if options.part else [p for p in PARTS if p != "large" or options.large]
    for part in options.part:
        if part not in PARTS:
            parser.error(f"--part: '{part}' (allowed: {', '.join(PARTS)})")
    if options.rounds is not None and not 1 <= options.rounds <= 101:
        parser.error(f"--rounds: {options.rounds} (allowed: 1 to 101)")
    return options


def main():
    options = parse()
    beside = [read_beside(path) for path in options.beside]
    with tempfile.TemporaryDirectory(prefix="blendmf-bench-") as directory:
        bench = Bench(os.path.abspath(options.build), directory, options)
        bench.result["beside"] = beside
        for part in options.part:
            bench.result[part] = getattr(bench, part)()
            print(bench_tables.table(part, bench.result), flush=True)
        if {"sweep", "epoch", "content", "memory", "topn", "hosts", "plan"} & set(options.part):
            bench.result["data"] = bench.kept[bench.main_data()]
    print(bench_tables.warnings(bench.result), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(bench.result, file, indent=2, allow_nan=False)
            file.write("\n")


if __name__ == "__main__":
    main()
