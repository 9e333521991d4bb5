#!/usr/bin/env python3
"""The law of the source tree, checked by reading it.

    layering.py ROOT          every violation as file:line, exit 1 if there is one
    layering.py --self-check  plants one violation of each rule in a small tree and sees that it is found

Rules: includes point only at modules before one's own in MODULES, and so do the libraries a module links; MPI, HDF5 and
BLAS each have their doors; public headers stand alone; below src/cli nothing prints or exits; calls that cannot be made
safe are not made; the top level stays small; src/README.md has an entry `module/file` for each source, and no other.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

MODULES = ["base", "data", "linalg", "kernels", "comm", "store", "model", "serve", "train", "eval", "tune", "cli"]
BUILD_FOLDERS = {"cmake"}  # in src, without code
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "src", "include", "scripts", "tests", "slurm", "data", "README.md",
             "LICENSE"}

# (what, modules that may, headers, identifiers, CMake targets)
DOORS = [
    ("MPI", {"comm", "store"}, r"mpi\.h", r"\bMPI_\w+", r"\bMPI::\w+"),
    ("HDF5", {"store"}, r"hdf5(_hl)?\.h|H5\w*\.h", r"\bH5[A-Z]\w*", r"\bhdf5::\w+|\bHDF5_\w+"),
    ("BLAS and LAPACK", {"linalg"}, r"(cblas|f77blas|lapacke\w*|openblas_config)\.h", r"\b(cblas|LAPACKE|openblas)_\w+|\bdpotr[fs]_",
     r"\bopenblas::\w+|\bOpenBLAS_\w+"),
]

# (what is wrong, call, files or modules that may)
CALLS = [
    ("prints below src/cli", r"\b(printf|vprintf|puts|putchar|perror)\s*\(|\bv?fprintf\s*\(\s*std(out|err)\b"
     r"|\bf(puts|write|putc)\s*\([^;]*\bstd(out|err)\b", {"cli", "base/log.c"}),
    ("ends the process below src/cli", r"\b(exit|_exit|quick_exit|abort)\s*\(", {"cli", "comm/comm.c", "comm/watchdog.c"}),
    ("is a call that cannot be made safe", r"\b(atoi|atol|atof|sprintf|vsprintf|strcpy|strcat|strtok|gets|s?rand)\s*\(",
     set()),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_lines(text):
    """The lines of a C source without comments, strings and characters, line numbers kept."""
    return NOT_CODE.sub(lambda m: " " + "\n" * m.group().count("\n"), text).split("\n")


def includes(text):
    """(line number, is a system header, name) of each include outside comments."""
    bare = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    for number, line in enumerate(bare.split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def check_own_include(root, module, name):
    """What is wrong with #include "name" in a module, or None."""
    folder = name.split("/")[0]
    if folder == "blendmf":
        exists = (root / "include" / name).is_file()
    elif folder in MODULES:
        exists = (root / "src" / name).is_file()
        if MODULES.index(folder) > MODULES.index(module):
            return f'includes "{name}": {module} must not know {folder}'
    else:
        return f'includes "{name}": own headers are included as "module/file.h"'
    return None if exists else f'includes "{name}", which does not exist'


def check_source(root, path, module):
    """(line, message) for each violation in one C file of a module."""
    text = path.read_text(encoding="utf-8")
    for number, system, name in includes(text):
        if not system:
            wrong = check_own_include(root, module, name)
            if wrong:
                yield number, wrong
        for what, may, headers, _, _ in DOORS:
            if re.fullmatch(headers, name) and module not in may:
                yield number, f"includes {name}: {what} belongs to {door_names(may)}"
    for number, line in enumerate(code_lines(text), 1):
        for what, may, _, names, _ in DOORS:
            match = re.search(names, line)
            if match and module not in may:
                yield number, f"uses {match.group()}: {what} belongs to {door_names(may)}"
        for what, call, may in CALLS:
            match = re.search(call, line)
            if match and not may & {module, f"{module}/{path.name}"}:
                yield number, f"{match.group().strip()} {what}"


def door_names(may):
    return " and ".join("src/" + name for name in sorted(may))


