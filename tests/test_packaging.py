"""The package as it is installed: what it holds, what importing it loads, which way its imports go."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAPPED = {"passes": "graphc.passes", "runtime": "graphc.runtime"}  # folder beside graphc/ -> package


def modules() -> dict[str, Path]:
    """Every module of the project by its name."""
    found = {}
    for home in ("graphc", *MAPPED):
        for path in sorted((ROOT / home).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[MAPPED.get(home, home) + name.removeprefix(home)] = path
    return found


MODULES = modules()
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()}
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


# What is installed


def test_pyproject_lists_every_package_folder():
    folders = {path.parent for path in MODULES.values()}
    assert all((folder / "__init__.py").is_file() for folder in folders), "a folder of modules lacks its __init__.py"
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == PACKAGES


def test_version_is_told_once():
    import graphc

    assert graphc.__version__ == PROJECT["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the sources, where no earlier build has left anything."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("graphc", *MAPPED):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), str(copy))
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_every_module_and_data_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    expected = {f"{name.replace('.', '/')}{'/__init__' * (name in PACKAGES)}.py" for name in MODULES}
    expected |= {"graphc/py.typed"}
    data = ROOT / "graphc" / "data" / "fashion_mnist_mini"
    expected |= {f"graphc/data/fashion_mnist_mini/{path.name}" for path in data.iterdir()}
    assert expected - held == set()
    outside = {name for name in held if not name.startswith("graphc/") and ".dist-info/" not in name}
    assert outside == set()
    assert any(name.endswith("licenses/LICENSE") for name in held)


TRAIN_ONE_STEP = """
import os, sys
import graphc
from graphc import nn
from graphc.dataset import FashionMnistDataset, embedded_fashion_mnist, transforms, vision

installed = os.path.dirname(os.path.dirname(os.path.abspath(graphc.__file__)))
assert installed.startswith(sys.prefix), installed
graphc.set_context(mode=graphc.GRAPH_MODE)
net = nn.SequentialCell(nn.Flatten(), nn.Dense(784, 16), nn.ReLU(), nn.Dense(16, 10))
data = FashionMnistDataset(embedded_fashion_mnist(), "train", shuffle=False).map(
    [vision.Rescale(1 / 255, 0.0), vision.HWC2CHW()], "image").map(transforms.TypeCast(graphc.int32), "label").batch(32)
image, label = next(data.create_tuple_iterator())
step = nn.TrainOneStepCell(
    nn.WithLossCell(net, nn.CrossEntropyLoss()), nn.SGD(net.trainable_params(), 0.1))
first, second = float(step(image, label).asnumpy()), float(step(image, label).asnumpy())
assert second < first, (first, second)
print("trained")
"""


def test_installed_wheel_trains(wheel, tmp_path):
    """In an environment of its own, where the dependencies are found but this checkout is not."""
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(home))
    python = str(home / "bin" / "python")
    (site,) = json.loads(run(python, "-c", "import json, site; print(json.dumps(site.getsitepackages()[:1]))"))
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site, str(wheel))
    borrow_dependencies(Path(site))
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    assert run(python, "-c", TRAIN_ONE_STEP, cwd=tmp_path, env=clean).strip() == "trained"
    assert run(python, "-m", "graphc", "--version", cwd=tmp_path, env=clean).split()[0] == "graphc"


def borrow_dependencies(site: Path) -> None:
    """Makes the packages of this Python importable there; its `.pth` files, so the editable install, are not read."""
    import numpy

    (site / "borrowed.pth").write_text(f"{Path(numpy.__file__).parent.parent}\n", encoding="utf-8")


def run(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(command[:6])}:\n{done.stdout}{done.stderr}"
    return str(done.stdout)


# What importing loads


def test_importing_graphc_loads_numpy_and_little_else():
    heavy = ["llvmlite", "networkx", "rich", "safetensors", "PIL", "graphc.compiler", "graphc.runtime", "graphc.passes"]
    loaded = run(sys.executable, "-c", f"import sys, graphc; print([m for m in {heavy} if m in sys.modules])")
    assert loaded.strip() == "[]"


# Which way imports go

LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "aliases", "arrays", "checkpoint_file", "checks", "context", "data", "dtype", "fingerprint", "index", "ir",
        "irtext", "log", "mindspore_file", "parallel", "printing", "protobuf", "random_bits",
    ),
    ("known", "loop_builder", "loops", "schedule"),
    ("dispatch", "hints", "nested", "op", "parameter", "place", "state", "surroundings", "tensor"),
    ("dataset", "initializer", "random"),
    ("autograd", "eager", "noting", "op_by_op", "pieces", "trace"),
    ("anomaly", "deferred", "gradients", "jit", "often", "profile"),
    ("ops",),
    ("passes",),
    ("runtime",),
    ("alone", "compiler", "programs"),
    ("drawing",),
    ("amp", "devices", "experimental", "nn", "numpy", "serialization", "vmap"),
    ("boost", "export", "mint", "scipy", "train"),
    ("",),  # graphc/__init__.py, which offers all of the above
    ("models", "vision"),
    ("__main__", "cli"),
)
"""From the bottom up: a module imports from its own row and from those before it."""

BACKEND = {"alone", "passes", "runtime", "compiler", "programs"}
USERS_SIDE = {"dataset", "experimental", "initializer", "models", "nn", "random", "serialization", "train", "vision"}
"""What users touch is written without the backend: that is reached through `jit` and `dispatch`."""

COMPILES = "brings llvmlite, and so is imported only when something is compiled or threads are set"
OPERATORS = "a tensor's operators and methods call ops, which are built on tensors"

LAZY: dict[tuple[str, str], str] = {
    ("context", "programs"): COMPILES,
    ("pieces", "programs"): COMPILES,
    ("deferred", "runtime"): COMPILES,
    ("jit", "programs"): COMPILES,
    ("op_by_op", "alone"): COMPILES,
    ("jit", "runtime"): COMPILES,
    ("often", "programs"): COMPILES,
    ("often", "runtime"): COMPILES,
    ("ops", "vmap"): "MindSpore has it under ops as well; it is written with ops",
    ("gradients", "ops"): "the derivative of a function is made with ops, some of which take derivatives",
    ("nn", "train"): "metrics are found under their older names, which were of nn",
    ("anomaly", "runtime"): "steps are told to come to Python first, only where somebody asks",
    ("profile", "runtime"): "what is timed is compiled; it is looked at only once a profile is opened",
    ("runtime", "devices"): "MindSpore has streams and memory in a module of that name",
    ("random", "ops"): "a stream is advanced by an op, and ops draw from streams",
    ("tensor", "initializer"): "a Tensor may be made by an initializer, which makes tensors",
    ("parameter", "initializer"): "so may a Parameter",
    ("tensor", "ops"): OPERATORS,
}
"""Imports upwards, inside functions: (module, layer it imports from) and why it must be so."""


@dataclass(frozen=True)
class Import:
    importer: str  # without the leading `graphc.`; "" is graphc/__init__.py
    imported: str
    line: int
    lazy: bool


def imports(name: str) -> Iterator[Import]:
    """What a module imports from the project when it is run; what only type checkers see is left out."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{name}:{child.lineno}: imports are absolute"
                inner = [f"{child.module}.{alias.name}" for alias in child.names]
                names = [full if full in MODULES else str(child.module) for full in inner]
            else:
                yield from walk(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))
                continue
            for imported in names:
                if imported == "graphc" or imported.startswith("graphc."):
                    yield Import(short(name), short(imported), child.lineno, lazy)

    yield from walk(TREES[name], False)


