"""The figures of a run as one flat row, and rows of several seeds as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fxpsim.report.bits import bits_change, is_float, mean_bits, overall_bits, stream_histories
from fxpsim.report.costs import price_run
from fxpsim.report.published import Times, own_metrics
from fxpsim.report.rundir import Run

Row = dict[str, Any]
KEY = ("recipe", "method", "variant")
STREAMS = ("weight", "activation", "error", "gradient")
BASELINES = {"float32": "float32", "static 8 bit": "int8"}  # of the cost section -> column


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """A finished run and its place in a study.

    Parameters
    ----------
    path : Path
        Its run directory.
    recipe, method, variant : str
        What it is an instance of.
    seed : int
        Its seed.
    """

    path: Path
    recipe: str
    method: str
    variant: str = ""
    seed: int = 1


def run_row(place: StudyRun, run: Run, accelerators: Sequence[str], *, times: Times | None = None) -> Row:
    """Return what a run reached, the bits it used, its method's own metrics, and what it costs on each accelerator.

    Columns of an accelerator are ``NAME.time_s``, ``NAME.energy_j`` (low and high bound beside it) and, against
    ``float32`` and ``int8`` (static 8 bit) of the same steps, ``NAME.speedup_X``, ``NAME.energy_ratio_X`` and
    ``NAME.model_size_ratio_X``.
    """
    from fxpsim.cost.metrics import width_shares

    histories = stream_histories(run.history, run.workload)
    bits = mean_bits(histories)
    summary = run.summary
    row: Row = {"recipe": place.recipe, "method": place.method, "variant": place.variant, "seed": place.seed}
    row |= {key: value for key, value in summary.items() if key.startswith("test_") and isinstance(value, int | float)}
    row |= {key: summary.get(key) for key in ("train_loss", "epochs", "steps", "bit_exact", "accumulator_overflows")}
    row |= {"is_float": is_float(histories), "mean_bits": overall_bits(histories, STREAMS)}
    row |= {f"{stream}_mean_bits": bits.get(stream) for stream in STREAMS}
    row |= {metric.name: metric.value for metric in own_metrics(run, times)}
    if bits_change(histories):
        row |= {
            f"{stream}_share_{width}": share
            for stream, own in width_shares(run.history).items()
            for width, share in own.items()
        }
    for accelerator in accelerators:
        priced = price_run(run, accelerator)
        name, low_high = priced.accelerator.name, priced.energy_range_j
        row |= {key: priced.result.totals[key] for key in ("macs", "bit_ops")}
        row |= {f"{name}.time_s": priced.time_s, f"{name}.energy_j": priced.energy_j}
        row |= {f"{name}.energy_low_j": low_high[0], f"{name}.energy_high_j": low_high[1]}
        for baseline, short in BASELINES.items():
            gain = priced.against(baseline)
            for key in ("speedup", "energy_ratio", "model_size_ratio"):
                row[f"{name}.{key}_{short}"] = getattr(gain, key)
    return row | {"wall_s": summary.get("wall_s"), "digest": summary.get("digest")}


def merged(rows: Sequence[Row]) -> list[Row]:
    """Return one row for all seeds of a recipe, method and variant: means, and how far accuracies lie apart.

    >>> two = [{"recipe": "r", "method": "m", "variant": "", "seed": s, "test_accuracy": a} for s, a in ((1, 0.9), (2, 0.8))]
    >>> merged(two)[0]["seeds"], round(merged(two)[0]["test_accuracy"], 3), round(merged(two)[0]["test_accuracy_spread"], 3)
    (2, 0.85, 0.1)
    """  # noqa: E501
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in KEY), []).append(row)
    return [_mean(group) for group in groups.values()]


def _mean(group: Sequence[Row]) -> Row:
    first = group[0]
    result: Row = {key: first[key] for key in KEY} | {"seeds": len(group)}
    for key in dict.fromkeys(key for row in group for key in row):
        values = [row[key] for row in group if row.get(key) is not None]
        if key in (*KEY, "seed", "digest") or not values:
            continue
        if isinstance(values[0], bool):
            result[key] = all(values)
        elif isinstance(values[0], int | float):
            result[key] = values[0] if len(set(values)) == 1 else sum(values) / len(values)
            if key.startswith("test_"):
                result[f"{key}_spread"] = max(values) - min(values)
    return result


def with_speedup_to_accuracy(rows: Sequence[Row], runs: Sequence[Run]) -> list[Row]:
    """Return the rows with ``adept_iso_speedup``: ADEPT's speed-up to the accuracy of the float32 run.

    That is the run of the same recipe and seed; the column is missing where there is none, or where its accuracy was
    never reached.
    """
    from fxpsim.cost.metrics import iso_speedup

    found = []
    for row, run in zip(rows, runs, strict=True):
        same = [other for other in rows if (other["recipe"], other["seed"]) == (row["recipe"], row["seed"])]
        base = _only(same, float32)
        target, speedup = _accuracy(base or {}), row.get("adept_speedup_with_overhead")
        iso = None
        if target is not None and speedup is not None:
            accuracies = [line["test_accuracy"] for line in run.evaluations if "test_accuracy" in line]
            iso = iso_speedup(speedup, accuracies, target)
        found.append(row if iso is None else {**row, "adept_iso_speedup": iso})
    return found


def with_differences(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the points of accuracy to the float32 and to the static 8-bit run of the same recipe.

    ``points_float32`` is there where just one row of the recipe is float32 (of several: without a variant);
    ``points_int8`` where one has the method ``int8``. Differences are those of means over seeds.
    """
    found = []
    for row in rows:
        same = [other for other in rows if other["recipe"] == row["recipe"]]
        extra: Row = {}
        for name, base in (("float32", _only(same, float32)), ("int8", _only(same, _is_int8))):
            if base is not None and base is not row:
                extra |= _points(name, row, base)
        found.append({**row, **extra})
    return found


