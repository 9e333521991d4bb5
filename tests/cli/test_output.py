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
            self.assertEqual(message, f"blendmf train: the output {output} is the input {data}; give it another name")
        self.fail_with(USAGE, "info", data, "--json", data)
        self.fail_with(USAGE, "import", "--ratings", data, "-o", data)
        self.assertEqual(data.read_bytes(), before)


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
