"""recommend: the lists are NumPy's, whoever makes them; what is left out, who is new, and what happens when a rank is lost."""
import json
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from command import BLENDMF, INPUT, IO, OK, USAGE, CommandTest, command_line, run
from reference import Model, read_ids, read_sparse

CONTENT = ("none", "concat", "embed")
TOLERANCE = 1e-5
GENRES = ["red", "green", "blue", "old", "new"]


class RecommendTest(CommandTest):
    """Users 1 to 30 and items 1 to 60, of which 41 to 60 have content but no ratings."""

    @classmethod
    def setUpClass(cls):
        keeper = tempfile.TemporaryDirectory(prefix="blendmf-test-")
        cls.addClassCleanup(keeper.cleanup)
        cls.made = Path(keeper.name)
        random = np.random.default_rng(5)
        lines = [f"{u},{i},{random.integers(1, 11) / 2},{random.integers(1e9)}\n"
                 for u in range(1, 31) for i in range(1, 41) if random.random() < 0.5]
        (cls.made / "r.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(lines))
        (cls.made / "i.csv").write_text("movieId,title,genres\n" + "".join(
            f'{i},"Title, {i}",{"|".join(g for b, g in enumerate(GENRES) if i >> b & 1)}\n' for i in range(1, 61)))
        cls.data = cls.made / "data.h5"
        assert run("import", "--ratings", cls.made / "r.csv", "--items", cls.made / "i.csv", "-o", cls.data).code == OK
        cls.model, cls.reference = {}, {}
        for content in CONTENT:
            path = cls.model[content] = cls.made / f"{content}.h5"
            assert run("train", cls.data, "-o", path, "--content", content, "--factors", 4, "--epochs", 4, "--threads",
                       1).code == OK
            cls.reference[content] = Model(path)

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def lists(self, *args, **more):
        """Of each user, in the order printed: (item, score, basis) and the rest of the row, best first."""
        out = self.json_of("recommend", *args, **more)["recommendations"]
        lists = {}
        for row in out:
            mine = lists.setdefault(row["user"], [])
            self.assertEqual(row["rank"], len(mine) + 1)
            mine.append((row["item"], row["score"], row["basis"], row.get("title")))
        return lists

    def check(self, found, scores, ids, allowed):
        """A list against the scores of all ids: those of the best that are allowed, each item with its own."""
        best = sorted((scores[i] for i in allowed), reverse=True)[:len(found)]
        for (item, score, *_), expected in zip(found, best):
            self.assertIn(ids.index(item), allowed)
            self.assertAlmostEqual(score, expected, delta=TOLERANCE)
            self.assertAlmostEqual(score, scores[ids.index(item)], delta=TOLERANCE)

    def rated(self):
        """By user id: indices of items rated in any split."""
        rated = {}
        with h5py.File(self.data) as file:
            users = read_ids(file["users/id"])
            for split in ("train", "val", "test"):
                matrix = read_sparse(file[f"ratings/{split}"])
                for row, user in enumerate(users):
                    rated.setdefault(user, set()).update(matrix[row].indices.tolist())
        return rated


class Lists(RecommendTest):
    def test_all_users_as_numpy_has_them(self):
        rated = self.rated()
        for content in CONTENT:
            with self.subTest(content):
                reference = self.reference[content]
                lists = self.lists(self.model[content], "--all-users", "--exclude", self.data, "--top", 7)
                self.assertEqual(list(lists), reference.users)
                for user, found in lists.items():
                    self.assertEqual(len(found), 7)
                    allowed = [i for i in range(60) if i not in rated[user]]
                    index = reference.user[user]
                    self.check(found, reference.scores(index), reference.items, allowed)
                    for item, _, basis, _ in found:
                        self.assertEqual(basis, reference.basis(index, reference.item[item]))

    def test_one_user_and_a_file_of_users(self):
        model = self.model["concat"]
        everyone = self.lists(model, "--all-users")
        self.assertEqual(self.lists(model, "--user", 7), {7: everyone[7]})
        chosen = [9, 3, 30, 4]
        for name, text in (("plain", "9\n3\n30\n4\n"), ("header", "userId\n9\n3\n30\n4"), ("more", "x,user\n,9\n,3\n,30\n,4\n")):
            with self.subTest(name):
                lists = self.lists(model, "--users", self.write("users", text))
                self.assertEqual(list(lists.items()), [(u, everyone[u]) for u in chosen])
        done = subprocess.run(command_line(["recommend", model, "--users", "-"]), input=b"9\n", stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (OK, 11))

    def test_equal_scores_in_order_of_items(self):
        """Items 41 to 60 have all the same score in a model that knows no content."""
        reference = self.reference["none"]
        found = self.lists(self.model["none"], "--user", 5, "--top", 1000)[5]
        self.assertEqual(len(found), 60)
        self.assertEqual([item for item, _, basis, _ in found if basis == "bias"], list(range(41, 61)))
        scores = reference.scores(reference.user[5])
        self.assertEqual([item for item, *_ in found], [reference.items[i] for i in reference.ranking(np.float32(scores))])

    def test_users_the_model_does_not_know(self):
        model, reference = self.model["concat"], self.reference["concat"]
        result = self.succeed("recommend", model, "--user", 999, "--top", 60)
        self.assertIn("warning: the model does not know user 999", result.stderr)
        rows = [line.split(",") for line in result.stdout.splitlines()[1:]]
        scores = reference.scores(None)
        self.check([(int(r[2]), float(r[3])) for r in rows], scores, reference.items, range(60))
        self.assertEqual({r[4] for r in rows}, {"bias", "mean"})
        result = self.succeed("recommend", model, "--users", self.write("u", "1\n999\n998\n"), "--top", 1)
        self.assertIn("the model does not know 2 of 3 users", result.stderr)

    def test_left_out_for_somebody_only_the_data_set_knows(self):
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(f"999,{i},3\n1000,{i},4\n" for i in range(1, 40)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "-o", data)
        found = self.lists(self.model["concat"], "--user", 999, "--exclude", data, "--top", 60)[999]
        self.assertEqual({item for item, *_ in found}, set(range(40, 61)))

    def test_nothing_left(self):
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(f"5,{i},3\n6,{i},4\n" for i in range(1, 61)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "-o", data)
        text = self.succeed("recommend", self.model["none"], "--user", 5, "--exclude", data).stdout
        self.assertEqual(text, "user,rank,item,score,basis\n")

    def test_titles(self):
        text = self.succeed("recommend", self.model["concat"], "--user", 5, "--titles", self.data, "--top", 2).stdout
        self.assertRegex(text, r'^user,rank,item,score,basis,title\n5,1,(\d+),[\d.]+,\w+,"Title, \1"\n5,2,')

    def test_texts_as_ids(self):
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(
            f'"{u}","{i}",{(a + b) % 5 + 1}\n' for a, u in enumerate(("ann", "b,c", "zoë")) for b, i in enumerate("vwxyz")))
        data, model = self.dir / "d.h5", self.dir / "m.h5"
        self.succeed("import", "--ratings", ratings, "--split", "none", "-o", data)
        self.succeed("train", data, "-o", model, "--content", "none", "--epochs", 2)
        for args in (("--all-users",), ("--users", self.write("u", 'ann\n"b,c"\nzoë\n'))):
            self.assertEqual(list(self.lists(model, *args)), ["ann", "b,c", "zoë"])
        message = self.fail_with(INPUT, "recommend", model, "--user", "ann", "--exclude", self.data)
        self.assertIn("its item ids are numbers, those of the model are texts", message)


