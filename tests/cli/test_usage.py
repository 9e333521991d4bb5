"""Help, version, and every way to get the command line wrong."""
import re
import unittest

from command import IO, OK, USAGE, CommandTest, run

OPTIONS = {
    "import": ["ratings", "items", "tags", "users", "output", "format", "split", "split-ratios", "cold-items", "duplicates",
               "max-features", "feature-weighting", "title-features", "tag-features", "item-columns", "user-columns",
               "max-bad-lines", "seed", "threads", "json", "quiet", "help"],
    "synth": ["output", "csv", "users", "items", "ratings", "factors", "features", "user-features", "noise", "split-ratios", "seed", "json",
              "quiet", "help"],
    "train": ["output", "content", "content-updates", "user-content", "implicit-feedback", "factors", "epochs", "learning-rate", "bias-learning-rate", "schedule", "learning-rate-decay", "regularization",
              "bias-regularization", "user-regularization", "item-regularization", "user-bias-regularization",
              "item-bias-regularization", "regularization-scaling", "content-regularization", "content-svd", "content-weight", "user-content-weight", "time-effects", "time-bins",
              "time-item-damping", "time-user-damping", "init-std", "clip",
              "patience", "threads", "merge", "merges-per-epoch", "merge-precision", "ranks-per-host", "exact-train-loss", "io", "seed", "checkpoint",
              "checkpoint-every", "resume",
              "max-seconds", "log-json", "plan", "plan-ranks", "plan-bandwidth", "plan-latency", "stall-timeout", "json", "quiet", "help"],
    "evaluate": ["split", "top", "threshold", "candidates", "baselines", "seed", "threads", "stall-timeout",
                 "json", "quiet", "help"],
    "predict": ["pairs", "output", "clip-to-range", "threads", "json", "quiet", "help"],
    "recommend": ["user", "users", "all-users", "ratings", "top", "exclude", "titles", "new-items", "output", "threads",
                  "memory", "stall-timeout", "json", "quiet", "help"],
    "similar": ["item", "top", "titles", "output", "json", "quiet", "help"],
    "export": ["to", "output", "json", "quiet", "help"],
    "info": ["json", "quiet", "help"],
}