def short(name: str) -> str:
    return name.removeprefix("graphc").removeprefix(".")


def layer(module: str) -> int:
    """The row of a module."""
    top = module.partition(".")[0]
    for row, names in enumerate(LAYERS):
        if top in names:
            return row
    raise AssertionError(f"graphc.{module} is in no layer: add graphc/{top} to LAYERS")


IMPORTS = [found for name in MODULES for found in imports(name)]


def test_imports_go_only_downward():
    upward = [f"{i.importer}:{i.line} imports {i.imported}" for i in IMPORTS if not i.lazy and not downward(i)]
    assert upward == []


def test_lazy_imports_upward_have_a_reason():
    used = {(i.importer, i.imported.partition(".")[0]) for i in IMPORTS if i.lazy and not downward(i)}
    assert used - set(LAZY) == set(), "imports upward that LAZY does not explain"
    assert set(LAZY) - used == set(), "LAZY explains imports that are not there"


def test_what_users_touch_knows_nothing_of_the_backend():
    wrong = [
        f"{i.importer}:{i.line} imports {i.imported}"
        for i in IMPORTS
        if i.importer.partition(".")[0] in USERS_SIDE and i.imported.partition(".")[0] in BACKEND
    ]
    assert wrong == []


def test_llvmlite_has_one_home():
    users = {name for name, tree in TREES.items() if "llvmlite" in roots(tree)}
    assert {name for name in users if not name.startswith("graphc.runtime.")} <= {"graphc.cli.doctor"}


def roots(tree: ast.AST) -> set[str]:
    """The first words of everything a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_no_circle_of_imports():
    """Among those made while modules load: whichever is imported first, all can be."""
    reads: dict[str, set[str]] = {}
    for i in IMPORTS:
        if not i.lazy and i.imported != i.importer:
            reads.setdefault(i.importer, set()).add(i.imported)
    circle = find_circle(reads)
    assert circle is None, " -> ".join(circle or [])


def find_circle(reads: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for other in sorted(reads.get(name, ())):
            if found := visit(other, [*path, name]):
                return found
        done.add(name)
        return None

    return next((found for name in sorted(reads) if (found := visit(name, []))), None)


def downward(i: Import) -> bool:
    return layer(i.imported) <= layer(i.importer)


# Names that begin with an underscore

SEEN_INSIDE = {
    "Tensor": {"_array", "_become", "_captured", "_node", "_place", "_promise", "_take", "_trace"},
    "Cell": {
        "_buffers", "_called", "_cells", "_changed", "_compiled", "_compute_in", "_flags", "_hooks", "_params", "_run",
    },
    "a NamedTuple": {"_asdict", "_fields", "_make", "_replace"},
    "sys": {"_getframe"},
    "a library of ctypes": {"_handle", "_name"},
}  # fmt: skip
"""Such names that other modules read, and whose they are. The public names of a Tensor and a Cell are MindSpore's; what
only graphc is to see of them begins with an underscore."""


def test_private_names_are_read_where_they_are_made():
    read = {attribute for name in MODULES for attribute in foreign(TREES[name])}
    assert read == set().union(*SEEN_INSIDE.values())


def test_private_names_are_not_imported():
    """But for MindSpore's own."""
    imported = {
        alias.name
        for tree in TREES.values() for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("graphc")
        for alias in node.names if alias.name.startswith("_") and not alias.name.startswith("__")
    }  # fmt: skip
    assert imported == {"_no_grad"}


def foreign(tree: ast.AST) -> Iterator[str]:
    """Private attributes that a module reads of others than `self`, and that nothing in it makes."""
    made: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_self(node):
            made.add(node.attr)
    for node in ast.walk(tree):
        private = isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if private and not of_self(node) and node.attr not in made:
            yield node.attr


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