class WrongUse(RecommendTest):
    def test_who(self):
        model = self.model["none"]
        expected = "blendmf recommend: give one of --user ID, --users FILE, --all-users and --ratings FILE"
        self.assertEqual(self.fail_with(USAGE, "recommend", model), expected)
        self.assertEqual(self.fail_with(USAGE, "recommend", model, "--user", 1, "--all-users"), expected)
        self.assertIn("--exclude goes with", self.fail_with(USAGE, "recommend", model, "--ratings", "r", "--exclude", "d"))
        self.assertIn("one rank only", self.fail_with(USAGE, "recommend", model, "--users", "-", ranks=2))

    def test_files(self):
        model = self.model["concat"]
        for option, text, words in (
                ("--users", "1\nx\n", ":2: user id \"x\" is not a number"), ("--users", "1,2\n", ":1: a file of users"),
                ("--ratings", "1,9.5\n2,good\n", ':2: rating "good" is not a number'),
                ("--ratings", "1,3\n2,3\n1,4\n", ':3: item "1" was rated before, on line 1'),
                ("--ratings", "777,3\n", ": the model knows none of its items"),
                ("--ratings", "userId,rating\n1,3\n", ":1: the header of a file of a user's ratings needs a column movieId")):
            with self.subTest(words):
                path = self.write("file", text)
                self.assertIn(f"{path}{words}", self.fail_with(INPUT, "recommend", model, option, path))
        message = self.fail_with(INPUT, "recommend", self.model["none"], "--user", 1, "--new-items", self.made / "i.csv")
        self.assertIn("was trained without content", message)
        message = self.fail_with(INPUT, "recommend", model, "--user", 1, "--exclude", model)
        self.assertIn("model", message)
        self.assertIn("is not a number", self.fail_with(INPUT, "recommend", model, "--user", "ann", ranks=2))