def with_reference(rows: Sequence[Row], reference: str) -> list[Row]:
    """Return the rows compared with the one of the same recipe whose method or variant is ``reference``.

    ``points_reference`` is the difference of accuracies; ``NAME.speedup_reference`` and ``NAME.energy_ratio_reference``
    are those of the whole trainings on the accelerator ``NAME``, as they ran.

    >>> rows = [{"recipe": "r", "method": m, "variant": "", "a.time_s": t, "a.energy_j": t} for m, t in (("x", 2.0), ("y", 1.0))]
    >>> with_reference(rows, "x")[1]["a.speedup_reference"]
    2.0
    """  # noqa: E501
    if not reference:
        return list(rows)
    found = []
    for row in rows:
        same = [other for other in rows if other["recipe"] == row["recipe"]]
        base = _only(same, lambda other: reference in (other["method"], other["variant"]))
        extra: Row = {}
        if base is not None and base is not row:
            extra |= _points("reference", row, base)
            for key in row:
                name, _, what = key.rpartition(".")
                if what == "time_s" and name:
                    extra[f"{name}.speedup_reference"] = base[key] / row[key]
                    extra[f"{name}.energy_ratio_reference"] = row[f"{name}.energy_j"] / base[f"{name}.energy_j"]
        found.append({**row, **extra})
    return found


def _points(name: str, row: Row, base: Row) -> Row:
    """Return the difference of accuracies in percentage points; nothing where a task has no accuracy."""
    if None in (_accuracy(base), _accuracy(row)):
        return {}
    return {f"points_{name}": 100 * (row["test_accuracy"] - base["test_accuracy"])}


def float32(row: Mapping[str, Any]) -> bool:
    """Return whether a row is of runs that are float32 throughout."""
    return bool(row.get("is_float"))


def _is_int8(row: Row) -> bool:
    return row["method"] == "int8"


def _only(rows: Sequence[Row], wanted: Any) -> Row | None:
    """Return the row that is wanted; of several the one without a variant, if there is just one."""
    found = [row for row in rows if wanted(row)]
    found = found if len(found) == 1 else [row for row in found if not row["variant"]]
    return found[0] if len(found) == 1 else None


def _accuracy(row: Mapping[str, Any]) -> float | None:
    return row.get("test_accuracy")
