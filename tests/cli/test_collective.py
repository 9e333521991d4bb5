"""--io collective: the same files as rank 0 writes, and failures of a disk that end the command with exit code 4, one message,
nothing left over and the older file untouched; never a hang. FAIL_WRITES is the library of fail_writes.c."""
import os
import resource
import subprocess
import unittest

import h5py
import numpy as np

from command import IO, USAGE, CommandTest, run

TIMES = {"seconds", "updates_per_second", "merge_share"}  # of /history
LIMIT = 6 << 20  # bytes of a file; Open MPI's own need 4 MiB


def contents(path):
    """Every attribute and data set of a file but times."""
    found = {}

    def visit(name, thing):
        found.update({f"{name}@{key}": np.asarray(value).tolist() for key, value in thing.attrs.items()})
        if isinstance(thing, h5py.Dataset) and not (name.startswith("history/") and name.split("/")[1] in TIMES):
            found[name] = (str(thing.dtype), thing.shape, thing.chunks, thing.fletcher32, thing[()].tobytes())

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return found


class SameFiles(CommandTest):
    def train_both_ways(self, data, ranks, *options):
        for io in ("rank0", "collective"):
            self.succeed("train", data, "-o", self.dir / f"{io}.h5", "--checkpoint", self.dir / f"{io}.ckpt",
                         "--threads", 1, "--io", io, *options, ranks=ranks)
        for kind in ("h5", "ckpt"):
            one, other = (contents(self.dir / f"{io}.{kind}") for io in ("rank0", "collective"))
            self.assertEqual(sorted(one), sorted(other))
            for name in one:
                self.assertTrue(one[name] == other[name], f"{name} differs in the {kind} of {ranks} ranks")
        self.assertEqual(one["@complete"], 1)
        self.succeed("info", self.dir / "collective.h5")
        return one

    def test_models_and_checkpoints(self):
        """The step is so long that the last epoch is not the best one: a checkpoint has both."""
        data = self.make_dataset(users=3000, items=700, ratings=40000)
        for ranks in (1, 2, 3, 4):
            with self.subTest(ranks=ranks):
                checkpoint = self.train_both_ways(data, ranks, "--content", "concat", "--factors", 40, "--epochs", 4, "--patience", 0,
                                                  "--learning-rate", 0.2, "--checkpoint-every", 2)
                self.assertIn("state/best/P", checkpoint)
                self.assertIn("W/indptr", checkpoint)

    def test_without_weights_of_users(self):
        data = self.make_dataset(users=300)
        for content in ("none", "embed"):
            for ranks in (1, 3):
                self.train_both_ways(data, ranks, "--factors", 5, "--epochs", 2, "--content", content)

    def test_data_without_features(self):
        data = self.make_dataset(users=300, features=0)
        self.train_both_ways(data, 2, "--factors", 5, "--epochs", 2)

    def test_ranks_without_users(self):
        data = self.make_dataset(users=2, items=40, ratings=40)
        self.train_both_ways(data, 4, "--factors", 5, "--epochs", 2)

    def test_resume_from_what_all_ranks_wrote(self):
        data = self.make_dataset(users=300)
        train = ("train", data, "-o", self.dir / "m.h5", "--threads", 1, "--io", "collective", "--checkpoint",
                 self.dir / "c.h5", "--resume")
        self.succeed(*train, "--epochs", 2, ranks=3)
        self.succeed(*train, "--epochs", 4, ranks=2)
        self.assertEqual([e["epoch"] for e in self.json_of("info", self.dir / "m.h5")["history"]], [1, 2, 3, 4])


class Failures(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.preload = os.environ.get("FAIL_WRITES")

    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=20000, items=3000, ratings=200000)

    def check_failure(self, ranks, directory, *wanted, **more):
        """Training fails at the end; returns the message."""
        directory.mkdir(exist_ok=True)
        model = directory / "m.h5"
        model.write_text("older")
        result = run("train", self.data, "-o", model, "--factors", 64, "--epochs", 1, "--threads", 1, "--quiet", "--io",
                     "collective", ranks=ranks, **more)
        self.assertEqual(result.code, IO, result)
        self.assertEqual(len(result.messages()), 1, result)
        self.assertIn(f"{model}: ", result.messages()[0])
        for text in wanted:
            self.assertIn(text, result.messages()[0])
        self.assertEqual([path.name for path in directory.iterdir()], ["m.h5"])
        self.assertEqual(model.read_text(), "older")

    def test_disk_too_small(self):
        disk = self.dir / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode:
            self.skipTest("a tmpfs cannot be mounted here (root is needed)")
        self.addCleanup(subprocess.run, ["umount", disk])
        for ranks in (1, 2, 4):
            with self.subTest(ranks=ranks):
                self.check_failure(ranks, disk, "cannot reserve", "No space left on device")

    def test_file_size_limit(self):
        """The reservation lies past the end of the file, where the limit does not hold: the writes fail, on all ranks."""
        for ranks in (1, 2, 4):
            with self.subTest(ranks=ranks):
                self.check_failure(ranks, self.dir / "out", "cannot write (is the disk full?)",
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)))

    def fail_writes(self, ranks, after, rank=None, *wanted, **more):
        if not self.preload:
            self.skipTest("no library to preload in this build")
        # into the ranks only: mpirun itself has no business with it
        env = {**os.environ, "FAIL_WRITES_AFTER": str(after), "OMPI_MCA_mca_base_env_list": f"LD_PRELOAD={self.preload}"}
        env.update(more)
        if rank is not None:
            env["FAIL_WRITES_RANK"] = str(rank)
        self.check_failure(ranks, self.dir / "out", *wanted, env=env)

    def test_writes_fail_on_all_ranks(self):
        """In rank 0's own part, where an array is given its space, among its values."""
        for ranks, after in ((1, 0), (2, 0), (1, 4 << 20), (4, 1 << 20), (4, 7 << 19)):
            with self.subTest(ranks=ranks, after=after):
                self.fail_writes(ranks, after)

    def test_writes_fail_on_one_rank(self):
        """The others wait inside HDF5 for the one that failed: it does not wait for them for ever."""
        for ranks, rank in ((2, 1), (4, 2)):
            with self.subTest(ranks=ranks, rank=rank):
                self.fail_writes(ranks, 500000, rank, "cannot write (is the disk full?)")

    def test_lost_writes_are_noticed(self):
        """Reported as done and never made, as by a component of MPI that forgets a full disk. A checksum of zeros is zero,
        so that a chunk that never came passes for one of zeros: what was read back is compared with what was written."""
        for ranks, after, text in ((1, 6 << 20, "read back"), (2, 4 << 20, "read back"),
                                   (2, 6 << 20, "does not read back as it was written"), (3, 6 << 20, "read back")):
            with self.subTest(ranks=ranks, after=after):
                self.fail_writes(ranks, after, 0, text, FAIL_WRITES_LOST=str(1000000))

    def test_the_component_that_loses_data_is_refused(self):
        message = self.fail_with(USAGE, "train", self.data, "-o", self.dir / "m.h5", "--io", "collective", ranks=2,
                                 env={**os.environ, "OMPI_MCA_io": "ompio"})
        self.assertIn("OMPI_MCA_io is 'ompio'", message)
        self.assertEqual(self.files(), ["data.h5"])


if __name__ == "__main__":
    unittest.main()