class NewUser(RecommendTest):
    def test_somebody_like_a_user_of_the_model(self):
        """Who gives a known user's training ratings gets scores like that user's; what is rated is left out."""
        for content in CONTENT:
            with self.subTest(content):
                reference, user = self.reference[content], 3
                with h5py.File(self.data) as file:
                    row = read_sparse(file["ratings/train"])[reference.user[user]]
                ratings = self.write("own.csv", "item,rating\n" + "".join(
                    f"{reference.items[i]},{r}\n" for i, r in zip(row.indices, row.data)))
                lists = self.lists(self.model[content], "--ratings", ratings, "--top", 60)
                self.assertEqual(list(lists), ["new"])
                found = {item: score for item, score, *_ in lists["new"]}
                left = [i for i in range(60) if i not in row.indices]
                self.assertEqual(sorted(found), [reference.items[i] for i in left])
                scores = reference.scores(reference.user[user])
                theirs = [scores[i] for i in left]
                mine = [found[reference.items[i]] for i in left]
                self.assertGreater(np.corrcoef(mine, theirs)[0, 1], 0.2)
                self.assertLess(np.abs(np.subtract(mine, theirs)).mean(), 0.5)

    def test_what_tells_nothing_is_said(self):
        result = self.succeed("recommend", self.model["concat"], "--ratings", self.write("r", "1,4\n999,3\n2,50\n"))
        self.assertIn("1 ratings are of items that the model does not know", result.stderr)
        self.assertIn("1 ratings are outside the range of the training ratings", result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 11)


class NewItems(RecommendTest):
    def new_items(self):
        return self.write("new.csv", "movieId,title,genres\n5,Known,red\n101,\"New, 1\",red|blue\n102,Bare,unheard\n"
                                     "103,Two,GREEN old|red\n104,None,\n")

    def content_rows(self, reference):
        """As TfidfVectorizer.transform has them."""
        rows = np.zeros((4, len(reference.features)))
        for row, terms in ((0, ("red", "blue")), (2, ("green", "old", "red"))):
            for term in terms:
                rows[row, reference.features.index(term)] = reference.idf[reference.features.index(term)]
            rows[row] /= np.sqrt((rows[row] ** 2).sum())
        return rows

    def scores(self, reference, user):
        rows = self.content_rows(reference)
        if reference.V is not None:
            scores = reference.mean + rows @ reference.beta
            return scores if user is None else scores + reference.b_u[user] + rows @ reference.V @ reference.P[user]
        if user is None:
            return np.full(4, reference.mean)
        return reference.mean + reference.b_u[user] + rows @ reference.W[user].toarray()[0]

    def test_ranked_among_the_known(self):
        items = self.new_items()
        for content in ("concat", "embed"):
            with self.subTest(content):
                reference = self.reference[content]
                users = self.write("u", "1\n17\n999\n")
                lists = self.lists(self.model[content], "--users", users, "--new-items", items, "--top", 100,
                                   "--titles", self.data)
                titles = {101: "New, 1", 102: "Bare", 103: "Two", 104: "None", 5: "Title, 5"}
                for user, found in lists.items():
                    index = reference.user.get(user)
                    scores = np.concatenate([reference.scores(index), self.scores(reference, index)])
                    ids = reference.items + [101, 102, 103, 104]
                    self.assertEqual(sorted(item for item, *_ in found), sorted(ids))
                    self.check(found, scores, ids, range(64))
                    for item, _, basis, title in found:
                        self.assertEqual(title, titles.get(item, title))
                        if item > 100 and index is not None:
                            self.assertEqual(basis, "content" if item in (101, 103) else "bias")
                    best = self.lists(self.model[content], "--users", users, "--new-items", items, "--top", 5)
                    self.assertEqual([row[:3] for row in best[user]], [row[:3] for row in found[:5]])

    def test_new_items_that_a_user_has_rated(self):
        """The data set is newer than the model."""
        ratings = self.write("r.csv", "userId,movieId,rating\n" + "".join(
            f"{u},{i},{u % 5 + 1}\n" for u in (1, 2) for i in (3, 9, 101, 102 + u)))
        data = self.dir / "d.h5"
        self.succeed("import", "--ratings", ratings, "-o", data)
        lists = self.lists(self.model["concat"], "--users", self.write("u", "1\n2\n3\n"), "--new-items", self.new_items(),
                           "--exclude", data, "--top", 100)
        everything = set(range(1, 61)) | {101, 102, 103, 104}
        for user, rated in ((1, {3, 9, 101, 103}), (2, {3, 9, 101, 104}), (3, set())):
            self.assertEqual({item for item, *_ in lists[user]}, everything - rated)

    def test_said_of_the_file(self):
        result = self.succeed("recommend", self.model["concat"], "--user", 1, "--new-items", self.new_items())
        self.assertIn("4 new items; the model knows the other 1", result.stderr)
        self.assertIn("2 new items have no term that the model knows", result.stderr)

    def test_features_of_titles_and_reduced_content(self):
        """Years and words of titles count as in import, with equal weights too; reduced content follows its components."""
        items = self.write("i.csv", "movieId,title,genres\n" + "".join(
            f'{i},Film of {("gold", "lead")[i % 2]} ({1990 + i % 7}),{GENRES[i % 5]}\n' for i in range(1, 61)))
        data, model = self.dir / "d.h5", self.dir / "m.h5"
        self.succeed("import", "--ratings", self.made / "r.csv", "--items", items, "--title-features", "year,decade,words",
                     "--feature-weighting", "binary", "-o", data)
        twins = self.write("new.csv", "movieId,title,genres\n" + "".join(
            f'{100 + i},Film of {("gold", "lead")[i % 2]} ({1990 + i % 7}),{GENRES[i % 5]}\n' for i in range(41, 61)))
        for content, reduce in (("concat", ()), ("embed", ()), ("embed", ("--content-svd", 4))):
            with self.subTest(content, reduce=reduce):
                self.succeed("train", data, "-o", model, "--content", content, "--factors", 4, "--epochs", 4, *reduce)
                for found in self.lists(model, "--users", self.write("u", "2\n9\n"), "--new-items", twins, "--top", 100).values():
                    scores = {item: score for item, score, *_ in found}
                    for item in range(41, 61):  # which nobody has rated: all that is known of them is their content
                        self.assertAlmostEqual(scores[item], scores[100 + item], delta=TOLERANCE)
                    self.assertGreater(len({scores[item] for item in range(41, 61)}), 5)

    def test_for_somebody_new(self):
        ratings = self.write("own", "1,5\n5,4.5\n2,1\n")
        for content in ("concat", "embed"):
            found = self.lists(self.model[content], "--ratings", ratings, "--new-items", self.new_items(), "--top", 100)["new"]
            self.assertEqual(len(found), 60 - 3 + 4)
            self.assertEqual({basis for item, _, basis, _ in found if item in (101, 103)}, {"content"})


