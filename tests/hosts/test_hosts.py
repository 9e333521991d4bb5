"""Ranks on several hosts, which are network namespaces here: the models of the same ranks on one host, and no more bytes between
them than the epoch lines say. Skipped where namespaces cannot be made."""
import subprocess
import sys
import time
import unittest

import h5py
import numpy as np

import hosts
from command import BLENDMF, IO, OK, CommandTest, epoch_lines, run

SEGMENT, HEADERS = 1448, 66  # bytes of a TCP segment on Ethernet and of what stands in front of it
GRIDS = [(2, 1), (4, 1), (2, 2)]  # hosts, ranks on each
REASON = hosts.why_not()


def arrays(path):
    """All data sets of a file but those of times."""
    found = {}

    def visit(name, what):
        if isinstance(what, h5py.Dataset) and not name.startswith("history/"):
            found[name] = what[()]
    with h5py.File(path) as file:
        file.visititems(visit)
    return found


class SeveralHosts(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=400, items=150, ratings=12000, user_features=6)

    def args(self, model, *more):
        return ["train", self.data, "-o", self.dir / model, "--factors", 8, "--epochs", 6, "--patience", 0, "--threads", 1,
                *more]

    def across(self, network, per_host, *args):
        result = network.mpirun(per_host, [BLENDMF, *args], timeout=60)
        self.assertEqual(result.returncode, OK, f"{result.stdout}\n{result.stderr}")
        return result

    def wait_for(self, what, seconds):
        deadline = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_models_of_the_same_ranks_on_one_host(self):
        """To the bit, where one host is told to merge as several would."""
        for count, per_host in GRIDS:
            with hosts.Network(count) as network:
                for options in (["--content", "none"], ["--content", "embed"],
                                ["--content", "concat", "--merge-precision", "float32", "--merges-per-epoch", 3],
                                ["--content", "embed", "--implicit-feedback"],
                                ["--content", "none", "--merge-precision", "int4"]):
                    with self.subTest(hosts=count, per_host=per_host, options=options):
                        told = self.across(network, per_host, *self.args("several.h5", *options)).stdout
                        one = self.succeed(*self.args("one.h5", *options, "--ranks-per-host", per_host),
                                           ranks=count * per_host)
                        left, right = arrays(self.dir / "several.h5"), arrays(self.dir / "one.h5")
                        self.assertEqual(left.keys(), right.keys())
                        for name in left:
                            np.testing.assert_array_equal(left[name], right[name], err_msg=name)
                        for a, b in zip(epoch_lines(told), epoch_lines(one.stdout)):
                            self.assertEqual(dict(a).get("merge_bytes"), dict(b).get("merge_bytes"))

    def test_as_good_as_in_full_precision(self):
        learning = ["--content", "none", "--learning-rate", 0.03, "--epochs", 25]
        exact = self.succeed(*self.args("exact.h5", *learning, "--ranks-per-host", 4), ranks=4)
        wanted = float(dict(epoch_lines(exact.stdout)[-2])["val_rmse"])
        constant = self.json_of("evaluate", self.dir / "exact.h5", self.data, "--split", "val",
                                "--baselines")["baselines"]["global_mean"]["rmse"]
        self.assertLess(wanted, constant - 0.05)  # there is something to lose
        with hosts.Network(4) as network:
            for precision in ("float32", "bfloat16", "int8", "int4"):
                told = self.across(network, 1, *self.args("m.h5", *learning, "--merge-precision", precision)).stdout
                found = float(dict(epoch_lines(told)[-2])["val_rmse"])
                print(f"{precision}: validation RMSE {found:.4f}, merged in full {wanted:.4f}, constant {constant:.4f}")
                self.assertAlmostEqual(found, wanted, delta=0.003)

    def test_bytes_on_the_wire(self):
        """merge_bytes against what the network card counts: two runs differ by so many epochs' merges."""
        few, many = 5, 105
        with hosts.Network(2) as network:
            for precision in ("float32", "int4"):
                sent, told = [], 0
                for epochs in (few, many):
                    before = network.sent_bytes(1)
                    output = self.across(network, 1, *self.args("m.h5", "--content", "none", "--epochs", epochs,
                                                                "--merge-precision", precision)).stdout
                    sent.append(network.sent_bytes(1) - before)
                    told = int(dict(epoch_lines(output)[-2])["merge_bytes"])
                found = (sent[1] - sent[0]) / (many - few)
                print(f"{precision}: {told} bytes an epoch said, {found:.0f} sent")
                self.assertGreater(found, told)
                # agreements and their answers, beside the merge: some dozens of short messages an epoch
                self.assertLess(found, told * (1 + HEADERS / SEGMENT) + 6000)

    def test_a_host_that_is_gone(self):
        """Its cable is pulled: the others find out and end, and the checkpoint is good."""
        checkpoint = self.dir / "c.h5"
        args = self.args("m.h5", "--content", "none", "--epochs", 1000000, "--checkpoint", checkpoint, "--checkpoint-every", 50,
                         "--stall-timeout", 2)
        with hosts.Network(2) as network, open(self.dir / "told", "w+", encoding="utf-8") as told:
            process = subprocess.Popen(network.mpirun_command(1, [BLENDMF, *args]), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=told, env=network.environment())
            self.wait_for(checkpoint.exists, 30)
            network.unplug(1)
            self.wait_for(lambda: "no progress" in (self.dir / "told").read_text(), 20)
        process.wait(20)
        text = (self.dir / "told").read_text()
        self.assertRegex(text, r"rank [01]: no progress for 2 s while the others waited")
        self.assertNotEqual(process.returncode, OK)
        self.assertEqual(run("info", checkpoint).code, OK)
        resumed = run(*self.args("m.h5", "--content", "none", "--checkpoint", checkpoint, "--resume", "--epochs", 1))
        self.assertEqual(resumed.code, OK, resumed)


if __name__ == "__main__":
    if REASON:
        print(f"SKIPPED: no hosts of their own here: {REASON}")
        sys.exit(77)
    unittest.main()