def check_cmake(path, module):
    """(line, message) for each library that a module must not link."""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        line = line.split("#")[0]
        for other in re.findall(r"\bbmf_([a-z]+)\b", line):
            if other in MODULES and MODULES.index(other) > MODULES.index(module):
                yield number, f"names bmf_{other}: {module} must not link {other}"
        for what, may, _, _, targets in DOORS:
            match = re.search(targets, line)
            if match and module not in may:
                yield number, f"links {match.group()}: {what} belongs to {door_names(may)}"


def check_public_header(path):
    """(line, message): a public header includes only the C library and its sisters."""
    text = path.read_text(encoding="utf-8")
    for number, system, name in includes(text):
        if system and not re.fullmatch(r"std(arg|bool|def|int|io)\.h", name) or not system and not name.startswith("blendmf/"):
            yield number, f"includes {name}: public headers stand alone"
    for number, line in enumerate(code_lines(text), 1):
        for what, _, _, names, _ in DOORS:
            match = re.search(names, line)
            if match:
                yield number, f"uses {match.group()}: public headers know nothing of {what}"


def check_map(root):
    """(line, message) where src/README.md and the sources do not name the same files."""
    text = (root / "src" / "README.md").read_text(encoding="utf-8")
    stems = {f"{module}/{path.stem}" for module in MODULES for path in (root / "src" / module).glob("*.[ch]")}
    named = {}
    for number, line in enumerate(text.split("\n"), 1):
        for entry in re.findall(r"`(\w+/\w+)`", line):
            if entry.split("/")[0] in MODULES:
                named.setdefault(entry, number)
    for stem in sorted(stems - named.keys()):
        yield 1, f"says nothing of {stem}: give it an entry `{stem}`"
    for stem in sorted(named.keys() - stems):
        yield named[stem], f"names {stem}, which does not exist"


