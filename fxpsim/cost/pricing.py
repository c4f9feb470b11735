"""Pricing: the bits that a run really used, on a described accelerator."""

from typing import TYPE_CHECKING

from fxpsim.accelerator import Accelerator
from fxpsim.accelerator import load as load_accelerator
from fxpsim.cost.arrays import Frame
from fxpsim.cost.options import Options
from fxpsim.cost.plan import Plan, gemms_of, vectors_of
from fxpsim.cost.result import CostResult
from fxpsim.cost.states import StreamStates, states_of
from fxpsim.cost.timeline import timeline_of, with_constants
from fxpsim.errors import UserError
from fxpsim.records import as_history, as_vector_workload, as_workload
from fxpsim.registry import unknown

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike


def price(
    workload: "TableLike",
    history: "TableLike",
    accelerator: Accelerator | str,
    *,
    vector_workload: "TableLike | None" = None,
    options: Options | None = None,
) -> CostResult:
    """Price a run: MACs, bit operations, traffic, cycles and energy of every layer, pass and interval.

    Every distinct setting of a pass (bits of its operands) is evaluated once with closed formulas and counts for the
    steps that it was in force; totals are exact sums.

    Parameters
    ----------
    workload : path, DataFrame or list of dict
        The GEMMs of a step (``records.WORKLOAD_COLUMNS``). What is in the table is priced.
    history : path, DataFrame or list of dict
        The bits over the steps (``records.HISTORY_COLUMNS``).
    accelerator : Accelerator or str
        A loaded accelerator, a shipped name or a path.
    vector_workload : path, DataFrame or list of dict, optional
        The element-wise work of a step (``records.VECTOR_COLUMNS``).
    options : Options, optional
        What is counted beside.

    Returns
    -------
    CostResult
        Tables, totals, assumptions, constants with sources, and what is not counted.

    Raises
    ------
    UserError
        For a bad file or table, and where workload and history do not fit each other.

    Examples
    --------
    >>> from fxpsim.cost import baseline_history
    >>> row = {"layer": "fc", "pass": "forward", "op": "matmul", "m": 64, "k": 32, "n": 32}
    >>> work = [{**row, "a_elements": 2048, "b_elements": 1024, "out_elements": 2048}]
    >>> result = price(work, baseline_history(work, word_bits=8, steps=10), "int8_systolic_32x32")
    >>> result.totals["macs"], result.totals["bit_ops"]
    (655360, 41943040)
    """
    target = accelerator if isinstance(accelerator, Accelerator) else load_accelerator(accelerator)
    options = options or Options()
    work = as_workload(workload)
    bits: Frame = as_history(history)
    vector = None if vector_workload is None else as_vector_workload(vector_workload)
    where = str(bits.attrs["where"])
    uses_zeros = target.mac_array.zero_skip != "none" or target.mac_array.zero_gate != "none"
    states, number = states_of(bits, target.metadata, keep_zeros=uses_zeros)
    states, defaults = _default_states(states, target)
    plan = Plan(
        accelerator=target,
        options=options,
        timeline=timeline_of(bits, states, number, where),
        gemms=gemms_of(work),
        vectors=vectors_of(vector),
        defaults=defaults,
    )
    _check_layers(plan)
    return CostResult(plan=plan, groups=tuple(plan.groups()))


def _default_states(states: StreamStates, target: Accelerator) -> tuple[StreamStates, dict[str, int]]:
    """Add the states of streams that histories may leave out: the accelerator says what they are."""
    first = len(states.word_bits)
    update = target.update_unit
    is_float = update.arithmetic == "float32"
    word_bits = [target.mac_array.accumulator.word_bits, update.master_bits(), update.momentum_bits()]
    extended = with_constants(states, word_bits, [False, is_float, is_float])
    return extended, {"gradient": first, "master": first + 1, "momentum": first + 2}


def _check_layers(plan: Plan) -> None:
    layers = {layer for layer, _ in plan.gemms}
    known = layers | {layer for layer, _ in plan.vectors}
    for layer, _ in plan.timeline.streams:
        if layer not in known:
            raise unknown("layer", layer, known, where=f"{plan.timeline.where}: no such layer in the workload")
    for layer in plan.options.frozen:
        if layer not in layers:
            raise unknown("layer", layer, layers, where="Options.frozen")
    recorded = {layer for layer, _ in plan.timeline.streams}
    for layer in sorted(layers - recorded):
        raise UserError(
            f"layer {layer!r} of the workload has no interval in the history",
            where=plan.timeline.where,
            expected="weight and activation (and error, when it is trained) of every layer of the workload",
            remedy="record the layer, or take it out of the workload; the history has: " + ", ".join(sorted(recorded)),
        )
