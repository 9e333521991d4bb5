"""Checkpoints: what is in them, going on from them, and what cannot be gone on from."""
import os
import shutil
import signal
import subprocess
import unittest

import h5py
import numpy as np

from command import FEWER, BLENDMF, DIVERGED, INPUT, IO, MPIEXEC, OK, STOPPED, USAGE, CommandTest, command_line, epoch_lines, run

QUICK = ["--factors", "5", "--threads", "1", "--patience", "0"]


def arrays(path):
    """Everything in a model but its times."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: value for name, value in found.items()
            if not name.startswith("history/") or name.split("/")[1] in ("epoch", "train_mse", "val_mse", "learning_rate")}


class Checkpoints(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset()
        self.checkpoint = self.dir / "c.h5"
        self.previous = self.dir / "c.h5.previous"
        self.model = self.dir / "m.h5"

    def args(self, *more, model=None, checkpoint=True):
        line = ["train", self.data, "-o", model or self.model, *QUICK, *more]
        return line + (["--checkpoint", self.checkpoint] if checkpoint else [])

    def same_models(self, a, b):
        left, right = arrays(a), arrays(b)
        self.assertEqual(left.keys(), right.keys())
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)

    def epochs_of(self, result):
        return [int(dict(line)["epoch"]) for line in epoch_lines(result.stdout)[:-1]]

    def test_parts_make_a_whole(self):
        """Parts of a run, on the same ranks: every bit as in one go, and the log goes on."""
        own_rates = ("--schedule", "adagrad", "--regularization-scaling", 0.5)
        across_hosts = ("--ranks-per-host", 1, "--merge-precision", "int4")
        self.data = self.make_dataset(user_features=4)
        runs = (("none",), ("concat",), ("embed",), ("embed", *own_rates), ("none", "--schedule", "bold-driver"),
                ("embed", *across_hosts), ("none", "--user-content", "none"), ("embed", "--implicit-feedback"),
                ("none", "--implicit-feedback", "--user-content", "none"))
        for number, (content, *rates) in enumerate(runs[3:] if FEWER else runs):
            for ranks in (None, 2):
                with self.subTest(content=content, ranks=ranks, rates=rates):
                    options = ["--content", content, *rates, "--merges-per-epoch", 2, "--learning-rate-decay", 0.9]
                    log = self.dir / f"log-{number}-{ranks}"
                    self.succeed(*self.args("--epochs", 7, *options, model=self.dir / "whole.h5", checkpoint=False),
                                 ranks=ranks)
                    for path in (self.checkpoint, self.previous):
                        path.unlink(missing_ok=True)
                    told = []
                    for epochs in (2, 3, 7):
                        told += self.epochs_of(self.succeed(
                            *self.args("--epochs", epochs, *options, "--resume", "--log-json", log), ranks=ranks))
                    self.assertEqual(told, [1, 2, 3, 4, 5, 6, 7])
                    self.assertEqual(len(log.read_text().splitlines()), 7)
                    self.same_models(self.dir / "whole.h5", self.model)

    def test_is_a_model_with_a_state(self):
        self.succeed(*self.args("--epochs", 4, "--content", "concat", "--checkpoint-every", 2))
        info = self.json_of("info", self.checkpoint)
        self.assertEqual((info["kind"], info["state"]["epoch"], info["state"]["window"]), ("model", 4, 0))
        self.assertEqual(len(info["history"]), 4)
        self.assertEqual(self.json_of("info", self.previous)["state"]["epoch"], 2)
        self.assertIn("checkpoint        parameters after epoch 4 of at most 4",
                      self.succeed("info", self.checkpoint).stdout)
        self.assertLess(self.json_of("evaluate", self.checkpoint, self.data)["rmse"], 3)
        self.assertEqual(self.files(), ["c.h5", "c.h5.previous", "data.h5", "m.h5"])
        with h5py.File(self.checkpoint) as file:
            self.assertEqual(file.attrs["complete"], 1)
            self.assertEqual(file["state"].attrs["learning_rate"], 0.01)

    def test_holds_the_best_epoch_too(self):
        """Stopped for want of progress: the model comes from a checkpoint as it came from the run."""
        self.succeed(*self.args("--epochs", 300, "--patience", 3, "--learning-rate", 0.05))
        before = self.json_of("info", self.model)
        self.assertLess(before["best_epoch"], len(before["history"]))
        shutil.copy(self.model, self.dir / "first.h5")
        with h5py.File(self.checkpoint) as file:
            self.assertFalse(np.array_equal(file["P"][:], file["state/best/P"][:]))
        result = self.succeed(*self.args("--epochs", 300, "--patience", 3, "--learning-rate", 0.05, "--resume"))
        self.assertEqual(self.epochs_of(result), [])
        self.same_models(self.dir / "first.h5", self.model)

    def test_other_ranks_and_changes_on_purpose(self):
        self.succeed(*self.args("--epochs", 3))
        result = self.succeed(*self.args("--epochs", 5, "--learning-rate", 0.02, "--threads", 2, "--resume"), ranks=3)
        lines = [dict(line) for line in epoch_lines(result.stdout)[:-1]]
        self.assertEqual([line["epoch"] for line in lines], ["4", "5"])
        self.assertEqual({line["learning_rate"] for line in lines}, {"0.02"})
        self.assertIn("blendmf: the checkpoint was made with --learning-rate 0.01 (now 0.02), --epochs 3 (now 5), "
                      "--threads 1 (now 2), 1 rank(s) (now 3)", result.messages())

    def test_starts_afresh_without_one(self):
        result = self.succeed(*self.args("--epochs", 2, "--resume"))
        self.assertIn(f"blendmf: {self.checkpoint} does not exist yet: starting afresh", result.messages())
        result = self.succeed(*self.args("--epochs", 2))
        self.assertIn(f"blendmf: warning: {self.checkpoint} exists and will be replaced, kept as {self.previous} for one "
                      "checkpoint more; --resume would go on from it", result.messages())

    def test_what_is_no_checkpoint_is_not_replaced(self):
        self.checkpoint.write_text("precious")
        message = self.fail_with(INPUT, *self.args("--epochs", 2, "--checkpoint-every", 1))
        self.assertEqual(message, f"blendmf train: --checkpoint: {self.checkpoint}: is not an HDF5 file, an HDF5 file is "
                                  "expected; move it away, or name another file")
        self.assertEqual(self.checkpoint.read_text(), "precious")
        self.assertFalse(self.model.exists())

    def test_options_that_must_not_differ(self):
        self.succeed(*self.args("--epochs", 2))
        shutil.copy(self.checkpoint, self.dir / "copy")
        for ranks in (None, 2):
            message = self.fail_with(USAGE, *self.args("--epochs", 4, "--resume", "--factors", 6, "--seed", 9, "--clip", 4),
                                     ranks=ranks)
            self.assertEqual(message, f"blendmf train: --resume: {self.checkpoint} was made with --factors 5 (now 6), --clip "
                             "5 (now 4), --seed 1 (now 9); only --learning-rate, --bias-learning-rate, --learning-rate-decay, --epochs, "
                             "--patience, --merges-per-epoch, --merge-precision, --ranks-per-host and the numbers of "
                             "ranks and threads may change")
        self.assertEqual(self.checkpoint.read_bytes(), (self.dir / "copy").read_bytes())

    def test_options_of_users_that_must_not_differ(self):
        self.data = self.make_dataset(user_features=4)
        self.succeed(*self.args("--epochs", 2))
        for options, difference in ((("--user-content", "none"), "--user-content embed (now none)"),
                                    (("--implicit-feedback",), "--implicit-feedback 0 (now 1)"),
                                    (("--user-content-weight", 2), "--user-content-weight 1 (now 2)")):
            message = self.fail_with(USAGE, *self.args("--epochs", 4, "--resume", *options))
            self.assertIn(f"was made with {difference}; only", message)

    def test_other_files(self):
        self.succeed(*self.args("--epochs", 2))
        other = self.make_dataset("other.h5", seed=5)
        message = self.fail_with(INPUT, "train", other, "-o", self.model, *QUICK, "--checkpoint", self.checkpoint, "--resume")
        self.assertRegex(message, r"c\.h5: was made from another data set \(data\.h5, 60 users x 40 items, fingerprint \w+; "
                         r".*other\.h5 has 60 x 40 and \w+\)$")
        shutil.copy(self.model, self.checkpoint)
        message = self.fail_with(INPUT, *self.args("--resume"), ranks=2)
        self.assertEqual(message, f"blendmf train: {self.checkpoint}: is a model but no checkpoint: it has no group /state")
        shutil.copy(self.data, self.checkpoint)
        shutil.copy(self.model, self.previous)
        message = self.fail_with(INPUT, *self.args("--resume"))
        self.assertEqual(message, f"blendmf train: {self.checkpoint}: is a dataset, a checkpoint is expected")
        self.assertEqual(self.checkpoint.read_bytes(), self.data.read_bytes())
        message = self.fail_with(USAGE, "train", self.data, "-o", self.model, *QUICK, "--checkpoint", self.model)
        self.assertIn("-o", message)

    def test_falls_back_to_the_one_before(self):
        self.succeed(*self.args("--epochs", 3, "--checkpoint-every", 1))
        good = self.checkpoint.read_bytes()
        for ranks in (None, 2):
            shutil.copy(self.checkpoint, self.previous)
            self.checkpoint.write_bytes(good[:len(good) // 2])
            result = self.succeed(*self.args("--epochs", 4, "--resume"), ranks=ranks)
            warning = [line for line in result.messages() if "warning" in line]
            self.assertEqual(len(warning), 1, result)
            self.assertTrue(warning[0].endswith(f"; going on from {self.previous}; the damaged file is now "
                                                f"{self.checkpoint}.damaged"), result)
            self.assertEqual(self.epochs_of(result), [4])
            self.checkpoint.unlink()
            (self.dir / "c.h5.damaged").rename(self.dir / "gone")
            self.previous.write_bytes(good)
            result = self.succeed(*self.args("--epochs", 4, "--resume"), ranks=ranks)
            self.assertIn(f"blendmf: warning: {self.checkpoint} is missing: going on from {self.previous}", result.messages())
            self.checkpoint.write_bytes(good)

    def test_killed_while_the_older_one_was_kept(self):
        """Both names lead to one file then, which is whole."""
        self.succeed(*self.args("--epochs", 2))
        os.link(self.checkpoint, self.previous)
        result = self.succeed(*self.args("--epochs", 4, "--resume"), ranks=2)
        self.assertEqual(self.epochs_of(result), [3, 4])
        self.assertEqual([self.json_of("info", path)["state"]["epoch"] for path in (self.checkpoint, self.previous)], [4, 2])

    def test_ranks_that_see_other_files(self):
        """As from disks of their own: two epochs here, three there."""
        line = ["train", self.data, "-o", self.model, *QUICK, "--checkpoint", "c.h5", "--resume", "--epochs"]
        for folder, epochs in (("a", 2), ("b", 3)):
            (self.dir / folder).mkdir()
            self.succeed(*line, epochs, cwd=self.dir / folder)
        parts = [["-n", "1", "-wdir", str(self.dir / folder), BLENDMF, *map(str, line), "5"] for folder in "ab"]
        done = subprocess.run(["timeout", "-k", "5", "50", MPIEXEC, *parts[0], ":", *parts[1]], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, IO, done.stderr)
        self.assertIn("rank 1: ", done.stderr)
        self.assertIn("c.h5: is not the file that rank 0 has read", done.stderr)

    def test_through_a_link(self):
        """The files lie beside the one that the link points to."""
        (self.dir / "store").mkdir()
        real = self.dir / "store" / "real.h5"
        self.succeed(*self.args("--epochs", 3, "--checkpoint-every", 1))
        shutil.move(self.checkpoint, real)
        self.previous.unlink()
        self.checkpoint.symlink_to(real)
        self.succeed(*self.args("--epochs", 4, "--resume"))
        self.assertTrue(self.checkpoint.is_symlink())
        self.assertEqual(sorted(path.name for path in real.parent.iterdir()), ["real.h5", "real.h5.previous"])
        real.write_bytes(real.read_bytes()[:1000])
        result = self.succeed(*self.args("--epochs", 4, "--resume"))
        self.assertEqual(self.epochs_of(result), [4])
        self.assertTrue(self.checkpoint.is_symlink())

    def test_locks_of_hdf5(self):
        for value in ("TRUE", "FALSE"):
            self.succeed(*self.args("--epochs", 1), env={**os.environ, "HDF5_USE_FILE_LOCKING": value})

    def test_both_damaged(self):
        self.succeed(*self.args("--epochs", 3))
        for path in (self.checkpoint, self.previous):
            path.write_bytes(b"x" * 100)
        message = self.fail_with(INPUT, *self.args("--resume"), ranks=2)
        self.assertEqual(message, f"blendmf train: rank 0: {self.checkpoint}: is not an HDF5 file, an HDF5 file is expected")
        self.assertEqual(self.checkpoint.read_bytes(), b"x" * 100)

    def test_each_damaged_file_is_kept(self):
        self.succeed(*self.args("--epochs", 3, "--checkpoint-every", 1))
        for number, name in enumerate(("c.h5.damaged", "c.h5.damaged-2", "c.h5.damaged-3")):
            self.checkpoint.write_bytes(b"x" * (100 + number))
            result = self.succeed(*self.args("--epochs", 3, "--resume"))
            self.assertIn(f"the damaged file is now {self.dir / name}", result.stderr)
        sizes = {path.name: path.stat().st_size for path in self.dir.glob("*.damaged*")}
        self.assertEqual(sizes, {"c.h5.damaged": 100, "c.h5.damaged-2": 101, "c.h5.damaged-3": 102})

    def test_time_is_over(self):
        for ranks in (None, 2):
            result = run(*self.args("--epochs", 1000000, "--merges-per-epoch", 3, "--max-seconds", 0.3,
                                    "--checkpoint-every", "0.1s", "--resume"), ranks=ranks)
            self.assertEqual(result.code, STOPPED, result)
            self.assertRegex(result.errors()[0], r"stopped by --max-seconds (after|in) epoch \d+( after \d of 3 merges)?; "
                             rf"{self.model} holds (epoch \d+|the parameters of this moment), --resume goes on from "
                             rf"{self.checkpoint}$")
            self.assertEqual(dict(epoch_lines(result.stdout)[-1])["stopped"], "time")
            self.succeed("info", self.checkpoint)

    def test_what_killed_processes_left_is_removed(self):
        left = self.dir / "c.h5.blendmf.part-999999-0"
        left.write_bytes(b"half a checkpoint")
        other = self.dir / "c.h5.part-1-2"
        other.write_bytes(b"not ours")
        self.succeed(*self.args("--epochs", 1))
        self.assertEqual(self.files(), ["c.h5", "c.h5.part-1-2", "data.h5", "m.h5"])

    def test_second_signal_ends_at_once(self):
        big = self.make_dataset("big.h5", users=20000, items=2000, ratings=2000000 if FEWER else 8000000)
        line = command_line(["train", big, "-o", self.model, "--factors", "4000", "--content", "none", "--threads", "1"])[4:]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        while b"merges per epoch" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1.2)  # in its window, which takes much longer
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), -signal.SIGTERM)
        process.communicate()
        self.assertFalse(self.model.exists())

    def test_divergence_keeps_the_best(self):
        self.succeed(*self.args("--epochs", 3))
        shutil.copy(self.checkpoint, self.dir / "good.h5")
        for ranks in (None, 2):
            self.model.unlink()
            shutil.copy(self.dir / "good.h5", self.checkpoint)
            result = run(*self.args("--epochs", 9, "--resume", "--learning-rate", 10, "--clip", 5), ranks=ranks)
            self.assertIn(result.code, (OK, DIVERGED), result)
            warnings = [line for line in result.messages() if "rollback" in line]
            self.assertIn("back to the parameters of epoch 3 with learning rate 5 (rollback 1 of at most 5)", warnings[0])
            for path in (self.model, self.checkpoint):
                for name, value in arrays(path).items():
                    if value.dtype.kind == "f":
                        self.assertTrue(np.isfinite(value).all(), (path, name))


if __name__ == "__main__":
    unittest.main()
