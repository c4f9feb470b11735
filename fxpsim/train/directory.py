"""The run directory: what a run leaves behind, every file written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w

from fxpsim import __version__
from fxpsim.errors import UserError
from fxpsim.records import as_accumulations, as_history, as_vector_workload, as_workload, write_table
from fxpsim.train.recipe import ResolvedRecipe, load_recipe

INPUTS = "inputs"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(data, indent=2) + "\n")


class RunDirectory:
    """A run's folder.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics_path = path / "metrics.jsonl"
        self.decisions_path = path / "decisions.jsonl"
        self.summary_path = path / "summary.json"

    @classmethod
    def create(cls, path: Path, resolved: ResolvedRecipe) -> RunDirectory:
        """Make the folder with the resolved recipe, copies of all it names, and the environment.

        Raises
        ------
        UserError
            If the folder already holds a run.
        """
        if path.exists() and any(path.iterdir()):
            raise UserError(
                "the output folder is not empty",
                where=str(path),
                expected="a new or empty folder",
                remedy=f"`fxpsim resume {path}` goes on with a run that is there; otherwise give another --out",
            )
        inputs = path / INPUTS
        inputs.mkdir(parents=True, exist_ok=True)
        network = f"{INPUTS}/{resolved.network_file.name}"
        shutil.copyfile(resolved.network_file, path / network)
        for name, table in (("method", resolved.method), ("accelerator", resolved.accelerator)):
            write_text(inputs / f"{name}.toml", tomli_w.dumps(_plain(table)))
        changes = {"network": network, "method": f"{INPUTS}/method.toml", "accelerator": f"{INPUTS}/accelerator.toml"}
        write_text(path / "recipe.toml", tomli_w.dumps(_plain(resolved.recipe) | changes))
        write_json(path / "environment.json", environment())
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return the folder of a run that exists."""
        if not (path / "recipe.toml").is_file():
            raise UserError(
                "this is no run directory",
                where=str(path),
                expected="a folder with recipe.toml, as `fxpsim run` makes it",
                remedy="check the path; runs are under reports/runs/ unless --out said otherwise",
            )
        return cls(path)

    def recipe(self) -> ResolvedRecipe:
        """Return the run's resolved recipe."""
        return load_recipe(str(self.path / "recipe.toml"))

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add one line to the metrics."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def append_decisions(self, lines: list[dict[str, Any]]) -> None:
        """Add lines to the policy's decisions."""
        with self.decisions_path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def sizes(self) -> dict[str, int]:
        """Return the lengths of the files that grow line by line, in bytes."""
        return {path.name: path.stat().st_size if path.exists() else 0 for path in self._growing}

    def truncate(self, sizes: dict[str, int]) -> None:
        """Drop the lines that were written after a checkpoint."""
        before = self.sizes()
        for path in self._growing:
            if path.exists():
                os.truncate(path, min(sizes.get(path.name, 0), before[path.name]))

    @property
    def _growing(self) -> tuple[Path, ...]:
        return self.metrics_path, self.decisions_path

    def write_tables(
        self,
        history: list[dict[str, Any]],
        gemms: list[dict[str, Any]],
        vectors: list[dict[str, Any]],
        accumulations: list[dict[str, Any]],
    ) -> None:
        """Write history, workload and, if any GEMM had accumulators of integers, what these did, as Parquet."""
        write_table(as_history(history), self.path / "history.parquet")
        write_table(as_workload(gemms), self.path / "workload.parquet")
        write_table(as_vector_workload(vectors), self.path / "vector_workload.parquet")
        if accumulations:
            write_table(as_accumulations(accumulations), self.path / "accumulations.parquet")

    def summary(self) -> dict[str, Any]:
        """Return the summary; empty if the run has none yet."""
        return json.loads(self.summary_path.read_text(encoding="utf-8")) if self.summary_path.exists() else {}


def environment() -> dict[str, Any]:
    """Return what the run ran on: versions, machine, threads."""
    from fxpsim.kernels.threads import threads

    names = ("numpy", "numba", "llvmlite", "scipy", "pandas", "pyarrow")
    return {
        "fxpsim": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": threads(),
        "packages": {name: metadata.version(name) for name in names},
        "settings": {k: v for k, v in sorted(os.environ.items()) if k.startswith(("NUMBA_", "OPENBLAS_", "FXPSIM_"))},
    }


def _plain(table: Any) -> dict[str, Any]:
    return table.model_dump(mode="json", exclude_none=True)
