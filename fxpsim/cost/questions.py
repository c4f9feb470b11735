"""Questions that people ask of a priced run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Frame
from fxpsim.cost.compute import Gemm
from fxpsim.cost.frames import frame_of
from fxpsim.cost.groups import Group
from fxpsim.cost.pricing import price
from fxpsim.cost.result import CostResult
from fxpsim.cost.single import evaluate
from fxpsim.errors import UserError

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike


def hottest_layers(result: CostResult, *, by: str = "energy_pj", count: int = 10) -> Frame:
    """Return the layers that cost most: value and share of the whole, dearest first.

    Parameters
    ----------
    result : CostResult
        A priced run.
    by : str
        A column of ``result.by_layer()``: ``energy_pj``, ``latency_cycles``, ``macs``, ``dram_read_bits`` ...
    count : int
        How many.
    """
    frame = result.by_layer()
    if by not in frame or by == "layer":
        raise UserError(
            f"no cost column {by!r}",
            where="hottest_layers",
            expected=", ".join(name for name in frame.columns if name != "layer"),
            remedy="choose one of these",
        )
    frame = frame[["layer", by]].sort_values(by, ascending=False, kind="stable").head(count)
    return frame.assign(share=frame[by] / max(result.totals[by], 1e-300)).reset_index(drop=True)


def what_if(
    workload: "TableLike", history: "TableLike", accelerator: Accelerator, changes: Mapping[str, object]
) -> Frame:
    """Return the totals of a run as it is and with each change of the accelerator alone.

    Parameters
    ----------
    workload, history : tables
        The run.
    accelerator : Accelerator
        The target.
    changes : mapping of str to object
        Dotted keys and their new values, as ``--set`` takes them.

    Returns
    -------
    DataFrame
        One row per variant: ``variant``, ``latency_cycles``, ``energy_pj`` and their ratios to the first row.
    """
    variants = {"as it is": accelerator} | {
        f"{key} = {value}": accelerator.with_set(key, value) for key, value in changes.items()
    }
    rows: list[dict[str, Any]] = []
    for name, target in variants.items():
        totals = price(workload, history, target).totals
        rows.append({"variant": name, "latency_cycles": totals["latency_cycles"], "energy_pj": totals["energy_pj"]})
    frame = frame_of(rows)
    return frame.assign(
        latency_ratio=frame["latency_cycles"] / frame["latency_cycles"][0],
        energy_ratio=frame["energy_pj"] / frame["energy_pj"][0],
    )


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Where a flexible array starts to pay: ``table`` has the ratios flexible / fixed by operand bits.

    ``widest_faster_bits`` and ``widest_cheaper_bits`` are the widest equal operands from which down the flexible array
    is faster, or spends less energy in the array (None: never). ``least_narrow_share`` is the share of the products
    at ``narrow_bits`` that a run of otherwise ``wide_bits`` operands needs for equal array energy (None: never).
    """

    table: Frame
    widest_faster_bits: int | None
    widest_cheaper_bits: int | None
    least_narrow_share: float | None
    narrow_bits: int
    wide_bits: int


def break_even(
    flexible: Accelerator, fixed: Accelerator, gemm: Gemm, *, narrow_bits: int = 4, wide_bits: int = 8
) -> BreakEven:
    """Compare a flexible array with a fixed-width one on the same GEMM, for equal operand widths from 1 to 16 bits.

    With energies per product ``f`` (flexible) and ``g`` (fixed), a share x of narrow products breaks even at
    ``x f_narrow + (1 - x) f_wide = x g_narrow + (1 - x) g_wide``.
    """
    bits = np.arange(1, 17)
    ours, theirs = (evaluate(target, gemm, a_bits=bits, b_bits=bits) for target in (flexible, fixed))
    # An array works frequency_mhz cycles a microsecond; cycles of different clocks do not compare.
    time_ratio = (ours.latency / flexible.frequency_mhz) / (theirs.latency / fixed.frequency_mhz)
    energy_ratio = ours.unit_pj / theirs.unit_pj
    table = frame_of({"bits": bits, "time_ratio": time_ratio, "array_energy_ratio": energy_ratio})
    narrow = ours.unit_pj[narrow_bits - 1] - theirs.unit_pj[narrow_bits - 1]
    wide = ours.unit_pj[wide_bits - 1] - theirs.unit_pj[wide_bits - 1]
    share = None if narrow > 0 else 0.0 if wide <= 0 else float(wide / (wide - narrow))
    return BreakEven(
        table=table,
        widest_faster_bits=_widest(bits.tolist(), (time_ratio < 1).tolist()),
        widest_cheaper_bits=_widest(bits.tolist(), (energy_ratio < 1).tolist()),
        least_narrow_share=share,
        narrow_bits=narrow_bits,
        wide_bits=wide_bits,
    )


