"""train --plan: what training will take, said without training."""
import json
import re
import unittest

from command import OK, USAGE, CommandTest, run

OPTIONS = ["--content", "none", "--factors", 16, "--threads", 1]


def figures(text):
    return {key: float(value) for key, value in re.findall(r"(\w+)=([-+.\de]+)", text)}


class Plan(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=3000, items=500, ratings=200000)

    def test_says_and_writes_nothing(self):
        before = self.files()
        result = self.succeed("train", self.data, "--plan", *OPTIONS)
        self.assertEqual(self.files(), before)
        found = figures(result.stdout)
        self.assertEqual(set(found), {"ranks", "threads", "hosts", "merges_per_epoch", "memory_mib", "ratings", "validation",
                                      "parameters", "best", "content", "merge", "order", "epoch_seconds", "sweep", "bytes_per_merge",
                                      "seconds_per_merge", "of_messages", "useful_ranks", "epoch_seconds_there"})
        self.assertEqual((found["ranks"], found["threads"], found["hosts"]), (1, 1, 1))
        self.assertLess(found["sweep"], found["epoch_seconds"])
        self.assertGreater(found["epoch_seconds_there"], 0)

    def test_memory_is_what_train_says(self):
        for ranks in (None, 2):
            for content in ("none", "concat", "embed"):
                options = [*OPTIONS, "--content", content]
                plan = self.json_of("train", self.data, "--plan", *options, ranks=ranks)
                train = self.json_of("train", self.data, "-o", self.dir / "m.h5", "--epochs", 1, *options, ranks=ranks)
                self.assertEqual(plan["memory"], train["memory"])
                self.assertEqual(plan["merges_per_epoch"], train["options"]["merges_per_epoch"])

    def test_ranks_that_are_not_here(self):
        """One process says of several what they say of themselves."""
        here = self.json_of("train", self.data, "--plan", *OPTIONS, ranks=2)
        alone = self.json_of("train", self.data, "--plan", *OPTIONS, "--plan-ranks", 2)
        self.assertEqual(alone["ranks"], 2)
        for part in ("merge", "order", "ratings"):
            self.assertAlmostEqual(alone["memory"][part], here["memory"][part], delta=0.02 * here["memory"][part])
        self.assertEqual(alone["bytes_per_merge"], here["bytes_per_merge"] - 28)  # but for the sums beside the rows
        self.assertLess(0, alone["epoch_seconds"])

    def test_messages_by_bandwidth_and_latency(self):
        def plan(*more):
            return self.json_of("train", self.data, "--plan", *OPTIONS, "--plan-ranks", 8, "--ranks-per-host", 2, *more)
        fast, slow, late = plan("--plan-bandwidth", 1000, "--plan-latency", 0), plan("--plan-bandwidth", 0.01, "--plan-latency", 0), \
            plan("--plan-bandwidth", 1000, "--plan-latency", 10000)
        for found in (fast, slow, late):
            self.assertEqual((found["hosts"], found["ranks"]), (4, 8))
        rows = (3 * 500 / 4) * (26 + 22) // 1  # int8: 16 + 2 bytes of factors and scale, 8 or 4 beside them
        self.assertAlmostEqual(slow["message_seconds_per_merge"], rows / 1.25e6, delta=0.15 * rows / 1.25e6)
        self.assertAlmostEqual(late["message_seconds_per_merge"] - fast["message_seconds_per_merge"], (2 + 3) * 0.01, delta=0.005)
        self.assertLess(slow["useful_ranks"], fast["useful_ranks"])
        more = plan("--plan-bandwidth", 0.01, "--plan-latency", 0, "--merge-precision", "float32")
        self.assertGreater(more["message_seconds_per_merge"], 2.5 * slow["message_seconds_per_merge"])

    def test_what_is_refused(self):
        message = self.fail_with(USAGE, "train", self.data, *OPTIONS)
        self.assertEqual(message, "blendmf train: missing -o MODEL.h5 (usage: blendmf train DATA.h5 -o MODEL.h5 [options])")
        message = self.fail_with(USAGE, "train", self.data, "-o", self.dir / "m.h5", "--plan-ranks", 4)
        self.assertEqual(message, "blendmf train: --plan-ranks is for --plan")
        message = self.fail_with(USAGE, "train", self.data, "--plan", "--plan-ranks", 4, *OPTIONS, ranks=2)
        self.assertEqual(message, "blendmf train: --plan-ranks 4: here are 2 ranks, and a plan for others is made by one process "
                                  "alone")
        result = run("train", self.data, "-o", self.dir / "m.h5", "--plan", *OPTIONS)
        self.assertEqual(result.code, OK, result)
        self.assertIn("blendmf: --plan only plans: --output is left alone", result.messages())
        self.assertFalse((self.dir / "m.h5").exists())

    def test_features_of_users(self):
        """Merges are as many as training would have, and what features learn is told apart from merging."""
        data = self.make_dataset("users.h5", users=3000, items=500, ratings=100000, user_features=20)
        for ranks in (None, 2):
            plan = self.json_of("train", data, "--plan", *OPTIONS, "--content", "embed", ranks=ranks)
            self.assertEqual(plan["merges_per_epoch"], 8)
            self.assertGreater(plan["phase"]["users"], 0)
        without = self.json_of("train", data, "--plan", *OPTIONS, "--content", "embed", "--user-content", "none", ranks=2)
        self.assertEqual((without["phase"]["users"], without["merges_per_epoch"]), (0, 4))
        self.assertGreater(plan["bytes_per_merge"], without["bytes_per_merge"] + 20 * 16 * 4)

    def test_rows_that_other_ranks_may_have(self):
        """Few ratings on many items: a rank of 16 has seen a part of them, but they may all be merged."""
        data = self.make_dataset("sparse.h5", users=800, items=3000, ratings=4000)
        here = self.json_of("train", data, "--plan", *OPTIONS, ranks=2)
        alone = self.json_of("train", data, "--plan", *OPTIONS, "--plan-ranks", 2)
        self.assertGreaterEqual(alone["bytes_per_merge"], here["bytes_per_merge"] - 28)
        self.assertLessEqual(alone["bytes_per_merge"], 3000 * 4 * (16 + 4))

    def test_more_ranks_than_users(self):
        small = self.make_dataset("small.h5", users=5, items=4, ratings=15)
        found = json.loads(self.succeed("train", small, "--plan", *OPTIONS, "--plan-ranks", 50, "--json", "-").stdout)
        self.assertLessEqual(found["useful_ranks"], 5)


if __name__ == "__main__":
    unittest.main()
