"""One pass of one layer, priced: its settings, the pieces of its cost, and their sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Floats, Ints
from fxpsim.cost.evaluation import Piece, Work
from fxpsim.cost.latency import leakage_pj
from fxpsim.cost.timeline import Settings

# Work of the vector unit, which may run in the array's shadow.
_SHADOW = frozenset({Work.REQUANTIZE, Work.ELEMENTWISE, Work.POLICY, Work.RANDOM_BITS})


@dataclass(frozen=True, kw_only=True)
class Group:
    """One pass of one layer; arrays are per step, one entry per setting."""

    layer: str
    of_pass: str
    settings: Settings
    pieces: tuple[Piece, ...]
    macs: Ints
    bit_ops: Ints
    compute_cycles: Ints
    ideal_cycles: Floats
    latency_cycles: Ints
    energy_pj: Floats
    energy_low_pj: Floats
    energy_high_pj: Floats
    leakage_pj: Floats
    memory_bits: Mapping[str, tuple[Ints, Ints]]


def group_of(accelerator: Accelerator, layer: str, of_pass: str, settings: Settings, pieces: Sequence[Piece]) -> Group:
    """Sum the pieces of one pass of one layer.

    Latency: GEMMs, recomputation, stored copies and updates one after the other; the vector unit's work is added, or
    runs in their shadow (``max``) with ``timing.vector_overlap``. Leakage is that of the latency.
    """
    none = np.zeros(settings.count, np.int64)
    serial = sum((piece.latency for piece in pieces if piece.work not in _SHADOW), none)
    shadow = sum((piece.latency for piece in pieces if piece.work in _SHADOW), none)
    latency = np.maximum(serial, shadow) if accelerator.timing.vector_overlap else serial + shadow
    leakage = leakage_pj(accelerator, latency)
    memory = [piece.memory_pj(accelerator) for piece in pieces]
    zero = np.zeros(settings.count)
    nominal = sum((piece.unit_pj + levels[0] for piece, levels in zip(pieces, memory, strict=True)), zero)
    low = sum((piece.unit_low_pj + levels[1] for piece, levels in zip(pieces, memory, strict=True)), zero)
    high = sum((piece.unit_high_pj + levels[2] for piece, levels in zip(pieces, memory, strict=True)), zero)
    bits: dict[str, tuple[Ints, Ints]] = {}
    for name in accelerator.memory:
        both = [piece.memory_bits(name) for piece in pieces]
        bits[name] = (sum((read for read, _ in both), none), sum((write for _, write in both), none))
    return Group(
        layer=layer,
        of_pass=of_pass,
        settings=settings,
        pieces=tuple(pieces),
        macs=sum((piece.macs for piece in pieces), none),
        bit_ops=sum((piece.bit_ops for piece in pieces), none),
        compute_cycles=sum((piece.cycles for piece in pieces if piece.work in (Work.GEMM, Work.RECOMPUTE)), none),
        ideal_cycles=sum((piece.ideal_cycles for piece in pieces), zero),
        latency_cycles=latency,
        energy_pj=nominal + leakage,
        energy_low_pj=low + leakage,
        energy_high_pj=high + leakage,
        leakage_pj=leakage,
        memory_bits=bits,
    )