# Command line, and the message it earns behind "blendmf".
MISTAKES = [
    ("", ": missing command (see blendmf --help)"),
    ("trian x.h5", ": unknown command trian (did you mean train?)"),
    ("frobnicate", ": unknown command frobnicate (see blendmf --help)"),
    ("--verbose", ": unknown option --verbose (see blendmf --help)"),
    ("train", " train: missing DATA.h5 (usage: blendmf train DATA.h5 -o MODEL.h5 [options])"),
    ("train x.h5", " train: missing -o MODEL.h5 (usage: blendmf train DATA.h5 -o MODEL.h5 [options])"),
    ("train x.h5 y.h5 -o m.h5", ' train: unexpected argument "y.h5" (see blendmf train --help)'),
    ("train x.h5 -o", " train: --output needs a value (allowed: a path)"),
    ("train x.h5 -o --factors 3", " train: --output needs a value (allowed: a path)"),
    ("train x.h5 --output=", ' train: --output: "" is empty (allowed: a path)'),
    ("train x.h5 -o m.h5 --factor 3", " train: unknown option --factor (did you mean --factors?)"),
    ("train x.h5 -o m.h5 --lerning-rate=3", " train: unknown option --lerning-rate (did you mean --learning-rate?)"),
    ("train x.h5 -o m.h5 --restart", " train: unknown option --restart (see blendmf train --help)"),
    ("train x.h5 -o m.h5 --resume", " train: --resume needs --checkpoint FILE"),
    ("train x.h5 -o m.h5 --checkpoint-every 5", " train: --checkpoint-every needs --checkpoint FILE"),
    ("train x.h5 -o m.h5 --checkpoint c.h5 --checkpoint-every 0",
     " train: --checkpoint-every: \"0\" is no interval (allowed: 1 to 1000000 epochs, as in 5, or above 0 to 1e9 seconds, "
     "as in 600s)"),
    ("train x.h5 -o m.h5 --checkpoint c.h5 --checkpoint-every 10m",
     " train: --checkpoint-every: \"10m\" is no interval (allowed: 1 to 1000000 epochs, as in 5, or above 0 to 1e9 "
     "seconds, as in 600s)"),
    ("train x.h5 -om.h5", " train: unknown option -om.h5 (see blendmf train --help)"),
    ("train x.h5 -o m.h5 -k 3", " train: unknown option -k (see blendmf train --help)"),
    ("train x.h5 -o m.h5 --factors abc", ' train: --factors: "abc" is not a whole number (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors 3.5", ' train: --factors: "3.5" is not a whole number (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors 3k", ' train: --factors: "3k" is not a whole number (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors=", ' train: --factors: "" is empty (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors 0", ' train: --factors: "0" is out of range (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors -1", ' train: --factors: "-1" is out of range (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors 4097", ' train: --factors: "4097" is out of range (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --factors 99999999999999999999",
     ' train: --factors: "99999999999999999999" does not fit into 64 bits (allowed: 1 to 4096)'),
    ("train x.h5 -o m.h5 --seed -1", ' train: --seed: "-1" is out of range (allowed: at least 0)'),
    ("train x.h5 -o m.h5 --learning-rate 0",
     ' train: --learning-rate: "0" is out of range (allowed: above 0, at most 10)'),
    ("train x.h5 -o m.h5 --learning-rate nan",
     ' train: --learning-rate: "nan" is not a number (allowed: above 0, at most 10)'),
    ("train x.h5 -o m.h5 --learning-rate 0,01",
     ' train: --learning-rate: "0,01" is not a number (allowed: above 0, at most 10)'),
    ("train x.h5 -o m.h5 --learning-rate 1e999",
     ' train: --learning-rate: "1e999" is out of range (allowed: above 0, at most 10)'),
    ("train x.h5 -o m.h5 --merge best",
     ' train: --merge: "best" is not a choice (allowed: saturating, average, weighted or sum)'),
    ("train x.h5 -o m.h5 --content all", ' train: --content: "all" is not a choice (allowed: none, concat or embed)'),
    ("train x.h5 -o m.h5 --content embed --content-updates step --threads 2",
     " train: --content-updates step: runs with one thread, not with --threads 2"),
    ("train x.h5 -o m.h5 --content-svd 2000", ' train: --content-svd: "2000" is out of range (allowed: 0 to 1024)'),
    ("train x.h5 -o m.h5 --log-json -",
     " train: --log-json needs a file; epochs are printed to stdout anyway"),
    ("train x.h5 -o m.h5 --log-json m.h5",
     " train: -o m.h5 and --log-json m.h5 name the same file; give one of them another name"),
    ("train x.h5 -o m.h5 --quiet=yes", ' train: --quiet takes no value ("yes" was given)'),
    ("evaluate m.h5", " evaluate: missing DATA.h5 (usage: blendmf evaluate MODEL.h5 DATA.h5 [options])"),
    ("evaluate m.h5 x.h5 --top 0", ' evaluate: --top: "0" is out of range (allowed: 1 to 100000)'),
    ("evaluate m.h5 x.h5 --split dev", ' evaluate: --split: "dev" is not a choice (allowed: train, val or test)'),
    ("evaluate m.h5 x.h5 --threshold inf", ' evaluate: --threshold: "inf" is not a number (allowed: any number)'),
    ("import --ratings r.csv", " import: missing -o DATA.h5 (usage: blendmf import --ratings FILE [--items FILE] "
     "[--tags FILE] -o DATA.h5 [options])"),
    ("import -o x.h5", " import: missing --ratings FILE (usage: blendmf import --ratings FILE [--items FILE] "
     "[--tags FILE] -o DATA.h5 [options])"),
    ("import --ratings r.csv -o x.h5 --cold-items 1",
     ' import: --cold-items: "1" is out of range (allowed: at least 0, below 1)'),
    ("import --ratings r.csv -o x.h5 --split-ratios 0.8,0.2",
     ' import: --split-ratios: "0.8,0.2" is not three numbers with commas between them (allowed: three shares of at '
     'least 0 that add up to 1, as in 0.7,0.15,0.15)'),
    ("import --ratings r.csv -o x.h5 --split-ratios 0.8,0.2,0,",
     ' import: --split-ratios: "0.8,0.2,0," is not three numbers with commas between them (allowed: three shares of at '
     'least 0 that add up to 1, as in 0.7,0.15,0.15)'),
    ("import --ratings r.csv -o x.h5 --split-ratios 0.8,0.2,0.1",
     ' import: --split-ratios: "0.8,0.2,0.1" does not add up to 1 (allowed: three shares of at least 0 that add up to '
     '1, as in 0.7,0.15,0.15)'),
    ("import --ratings r.csv -o x.h5 --split-ratios=-0.1,1,0.1",
     ' import: --split-ratios: "-0.1,1,0.1" has a negative share (allowed: three shares of at least 0 that add up to '
     '1, as in 0.7,0.15,0.15)'),
    ("import --ratings r.csv -o x.h5 --feature-weighting bm25",
     ' import: --feature-weighting: "bm25" is not a choice (allowed: tfidf or binary)'),
    ("import --ratings r.csv -o x.h5 --tag-features none",
     ' import: --tag-features: "none" is not a choice (allowed: words or phrases)'),
    ("import --ratings r.csv --items i.csv -o x.h5 --title-features year,decades",
     ' import: --title-features: "decades" is not a choice (allowed: none, or some of year, decade and words with commas '
     'between them)'),
    ("import --ratings r.csv -o x.h5 --item-columns year", " import: --item-columns needs --items, a file with these columns"),
    ("import --ratings r.csv -o x.h5 --user-columns age=float",
     ' import: --user-columns: "float" is no kind of column (allowed: names of columns with commas between them, with =text '
     'or =number behind a name if need be)'),
    ("import --ratings r.csv --users u.csv -o u.csv", " import: -o u.csv would replace the input u.csv (--users); give "
     "it another name"),
    ("synth --users 5 --items 5 --ratings 10", " synth: give one of -o DATA.h5 and --csv DIR"),
    ("synth --users 5 --items 5 --ratings 10 -o x.h5 --csv d", " synth: give one of -o DATA.h5 and --csv DIR"),
    ("synth --users 5 --items 5 --ratings 10 --csv d --split-ratios 1,0,0",
     " synth: --split-ratios goes with -o; text files are split by import"),
    ("synth --users 5 --items 5 -o x.h5",
     " synth: missing --ratings R (usage: blendmf synth --users M --items N --ratings R (-o DATA.h5 | --csv DIR) "
     "[options])"),
    ("predict m.h5", " predict: missing --pairs FILE (usage: blendmf predict MODEL.h5 --pairs FILE [-o FILE] [options])"),
    ("recommend m.h5 --user 1 --top 0", ' recommend: --top: "0" is out of range (allowed: 1 to 100000)'),
    ("recommend m.h5 --user 1 --memory 0",
     ' recommend: --memory: "0" is out of range (allowed: 1 to 8796093022207)'),
    ("similar m.h5", " similar: missing --item ID (usage: blendmf similar MODEL.h5 --item ID [-o FILE] [options])"),
    ("export m.h5", " export: missing -o DIR (usage: blendmf export MODEL.h5 -o DIR [--to npy|csv])"),
    ("export m.h5 -o d --to matlab", ' export: --to: "matlab" is not a choice (allowed: npy or csv)'),
    ("info", " info: missing FILE.h5 (usage: blendmf info FILE.h5 [--json FILE])"),
]


class Help(CommandTest):
    def test_commands_are_listed(self):
        text = self.succeed("--help").stdout
        for command in OPTIONS:
            self.assertRegex(text, rf"(?m)^  {command} ")
        self.assertEqual(self.succeed("-h").stdout, text)

    def test_every_option_is_named_and_no_other(self):
        for command, names in OPTIONS.items():
            with self.subTest(command):
                result = self.succeed(command, "--help")
                self.assertEqual(result.stderr, "")
                self.assertTrue(result.stdout.startswith(f"Usage: blendmf {command} "), result)
                named = re.findall(r"(?m)^  (?:-\w, |    )--([a-z-]+)", result.stdout)
                self.assertEqual(named, names)
                self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_defaults_and_bounds_are_told(self):
        text = " ".join(self.succeed("train", "--help").stdout.split())
        self.assertIn("(saturating, average, weighted or sum; default saturating)", text)
        self.assertRegex(text, r"latent factors of a user and an item \(1 to 4096; default \d+\)")
        text = " ".join(self.succeed("import", "--help").stdout.split())
        self.assertIn("add up to 1 (default 0.7,0.15,0.15)", text)

    def test_help_wins_over_what_is_missing(self):
        self.succeed("train", "x.h5", "--factors", 3, "--help")

    def test_version(self):
        self.assertRegex(self.succeed("--version").stdout, r"^blendmf \d+\.\d+\.\d+\n$")

    def test_once_under_mpirun(self):
        result = self.succeed("train", "--help", ranks=3)
        self.assertEqual(result.stdout.count("Usage: blendmf train"), 1)


class Mistakes(CommandTest):
    def test_messages(self):
        for line, message in MISTAKES:
            with self.subTest(line):
                result = run(*line.split(), cwd=self.dir)
                self.assertEqual((result.code, result.stdout, result.stderr), (USAGE, "", f"blendmf{message}\n"))
        self.assertEqual(self.files(), [])

    def test_told_once_under_mpirun(self):
        result = run("train", "x.h5", "-o", "m.h5", "--factors", "abc", ranks=3, cwd=self.dir)
        self.assertEqual(result.code, USAGE, result)
        self.assertEqual(result.messages(),
                         ['blendmf train: --factors: "abc" is not a whole number (allowed: 1 to 4096)'])

    def test_one_rank_under_mpirun_is_one_process(self):
        self.succeed("synth", "--users", 9, "--items", 9, "--ratings", 20, "-o", self.dir / "x.h5", ranks=1)

    def test_last_of_repeated_options_counts(self):
        data = self.make_dataset(seed=1)
        self.succeed("train", data, "-o", self.dir / "m.h5", "--epochs", 9, "--epochs=1", "--factors", "2")
        self.assertEqual(len(self.json_of("info", self.dir / "m.h5")["history"]), 1)

    def test_double_dash_ends_options(self):
        message = self.fail_with(IO, "info", "--", "--json")
        self.assertIn("--json", message)


if __name__ == "__main__":
    unittest.main()
