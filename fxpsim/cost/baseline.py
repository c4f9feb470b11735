"""Baselines: the same workload in fixed bits, and the ratios of a run to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fxpsim.cost.arrays import Frame
from fxpsim.cost.result import CostResult
from fxpsim.cost.states import states_of
from fxpsim.cost.timeline import UPDATED, timeline_of
from fxpsim.errors import UserError
from fxpsim.records import as_history, as_workload

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike


def baseline_history(
    workload: "TableLike",
    *,
    word_bits: int | Mapping[str, int],
    steps: int,
    step_begin: int = 0,
    like: "TableLike | None" = None,
) -> Frame:
    """Return the history of a run that keeps the same bits throughout.

    Parameters
    ----------
    workload : path, DataFrame or list of dict
        The GEMMs; every layer of it gets weight, activation, error and gradient streams.
    word_bits : int or mapping of str to int
        Bits of all streams, or by stream (missing ones 32). 32 means float32.
    steps : int
        Steps from ``step_begin`` on.
    step_begin : int
        First step.
    like : path, DataFrame or list of dict, optional
        History of the run: layers that update nothing there (products of two activations) have no gradient here, and
        the masters of the others are its own.

    Examples
    --------
    >>> row = {"layer": "fc", "pass": "forward", "op": "matmul", "m": 2, "k": 3, "n": 4}
    >>> work = [{**row, "a_elements": 6, "b_elements": 12, "out_elements": 8}]
    >>> baseline_history(work, word_bits=8, steps=5)[["layer", "stream", "word_bits", "frac_bits"]].values.tolist()[0]
    ['fc', 'weight', 8, 7]
    """
    work: Frame = as_workload(workload)
    layers: list[str] = list(dict.fromkeys(work["layer"].tolist()))
    streams = ("weight", "activation", "error", "gradient")
    bits = (
        dict.fromkeys(streams, word_bits)
        if isinstance(word_bits, int)
        else dict.fromkeys(streams, 32) | dict(word_bits)
    )
    products = _products(like)
    rows = [
        {
            "step_begin": step_begin,
            "step_end": step_begin + steps,
            "layer": layer,
            "stream": stream,
            "word_bits": width,
            "frac_bits": None if width == 32 else width - 1,
            "nonzero_share": 1.0,
            "saturated_share": 0.0,
            "underflow_share": 0.0,
        }
        for layer in layers
        for stream, width in bits.items()
        if not (layer in products and stream in UPDATED)
    ]
    if products and like is not None:
        rows += _masters(as_history(like), step_begin, step_begin + steps)
    return as_history(rows, where="baseline history")


def _masters(history: Frame, begin: int, end: int) -> list[dict[str, Any]]:
    """Return the master weights of a history, in their first format, for all steps."""
    first = history[history["stream"] == "master"].drop_duplicates("layer").astype(object)
    rows: list[dict[str, Any]] = first.where(first.notna(), None).to_dict("records")
    return [{**row, "step_begin": begin, "step_end": end} for row in rows]


def _products(like: "TableLike | None") -> frozenset[str]:
    if like is None:
        return frozenset()
    rows: Frame = as_history(like)
    states, number = states_of(rows, None, keep_zeros=False)
    return timeline_of(rows, states, number, "history").products


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run against a named baseline: above 1, ``speedup`` is faster; below 1, the other two ratios are smaller.

    ``speedup = baseline latency / latency``, ``energy_ratio = energy / baseline energy``,
    ``model_size_ratio = model bits / baseline model bits``.
    """

    baseline: str
    speedup: float
    model_size_ratio: float
    energy_ratio: float
    macs: int
    bit_ops: int

    def as_dict(self) -> dict[str, Any]:
        """Return the entries of ``summary.json``."""
        return dict(vars(self))


def compare(result: CostResult, baseline: CostResult, *, name: str = "float32 on the same accelerator") -> Comparison:
    """Return the ratios of a priced run to a priced baseline of the same workload.

    Raises
    ------
    UserError
        If the two did not price the same multiply-accumulates.
    """
    ours, theirs = result.totals, baseline.totals
    if ours["macs"] != theirs["macs"]:
        raise UserError(
            f"the baseline has {theirs['macs']} MACs, the run {ours['macs']}",
            where=f"comparison with {name}",
            expected="the same workload over the same number of steps",
            remedy="make the baseline with baseline_history(workload, steps=the run's steps)",
        )
    return Comparison(
        baseline=name,
        speedup=theirs["latency_cycles"] / ours["latency_cycles"],
        model_size_ratio=ours["model_bits"] / theirs["model_bits"] if theirs["model_bits"] else 1.0,
        energy_ratio=ours["energy_pj"] / theirs["energy_pj"],
        macs=ours["macs"],
        bit_ops=ours["bit_ops"],
    )
