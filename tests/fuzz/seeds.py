#!/usr/bin/env python3
"""Makes the HDF5 seeds of the fuzz targets: seeds.py BLENDMF CORPUS, for when the format changes.

Small files of our own, and the same values in forms that others write and that go other ways through HDF5: its oldest
format (no checksums on metadata), no filters, compressed, unlimited extents (other chunk indices), other widths and byte
orders; and files that must be refused: links, unknown filters and types. No virtual data set: HDF5 1.10 crashes on a
damaged one.
"""
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

BLENDMF, CORPUS = sys.argv[1], pathlib.Path(sys.argv[2])


def make(command, *args):
    subprocess.run([BLENDMF, command, *map(str, args), "--quiet"], check=True)


def rewrite(source, target, libver, change=lambda name, values: (values, {}), after=lambda file: None):
    """A copy through h5py. change: an array to its values and how to create them."""
    def copy(name, item):
        if isinstance(item, h5py.Group):
            new = file.create_group(name)
        else:
            values, how = change(name, item[()])
            new = file.create_dataset(name, data=values, **how)
        for key, value in item.attrs.items():
            new.attrs.create(key, value, dtype=item.attrs.get_id(key).dtype)

    with h5py.File(source) as old, h5py.File(target, "w", libver=libver) as file:
        for key, value in old.attrs.items():
            file.attrs.create(key, value, dtype=old.attrs.get_id(key).dtype)
        old.visititems(copy)
        after(file)


def compressed(_, values):
    return values, dict(chunks=True, maxshape=(None,) * values.ndim, compression=9, shuffle=True, fletcher32=True)


def tiny_chunks(_, values):
    return values, dict(chunks=(min(2, max(1, values.shape[0])),) + values.shape[1:], fletcher32=True)


def two_unlimited(_, values):
    return values, dict(chunks=tuple(max(1, min(2, n)) for n in values.shape), maxshape=(None,) * values.ndim)


def other_types(_, values):
    return values.astype({"i": ">i8", "f": ">f8", "u": "<u2"}.get(values.dtype.kind, values.dtype)), {}


def soft_link(file):
    file.move("content", "elsewhere")
    file["content"] = h5py.SoftLink("/elsewhere")


def external_link(file):
    del file["items"]
    file["items"] = h5py.ExternalLink("/etc/passwd", "/items")


def other_filters(file):
    values = file["users/id"][()]
    del file["users/id"]
    file.create_dataset("users/id", data=values, chunks=True, scaleoffset=0)


def named_type(file):
    file["type"] = np.dtype("i8")
    values = file["users/id"][()]
    del file["users/id"]
    file.create_dataset("users/id", data=values, dtype=file["type"])


def dense(file):
    """Links and attributes by the hundred, which HDF5 keeps in heaps and trees."""
    for i in range(140):
        file.attrs[f"more{i:03}"] = i
    for i in range(70):
        file.create_group(f"more{i:03}")


FORMS = [("oldest", "earliest", dict()), ("plain", "v110", dict()),
         ("compressed", "v110", dict(change=compressed)), ("tiny_chunks", "v110", dict(change=tiny_chunks)),
         ("two_unlimited", "v110", dict(change=two_unlimited)),
         ("other_types", "v110", dict(change=other_types)), ("soft_link", "v110", dict(after=soft_link)),
         ("external_link", "v110", dict(after=external_link)),
         ("other_filters", "v110", dict(after=other_filters)), ("named_type", "v110", dict(after=named_type)),
         ("dense", "v110", dict(after=dense))]

with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    data = CORPUS / "dataset" / "own.h5"
    for target in ("dataset", "model"):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
    make("synth", "--users", 5, "--items", 6, "--ratings", 18, "--features", 4, "--factors", 2, "-o", data)
    (work / "ratings.csv").write_text("userId,movieId,rating\n" + "".join(
        f"user{u},item{i},{(u + i) % 5 + 1}\n" for u in range(3) for i in range(4)))
    make("import", "--ratings", work / "ratings.csv", "-o", CORPUS / "dataset" / "strings.h5")
    (work / "users.csv").write_text("userId,age,likes\nuser0,30,war|noir\nuser2,7,\n")
    make("import", "--ratings", work / "ratings.csv", "--users", work / "users.csv", "-o", CORPUS / "dataset" / "users.h5")
    for content in ("none", "concat", "embed"):
        make("train", data, "-o", CORPUS / "model" / f"{content}.h5", "--content", content, "--factors", 3, "--epochs", 2,
             "--threads", 1)
    make("train", data, "-o", CORPUS / "model" / "svd.h5", "--content", "concat", "--content-svd", 2, "--factors", 3, "--epochs",
         2, "--threads", 1)
    # steps so long that the best epoch is not the last one, and is stored beside it
    make("train", data, "-o", work / "model.h5", "--content", "concat", "--factors", 3, "--epochs", 6, "--threads", 1,
         "--learning-rate", 0.3, "--checkpoint", CORPUS / "model" / "checkpoint.h5")
    # the same with features of users, whose parts the state has
    make("train", CORPUS / "dataset" / "users.h5", "-o", work / "model.h5", "--implicit-feedback", "--factors", 3, "--epochs", 6,
         "--threads", 1, "--learning-rate", 0.3, "--checkpoint", CORPUS / "model" / "users.h5")
    for name, libver, how in FORMS:
        bounds = "earliest" if libver == "earliest" else ("v110", "v110")
        rewrite(data, CORPUS / "dataset" / f"{name}.h5", bounds, **how)
        if name in ("oldest", "compressed", "other_types"):
            rewrite(CORPUS / "model" / "concat.h5", CORPUS / "model" / f"{name}.h5", bounds, **how)
