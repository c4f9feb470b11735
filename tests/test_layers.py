"""A folder imports only from lower floors; heavy libraries stay where they belong."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import fxpsim

PACKAGE = Path(fxpsim.__file__).parent

# Halves put one folder above another of the same floor.
FLOORS = {
    "errors": 0, "registry": 0, "shipped": 0, "toml": 0,
    "numerics": 1, "data": 1,
    "kernels": 2, "array": 2.5, "accelerator": 2, "records": 2,
    "units": 3, "quantizers": 3, "policies": 3,
    "autodiff": 4, "cost": 4,
    "nn": 5, "optim": 5,
    "train": 6, "report": 6, "export": 6,
    "cli": 7, "testing": 7,
}  # fmt: skip

# folder -> lower folders that it may not import all the same
FORBIDDEN = {
    "kernels": {"data"},
    "array": {"data", "accelerator", "records"},
    "accelerator": {"data"},
    "records": {"data"},
    "units": {"data", "records"},
    "quantizers": {"data", "accelerator"},  # a method knows formats, not machines
    "policies": {"data", "accelerator"},
    "autodiff": {"data", "quantizers", "policies"},  # the tape calls both through its own protocols
    "nn": {"data", "cost"},
    "optim": {"data", "cost"},
    "train": {"cost"},
    "export": {"data", "cost"},
}
# folder -> the only folders above floor 0 that it may import: a history made by any tool can be priced and reported
ONLY = {
    "cost": {"accelerator", "records", "numerics"},
    "report": {"cost", "records", "accelerator"},
}
# library -> the only folders that may import it
LIBRARIES = {
    "pandas": {"records", "cost", "report"},
    "pyarrow": {"records"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "numba": {"kernels"},
    "sklearn": {"data"},
    "torch": {"export"},
    "typer": {"cli"},
    "models": set(),  # found by name through fxpsim.shipped, never imported
    "tests": set(),
}


def folder_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported(tree: ast.Module, inside: tuple[str, ...]) -> Iterator[str]:
    """Yield the dotted name of every import, wherever it stands; ``inside`` is the package that the module is in."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = inside[: len(inside) - level + 1] if level else ()
                base = ".".join((*above, *([module] if module else [])))
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name("import_module") | ast.Attribute(attr="import_module"), args=[ast.Constant(name)]
            ):
                yield str(name)


def allowed(folder: str, target: str) -> bool:
    if target == folder or FLOORS[target] == 0:
        return True
    if folder in ONLY:
        return target in ONLY[folder]
    return FLOORS[target] < FLOORS[folder] and target not in FORBIDDEN.get(folder, set())


def violations(package: Path) -> list[str]:
    found = []
    for path in sorted(package.rglob("*.py")):
        folder = folder_of(path, package)
        if folder in ("__init__", "_shipped"):  # the public names, loaded on first use; and copies of models/
            continue
        inside = ("fxpsim", *path.relative_to(package).parent.parts)
        for name in imported(ast.parse(path.read_text("utf-8")), inside):
            top, *rest = name.split(".")
            if top == "fxpsim":
                target = rest[0] if rest else "__init__"
                wrong = target in FLOORS and not allowed(folder, target)
            else:
                wrong = folder not in LIBRARIES.get(top, {folder})
            if wrong:
                found.append(f"{path.relative_to(package)} imports {name}")
    return found


def test_imports_go_down():
    assert violations(PACKAGE) == []


def test_every_folder_has_a_floor():
    folders = {folder_of(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
    assert folders - {"__init__", "__main__", "_shipped"} <= set(FLOORS)


def test_rules_speak_of_folders_that_have_a_floor():
    named = {*FORBIDDEN, *ONLY}.union(*FORBIDDEN.values(), *ONLY.values(), *LIBRARIES.values())
    assert named <= set(FLOORS)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cost/planted.py", "from fxpsim.report import page"),
        ("cost/planted.py", "from fxpsim import autodiff"),
        ("cost/deep/planted.py", "from ...units import mac"),
        ("numerics/planted.py", "import fxpsim.array.cast as c"),
        ("kernels/planted.py", "def f():\n    from fxpsim.array import QTensor"),
        ("train/planted.py", "from fxpsim.cost import price"),
        ("train/planted.py", "from fxpsim import cost"),
        ("report/planted.py", "from fxpsim.train import run"),
        ("policies/planted.py", "from fxpsim.accelerator import load"),
        ("errors.py", "from fxpsim.numerics import formats"),
        ("nn/planted.py", "from importlib import import_module\nimport_module('fxpsim.train.loop')"),
        ("data/planted.py", "def f():\n    import pandas as pd"),
        ("cost/planted.py", "import matplotlib.pyplot"),
        ("array/planted.py", "import numba"),
        ("nn/planted.py", "import models.networks.lenet5"),
    ],
)
def test_a_planted_import_is_found(tmp_path, file, line):
    copy = tmp_path / "fxpsim"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "_shipped"))
    before = violations(copy)
    (copy / file).parent.mkdir(parents=True, exist_ok=True)
    (copy / file).write_text(line, "utf-8")
    assert len(violations(copy)) == len(before) + 1


def test_lower_floors_may_be_imported(tmp_path):
    for file, line in (("cost/a.py", "from fxpsim.records import x"), ("units/a.py", "import fxpsim.accelerator")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(line + "\nfrom . import other\nfrom fxpsim.errors import UserError", "utf-8")
    assert violations(tmp_path) == []
