"""What stands behind the numbers: assumptions, constants with sources, and what is not counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel

from fxpsim.accelerator import Accelerator, Mapping, Reuse
from fxpsim.cost.plan import Plan
from fxpsim.cost.sides import REQUANTIZE_OPS, on_chip_memory, passing_memories

# ending of a key -> unit
_UNITS = {
    "_mhz": "MHz",
    "_pj_per_bit": "pJ/bit",
    "_bits_per_cycle": "bits/cycle",
    "_per_cycle": "operations/cycle",
    "_kib": "KiB",
    "_mw": "mW",
    "_bits": "bits",
    "pj": "pJ",
    "rows": "elements",
    "columns": "elements",
    "lanes": "elements",
    "dsps": "blocks",
    "luts": "LUTs",
}

REUSE_TEXTS = {
    Reuse.UNIQUE: "every tensor element passes once per GEMM",
    Reuse.FOLDS: "operands pass again for every fold of the array (im2col duplicates included), partial sums between "
    "folds of k in accumulator words",
    Reuse.TILED: "operands pass once where one of them fits into the next level inwards, else one of them again for "
    "every block of the other",
    Reuse.MACS: "operands and partial sums pass at every multiply-accumulate",
}


@dataclass(frozen=True, kw_only=True)
class Constant:
    """One constant of an accelerator file."""

    key: str
    value: float | int | str
    unit: str
    source: str


def constants(accelerator: Accelerator) -> list[Constant]:
    """Return every number of an accelerator file with its unit and source."""
    return list(_walk(accelerator, "", accelerator.source))


def assumptions(plan: Plan) -> list[str]:
    """Return the assumptions of a pricing as sentences."""
    target, array = plan.accelerator, plan.accelerator.mac_array
    lines = [
        f"Array: {array.rows} x {array.columns} processing elements of {array.lanes} lane(s), {array.dataflow.value}, "
        f"mapping {array.mapping.value}, rate law {array.rate.law}, fill and drain "
        + ("counted." if array.fill_drain else "not counted."),
        "A float32 operand (word_bits 32 without frac_bits) passes the array as an integer of "
        f"{array.float_significand_bits} bits and takes 32 bits in memory.",
        f"Overlap: {target.timing.overlap}; the vector unit "
        + ("works in the array's shadow." if target.timing.vector_overlap else "works after the array."),
    ]
    for name, memory in target.memory.items():
        words = "packed" if memory.packed else f"in words of {memory.granularity_bits} bits"
        sums = "" if memory.partial_sums or memory.reuse is not Reuse.FOLDS else " (partial sums stay further in)"
        buffering = "double-buffered" if memory.double_buffered else "the array waits for it"
        lines.append(f"Memory {name}: {REUSE_TEXTS[memory.reuse]}{sums}; elements {words}; {buffering}.")
    lines += _stream_assumptions(plan)
    if array.zero_skip != "none" or array.zero_gate != "none":
        lines.append(
            "Zeros are spread evenly: skipping multiplies the time by the share of non-zero operands (null: 1)."
        )
    if plan.timeline.states.block_wise:
        lines.append(
            f"Block-wise bits: blocks of operands meet independently, {array.lockstep_blocks} pair(s) in lock step."
        )
    lines.append(
        "Energy: MAC law "
        f"{target.energy.mac.law.value}; the range is that of the laws "
        f"{', '.join(law.value for law in target.energy.mac.range_laws) or 'none'} and of the memories' factors."
    )
    return lines


def _stream_assumptions(plan: Plan) -> list[str]:
    lines = [
        "Results are written in the layer's own bits: forward as activation, input_grad as error, weight_grad as "
        "gradient.",
        "What the workload lists is priced; a first layer's input gradient counts only where it is listed.",
    ]
    mentioned = {name.split("@")[0] for _, name in plan.timeline.streams}
    trained = any(of_pass == "weight_grad" for _, of_pass in plan.gemms)
    for name, state in plan.defaults.items():
        if trained and name not in mentioned:
            bits = int(plan.timeline.states.word_bits[state])
            origin = "accumulator" if name == "gradient" else "update unit"
            lines.append(f"The history has no {name} stream: it takes {bits} bits, the {origin}'s word.")
    if trained and plan.options.update:
        momentum = "master and momentum" if plan.options.momentum else "master"
        passing = " and ".join(name for name, _ in passing_memories(plan.accelerator))
        lines.append(
            f"Update: gradient and {momentum} are read, {momentum} and the weights written, in {passing}; "
            f"{plan.options.update_operations_per_weight:g} operations a weight where the element-wise table has none."
        )
    if plan.accelerator.mac_array.mapping is Mapping.CHANNELS and not any(
        gemm.kernel_positions > 1 for work in plan.gemms.values() for gemm in work.gemms
    ):
        lines.append("Mapping by channels without kernel_positions in the workload: all of k is channels (1 x 1).")
    if any(vector.op in REQUANTIZE_OPS for vectors in plan.vectors.values() for vector in vectors):
        lines.append("Requantization is taken from the element-wise table where a pass lists it, else one per result.")
    if plan.vectors:
        on_chip = " and ".join(name for name, _ in on_chip_memory(plan.accelerator))
        places = {"on_chip": f"memory {on_chip} only", "all": "every memory that tensors pass", "none": "no memory"}
        lines.append(f"Element-wise work reads and writes {places[plan.options.elementwise_memory]}.")
    if plan.options.recompute:
        lines.append("Forward activations are recomputed before the weight gradient by one more forward GEMM.")
    return lines


def not_counted(plan: Plan) -> list[str]:
    """Return what a pricing leaves out, in sentences."""
    lines = ["Control, instruction fetch, clock tree, interconnect and I/O other than the listed memories."]
    if not plan.vectors:
        lines.append("Element-wise work (no element-wise table was given): biases, activations, normalization, loss.")
    if plan.options.policy_operations_per_element == 0 and not any(
        vector.op in ("policy", "statistics", "sensitivity") for vectors in plan.vectors.values() for vector in vectors
    ):
        lines.append("The bit-width policy's own work (neither listed in the element-wise table nor set as an option).")
    if not plan.options.random_bits:
        lines.append("Random bits of stochastic quantizers (Options.random_bits); those of the units are counted.")
    lines += [
        "Contention between levels, bank conflicts, refresh and row misses beyond the mean energy per bit.",
        "The exponent path of float32 operands in an integer array (their energy is that of a float32 MAC).",
        "Data loading, validation and checkpoints.",
    ]
    if not plan.options.update:
        lines.append("The weight update (switched off).")
    return lines


def _walk(table: BaseModel, prefix: str, source: str) -> Iterator[Constant]:
    own = getattr(table, "source", source)
    for name in type(table).model_fields:
        value: Any = getattr(table, name)
        key = prefix + name
        if isinstance(value, BaseModel):
            yield from _walk(value, key + ".", own)
        elif isinstance(value, dict):
            for entry, inner in cast("dict[str, BaseModel]", value).items():
                yield from _walk(inner, f"{key}.{entry}.", own)
        elif isinstance(value, bool) or value is None or name == "check":
            continue
        elif isinstance(value, (int, float)):
            yield Constant(key=key, value=value, unit=unit_of(name), source=own)
        elif isinstance(value, tuple):
            items = cast("tuple[object, ...]", value)
            if items and isinstance(items[0], (int, float)):
                yield Constant(key=key, value=", ".join(str(item) for item in items), unit=unit_of(name), source=own)


def unit_of(name: str) -> str:
    """Return the unit that a key's name says.

    >>> unit_of("read_pj_per_bit"), unit_of("bandwidth_bits_per_cycle"), unit_of("energy_low_factor")
    ('pJ/bit', 'bits/cycle', '1')
    """
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    return "1"
