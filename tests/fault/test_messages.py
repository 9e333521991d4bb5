"""What each kind of failing call is told as, with its exit code; disks that are full; several failures in one run; and calls
that do half of their work, or are interrupted, and change nothing."""
import os
import re
import subprocess
import unittest

from command import IO, OK, Result, command_line
from injection import COMMANDS, InjectionTest, expects_io, main, spread

SYNTH, CSV, IMPORT, TRAIN, CHECKPOINT, EVALUATE, INFO = COMMANDS[:7]
# (command, kind of call, part of the file's name, error, the message behind "blendmf COMMAND: " with {} for the directory,
# exit code). The first such call fails.
MESSAGES = [
    (SYNTH, "open", "out.h5.blendmf", "EACCES", "{}/out.h5: cannot create a file beside it: Permission denied", IO),
    (SYNTH, "fallocate", "out.h5", "ENOSPC", r"{}/out.h5: cannot reserve \d+ bytes: No space left on device", IO),
    (SYNTH, "write", "out.h5", "ENOSPC", "{}/out.h5: .*cannot write: No space left on device", IO),
    (SYNTH, "ftruncate", "out.h5", "EIO", "{}/out.h5: cannot (write|bring it to disk): Input/output error", IO),
    (SYNTH, "fsync", "out.h5", "EIO", "{}/out.h5: cannot bring it to disk: Input/output error", IO),
    (SYNTH, "rename", "out.h5", "EACCES", "{}/out.h5: cannot put the new file in place: Permission denied", IO),
    (SYNTH, "write", "json", "ENOSPC", "cannot write {}/json: No space left on device", IO),
    (CSV, "open", "ratings.csv", "EACCES", r"{}/csv/ratings.csv.\d+.part: cannot be created: Permission denied", IO),
    (CSV, "write", "movies.csv", "EDQUOT", "{}/csv/movies.csv: cannot be written: Disk quota exceeded", IO),
    (CSV, "fsync", "tags.csv", "EIO", "{}/csv/tags.csv: cannot be written: Input/output error", IO),
    (IMPORT, "open", "ratings.csv", "EACCES", "{}/ratings.csv: cannot be opened: Permission denied", IO),
    (IMPORT, "mmap", "movies.csv", "ENODEV", "{}/movies.csv: cannot be mapped: No such device", IO),
    (TRAIN, "open", "data.h5", "EACCES", "{}/data.h5: cannot be opened: Permission denied", IO),
    (TRAIN, "read", "data.h5", "EIO", "{}/data.h5: cannot be read: Input/output error", IO),
    (TRAIN, "open", "log", "EACCES", "cannot write {}/log: Permission denied", IO),
    (TRAIN, "write", "log", "ENOSPC", "cannot write {}/log: No space left on device", IO),
    (TRAIN, "fsync", "out.h5", "EIO", "{}/out.h5: cannot bring it to disk: Input/output error", IO),
    (EVALUATE, "open", "model.h5", "EACCES", "{}/model.h5: cannot be opened: Permission denied", IO),
    (EVALUATE, "rename", "json", "EACCES", "cannot write {}/json: cannot put the new file in place: Permission denied", IO),
    (INFO, "read", "model.h5", "EIO", "{}/model.h5: cannot be read: Input/output error", IO),
]


class Messages(InjectionTest):
    def test_messages(self):
        for command, kind, name, error, message, code in MESSAGES:
            with self.subTest(f"{command} {kind} {name} {error}"):
                run = self.prepare(command, calls=kind, name=name, errno=error, at=1).go()
                self.assertEqual((list(run.wrong()), run.result.code, len(run.failed)), ([], code, 1), run)
                expected = f"blendmf {command.words[0]}: " + message.replace("{}", re.escape(str(run.folder)))
                self.assertRegex(run.result.errors()[0], f"^{expected}$", run)

    def test_any_calls_by_chance(self):
        """Several failures in one run."""
        kinds = "open,read,write,fsync,rename,ftruncate,fallocate"
        for command in COMMANDS:
            with self.subTest(str(command)):
                runs = [self.prepare(command, calls=kinds, chance=0.05, seed=seed) for seed in range(1, 4)]
                self.inject(runs, expects_io, may_miss=True)

    def test_a_disk_that_stays_full(self):
        for command in COMMANDS:
            calls = self.count(command, "write")
            with self.subTest(str(command)):
                self.inject([self.prepare(command, calls="write,ftruncate,fallocate", errno="ENOSPC", at=at, onward=1)
                             for at in spread(calls, 1, 2)], expects_io)

    def test_halves_and_interruptions_change_nothing(self):
        for command in COMMANDS:
            for error in ("short", "EINTR"):
                with self.subTest(str(command), error=error):
                    runs = [self.prepare(command, calls="read,write", errno=error, chance=0.3, seed=seed)
                            for seed in (1, 2)]
                    self.inject(runs, self.expects_success, may_miss=True)

    @staticmethod
    def expects_success(run):
        if run.result.code != OK:
            yield "did not end well"

    def test_a_directory_that_cannot_be_synced_is_a_warning(self):
        run = self.prepare(SYNTH, calls="fsync", name="run", errno="EIO", at=1).go()
        self.assertEqual((list(run.wrong()), run.result.code, len(run.failed)), ([], OK, 1), run)
        self.assertIn("its directory could not be synced to disk: Input/output error", run.result.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root may mount a small disk")
    def test_a_disk_that_is_full(self):
        disk = self.dir / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        (disk / "filler").write_bytes(bytes(56 << 10))
        for name in ("out.h5", "json"):
            (disk / name).write_bytes(b"older")
        before = sorted(path.name for path in disk.iterdir())
        for command, ranks in ((SYNTH, None), (IMPORT, None), (TRAIN, None), (TRAIN, 2)):
            with self.subTest(str(command), ranks=ranks):
                args = [str(disk / "out.h5") if word.endswith("/out.h5") else word for word in command.args(self.inputs)]
                args = [str(self.dir / "json") if word.endswith("/json") else word for word in args]
                args = [str(self.dir / "log") if word.endswith("/log") else word for word in args]
                done = subprocess.run(command_line(args, ranks), capture_output=True, check=False)
                result = Result(args, done.returncode, done.stdout.decode(), done.stderr.decode())
                self.assertEqual((result.code, len(result.errors())), (IO, 1), result)
                self.assertRegex(result.errors()[0], f"{disk}/out.h5.*No space left on device")
                self.assertEqual(sorted(path.name for path in disk.iterdir()), before)
                self.assertEqual((disk / "out.h5").read_bytes(), b"older")


if __name__ == "__main__":
    main()
