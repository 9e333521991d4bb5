"""Opens the files that store_tool writes with h5py, scipy, h5ls and h5dump, and feeds it hostile ones made with h5py.

Usage: h5py_check.py STORE_TOOL DIRECTORY
"""
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import scipy.sparse

TOOL, DIRECTORY = sys.argv[1], sys.argv[2]
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    return done.returncode, done.stdout, done.stderr


def written():
    """What store_tool says it wrote: {(file, object): [fields of each line]}."""
    code, out, stderr = run(TOOL, "write", DIRECTORY)
    check(code == 0, f"store_tool write: {code} {out[-300:]} {stderr}")
    lines = {}
    for line in out.splitlines():
        name, obj, kind, rest = line.split(" ", 3) if line.count(" ") > 2 else line.split(" ") + [""]
        lines.setdefault((name, obj), []).append((kind, rest))
    return lines


def check_matrix(f, name, obj, lines):
    g = f[obj]
    matrix = scipy.sparse.csr_matrix((g["data"], g["indices"], g["indptr"]), shape=g.attrs["shape"])
    shape = tuple(int(x) for x in lines[0][1].split())
    wanted = np.zeros(shape)
    for _, rest in lines[1:]:
        row, column, value = rest.split()
        wanted[int(row), int(column)] = float(value)
    check(matrix.shape == shape, f"{name} {obj}: shape {matrix.shape}, wanted {shape}")
    check(np.array_equal(matrix.toarray(), wanted), f"{name} {obj}: values")
    types = [g[x].dtype.str for x in ("data", "indices", "indptr")]
    check(types == ["<f4", "<i4", "<i8"], f"{name} {obj}: types {types}")
    check(g.attrs["encoding-type"] == b"csr_matrix" and g.attrs["encoding-version"] == b"0.1.0", f"{name} {obj}: encoding")


def check_filters(f, name):
    def visit(path, obj):
        if isinstance(obj, h5py.Dataset):
            check(obj.fletcher32, f"{name} {path}: no Fletcher-32")

    f.visititems(visit)


def check_samples(lines):
    for (name, obj), entries in lines.items():
        with h5py.File(f"{DIRECTORY}/{name}.h5") as f:
            if entries[0][0] == "shape":
                check_matrix(f, name, obj, entries)
            else:
                found = [x.decode() if isinstance(x, bytes) else str(x) for x in f[obj][:]]
                check(found == [rest for _, rest in entries], f"{name} {obj}: {found[:3]}")
    for name in ("numbers", "strings", "numbers-model", "strings-model"):
        path = f"{DIRECTORY}/{name}.h5"
        with h5py.File(path) as f:
            kind = b"blendmf-model" if "model" in name else b"blendmf-dataset"
            check(f.attrs["format"] == kind and f.attrs["format_version"] == (2 if "model" in name else 1), f"{name}: root attributes")
            check(f.attrs["created_by"].startswith(b"blendmf "), f"{name}: created_by")
            check_filters(f, name)
        for tool in (["h5ls", "-r"], ["h5ls", "-rv"], ["h5dump"], ["h5dump", "-H"]):
            code, _, stderr = run(*tool, path)
            check(code == 0 and not stderr, f"{tool} {name}: {code} {stderr[:200]}")
        check(run(TOOL, "read", path)[0] == 0, f"{name}: cannot be read back")


def check_model():
    with h5py.File(f"{DIRECTORY}/numbers-model.h5") as f:
        a = f.attrs
        check(a["content"] == b"concat" and a["factors"] == 4 and a["learning_rate"] == 0.0125 and a["seed"] == 42,
              "model attributes")
        check(a["complete"] == 1 and int(a["dataset_fingerprint"]) == 0xFEDCBA9876543210, "mark and fingerprint")
        check(f["P"].shape == (40, 4) and f["Q"].shape == (60, 4) and tuple(f["W"].attrs["shape"]) == (40, 6), "extents")
        row, column = np.indices((40, 4))
        check(np.array_equal(f["P"][:], 0.125 * row - 0.5 * column), "values of P")
        check(list(f["history/epoch"]) == [1, 2, 3] and f["history/learning_rate"][1] == 0.005, "history")


def replace(f, path, **options):
    attributes = dict(f[path].attrs)
    del f[path]
    f.create_dataset(path, **options).attrs.update(attributes)


