"""The published metrics that belong to a run's method, each with its authors' convention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fxpsim import toml
from fxpsim.report.numbers import percent, ratio, scaled
from fxpsim.report.rundir import Run
from fxpsim.report.tables import Column, Table, table

if TYPE_CHECKING:
    from fxpsim.cost.metrics import Metric

Times = Sequence[Mapping[str, Any]]
PREFIXES = {
    "fractrain_pfq": "fractrain",
    "fractrain_dfq": "fractrain",
    "cpt": "cpt",
    "dynasty": "dynasty",
    "hgq": "ebops",
}
"""Policies whose authors count in one of the cost model's metrics -> how its names begin."""


def policy_of(run: Run) -> str:
    """Return the name of the run's policy; empty where the run directory does not tell."""
    file = run.path / "inputs" / "method.toml"
    return str(toml.read(file).get("policy", {}).get("name", "static")) if file.is_file() else ""


def own_metrics(run: Run, times: Times | None = None) -> list[Metric]:
    """Return the metrics that the authors of the run's method use; none for static word lengths.

    Parameters
    ----------
    run : Run
        A finished run.
    times : sequence of dict, optional
        Measured GEMMs of this machine, for APT (``benchmarks/int_gemm_cpu.py --out``).
    """
    from fxpsim.cost import metrics

    name = policy_of(run)
    if name == "apt":
        return metrics.cpu_speedup(run.workload, run.history, times=times)
    joined = metrics.record(run.workload, run.history)
    if name == "marvin":
        return metrics.marvin(joined)
    if name == "adept":
        return [*metrics.adept(joined), *_with_overhead(run, joined)]
    if name not in PREFIXES:
        return []
    every = metrics.published_metrics(run.workload, run.history, batch=batch_of(run))
    return [metric for metric in every if metric.name.startswith(PREFIXES[name])]


def _with_overhead(run: Run, joined: Any) -> list[Metric]:
    from fxpsim.cost import metrics

    accumulated = int(run.recipe.get("training", {}).get("accumulate", 1))
    return metrics.adept_with_overhead(
        joined, run.workload, run.decisions, batch=batch_of(run), accumulation_steps=accumulated
    )


def measured(run: Run, times: Times | None) -> bool:
    """Return whether all GEMMs of the run's network are among the measured ones."""
    known = {(row["layer"], row["pass"]) for row in times or ()}
    return known >= set(zip(run.workload["layer"].astype(str), run.workload["pass"].astype(str), strict=True))


def batch_of(run: Run) -> int:
    """Return the samples of a step."""
    return int(run.recipe.get("batch", 1))


def published_table(found: Sequence[Metric]) -> Table | None:
    """Return the metrics as a table; None where there are none."""
    if not found:
        return None
    columns = [
        Column(title="metric", text=True),
        Column(title="value"),
        Column(title="what it counts", text=True, wide=True),
    ]
    rows = [[metric.name.replace("_", " "), _written(metric), metric.convention] for metric in found]
    return table(columns, rows)


def width_table(run: Run) -> Table:
    """Return the share of layers and steps that each stream spent at each word length."""
    from fxpsim.cost.metrics import width_shares

    shares = width_shares(run.history)
    widths = sorted({width for own in shares.values() for width in own}, key=lambda w: (w == "float32", w.zfill(3)))
    columns = [Column(title="stream", text=True)]
    columns += [
        Column(title=width, unit="" if width == "float32" else "bit", write=lambda share: percent(share or None))
        for width in widths
    ]
    rows = [[stream, *(own.get(width, 0.0) for width in widths)] for stream, own in shares.items()]
    return table(columns, rows, caption="Share of layers and steps at each word length")


def _written(metric: Metric) -> str:
    if metric.unit == "ratio":
        return ratio(metric.value)
    return percent(metric.value) if metric.unit.startswith("share") else f"{scaled(metric.value)} {metric.unit}"
