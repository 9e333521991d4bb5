"""train --content-svd: the reduced content against numpy's own decomposition, in the model and on the way through training."""
import re
import unittest

import h5py
import numpy as np
import scipy.sparse

from command import USAGE, CommandTest

QUICK = ["--factors", 4, "--threads", 1, "--epochs", 3]


def dense(group):
    return scipy.sparse.csr_matrix((group["data"], group["indices"], group["indptr"]),
                                   shape=group.attrs["shape"]).toarray().astype(float)


def everything(path):
    """All arrays but those of times."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: value for name, value in found.items() if not re.match("history/(seconds|updates|merge)", name)}


class ContentSvd(CommandTest):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset(features=40, items=90)
        self.model = self.dir / "m.h5"

    def train(self, *args, ranks=None, model=None):
        return self.succeed("train", self.data, "-o", model or self.model, *QUICK, *args, ranks=ranks)

    def check_model(self, rank, explained):
        with h5py.File(self.data) as data, h5py.File(self.model) as model:
            given, basis = dense(data["content"]), model["content_svd"]
            components = basis["components"][:].astype(float)
            _, values, directions = np.linalg.svd(given, full_matrices=False)
            np.testing.assert_allclose(basis["singular_value"], values[:rank], rtol=2e-3)
            np.testing.assert_allclose(components.T @ components, np.eye(rank), atol=1e-5)
            self.assertTrue((components[np.abs(components).argmax(axis=0), range(rank)] > 0).all())
            kept = (given @ components).var(axis=0).sum() / given.var(axis=0).sum()
            best = (given @ directions[:rank].T).var(axis=0).sum() / given.var(axis=0).sum()
            self.assertAlmostEqual(kept, best, places=2)
            self.assertAlmostEqual(100 * kept, explained, delta=0.06)
            rows = given @ components
            norms = np.linalg.norm(rows, axis=1)[:, None]
            np.testing.assert_allclose(dense(model["content"]), rows / np.where(norms > 0, norms, 1), atol=1e-6)
            self.assertEqual(basis["feature"][:].tolist(), data["content/feature"][:].tolist())
            np.testing.assert_array_equal(basis["idf"], data["content/idf"])
            self.assertEqual(model["content/feature"][0], b"svd1" if rank < 10 else b"svd01")
            self.assertEqual(model.attrs["features"], rank)

    def test_content_is_projected_and_kept(self):
        for rank, content, ranks in ((5, "concat", None), (12, "embed", 2)):
            with self.subTest(rank=rank, content=content, ranks=ranks):
                told = self.train("--content", content, "--content-svd", rank, ranks=ranks).stderr
                kept = re.search(rf"content of 40 features reduced to {rank}, which keep ([0-9.]+) % of the variance", told)
                self.assertIsNotNone(kept, told)
                self.check_model(rank, float(kept.group(1)))
                described = self.json_of("info", self.model)
                self.assertEqual((described["content_svd"], described["features"]), (rank, rank))

    def test_predictions_use_it(self):
        self.train("--content", "concat", "--content-svd", 6)
        rmse = self.json_of("evaluate", self.model, self.data)["rmse"]
        with h5py.File(self.data) as data, h5py.File(self.model) as model:
            group = data["ratings/test"]
            test = scipy.sparse.csr_matrix((group["data"], group["indices"], group["indptr"]),
                                           shape=group.attrs["shape"]).tocoo()
            scores = (model.attrs["global_mean"] + model["user_bias"][:][:, None] + model["item_bias"][:]
                      + model["P"][:] @ model["Q"][:].T + dense(model["W"]) @ dense(model["content"]).T)
            self.assertAlmostEqual(rmse, np.sqrt(np.mean((test.data - scores[test.row, test.col]) ** 2)), places=4)

    def test_both_ways_of_writing_are_one(self):
        options = ["--content", "concat", "--content-svd", 7]
        self.train(*options, ranks=2)
        self.train(*options, "--io", "collective", ranks=2, model=self.dir / "other.h5")
        one, other = everything(self.model), everything(self.dir / "other.h5")
        self.assertEqual(one.keys(), other.keys())
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)

    def test_going_on(self):
        options = ["--content", "concat", "--content-svd", 5]
        checkpoint = self.dir / "c.h5"
        self.train(*options, model=self.dir / "whole.h5")
        self.train(*options, "--checkpoint", checkpoint, "--epochs", 1)
        self.train(*options, "--checkpoint", checkpoint, "--resume")
        whole, parts = everything(self.dir / "whole.h5"), everything(self.model)
        for name in whole:
            np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)
        for other, now in ((["--content-svd", 6], 6), ([], 0)):
            message = self.fail_with(USAGE, "train", self.data, "-o", self.model, *QUICK, "--content", "concat", *other,
                                     "--checkpoint", checkpoint, "--resume")
            self.assertIn(f"was made with --content-svd 5 (now {now});", message)

    def test_what_cannot_be(self):
        message = self.fail_with(USAGE, "train", self.data, "-o", self.model, "--content-svd", 41)
        self.assertIn("--content-svd: 41 is too many for ", message)
        self.assertIn("with 90 items and 40 features (allowed: 1 to 40, or 0 for the features as they are)", message)
        message = self.fail_with(USAGE, "train", self.data, "-o", self.model, "--content-svd", 3, "--content", "none")
        self.assertEqual(message, "blendmf train: --content-svd 3 needs content, --content none has none")


if __name__ == "__main__":
    unittest.main()
