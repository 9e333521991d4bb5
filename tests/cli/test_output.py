"""Where results go: files that are replaced whole, stdout that may be closed, directories that may be missing."""
import json
import os
import subprocess
import unittest

from command import IO, OK, USAGE, CommandTest, command_line, run


class Outputs(CommandTest):
    def test_json_on_stdout_is_all_of_stdout(self):
        data = self.make_dataset()
        model = self.make_model(data)
        for args in (["info", data], ["info", model], ["evaluate", model, data],
                     ["train", data, "-o", self.dir / "n.h5", "--epochs", 2],
                     ["synth", "--users", 9, "--items", 9, "--ratings", 20, "-o", self.dir / "s.h5"]):
            with self.subTest(args[0]):
                self.assertIsInstance(self.json_of(*args), dict)

    def test_epochs_go_to_stderr_beside_json(self):
        result = self.succeed("train", self.make_dataset(), "-o", self.dir / "m.h5", "--epochs", 2, "--json", "-")
        self.assertIn("epoch=2 ", result.stderr)
        quiet = self.succeed("train", self.dir / "data.h5", "-o", self.dir / "m.h5", "--epochs", 2, "--quiet")
        self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))

    def test_what_a_run_says_of_itself(self):
        """Merges chosen, memory predicted and taken, the phases of every epoch."""
        data, log, out = self.make_dataset(), self.dir / "log", self.dir / "out.json"
        result = self.succeed("train", data, "-o", self.dir / "m.h5", "--epochs", 2, "--merges-per-epoch", "auto",
                              "--threads", 2, "--content", "none", "--exact-train-loss", "--log-json", log, "--json", out)
        self.assertIn("merges per epoch: 1; memory of training, MiB on a rank: ", result.stderr)
        self.assertIn("memory of training: at most ", result.stderr)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertEqual(list(line["phase"]), ["order", "sweep", "wait", "merge", "users", "loss", "validation", "keep_best"])
            self.assertAlmostEqual(sum(line["phase"].values()), line["seconds"], delta=0.01 * line["seconds"])
        memory = lines[0]["memory"]
        self.assertEqual(memory["total"], sum(size for part, size in memory.items() if part != "total"))
        told = json.loads(out.read_text())
        self.assertEqual(told["memory"], memory)
        self.assertGreater(told["peak_bytes"], 0)
        self.assertEqual(told["options"]["merges_per_epoch"], 1)
        message = self.fail_with(USAGE, "train", data, "-o", self.dir / "m.h5", "--merges-per-epoch", "often")
        self.assertEqual(message, 'blendmf train: --merges-per-epoch: "often" is not a whole number '
                                  "(allowed: auto or 1 to 100000)")
        message = self.fail_with(USAGE, "train", data, "-o", self.dir / "m.h5", "--merges-per-epoch", 0)
        self.assertIn("is out of range (allowed: auto or 1 to 100000)", message)

    def test_existing_files_are_replaced(self):
        data, result = self.make_dataset(), self.dir / "result.json"
        self.make_model(data)
        result.write_text("old")
        os.chmod(result, 0o644)
        self.succeed("info", data, "--json", result)
        self.assertEqual(json.loads(result.read_text())["kind"], "dataset")
        first = (self.dir / "model.h5").stat().st_ino
        self.make_model(data)
        self.assertNotEqual((self.dir / "model.h5").stat().st_ino, first)
        self.assertEqual(self.files(), ["data.h5", "model.h5", "result.json"])

    def test_devices_are_written_not_replaced(self):
        data = self.make_dataset()
        self.succeed("info", data, "--json", "/dev/null")
        self.assertTrue(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"))
        message = self.fail_with(IO, "info", data, "--quiet", "--json", "/dev/full")
        self.assertEqual(message, "blendmf info: cannot write /dev/full: No space left on device")
        message = self.fail_with(IO, "train", data, "-o", "/dev/null")
        self.assertEqual(message, "blendmf train: cannot write /dev/null: it is not a regular file")

    def test_directory_that_is_missing_is_named_before_the_work(self):
        data = self.make_dataset()
        gone = self.dir / "gone"
        reason = f"directory {gone}: No such file or directory"
        for args, output in ((["train", data, "--epochs", 1000000, "--patience", 0, "-o"], gone / "m.h5"),
                             (["train", data, "--epochs", 1000000, "--patience", 0, "-o", self.dir / "m.h5",
                               "--log-json"], gone / "log"),
                             (["info", data, "--json"], gone / "i.json"),
                             (["import", "--ratings", "nothing.csv", "-o"], gone / "d.h5"),
                             (["synth", "--users", 9, "--items", 9, "--ratings", 20, "-o"], gone / "d.h5")):
            with self.subTest(f"{args[0]} {args[-1]}"):
                message = self.fail_with(IO, *args, output)
                self.assertEqual(message, f"blendmf {args[0]}: cannot write {output}: {reason}")
        for ranks in (1, 3):
            message = self.fail_with(IO, "train", data, "-o", gone / "m.h5", ranks=ranks)
            self.assertEqual(message, f"blendmf train: cannot write {gone / 'm.h5'}: {reason}")
        self.assertEqual(self.files(), ["data.h5"])

    def test_output_that_is_a_directory(self):
        data = self.make_dataset()
        message = self.fail_with(IO, "train", data, "-o", self.dir)
        self.assertEqual(message, f"blendmf train: cannot write {self.dir}: it is a directory")

    def test_directory_that_cannot_be_written(self):
        data = self.make_dataset()
        closed = self.dir / "closed"
        closed.mkdir(mode=0o555)
        os.chmod(self.dir, 0o755)
        who = {}
        if os.geteuid() == 0:  # root may write anywhere
            who = {"user": 65534, "group": 65534, "extra_groups": []}
        message = self.fail_with(IO, "info", data, "--json", closed / "x.json", **who)
        self.assertEqual(message, f"blendmf info: cannot write {closed / 'x.json'}: directory {closed}: "
                                  "Permission denied")
        message = self.fail_with(IO, "import", "--ratings", data, "-o", closed / "x.h5", **who)
        self.assertIn("Permission denied", message)

    def test_input_is_never_the_output(self):
        data = self.make_dataset()
        before = data.read_bytes()
        link = self.dir / "link.h5"
        link.symlink_to(data)
        for output in (data, link):
            message = self.fail_with(USAGE, "train", data, "-o", output)
            self.assertEqual(message, f"blendmf train: -o {output} would replace the input {data} (DATA.h5); "
                                      "give it another name")
        for args, option in ((["info", data, "--json", data], "FILE.h5"),
                             (["import", "--ratings", data, "-o", data], "--ratings"),
                             (["import", "--ratings", "r.csv", "--items", data, "-o", data], "--items"),
                             (["import", "--ratings", "r.csv", "--tags", data, "-o", "d.h5", "--json", link], "--tags"),
                             (["train", data, "-o", self.dir / "m.h5", "--log-json", link], "DATA.h5"),
                             (["evaluate", data, "d.h5", "--json", link], "MODEL.h5"),
                             (["evaluate", "m.h5", data, "--json", data], "DATA.h5")):
            with self.subTest(args[0], option=option):
                message = self.fail_with(USAGE, *args, cwd=self.dir)
                self.assertIn(f" would replace the input {data} ({option}); give it another name", message)
        self.assertEqual(data.read_bytes(), before)
        self.assertEqual(self.files(), ["data.h5", "link.h5"])

    def test_outputs_never_replace_each_other(self):
        """Told by the file, not by how its name is spelt."""
        data, text = self.make_dataset(), self.dir / "csv"
        (self.dir / "r.csv").write_text("userId,movieId,rating\n1,1,3\n1,2,4\n2,1,5\n")
        (self.dir / "here").symlink_to(self.dir)
        (self.dir / "old.h5").write_text("old")
        (self.dir / "link").symlink_to("old.h5")
        before = self.files()
        sizes = ["--users", 9, "--items", 9, "--ratings", 20]
        for command, first, one, second, other in (
                (["import", "--ratings", "r.csv"], "-o", "d.h5", "--json", "d.h5"),
                (["import", "--ratings", "r.csv"], "-o", "old.h5", "--json", "link"),
                (["synth", *sizes], "-o", "t.h5", "--json", self.dir / "t.h5"),
                (["synth", *sizes], "--csv", text, "--json", "csv"),
                (["train", data], "-o", "q.h5", "--json", "./q.h5"),
                (["train", data], "-o", "q.h5", "--log-json", "here/q.h5"),
                (["train", data, "-o", "q.h5"], "--json", "log", "--log-json", "here/log")):
            with self.subTest(f"{command[0]} {first} {second}"):
                message = self.fail_with(USAGE, *command, first, one, second, other, cwd=self.dir)
                self.assertEqual(message, f"blendmf {command[0]}: {first} {one} and {second} {other} name the same file; "
                                          "give one of them another name")
                self.assertEqual(self.files(), before)
        text.mkdir()
        for name in ("ratings.csv", "movies.csv", "tags.csv"):
            message = self.fail_with(USAGE, "synth", *sizes, "--csv", "csv", "--json", text / name, cwd=self.dir)
            self.assertIn(f"--csv csv/{name} and --json {text / name} name the same file", message)
        self.assertEqual(list(text.iterdir()), [])
        self.assertEqual((self.dir / "old.h5").read_text(), "old")

    def test_outputs_of_one_name_in_two_directories(self):
        (self.dir / "a").mkdir()
        self.make_dataset()
        self.succeed("info", "data.h5", "--json", "a/data.h5", cwd=self.dir)
        self.succeed("train", "data.h5", "-o", "m", "--epochs", 1, "--json", "a/m", "--log-json", "/dev/null", cwd=self.dir)
        self.assertEqual(json.loads((self.dir / "a/m").read_text())["model"], "m")

    def test_one_device_takes_several_outputs(self):
        self.succeed("train", self.make_dataset(), "-o", self.dir / "m.h5", "--epochs", 1, "--json", "/dev/null",
                     "--log-json", "/dev/null")

    def test_path_is_named_when_writing_fails(self):
        """A name that just fits leaves no room for the temporary one beside it."""
        data, long = self.make_dataset(), self.dir / ("x" * 250)
        message = self.fail_with(IO, "info", data, "--quiet", "--json", long)
        self.assertEqual(message, f"blendmf info: cannot write {long}: cannot create a file beside it: File name too long")
        self.assertEqual(self.files(), ["data.h5"])


class Stdout(CommandTest):
    FULL = "cannot write to standard output: No space left on device"

    def test_full_disk(self):
        data = self.make_dataset()
        model = self.make_model(data)
        with open("/dev/full", "wb") as full:
            for args in (["info", data], ["info", data, "--json", "-"], ["evaluate", model, data], ["--help"],
                         ["train", data, "-o", self.dir / "n.h5", "--epochs", 2]):
                with self.subTest(str(args[0])):
                    result = run(*args, stdout=full)
                    self.assertEqual(result.code, IO, result)
                    name = "" if args[0] == "--help" else f" {args[0]}"
                    self.assertIn(f"blendmf{name}: {self.FULL}", result.messages())
        self.assertEqual(self.json_of("info", self.dir / "n.h5")["kind"], "model")

    def test_reader_that_went_away(self):
        data = self.make_dataset()
        read_end, write_end = os.pipe()
        os.close(read_end)
        result = run("info", data, stdout=write_end)
        os.close(write_end)
        self.assertEqual(result.code, IO, result)
        self.assertEqual(result.errors(), ["blendmf info: cannot write to standard output: Broken pipe"])

    def test_closed_from_the_start(self):
        data = self.make_dataset()
        before = data.read_bytes()
        line = " ".join(command_line(["info", str(data)]))
        done = subprocess.run(["sh", "-c", f"{line} >&-"], stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, IO, done.stderr)
        self.assertIn(b"cannot write to standard output", done.stderr)
        self.assertEqual(data.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
