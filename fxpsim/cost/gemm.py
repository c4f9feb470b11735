"""The cost of a GEMM: the evaluation that everything else is summed from."""

import numpy as np

from fxpsim.accelerator import Accelerator, MacArray
from fxpsim.cost.arrays import Bools, Floats, Ints, ceil_ints
from fxpsim.cost.blocks import mean_pair_cost
from fxpsim.cost.compute import Gemm, compute_cycles, ideal_cycles
from fxpsim.cost.evaluation import Piece, Work
from fxpsim.cost.latency import latency_cycles, memory_cycles
from fxpsim.cost.mac_energy import mac_energy_pj, mac_energy_range_pj
from fxpsim.cost.rates import rate_of
from fxpsim.cost.states import StreamStates
from fxpsim.cost.traffic import Operands, gemm_traffic, tensor_bits


def evaluate_gemm(
    accelerator: Accelerator, gemm: Gemm, operands: Operands, names: tuple[str, str, str], work: Work = Work.GEMM
) -> Piece:
    """Return the cost of one execution of a GEMM for every setting of its operands.

    Parameters
    ----------
    accelerator : Accelerator
        The target.
    gemm : Gemm
        Its shape and tensor sizes.
    operands : Operands
        States of a, b and the result, one entry per setting.
    names : tuple of str
        The streams of a, b and the result, for the account of traffic.
    work : Work
        What the GEMM is entered as.
    """
    a_bits, b_bits = _operand_bits(accelerator, operands.a), _operand_bits(accelerator, operands.b)
    any_float = operands.a.is_float | operands.b.is_float
    rate = rate_of(accelerator, a_bits, b_bits, any_float)
    dense = cycles = compute_cycles(accelerator, gemm, rate)
    if operands.a.block_wise or operands.b.block_wise:
        cycles = _block_cycles(accelerator, gemm, operands, cycles)
    cycles = ceil_ints(cycles * _used(accelerator.mac_array.zero_skip, operands))
    unit, low, high = _unit_energy(accelerator, gemm, operands, (a_bits, b_bits), any_float)
    reads: dict[tuple[str, str], Ints] = {}
    writes: dict[tuple[str, str], Ints] = {}
    by_memory: dict[str, Ints] = {}
    for name in accelerator.memory:
        moved = gemm_traffic(accelerator, name, gemm, operands, rate)
        by_memory[name] = memory_cycles(accelerator, name, moved.read, moved.write)
        for target, stream, bits in (
            (reads, names[0], moved.a_read),
            (reads, names[1], moved.b_read),
            (reads, "partial_sum", moved.sum_read),
            (writes, names[2], moved.out_write),
            (writes, "partial_sum", moved.sum_write),
        ):
            if bits.any():  # what does not move takes no space in the account
                target[name, stream] = target[name, stream] + bits if (name, stream) in target else bits
    outermost = list(accelerator.memory)[-1]
    memory = accelerator.memory[outermost]
    per_element = operands.a.stored_bits(memory.granularity_bits, packed=memory.packed)
    first_load = tensor_bits(gemm.a_elements, per_element, memory)
    return Piece(
        work=work,
        macs=np.broadcast_to(np.int64(gemm.macs), a_bits.shape),
        bit_ops=bit_operations(gemm.macs, operands.a, operands.b),
        cycles=cycles,
        ideal_cycles=ideal_cycles(accelerator, gemm, rate) * cycles / np.maximum(dense, 1),
        latency=latency_cycles(accelerator, cycles, by_memory, first_load),
        unit_pj=unit,
        unit_low_pj=low,
        unit_high_pj=high,
        reads=reads,
        writes=writes,
    )


def bit_operations(macs: int, a: StreamStates, b: StreamStates) -> Ints:
    """Return ``macs * a_bits * b_bits``, with mean bits for block-wise streams (rounded to an integer)."""
    if not (a.block_wise or b.block_wise):
        return macs * a.word_bits * b.word_bits
    return np.rint(macs * a.mean_bits * b.mean_bits).astype(np.int64)


def _operand_bits(accelerator: Accelerator, states: StreamStates) -> Ints:
    """Return the integer width that enters the array: of a float32 operand, its significand."""
    return np.where(states.is_float, accelerator.mac_array.float_significand_bits, states.word_bits)


def _used(which: str, operands: Operands) -> Floats:
    """Share of the products that are not skipped or gated."""
    one = np.ones(operands.a.word_bits.shape)
    of_a = operands.a.nonzero if which in ("a", "both") else one
    return of_a * (operands.b.nonzero if which in ("b", "both") else one)


def _block_cycles(accelerator: Accelerator, gemm: Gemm, operands: Operands, dense: Ints) -> Ints:
    """Return the cycles of block-wise operands: the full-width cycles scaled by the mean cost of a product."""
    full = np.array([accelerator.mac_array.operand_word_bits])
    no_float = np.zeros(1, np.bool_)
    base_rate = rate_of(accelerator, full, full, no_float)
    base = float(compute_cycles(accelerator, gemm, base_rate)[0]) / float(base_rate.element_cycles[0])

    def cost(a: Ints, b: Ints) -> Floats:
        return rate_of(accelerator, a, b, np.zeros(a.shape, np.bool_)).element_cycles

    mean = mean_pair_cost(operands.a, operands.b, cost, lockstep_blocks=accelerator.mac_array.lockstep_blocks)
    block_wise = (operands.a.histogram >= 0) | (operands.b.histogram >= 0)
    return np.where(block_wise, ceil_ints(base * mean), dense)


def _unit_energy(
    accelerator: Accelerator, gemm: Gemm, operands: Operands, bits: tuple[Ints, Ints], any_float: Bools
) -> tuple[Floats, Floats, Floats]:
    """Return the array's energy in pJ: nominal, low and high."""
    energies = accelerator.energy

    def integer(a: Ints, b: Ints) -> tuple[Floats, Floats, Floats]:
        return (mac_energy_pj(accelerator, energies.mac.law, a, b), *mac_energy_range_pj(accelerator, a, b))

    per_mac = integer(*bits)
    if operands.a.block_wise or operands.b.block_wise:
        per_mac = tuple(
            mean_pair_cost(operands.a, operands.b, lambda a, b, which=which: integer(a, b)[which]) for which in range(3)
        )
    accumulate = energies.accumulate_bit.pj * accelerator.mac_array.accumulator.word_bits
    scale = gemm.macs * _used(_either(accelerator.mac_array), operands)
    nominal, low, high = (
        scale * (np.where(any_float, energies.float32_mac.pj, value) + accumulate) for value in per_mac
    )
    return nominal, low, high


def _either(array: MacArray) -> str:
    """Return the operands whose zeros cost no energy: those that are skipped or gated."""
    which = sorted({array.zero_skip, array.zero_gate} - {"none"})
    return "both" if len(which) > 1 else "".join(which) or "none"
