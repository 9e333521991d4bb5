"""A model read with h5py and used with NumPy: what predict, recommend and similar must say."""
import h5py
import numpy as np
import scipy.sparse


def read_sparse(group):
    return scipy.sparse.csr_matrix((group["data"][:], group["indices"][:], group["indptr"][:]),
                                   shape=tuple(group.attrs["shape"]))


def read_ids(array):
    return [i.decode() if isinstance(i, bytes) else i for i in array[:].tolist()]


class Model:
    """What was never trained counts as 0: rows of users and items without a training rating."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.users, self.items = read_ids(file["users/id"]), read_ids(file["items/id"])
            self.user_trained, self.item_trained = (file[f"{of}/ratings"][:] > 0 for of in ("users", "items"))
            self.mean = file.attrs["global_mean"]
            self.b_u, self.b_i = file["user_bias"][:].astype(float), file["item_bias"][:].astype(float)
            self.P = file["P"][:].astype(float) * self.user_trained[:, None]
            self.Q = file["Q"][:].astype(float) * self.item_trained[:, None]
            self.content = None
            if "content" in file:
                self.content = read_sparse(file["content"]) * file.attrs["content_weight"]
                self.features = read_ids(file["content/feature"])
                self.idf = file["content/idf"][:]
            self.W = read_sparse(file["W"]) if "W" in file else None
            self.own_Q, self.own_b_i, self.V = self.Q, self.b_i, None
            if "V" in file:
                self.V, self.beta = file["V"][:].astype(float), file["feature_bias"][:].astype(float)
                self.Q, self.b_i = self.Q + self.content @ self.V, self.b_i + self.content @ self.beta
        self.known = {}  # scores of users
        self.user = {u: i for i, u in enumerate(self.users)}
        self.item = {u: i for i, u in enumerate(self.items)}

    def scores(self, user):
        """Of one user (an index, None: unknown) for all items."""
        if user is None or not self.user_trained[user]:
            return self.mean + self.b_i
        scores = self.mean + self.b_u[user] + self.b_i + self.Q @ self.P[user]
        if self.W is not None:
            scores = scores + self.content @ self.W[user].toarray()[0]
        return scores

    def basis(self, user, item):
        """Both are indices or None."""
        of_item = "bias"
        if item is not None and self.item_trained[item]:
            of_item = "factors"
        elif item is not None and self.content is not None and self.content[item].nnz:
            of_item = "content"
        if user is not None and self.user_trained[user]:
            return of_item
        return "bias" if of_item == "factors" or of_item == "content" and self.V is not None else "mean"

    def predict(self, user, item):
        """Of ids."""
        u, i = self.user.get(user), self.item.get(item)
        if i is None:
            score = self.mean + (self.b_u[u] if u is not None and self.user_trained[u] else 0)
        else:
            if u not in self.known:
                self.known[u] = self.scores(u)
            score = self.known[u][i]
        return score, self.basis(u, i)

    def ranking(self, scores, leave_out=()):
        """Indices of items, best first, equal ones in order."""
        return [i for i in np.argsort(-scores, kind="stable") if i not in leave_out]

    def similarity(self, item):
        """Cosines with all items of what the model has of them: factors, and content rows scaled to the same mean square
        where they are not in the factors."""
        rows = self.Q
        if self.W is not None:
            content = self.content.toarray()
            trained = self.item_trained
            share = (self.Q[trained] ** 2).sum() / (content[trained] ** 2).sum()
            rows = np.hstack([self.Q, np.sqrt(share) * content])
        norm = np.sqrt((rows ** 2).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = rows @ rows[item] / (norm * norm[item])
        cosine[norm == 0] = -np.inf
        cosine[item] = -np.inf
        return cosine