def top_level(root):
    """Names at the top of the tree that git tracks or would track; without git, those that are not build trees."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
                             capture_output=True, text=True, check=False) if (root / ".git").exists() else None
    if listing and listing.returncode == 0:
        names = {name.split("/")[0] for name in listing.stdout.split("\0") if name}
        return sorted(name for name in names if (root / name).exists())
    return sorted(entry.name for entry in root.iterdir() if not re.match(r"build(-|$)", entry.name))


def violations(root):
    """Every violation of the tree as "file:line: message"."""
    for name in top_level(root):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield f"{name}: the top level holds {', '.join(sorted(TOP_LEVEL))} and dot-files only"
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in MODULES and folder.name not in BUILD_FOLDERS:
            yield f"src/{folder.name}: not a module that this test knows: {', '.join(MODULES)}"
        if folder.suffix in {".c", ".h"}:
            yield f"src/{folder.name}: sources live in a module's folder"
    for line, message in check_map(root):
        yield f"src/README.md:{line}: {message}"
    for module in MODULES:
        folder = root / "src" / module
        for path in sorted(folder.rglob("*")):
            found = ()
            if path.suffix in {".c", ".h", ".inc"}:
                found = check_source(root, path, module)
            elif path.name == "CMakeLists.txt":
                found = check_cmake(path, module)
            for line, message in found:
                yield f"{path.relative_to(root)}:{line}: {message}"
    for path in sorted((root / "include").rglob("*.h")):
        for line, message in check_public_header(path):
            yield f"{path.relative_to(root)}:{line}: {message}"


SOUND = {
    "src/base/error.h": '#include "blendmf/status.h"\n/* MPI_Init and printf( in a comment are words */\n',
    "src/base/log.c": '#include "base/error.h"\nvoid f(void) { fprintf(stderr, "H5Fopen exit( MPI_x"); }\n',
    "src/comm/comm.c": '#include <mpi.h>\n#include "base/error.h"\nvoid f(void) { MPI_Barrier(c); }\n',
    "src/store/file.c": '#include <hdf5.h>\n#include <mpi.h>\nvoid f(void) { H5Fclose(h); snprintf(b, 1, ""); }\n',
    "src/store/CMakeLists.txt": "bmf_module(store SOURCES file.c LINK bmf_base hdf5::hdf5)\n",
    "src/linalg/gemm.c": "#include <cblas.h>\nvoid f(void) { cblas_sgemm(a); }\n",
    "src/cli/main.c": '#include "comm/comm.h"\nint main(void) { printf("x"); exit(2); }\n',
    "src/comm/comm.h": "",
    "src/cmake/targets.cmake": "",
    "include/blendmf/status.h": "#include <stdint.h>\n",
    "src/README.md": "`base/error` `base/log` `comm/comm` `linalg/gemm`\n`store/file` and `cli/main`, not `some/thing`\n",
    "README.md": "", "CMakeLists.txt": "", ".gitignore": "",
}

# (file, text, a part of the message that must appear)
PLANTED = [
    ("src/base/up.c", '#include "comm/comm.h"\n', "src/base/up.c:1: includes \"comm/comm.h\": base must not know comm"),
    ("src/comm/up.c", '\n#  include "store/file.h"\n', "src/comm/up.c:2: includes \"store/file.h\""),
    ("src/base/bare.c", '#include "error.h"\n', "own headers are included as"),
    ("src/base/side.c", '#include "../base/error.h"\n', "own headers are included as"),
    ("src/base/gone.c", '#include "base/gone.h"\n', "which does not exist"),
    ("src/train/mpi.c", "#include <mpi.h>\n", "src/train/mpi.c:1: includes mpi.h"),
    ("src/train/mpi.c", "/* two\nlines */ int n = MPI_Comm_size(c);\n", "src/train/mpi.c:2: uses MPI_Comm_size"),
    ("src/model/h5.c", "#include <hdf5.h>\n", "includes hdf5.h"),
    ("src/model/h5.h", "typedef struct { hid_t h; } t; int f = H5Dread(h);\n", "uses H5Dread"),
    ("src/comm/h5.c", "#include <H5public.h>\n", "includes H5public.h"),
    ("src/kernels/blas.c", "#include <lapacke.h>\n", "includes lapacke.h"),
    ("src/eval/blas.c", "void f(void) { cblas_sgemm(a); }\n", "uses cblas_sgemm"),
    ("src/model/CMakeLists.txt", "bmf_module(model LINK bmf_base\n  bmf_train)\n", "src/model/CMakeLists.txt:2: names bmf_train"),
    ("src/train/CMakeLists.txt", "bmf_module(train LINK MPI::MPI_C)\n", "links MPI::MPI_C"),
    ("src/data/print.c", 'void f(void) { printf("%d", 1); }\n', "prints below src/cli"),
    ("src/data/print.c", 'void f(void) { fputs("x", stderr); }\n', "prints below src/cli"),
    ("src/data/end.c", "void f(void) { exit(1); }\n", "ends the process below src/cli"),
    ("src/cli/unsafe.c", "int f(char *s) { return atoi(s); }\n", "cannot be made safe"),
    ("src/base/new.c", "", "src/README.md:1: says nothing of base/new"),
    ("src/README.md", SOUND["src/README.md"] + "`comm/gone`\n", "src/README.md:3: names comm/gone"),
    ("src/stray.c", "", "sources live in a module's folder"),
    ("src/helpers/x.c", "", "src/helpers: not a module"),
    ("include/blendmf/model.h", "#include <mpi.h>\n", "include/blendmf/model.h:1: includes mpi.h"),
    ("include/blendmf/model.h", '#include "base/error.h"\n', "public headers stand alone"),
    ("include/blendmf/model.h", "int bmf_open(H5F_t *f);\n", "know nothing of HDF5"),
    ("notes.txt", "", "notes.txt: the top level"),
    ("docs/x.md", "", "docs: the top level"),
]


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def self_check():
    """The messages of what the checks above got wrong on planted trees."""
    for planted in [None] + PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            plant(root, SOUND)
            if planted is None:
                yield from (f"sound tree: {found}" for found in violations(root))
                continue
            name, text, expected = planted
            parts = re.fullmatch(r"src/(\w+/\w+)\.[ch]", name)
            if parts and "says nothing" not in expected:  # the map shall not be what is found
                plant(root, {"src/README.md": SOUND["src/README.md"] + f"`{parts.group(1)}`\n"})
            plant(root, {name: text})
            found = list(violations(root))
            if len(found) != 1 or expected not in found[0]:
                yield f"planted {text!r} in {name}: expected one finding with {expected!r}, got {found}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: layering.py ROOT | --self-check")
    if sys.argv[1] == "--self-check":
        found = list(self_check())
        count = f"{len(PLANTED)} planted violations"
    else:
        root = pathlib.Path(sys.argv[1]).resolve()
        found = list(violations(root))
        count = f"{len(list((root / 'src').rglob('*.[ch]')))} sources"
    for line in found:
        print(line)
    print(f"{count} checked, {len(found)} wrong")
    sys.exit(1 if found else 0)


main()
