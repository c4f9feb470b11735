"""Bits that a GEMM moves through every memory level, operand by operand."""

from dataclasses import dataclass

import numpy as np

from fxpsim.accelerator import Accelerator, Dataflow, Memory, Reuse
from fxpsim.cost.arrays import Floats, Ints, ceil_div, ceil_ints, round_up
from fxpsim.cost.compute import Gemm, folds_of
from fxpsim.cost.rates import Rate
from fxpsim.cost.states import StreamStates


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bits through one memory, one entry per setting: operands a and b read, results written, partial sums both."""

    a_read: Ints
    b_read: Ints
    out_write: Ints
    sum_read: Ints
    sum_write: Ints

    @property
    def read(self) -> Ints:
        """All bits read."""
        return self.a_read + self.b_read + self.sum_read

    @property
    def write(self) -> Ints:
        """All bits written."""
        return self.out_write + self.sum_write


@dataclass(frozen=True, kw_only=True)
class Operands:
    """The streams of a GEMM, one entry per setting."""

    a: StreamStates
    b: StreamStates
    out: StreamStates


@dataclass(frozen=True, kw_only=True)
class ElementBits:
    """Bits that an element of each operand takes in a memory, one entry per setting."""

    a: Floats
    b: Floats
    out: Floats


def tensor_bits(elements: int | Ints, bits_per_element: Floats, memory: Memory) -> Ints:
    """Return the bits of a tensor in a memory: whole words of its granularity."""
    return round_up(ceil_ints(elements * bits_per_element), memory.granularity_bits)


def gemm_traffic(accelerator: Accelerator, name: str, gemm: Gemm, operands: Operands, rate: Rate) -> Traffic:
    """Return what a GEMM moves through the memory ``name`` under that level's reuse assumption (see ``Reuse``)."""
    memory = accelerator.memory[name]
    a, b, out = (
        stream.stored_bits(memory.granularity_bits, packed=memory.packed)
        for stream in (operands.a, operands.b, operands.out)
    )
    bits = ElementBits(a=a, b=b, out=out)
    match memory.reuse:
        case Reuse.UNIQUE:
            moved = _unique(gemm, bits, memory)
        case Reuse.TILED:
            moved = _tiled(accelerator, name, gemm, bits)
        case Reuse.FOLDS:
            moved = _folds(accelerator, memory, gemm, bits, rate)
        case Reuse.MACS:
            moved = _macs(accelerator, memory, gemm, bits)
    return _held(moved, memory)


def _unique(gemm: Gemm, bits: ElementBits, memory: Memory) -> Traffic:
    none = np.broadcast_to(np.int64(0), bits.a.shape)
    return Traffic(
        a_read=tensor_bits(gemm.a_elements, bits.a, memory),
        b_read=tensor_bits(gemm.b_elements, bits.b, memory),
        out_write=tensor_bits(gemm.out_elements, bits.out, memory),
        sum_read=none,
        sum_write=none,
    )


def _tiled(accelerator: Accelerator, name: str, gemm: Gemm, bits: ElementBits) -> Traffic:
    """As unique, with the cheaper operand read again for every block of the other that fits further in."""
    once = _unique(gemm, bits, accelerator.memory[name])
    capacity = inner_capacity_bits(accelerator, name)
    blocks_of_a, blocks_of_b = ceil_div(once.a_read, capacity), ceil_div(once.b_read, capacity)
    fits = (blocks_of_a == 1) | (blocks_of_b == 1)
    b_again = once.a_read + once.b_read * blocks_of_a <= once.b_read + once.a_read * blocks_of_b
    return Traffic(
        a_read=once.a_read * np.where(fits | b_again, 1, blocks_of_b),
        b_read=once.b_read * np.where(fits | ~b_again, 1, blocks_of_a),
        out_write=once.out_write,
        sum_read=once.sum_read,
        sum_write=once.sum_write,
    )


def inner_capacity_bits(accelerator: Accelerator, name: str) -> int:
    """Return what an operand block may take of the next level inwards; half of it when it is double buffered."""
    names = list(accelerator.memory)
    inner = [accelerator.memory[other] for other in names[: names.index(name)]]
    sized = [memory for memory in inner if memory.size_kib is not None]
    assert sized, "the schema demands a sized level inside a tiled one"
    size_bits = int((sized[-1].size_kib or 0) * 8192)
    return max(size_bits // 2 if sized[-1].double_buffered else size_bits, 1)


def _folds(accelerator: Accelerator, memory: Memory, gemm: Gemm, bits: ElementBits, rate: Rate) -> Traffic:
    """Operands again for every fold that needs them; partial sums in accumulator words between folds of k."""
    folds = folds_of(accelerator, gemm, rate)
    stationary_out = accelerator.mac_array.dataflow is Dataflow.OUTPUT_STATIONARY
    a_elements, b_elements = gemm.m * gemm.k * gemm.count, gemm.k * gemm.n * gemm.count
    results = gemm.m * gemm.n * gemm.count
    sums = np.zeros_like(folds.k) if stationary_out else results * (folds.k * rate.passes - 1)
    sum_bits = round_up(accelerator.mac_array.accumulator.word_bits, memory.granularity_bits) * sums
    return Traffic(
        # Every pass over parts of one operand meets all parts of the other again.
        a_read=tensor_bits(a_elements * folds.n * rate.passes_b, bits.a, memory),
        b_read=tensor_bits(b_elements * folds.m * rate.passes_a, bits.b, memory),
        out_write=tensor_bits(results, bits.out, memory),
        sum_read=sum_bits,
        sum_write=sum_bits,
    )


def _macs(accelerator: Accelerator, memory: Memory, gemm: Gemm, bits: ElementBits) -> Traffic:
    sums = np.full(bits.a.shape, gemm.macs * accelerator.mac_array.accumulator.word_bits, np.int64)
    return Traffic(
        a_read=tensor_bits(gemm.macs, bits.a, memory),
        b_read=tensor_bits(gemm.macs, bits.b, memory),
        out_write=np.zeros(bits.a.shape, np.int64),
        sum_read=sums,
        sum_write=sums,
    )


def _held(moved: Traffic, memory: Memory) -> Traffic:
    """Drop what does not pass this memory."""
    none = np.broadcast_to(np.int64(0), moved.a_read.shape)
    out = "out" in memory.holds
    return Traffic(
        a_read=moved.a_read if "a" in memory.holds else none,
        b_read=moved.b_read if "b" in memory.holds else none,
        out_write=moved.out_write if out else none,
        sum_read=moved.sum_read if out and memory.partial_sums else none,
        sum_write=moved.sum_write if out and memory.partial_sums else none,
    )