class ManyUsers(CommandTest):
    """2500 users: three blocks."""

    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=2500, items=300, ratings=20000)
        self.model = self.dir / "m.h5"
        self.succeed("train", self.data, "-o", self.model, "--content", "concat", "--factors", 6, "--epochs", 2)

    def test_same_for_any_ranks_and_threads(self):
        texts, told = set(), set()
        for ranks, threads in ((None, 1), (None, 3), (1, 1), (3, 2)):
            out, json_out = self.dir / "out.csv", self.dir / "out.json"
            self.succeed("recommend", self.model, "--all-users", "--exclude", self.data, "--titles", self.data, "--top", 5,
                         "-o", out, "--json", json_out, "--threads", threads, ranks=ranks)
            texts.add(out.read_text())
            told.add(json_out.read_text())
        self.assertEqual((len(texts), len(told)), (1, 1))
        rows = json.loads(told.pop())["recommendations"]
        self.assertEqual([row["user"] for row in rows], [u for u in range(1, 2501) for _ in range(5)])
        text = self.succeed("recommend", self.model, "--all-users", "--exclude", self.data, "--titles", self.data, "--top", 5,
                            "--memory", 1, ranks=3).stdout
        self.assertTrue(text in texts)

    def test_failures_of_one_rank_are_those_of_all(self):
        """Rank 0 alone meets the full disk."""
        with open("/dev/full", "wb") as full:
            result = run("recommend", self.model, "--all-users", "--top", 30, "-o", "/dev/full", ranks=3, stdout=full)
        self.assertEqual((result.code, len(result.errors())), (IO, 1), result)
        self.assertIn("cannot write /dev/full: No space left on device", result.errors()[0])

    def test_rank_that_is_killed(self):
        """The job ends; the older file stays."""
        out = self.dir / "out.csv"
        out.write_text("older")
        users = self.dir / "users"
        users.write_text("7\n" * 400000)
        line = command_line(["recommend", self.model, "--users", users, "--top", 100, "-o", out, "--threads", 1], ranks=3)
        job = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not [p for p in self.dir.glob("out.csv.blendmf.part-*") if p.stat().st_size > 0] and time.monotonic() < deadline:
            time.sleep(0.01)
        victims = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and self.is_last_rank(p)]
        self.assertEqual(len(victims), 1)
        os.kill(victims[0], 9)
        self.assertNotEqual(job.wait(20), OK)
        self.assertEqual(out.read_text(), "older")
        self.succeed("recommend", self.model, "--user", 1, "-o", out)
        self.assertEqual(list(self.dir.glob("out.csv.blendmf.part-*")), [])

    def is_last_rank(self, process):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            return (arguments[0] == BLENDMF.encode() and str(self.model).encode() in arguments
                    and b"OMPI_COMM_WORLD_RANK=2" in (process / "environ").read_bytes().split(b"\0"))
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