def with_value(f, path, index, value):
    values = f[path][:]
    values[index] = value
    replace(f, path, data=values, fletcher32=True)


def huge(f, path, shape, dtype, **options):
    replace(f, path, shape=shape, dtype=dtype, chunks=tuple(min(x, 1024) for x in shape), **options)


def no_external(f):
    del f["content"]
    f["content"] = h5py.ExternalLink("/etc/passwd", "/content")


def virtual(f):
    del f["P"]
    layout = h5py.VirtualLayout(shape=(40, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "P", shape=(40, 4))
    f.create_virtual_dataset("P", layout)


def raw_file(f):
    del f["P"]
    f.create_dataset("P", shape=(40, 4), dtype="f4", external=[("/etc/passwd", 0, 640)])


def deflate_twice(f):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((40,))
    plist.set_deflate(9)
    plist.set_deflate(9)
    del f["users/id"]
    space = h5py.h5s.create_simple((40,))
    h5py.h5d.create(f["users"].id, b"id", h5py.h5t.STD_I64LE, space, plist).write(space, space, np.arange(40))


def named_type(f):
    f["type"] = np.dtype("i8")
    replace(f, "users/id", data=np.arange(40), dtype=f["type"])


def bits_of_a_byte(f):
    part = h5py.h5t.STD_I32LE.copy()
    part.set_precision(20)
    del f["users/id"]
    h5py.h5d.create(f["users"].id, b"id", part, h5py.h5s.create_simple((40,)))


def set_attribute(path, name, value):
    return lambda f: f[path].attrs.__setitem__(name, value)


def delete(path):
    return lambda f: f.__delitem__(path)


T = "ratings/train/"
# (file, what is done to it, status, pattern in the message)
HOSTILE = [
    ("numbers", set_attribute("/", "format_version", 7), 3, r"format_version 7; this program reads 1"),
    ("numbers", set_attribute("/", "format_version", np.bytes_("1")), 3, r"'format_version': holds strings, integers are expected"),
    ("numbers", set_attribute("/", "format_version", [1, 1]), 3, r"holds 2 values, 1 are expected"),
    ("numbers", set_attribute("/", "format", np.bytes_("something")), 3, r"format 'something' is unknown"),
    ("numbers", set_attribute("/", "format", "blendmf-dataset"), 3, r"variable length"),
    ("numbers", set_attribute("/", "format", np.bytes_("x" * 300)), 3, r"300 bytes long"),
    ("numbers", lambda f: f.attrs.__delitem__("format"), 3, r"not one of blendmf"),
    ("numbers", lambda f: f.attrs.__delitem__("created_by"), 3, r"'created_by': the file has no such attribute"),
    ("numbers", delete("users"), 3, r"/users: the file has no such group"),
    ("numbers", delete("users/id"), 3, r"/users/id: the file has no such data set"),
    ("numbers", delete("ratings"), 3, r"/ratings: the file has no such group"),
    ("numbers", delete("ratings/val"), 3, r"/ratings/val: the file has no such group"),
    ("numbers", delete(T + "indices"), 3, r"/ratings/train/indices: the file has no such data set"),
    ("numbers", delete("content"), 3, r"/content: the file has no such group"),
    ("numbers", delete("content/feature"), 3, r"/content/feature: the file has no such data set"),
    ("numbers", delete("import"), 3, r"/import: the file has no such group"),
    ("numbers", lambda f: (delete("users")(f), f.create_dataset("users", data=[1, 2])), 3, r"/users: is not a group"),
    ("numbers", lambda f: replace(f, T + "data", data=np.arange(5)), 3, r"/ratings/train/data: holds integers, floating"),
    ("numbers", lambda f: replace(f, T + "indices", data=np.arange(5.0)), 3, r"indices: holds floating-point numbers, integers"),
    ("numbers", lambda f: replace(f, T + "data", data=np.zeros((5, 2), "f4")), 3, r"has 2 dimensions, 1 are expected"),
    ("numbers", lambda f: replace(f, T + "data", data=h5py.Empty("f4")), 3, r"has 0 dimensions"),
    ("numbers", lambda f: replace(f, T + "data", data=np.float32(1)), 3, r"has 0 dimensions"),
    ("numbers", lambda f: replace(f, T + "data", data=np.zeros(3, "f4")), 3, r"/ratings/train/indices: has \d+ rows, 3 are expected"),
    ("numbers", lambda f: replace(f, T + "timestamp", data=np.zeros(3, "i8")), 3, r"timestamp: has 3 rows"),
    ("numbers", lambda f: replace(f, T + "indptr", data=np.zeros(7, "i8")), 3, r"indptr: has 7 rows, 41 are expected"),
    ("numbers", lambda f: with_value(f, T + "indptr", 5, -4), 3, r"/ratings/train/indptr: falls from"),
    ("numbers", lambda f: with_value(f, T + "indptr", 0, -4), 3, r"/ratings/train/indptr: starts with -4"),
    ("numbers", lambda f: with_value(f, T + "indptr", 40, 2**40), 3, r"/ratings/train/indptr: ends with 1099511627776"),
    ("numbers", lambda f: with_value(f, T + "indptr", 7, 2**62), 3, r"/ratings/train/indptr: falls from"),
    ("numbers", lambda f: with_value(f, T + "indices", 3, 60), 3, r"/ratings/train: .*60.* is outside 0 .. 59"),
    ("numbers", lambda f: with_value(f, T + "indices", 3, -1), 3, r"/ratings/train: .*-1.* is outside 0 .. 59"),
    ("numbers", lambda f: replace(f, T + "indices", data=f[T + "indices"][:].astype("i8") + 2**40), 3, r"is outside 0 .. 59"),
    ("numbers", lambda f: with_value(f, T + "data", 3, np.nan), 3, r"/ratings/train: .*not finite"),
    ("numbers", lambda f: with_value(f, "content/data", 0, np.inf), 3, r"/content: .*not finite"),
    ("numbers", lambda f: with_value(f, "content/idf", 2, np.nan), 3, r"/content/idf: value nan at 2"),
    ("numbers", lambda f: with_value(f, "users/id", 2, 1), 3, r"ids must ascend"),
    ("numbers", lambda f: with_value(f, "users/id", 0, -1), 3, r"negative"),
    ("strings", lambda f: with_value(f, "users/id", 2, b"a"), 3, r"ids must ascend"),
    ("numbers", set_attribute("ratings/test", "shape", [40, 61]), 3, r"/ratings/test: attribute 'shape' is 40 x 61"),
    ("numbers", set_attribute("ratings/test", "shape", [-1, 60]), 3, r"'shape' is -1 x 60"),
    ("numbers", set_attribute("content", "shape", [60, 2**33]), 3, r"columns"),
    ("numbers", set_attribute("content", "shape", [60, -1]), 3, r"'shape' has -1 columns"),
    ("numbers", set_attribute("content", "shape", [60, 7]), 3, r"feature: has 6 rows, 7 are expected"),
    ("numbers", set_attribute("content", "shape", [60, 6, 1]), 3, r"holds 3 values, 2 are expected"),
    ("numbers", set_attribute("content", "encoding-type", np.bytes_("csc_matrix")), 3, r"'csr_matrix' is expected"),
    ("numbers", lambda f: huge(f, T + "data", (2**40,), "f4"), 3, r"declares 1099511627776 x 1"),
    ("numbers", lambda f: huge(f, T + "data", (2**50,), "f4", fletcher32=True), 3, r"cannot be right"),
    ("numbers", lambda f: huge(f, "users/id", (2**35,), "i8", compression=9), 3, r"declares 34359738368 x 1"),
    ("numbers", lambda f: huge(f, "items/title", (60,), "S9000000"), 3, r"strings of 9000000 bytes|chunks above|declares"),
    ("numbers", lambda f: replace(f, "users/id", data=np.arange(40), chunks=(2**27,), maxshape=(None,), compression=1), 3, r"chunks above 256 MiB"),
    ("numbers", lambda f: replace(f, "items/title", data=["x"] * 60, dtype=h5py.string_dtype()), 3, r"variable length"),
    ("numbers", lambda f: replace(f, "users/id", data=np.zeros(40, [("a", "i4")])), 3, r"values of another type"),
    ("numbers", lambda f: replace(f, "users/id", data=np.zeros(40, "f8")), 3, r"holds floating-point numbers, integers"),
    ("numbers", delete("user_content/idf"), 3, r"/user_content/idf: the file has no such data set"),
    ("numbers", lambda f: with_value(f, "user_content/idf", 1, np.inf), 3, r"/user_content/idf: value inf at 1"),
    ("numbers", set_attribute("user_content", "shape", [41, 5]), 3, r"/user_content: attribute 'shape' is 41 x 5"),
    ("numbers", lambda f: with_value(f, "user_content/indices", 0, 5), 3, r"/user_content: .*5.* is outside 0 .. 4"),
    ("numbers", lambda f: replace(f, "user_content/indices", data=f["user_content/indices"][:][::-1].copy()), 3, r"/user_content: index \d follows \d"),
    ("numbers", no_external, 3, r"/content: is a link to elsewhere"),
    ("numbers", set_attribute("import", "seed", 1.5), 3, r"/import: attribute 'seed': holds floating"),
    ("numbers", lambda f: f["import"].attrs.__delitem__("split_ratio"), 3, r"/import: attribute 'split_ratio'"),
    ("numbers-model", set_attribute("/", "format_version", 0), 3, r"format_version 0; this program reads 2 to 3 \(make"),
    ("numbers-model", set_attribute("/", "format_version", 4), 3, r"format_version 4; this program reads 2 to 3$"),
    ("numbers-model", lambda f: f.attrs.__delitem__("complete"), 4, r"was not completed"),
    ("numbers-model", set_attribute("/", "complete", 0), 4, r"was not completed"),
    ("numbers-model", lambda f: f.attrs.modify("global_mean", 3.5300001), 4, r"checksum"),
    ("numbers-model", lambda f: f.attrs.modify("users", 41), 4, r"checksum"),
    ("numbers-model", lambda f: f.attrs.__delitem__("factors"), 3, r"'factors': the file has no such attribute"),
    ("numbers-model", delete("W"), 3, r"/W: the file has no such group"),
    ("numbers-model", lambda f: (delete("W")(f), f.create_dataset("W", data=np.zeros((40, 6), "f4"))), 3, r"/W: is not a group"),
    ("numbers-model", delete("W/indices"), 3, r"/W/indices: the file has no such data set"),
    ("numbers-model", set_attribute("W", "shape", [40, 7]), 3, r"/W: attribute 'shape' is 40 x 7"),
    ("numbers-model", set_attribute("W", "encoding-type", np.bytes_("csc_matrix")), 3, r"/W: .*'csr_matrix' is expected"),
    ("numbers-model", lambda f: with_value(f, "W/indptr", 5, -4), 3, r"/W/indptr: falls from"),
    ("numbers-model", lambda f: with_value(f, "W/indptr", 40, 2**40), 3, r"/W/indptr: ends with 1099511627776"),
    ("numbers-model", lambda f: with_value(f, "W/indices", 0, 6), 3, r"/W: .*6.* is outside 0 .. 5"),
    ("numbers-model", lambda f: with_value(f, "W/indices", 0, -1), 3, r"/W: .*-1.* is outside 0 .. 5"),
    ("numbers-model", lambda f: replace(f, "W/indices", data=f["W/indices"][:][::-1].copy()), 3, r"/W: index \d follows \d in row \d, the indices of a row must ascend"),
    ("numbers-model", lambda f: with_value(f, "W/data", 3, np.nan), 3, r"/W: .*not finite"),
    ("numbers-model", lambda f: huge(f, "W/data", (2**40,), "f4"), 3, r"/W/data: declares 1099511627776 x 1"),
    ("numbers-model", delete("history"), 3, r"/history: the file has no such group"),
    ("numbers-model", lambda f: replace(f, "Q", data=np.zeros((60, 5), "f4")), 3, r"/Q: is 60 x 5, the attributes say 60 x 4"),
    ("numbers-model", lambda f: replace(f, "Q", data=np.zeros(240, "f4")), 3, r"/Q: has 1 dimensions, 2 are expected"),
    ("numbers-model", lambda f: huge(f, "P", (40, 4), "f4"), 3, r"/P: declares 40 x 4 elements, but only 0 bytes"),
    ("numbers-model", lambda f: with_value(f, "user_bias", 7, np.nan), 3, r"/user_bias: the value in row 7, column 0 is not finite"),
    ("numbers-model", lambda f: replace(f, "items/id", data=np.arange(59)), 3, r"/items/id: has 59 ids"),
    ("numbers-model", lambda f: replace(f, "history/seconds", data=np.zeros(2)), 3, r"seconds: has 2 rows, 3 are expected"),
    ("numbers-model", virtual, 3, r"/P: keeps its values in another file"),
    ("numbers-model", raw_file, 3, r"/P: keeps its values in another file"),
    ("strings-model", delete("content_svd/idf"), 3, r"/content_svd/idf: the file has no such data set"),
    ("strings-model", delete("content_svd/feature"), 3, r"/content_svd/feature: the file has no such data set"),
    ("strings-model", lambda f: replace(f, "content_svd/components", data=np.zeros((9, 5), "f4")), 3, r"/content_svd/components: is 9 x 5, the content has 6 features"),
    ("strings-model", lambda f: replace(f, "content_svd/components", data=np.zeros((8, 6), "f4")), 3, r"feature: has 9 rows, 8 are expected"),
    ("strings-model", lambda f: huge(f, "content_svd/components", (2**40, 6), "f4"), 3, r"/content_svd/components: declares"),
    ("strings-model", lambda f: with_value(f, "content_svd/components", (4, 2), np.nan), 3, r"/content_svd/components: the value in row 4 is not finite"),
    ("strings-model", lambda f: with_value(f, "content_svd/singular_value", 1, np.inf), 3, r"/content_svd/singular_value: value inf at 1"),
    ("strings-model", delete("content_svd"), 0, r"^$"),
    ("strings-model", delete("V"), 3, r"/V: the file has no such data set"),
    ("numbers", lambda f: replace(f, "users/id", data=np.arange(40), chunks=(40,), scaleoffset=0), 3, r"/users/id: has filter number 6; shuffle"),
    ("numbers", lambda f: replace(f, "users/id", data=np.arange(40), chunks=(40,), compression="lzf"), 3, r"/users/id: has filter number 32000; "),
    ("numbers", deflate_twice, 3, r"/users/id: has filter number 1 twice"),
    ("numbers", named_type, 3, r"/users/id: has a type of its own name"),
    ("numbers", bits_of_a_byte, 3, r"/users/id: holds integers of an unusual form"),
    ("numbers", lambda f: replace(f, T + "data", data=f[T + "data"][:].astype("f2")), 3, r"data: holds floating-point numbers of an unusual form"),
    ("numbers", lambda f: replace(f, "users/id", data=np.zeros(6 << 20, "i8"), chunks=(1 << 20,), compression=9), 3, r"/users/id: declares 6291456 x 1 elements"),
    # not hostile: other widths and layouts of the same values
    ("numbers", lambda f: replace(f, T + "data", data=f[T + "data"][:].astype("f8")), 0, r"^$"),
    ("numbers", lambda f: replace(f, T + "indices", data=f[T + "indices"][:].astype(">i8"), compression=4), 0, r"^$"),
    ("numbers", lambda f: replace(f, T + "indptr", data=f[T + "indptr"][:].astype("u2")), 0, r"^$"),
    ("numbers", lambda f: f[T].__delitem__("timestamp"), 0, r"^$"),
    ("numbers", delete("items/title"), 0, r"^$"),
    ("numbers", delete("user_content"), 0, r"^$"),
]


def check_hostile():
    path = f"{DIRECTORY}/hostile.h5"
    for number, (name, change, status, pattern) in enumerate(HOSTILE):
        shutil.copyfile(f"{DIRECTORY}/{name}.h5", path)
        with h5py.File(path, "r+") as f:
            change(f)
        code, out, stderr = run(TOOL, "read", path)
        right = code == status and re.search(pattern, out.strip()) and not stderr and (code == 0 or out.startswith(path))
        check(right, f"hostile {number} ({pattern}): {code} {out.strip()} {stderr[:300]}")
    h5py.File(path, "w").close()
    code, out, _ = run(TOOL, "read", path)
    check(code == 3 and "not one of blendmf" in out, f"a foreign HDF5 file: {code} {out}")


shutil.rmtree(DIRECTORY, ignore_errors=True)
os.makedirs(DIRECTORY)
check_samples(written())
check_model()
check_hostile()
shutil.rmtree(DIRECTORY)
sys.exit(1 if failures else 0)
