"""The project's outer shell tells the truth: links, indexes, packaging, README."""

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fxpsim
from fxpsim import shipped

ROOT = Path(__file__).resolve().parents[1]
MANUAL = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "models/README.md", ROOT / "reports/README.md", *MANUAL]


def links(page):
    """Return the relative links and images of a page, without their anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    return [link.partition("#")[0] for link in found if "://" not in link and not link.startswith("#")]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_of_the_manual_is_in_the_index_above_it(page):
    folder = page.parent.parent if page.name == "README.md" else page.parent
    index = ROOT / "README.md" if folder == ROOT else folder / "README.md"
    assert page.relative_to(folder).as_posix() in links(index)


def test_the_index_of_models_is_up_to_date():
    path = ROOT / "docs/update_models_index.py"
    updated = runpy.run_path(str(path))["updated"]
    page = (ROOT / "models/README.md").read_text("utf-8")
    assert page == updated(page), f"run: python {path.relative_to(ROOT)}"
    listed = set(re.findall(r"^\| \[`([^`]+)`\]", page, re.MULTILINE))
    assert listed == {name for kind in shipped.KINDS for name in shipped.names(kind)}


def test_folders_that_the_readme_names_exist():
    named = re.findall(
        r"`((?:fxpsim|models|tests|docs|benchmarks|reports)/[\w/.]*)`", (ROOT / "README.md").read_text("utf-8")
    )
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_folder_of_the_package_is_in_the_readme():
    tour = (ROOT / "README.md").read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "fxpsim").glob("*/__init__.py")} - {"cli", "export", "testing"}
    assert {folder for folder in folders if f"{folder}/`" not in tour} == set()


def test_version_and_changelog():
    assert re.fullmatch(r"\d+\.\d+\.\d+", fxpsim.__version__)
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_dependencies_have_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wrong = [
        entry
        for group in groups
        for entry in group
        if not re.fullmatch(r"[A-Za-z0-9_.-]+(\[\w+\])?>=[\d.]+(; python_version >= '[\d.]+')?", entry)
    ]
    assert wrong == []


def test_every_import_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[\[>]", entry)[0].lower().replace("-", "_") for group in groups for entry in group}
    # import name -> distribution where they differ; markupsafe comes with jinja2, torch is only ever the user's own
    known = {"sklearn": "scikit_learn", "markupsafe": "jinja2", "llvmlite": "numba", "torch": None, "qonnx": None}
    wrong = set()
    for path in (ROOT / "fxpsim").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.partition(".")[0].lower() for name in names}:
                distribution = known.get(top, top)
                if (
                    top != "fxpsim"
                    and top not in sys.stdlib_module_names
                    and distribution
                    and distribution not in declared
                ):
                    wrong.add(f"{path.relative_to(ROOT)}: {top}")
    assert wrong == set()


def test_importing_is_light():
    code = (
        "import sys, fxpsim, fxpsim.cli; print(sorted({'numba', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, arithmetic = blocks(ROOT / "README.md", "python")
    quick = run.replace('load_recipe("lenet5-digits")', 'load_recipe("lenet5-digits", overrides=["epochs=1"])')
    assert quick != run
    names: dict = {}
    exec(quick, names)
    assert names["summary"]["epochs"] == 1
    assert (tmp_path / "my-run/report.html").is_file()
    exec(arithmetic, names)
    assert names["q"].codes.tolist() == [2, -10, 127]


def test_the_commands_of_the_readme_are_those_that_ci_runs():
    commands = "".join(blocks(ROOT / "README.md", "sh"))
    assert "pip install . && fxpsim run lenet5-digits" in commands
    assert 'pip install ".[test]" && pytest' in commands
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert 'pip install -q ".[test]"' in script
    assert "in_environment test pytest\n" in script
