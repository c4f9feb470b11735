"""What a run directory holds, read and checked."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxpsim import toml
from fxpsim.errors import UserError
from fxpsim.records import as_accumulations, as_history, as_vector_workload, as_workload

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A finished run.

    Parameters
    ----------
    name : str
        Name of the run directory.
    path : Path
        Where it is.
    recipe, environment, summary : dict
        ``recipe.toml``, ``environment.json`` (empty where there is none) and ``summary.json``.
    training, evaluations : list of dict
        The ``train`` and ``eval`` lines of ``metrics.jsonl``.
    history, workload : pandas.DataFrame
        Validated tables.
    vector_workload : pandas.DataFrame or None
        Element-wise work of a step, where it was recorded.
    accumulations : pandas.DataFrame or None
        What the accumulators did, where it was recorded.
    """

    name: str
    path: Path
    recipe: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]
    training: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    history: "pd.DataFrame"
    workload: "pd.DataFrame"
    vector_workload: "pd.DataFrame | None"
    accumulations: "pd.DataFrame | None" = None

    @property
    def steps(self) -> int:
        """Steps that the history covers."""
        return int(self.history["step_end"].to_numpy().max())

    @cached_property
    def decisions(self) -> list[dict[str, Any]]:
        """What the policy decided, from which quantities: the lines of ``decisions.jsonl``, if there are any."""
        path = self.path / "decisions.jsonl"
        return _read_lines(path) if path.is_file() else []

    @property
    def accuracy(self) -> float | None:
        """Share of the test samples that the trained network gets right, if that was measured."""
        return self.summary.get("test_accuracy")


def read_run(path: str | Path) -> Run:
    """Read a run directory.

    Raises
    ------
    UserError
        If the directory or one of its files is missing, or a file is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(
            f"no such run directory: {path}",
            where=str(path),
            expected="a directory that `fxpsim run` has written",
            remedy="check the path",
        )
    metrics = _read_lines(_file(path, "metrics.jsonl"))
    vector, sums = path / "vector_workload.parquet", path / "accumulations.parquet"
    return Run(
        name=path.resolve().name,
        path=path,
        recipe=toml.read(_file(path, "recipe.toml")),
        environment=_read_json(path / "environment.json") if (path / "environment.json").is_file() else {},
        summary=_read_json(_file(path, "summary.json")),
        training=[line for line in metrics if line.get("event") == "train"],
        evaluations=[line for line in metrics if line.get("event") == "eval"],
        history=as_history(_file(path, "history.parquet")),
        workload=as_workload(_file(path, "workload.parquet")),
        vector_workload=as_vector_workload(vector) if vector.is_file() else None,
        accumulations=as_accumulations(sums) if sums.is_file() else None,
    )


def read_times(path: str | Path) -> list[dict[str, Any]]:
    """Read the measured GEMMs that ``benchmarks/int_gemm_cpu.py --out`` has written."""
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"no such file: {path}",
            where=str(path),
            expected="measured GEMM times",
            remedy="measure them: python benchmarks/int_gemm_cpu.py --recipe RECIPE --out FILE",
        )
    return _read_json(path)["gemms"]


def _file(path: Path, name: str) -> Path:
    if not (path / name).is_file():
        raise UserError(
            f"{name} is missing",
            where=str(path),
            expected="the directory of a finished run",
            remedy=f"if the run was interrupted, finish it with `fxpsim resume {path}`",
        )
    return path / name


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:  # what the readers of JSON and of UTF-8 raise
        raise _damaged(path, f"cannot read {path.name}: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(path, f"{path.name} holds a {type(content).__name__}")
    return content


def _damaged(path: Path, what: str) -> UserError:
    return UserError(
        what,
        where=str(path),
        expected="the file as `fxpsim run` has written it",
        remedy="run again, or restore the file",
    )


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines. A last line without its end is what a killed run leaves, and holds nothing complete."""
    whole, _, _ = path.read_text("utf-8").rpartition("\n")
    lines = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise _damaged(path, f"line {number} is no JSON: {error}") from error
    return lines