def until(result: CostResult, step: int) -> CostResult:
    """Return the cost of the steps before ``step``."""
    groups = [cut for group in result.groups if (cut := _cut(group, step)) is not None]
    plan = replace(result.plan, timeline=result.plan.timeline.until(step))
    return CostResult(plan=plan, groups=tuple(groups))


@dataclass(frozen=True, kw_only=True)
class CostToAccuracy:
    """When a run first reached an accuracy, and what it had cost by then."""

    step: int
    accuracy: float
    latency_cycles: int
    seconds: float
    energy_pj: float
    bit_ops: int


def cost_to_accuracy(
    result: CostResult, evaluations: Sequence[tuple[int, float]], target: float
) -> CostToAccuracy | None:
    """Return the cost up to the first evaluation with at least ``target`` accuracy; None if there is none.

    Parameters
    ----------
    result : CostResult
        The priced run.
    evaluations : sequence of (int, float)
        Steps done and accuracy at each evaluation.
    target : float
        Accuracy to reach, as a share.
    """
    for step, accuracy in sorted(evaluations):
        if accuracy >= target:
            totals = until(result, step).totals
            names = ("latency_cycles", "seconds", "energy_pj", "bit_ops")
            return CostToAccuracy(step=step, accuracy=accuracy, **{name: totals[name] for name in names})
    return None


def pareto_front(points: Sequence[Mapping[str, Any]], *, cost: str, quality: str) -> list[bool]:
    """Tell which points no other one beats: at most its cost and at least its quality, and one of them better.

    >>> runs = [{"e": 1, "acc": 0.90}, {"e": 2, "acc": 0.95}, {"e": 3, "acc": 0.93}]
    >>> pareto_front(runs, cost="e", quality="acc")
    [True, True, False]
    """
    return [
        not any(
            other[cost] <= point[cost]
            and other[quality] >= point[quality]
            and (other[cost] < point[cost] or other[quality] > point[quality])
            for other in points
        )
        for point in points
    ]


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run for the Pareto table: its tables and the accuracy that it reached."""

    name: str
    workload: Any
    history: Any
    accuracy: float
    vector_workload: Any = None


def pareto_table(runs: Sequence[FinishedRun], accelerators: Sequence[Accelerator], *, cost: str = "energy_pj") -> Frame:
    """Price every run on every accelerator and tell who is on the Pareto front of cost and accuracy.

    Returns
    -------
    DataFrame
        ``run``, ``accelerator``, ``accuracy``, ``energy_pj``, ``seconds``, ``bit_ops`` and two marks: ``front`` among
        all rows, ``front_of_accelerator`` among the rows of the same accelerator.
    """
    rows: list[dict[str, Any]] = []
    for target in accelerators:
        points: list[dict[str, Any]] = []
        for run in runs:
            totals = price(run.workload, run.history, target, vector_workload=run.vector_workload).totals
            point = {"run": run.name, "accelerator": target.name, "accuracy": run.accuracy}
            points.append(point | {name: totals[name] for name in ("energy_pj", "seconds", "bit_ops")})
        marks = pareto_front(points, cost=cost, quality="accuracy")
        rows += [point | {"front_of_accelerator": mark} for point, mark in zip(points, marks, strict=True)]
    return frame_of(rows).assign(front=pareto_front(rows, cost=cost, quality="accuracy"))


def _cut(group: Group, step: int) -> Group | None:
    settings = group.settings
    kept = settings.begin < step
    if not kept.any():
        return None
    begin, end, setting = settings.begin[kept], np.minimum(settings.end[kept], step), settings.setting[kept]
    steps = np.bincount(setting, weights=(end - begin).astype(np.float64), minlength=settings.count).astype(np.int64)
    return replace(group, settings=replace(settings, begin=begin, end=end, setting=setting, steps=steps))


def _widest(bits: list[int], better: list[bool]) -> int | None:
    """Return the widest word such that it and every narrower one is better."""
    widest = None
    for width, wins in zip(bits, better, strict=True):
        if not wins:
            break
        widest = width
    return widest
