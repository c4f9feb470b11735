"""The work beside the GEMMs: update, requantization, stored copies, random bits, element-wise work, the policy."""

from collections.abc import Sequence

import numpy as np

from fxpsim.accelerator import Accelerator, Memory, Reuse
from fxpsim.cost.arrays import Floats, Ints, ceil_ints
from fxpsim.cost.evaluation import Piece, Work, side_piece
from fxpsim.cost.options import Options
from fxpsim.cost.states import StreamStates
from fxpsim.cost.timeline import Settings
from fxpsim.cost.traffic import tensor_bits

REQUANTIZE_OPS = frozenset({"requantize", "quantize", "cast"})
POLICY_OPS = frozenset({"policy", "statistics", "sensitivity"})
RANDOM_OPS = frozenset({"random_bits"})


def passing_memories(accelerator: Accelerator) -> list[tuple[str, Memory]]:
    """Return the levels that whole tensors pass: those that hold operands and results, and are no registers."""
    levels = list(accelerator.memory.items())
    shared = [level for level in levels if {"a", "out"} <= set(level[1].holds) and level[1].reuse is not Reuse.MACS]
    return shared or levels[-1:]


def on_chip_memory(accelerator: Accelerator) -> list[tuple[str, Memory]]:
    """Return the level that fused element-wise work reads and writes: the innermost that whole tensors pass, short of
    the outermost one, else the innermost that holds results.
    """  # noqa: D205
    levels = list(accelerator.memory.items())
    inner = [level for level in passing_memories(accelerator) if level[0] != levels[-1][0]]
    results = [level for level in levels if "out" in level[1].holds and level[1].reuse is not Reuse.MACS]
    return (inner or results)[:1]


def stored(states: StreamStates, elements: int, memory: Memory) -> Ints:
    """Return the bits of a tensor in a memory for every setting."""
    return tensor_bits(elements, states.stored_bits(memory.granularity_bits, packed=memory.packed), memory)


def requantize_piece(accelerator: Accelerator, out_elements: int, count: int) -> Piece:
    """Return the conversion of a GEMM's results from accumulator words, in the vector unit; no traffic of its own."""
    cycles = int(np.ceil(out_elements / accelerator.vector_unit.operations_per_cycle))
    energy = out_elements * accelerator.energy.requantize_element.pj
    return side_piece(
        accelerator,
        Work.REQUANTIZE,
        cycles=np.full(count, cycles, np.int64),
        unit_pj=np.full(count, energy),
    )


def random_piece(accelerator: Accelerator, bits: Floats) -> Piece:
    """Return the drawing of random bits; the generator works beside the array and takes no time of its own."""
    energy = bits * accelerator.energy.random_bit.pj
    return side_piece(accelerator, Work.RANDOM_BITS, cycles=np.zeros(bits.shape, np.int64), unit_pj=energy)


def stored_copy_piece(accelerator: Accelerator, copy: StreamStates, first: StreamStates, elements: int) -> Piece:
    """Return the writing of activations once more, where the weight gradient reads them in other bits."""
    differs = (copy.word_bits != first.word_bits) | (copy.histogram != first.histogram)
    differs |= (copy.is_float != first.is_float) | (copy.metadata_bits != first.metadata_bits)
    writes = {
        (name, "activation@weight_grad"): stored(copy, elements, memory) * differs
        for name, memory in passing_memories(accelerator)
    }
    cycles = np.zeros(copy.word_bits.shape, np.int64)
    return side_piece(accelerator, Work.STORED_COPY, cycles=cycles, unit_pj=np.zeros(cycles.shape), writes=writes)


def update_piece(
    accelerator: Accelerator, settings: Settings, weights: int, operations: float, *, momentum: bool
) -> Piece:
    """Return one weight update: gradient, master and momentum are read; master, momentum and weights written."""
    read, written = ["gradient", "master"], ["master", "weight"]
    if momentum:
        read, written = [*read, "momentum"], [*written, "momentum"]
    levels = passing_memories(accelerator)
    reads = {(name, role): stored(settings.roles[role], weights, memory) for name, memory in levels for role in read}
    writes = {
        (name, role): stored(settings.roles[role], weights, memory) for name, memory in levels for role in written
    }
    cycles = int(np.ceil(operations / accelerator.update_unit.operations_per_cycle))
    return side_piece(
        accelerator,
        Work.UPDATE,
        cycles=np.full(settings.count, cycles, np.int64),
        unit_pj=np.full(settings.count, operations * accelerator.energy.update_operation.pj),
        reads=reads,
        writes=writes,
    )


def update_random_bits(accelerator: Accelerator, weights: int) -> float:
    """Return the random bits of an update with stochastic rounding: one master word per weight."""
    if not accelerator.update_unit.rounding.value.startswith("stochastic"):
        return 0.0
    return float(weights * accelerator.update_unit.master_bits())


def accumulator_random_bits(accelerator: Accelerator, macs: int) -> float:
    """Return the random bits of an array that rounds products stochastically: the dropped bits of every product."""
    accumulator = accelerator.mac_array.accumulator
    if not accumulator.rounding.value.startswith("stochastic"):
        return 0.0
    return float(macs * accumulator.product_drop_bits)


def vector_piece(
    accelerator: Accelerator, op: str, sizes: Sequence[int], options: Options, count: int, *, update: bool
) -> Piece:
    """Return one row of the element-wise table: ``sizes`` are its read and written elements and operations."""
    read_elements, write_elements, operations = sizes
    if op in REQUANTIZE_OPS:
        work, energy = Work.REQUANTIZE, write_elements * accelerator.energy.requantize_element.pj
    elif op in RANDOM_OPS:
        work, energy = Work.RANDOM_BITS, operations * accelerator.energy.random_bit.pj
    else:
        work = Work.POLICY if op in POLICY_OPS else Work.UPDATE if update else Work.ELEMENTWISE
        constants = accelerator.energy.update_operation if update else accelerator.energy.vector_operation
        energy = operations * constants.pj
    per_cycle = (accelerator.update_unit if update else accelerator.vector_unit).operations_per_cycle
    word = accelerator.update_unit.master_bits() if update else accelerator.vector_unit.word_bits
    levels = {"on_chip": on_chip_memory(accelerator), "all": passing_memories(accelerator), "none": []}[
        options.elementwise_memory
    ]
    bits = np.full(count, float(word))
    return side_piece(
        accelerator,
        work,
        cycles=np.full(count, int(np.ceil(operations / per_cycle)), np.int64),
        unit_pj=np.full(count, energy),
        reads={(name, "element-wise"): tensor_bits(read_elements, bits, memory) for name, memory in levels},
        writes={(name, "element-wise"): tensor_bits(write_elements, bits, memory) for name, memory in levels},
    )


def policy_piece(accelerator: Accelerator, elements: int, options: Options, count: int) -> Piece:
    """Return the bit-width policy's own work on the tensors of a pass, spread over the steps between evaluations."""
    operations = elements * options.policy_operations_per_element / options.policy_every_steps
    cycles = ceil_ints(np.full(count, operations / accelerator.vector_unit.operations_per_cycle))
    energy = np.full(count, operations * accelerator.energy.vector_operation.pj)
    return side_piece(accelerator, Work.POLICY, cycles=cycles, unit_pj=energy)
