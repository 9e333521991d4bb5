"""Features of users and implicit feedback, from the files alone: what is in them, and what they say of users without ratings."""
import unittest

import h5py
import numpy as np

from command import OK, STOPPED, USAGE, CommandTest, run
from reference import Model, read_sparse

SHORT = ["--epochs", 8, "--patience", 0]


class UserFeatures(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(users=400, items=30, ratings=1600, user_features=5)
        self.model, self.checkpoint = self.dir / "m.h5", self.dir / "c.h5"

    def train(self, *more, **how):
        return self.succeed("train", self.data, "-o", self.model, "--factors", 5, "--epochs", 8, "--threads", 1, "--learning-rate",
                            0.03, *more, **how)

    def unknown_users(self):
        """Numbers of those without training ratings."""
        with h5py.File(self.model) as model:
            return np.flatnonzero(model["users/ratings"][:] == 0)

    def test_parts_are_in_the_files(self):
        """P and user_bias are what users have beside their features, in a checkpoint, and what these have; in two ranks too, and in
        a checkpoint from the middle of an epoch."""
        for content, ranks, more in (("none", None, SHORT), ("concat", 2, SHORT), ("embed", 3, SHORT),
                                     ("none", 2, ["--epochs", 60, "--patience", 3, "--learning-rate", 0.05]),
                                     ("none", 2, ["--max-seconds", 1e-9, "--merges-per-epoch", 7])):
            with self.subTest(content=content, ranks=ranks):
                for path in (self.model, self.checkpoint, self.dir / "c.h5.previous"):
                    path.unlink(missing_ok=True)
                line = ["train", self.data, "-o", self.model, "--factors", 5, "--checkpoint", self.checkpoint, "--content", content, "--implicit-feedback", "--user-content-weight", 0.5, *more]
                stopped = "--max-seconds" in more
                result = run(*line, ranks=ranks)
                self.assertEqual(result.code, STOPPED if stopped else OK, result)
                with h5py.File(self.checkpoint) as file, h5py.File(self.data) as data, h5py.File(self.model) as model:
                    self.assertEqual(file["state"].attrs["window"] > 0, stopped)
                    self.assertEqual("best" in file["state"], "--patience" in more and more[-1] == 0.05)
                    for name in ("data", "indices", "indptr", "feature", "idf"):
                        np.testing.assert_array_equal(file["user_content"][name][:], data["user_content"][name][:])
                    y = read_sparse(file["user_content"]) * file.attrs["user_content_weight"]
                    rated = read_sparse(data["ratings/train"])
                    rated.data[:] = 1
                    rated = rated.multiply(1 / np.sqrt(np.maximum(1, rated.sum(axis=1).A1))[:, None]).tocsr()
                    for parts, whole in (("state/", ""), ("state/best/", "state/best/"))[:2 if "state/best" in file else 1]:
                        own, V, beta, Y = (file[parts + name][:] if name.startswith("own") else file[whole + name][:]
                                           for name in ("own_P", "user_V", "user_feature_bias", "implicit_V"))
                        np.testing.assert_allclose(own + y @ V + rated @ Y, file[whole + "P"][:], atol=1e-5)
                        np.testing.assert_allclose(file[parts + "own_user_bias"][:] + y @ beta, file[whole + "user_bias"][:],
                                                   atol=1e-5)
                    self.assertTrue((file["state/own_P"][:][self.unknown_users()] == 0).all())
                    self.assertGreater(np.abs(file["user_V"][:]).max(), 0.01)
                    self.assertNotIn("state", model)
                    self.assertEqual([model.attrs[name] for name in ("user_features", "implicit_feedback")], [5, 1])
                    best = file["state/best"] if "best" in file["state"] else file
                    for name in ("P", "user_V", "user_feature_bias", "implicit_V"):
                        np.testing.assert_array_equal(model[name][:], best[name][:])

    def test_without_there_is_nothing_of_it(self):
        self.train("--user-content", "none", "--checkpoint", self.checkpoint)
        with h5py.File(self.checkpoint) as file:
            for name in ("user_V", "user_feature_bias", "implicit_V", "user_content", "state/own_P"):
                self.assertNotIn(name, file)
            self.assertEqual(file.attrs["user_features"], 0)

    def test_users_without_ratings_are_told_apart(self):
        self.train("--content", "none")
        users = self.unknown_users()
        self.assertGreater(len(users), 20)
        pairs = self.dir / "pairs.csv"
        reference = Model(self.model)
        with h5py.File(self.model) as file:
            P = file["P"][:].astype(float)
        pairs.write_text("".join(f"{reference.users[u]},{i}\n" for u in users for i in reference.items))
        told = self.json_of("predict", self.model, "--pairs", pairs)["predictions"]
        wanted = reference.mean + reference.b_u[users][:, None] + reference.b_i + P[users] @ reference.Q.T
        got = np.array([row["prediction"] for row in told]).reshape(wanted.shape)
        np.testing.assert_allclose(got, wanted, atol=1e-5)
        self.assertGreater(np.ptp(got, axis=0).max(), 0.1)
        self.assertEqual({row["basis"] for row in told}, {"content"})
        lists = self.json_of("recommend", self.model, "--user", reference.users[users[0]], "--top", 3)
        best = [reference.items[i] for i in np.argsort(-wanted[0], kind="stable")[:3]]
        self.assertEqual([row["item"] for row in lists["recommendations"]], best)

    def test_they_are_predicted_better(self):
        self.data, rmse = self.make_dataset(users=3000, items=100, ratings=15000, user_features=8), {}
        for content in ("none", "embed"):
            self.succeed("train", self.data, "-o", self.model, "--user-content", content, "--content", "none", "--threads", 1)
            rmse[content] = self.json_of("evaluate", self.model, self.data)["segments"]["new_user"]["rmse"]
        self.assertLess(rmse["embed"], 0.95 * rmse["none"])

    def test_export(self):
        self.train("--implicit-feedback", "--user-content-weight", 2)
        self.succeed("export", self.model, "-o", self.dir / "out")
        arrays = {path.stem: np.load(path) for path in (self.dir / "out").iterdir()}
        with h5py.File(self.model) as file:
            for name, of in (("U_matrix", "user_V"), ("gamma", "user_feature_bias"), ("Y_matrix", "implicit_V"), ("P_matrix", "P")):
                np.testing.assert_array_equal(arrays[name], file[of][:])
            np.testing.assert_allclose(arrays["user_content_data"], 2 * file["user_content/data"][:])
            self.assertEqual(arrays["user_feature_names"].tolist(), [name.decode() for name in file["user_content/feature"][:]])

    def test_what_is_said(self):
        self.assertIn("blendmf: 5 features of users: embed", self.train().messages())
        self.assertIn("user features     5, weight 1, implicit feedback off", self.succeed("info", self.model).stdout)
        self.assertEqual(self.json_of("info", self.model)["options"]["user_features"], 5)
        bare = self.make_dataset("bare.h5")
        for given, warned in (([], 0), (["--user-content", "embed"], 1)):
            result = self.succeed("train", bare, "-o", self.model, "--epochs", 1, *given)
            told = [line for line in result.messages() if line == "blendmf: warning: bare.h5 has no features of users for "
                    "--user-content embed"]
            self.assertEqual(len(told), warned)
        message = self.fail_with(USAGE, "train", self.data, "-o", self.model, "--user-content-weight", -1)
        self.assertIn("--user-content-weight", message)


if __name__ == "__main__":
    unittest.main()
