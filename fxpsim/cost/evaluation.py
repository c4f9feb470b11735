"""The cost of one kind of work in one pass of one layer, one entry per setting; pieces add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Floats, Ints
from fxpsim.cost.latency import latency_cycles, memory_cycles


class Work(StrEnum):
    """What is counted and listed apart."""

    GEMM = "gemm"
    REQUANTIZE = "requantize"
    STORED_COPY = "stored_copy"
    RECOMPUTE = "recompute"
    UPDATE = "update"
    ELEMENTWISE = "elementwise"
    RANDOM_BITS = "random_bits"
    POLICY = "policy"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Cost of one step, per setting.

    ``ideal_cycles`` are those of a fully used array (block-wise bits and skipped zeros at the same utilization).
    ``reads`` and ``writes`` are bits by (memory, stream); energies are in pJ without leakage. ``cycles`` is the work
    of the unit that does it, ``latency`` includes its memories.
    """

    work: Work
    macs: Ints
    bit_ops: Ints
    cycles: Ints
    ideal_cycles: Floats
    latency: Ints
    unit_pj: Floats
    unit_low_pj: Floats
    unit_high_pj: Floats
    reads: Mapping[tuple[str, str], Ints] = field(default_factory=dict[tuple[str, str], Ints])
    writes: Mapping[tuple[str, str], Ints] = field(default_factory=dict[tuple[str, str], Ints])

    def memory_bits(self, name: str) -> tuple[Ints, Ints]:
        """Return the bits read from and written to one memory."""
        none = np.zeros_like(self.macs)
        read = sum((bits for (memory, _), bits in self.reads.items() if memory == name), none)
        write = sum((bits for (memory, _), bits in self.writes.items() if memory == name), none)
        return read, write

    def memory_pj(self, accelerator: Accelerator) -> tuple[Floats, Floats, Floats]:
        """Return the memories' energy: nominal, low and high."""
        nominal, low, high = (np.zeros(self.macs.shape) for _ in range(3))
        for name, memory in accelerator.memory.items():
            read, write = self.memory_bits(name)
            energy = read * memory.read_pj_per_bit + write * memory.write_pj_per_bit
            nominal += energy
            low += energy * memory.energy_low_factor
            high += energy * memory.energy_high_factor
        return nominal, low, high


def side_piece(
    accelerator: Accelerator,
    work: Work,
    *,
    cycles: Ints,
    unit_pj: Floats,
    reads: Mapping[tuple[str, str], Ints] | None = None,
    writes: Mapping[tuple[str, str], Ints] | None = None,
) -> Piece:
    """Return work beside the GEMMs: no MACs, one energy constant, its latency from cycles and traffic."""
    none = np.zeros_like(cycles)
    piece = Piece(
        work=work,
        macs=none,
        bit_ops=none,
        cycles=cycles,
        ideal_cycles=np.zeros(cycles.shape),
        latency=cycles,
        unit_pj=unit_pj,
        unit_low_pj=unit_pj,
        unit_high_pj=unit_pj,
        reads=reads or {},
        writes=writes or {},
    )
    names = {name for name, _ in (*piece.reads, *piece.writes)}
    by_memory = {name: memory_cycles(accelerator, name, *piece.memory_bits(name)) for name in names}
    return replace(piece, latency=latency_cycles(accelerator, cycles, by_memory))
