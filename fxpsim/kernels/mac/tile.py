"""The lanes of the MAC kernels and the shape of a tile."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fxpsim.kernels.lanes import Cpu


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One way to multiply and add.

    Parameters
    ----------
    name : str
        ``dot8``, ``dot16``, ``quad8``, ``quad16``, ``round16``, ``round32``, ``nearest``, ``int64``, ``float32`` or
        ``float64``.
    group : int
        Consecutive products that one lane of the instruction adds at once.
    a_type, b_type, sum_type : str
        NumPy types of the operands and of the accumulators.
    exact_below : int
        Sums of integers are exact while all partial sums stay below this magnitude.
    spread : int
        How many sums, side by side, are parts of that of one column; see :mod:`fxpsim.kernels.mac.spread`. ``group``
        counts the products of all.
    """

    name: str
    group: int
    a_type: str
    b_type: str
    sum_type: str
    exact_below: int
    spread: int = 1

    @property
    def measures(self) -> bool:
        """Whether packing b adds up its columns on the way."""
        return self.sum_type == "int32" and self.b_type.startswith("int")

    @property
    def segment(self) -> int:
        """Groups of a segment: what one work unit packs, and the unit of the column sums."""
        return 128 // self.spread

    @cached_property
    def sum_bits(self) -> int:
        """Width of an accumulator."""
        return 8 * np.dtype(self.sum_type).itemsize

    def __hash__(self) -> int:
        return hash(self.name)

    def columns(self, target: Cpu) -> int:
        """Return the number of accumulators in one vector register."""
        return target.vector_bits // self.sum_bits


DOT8 = Lane(name="dot8", group=4, a_type="uint8", b_type="int8", sum_type="int32", exact_below=1 << 31)
DOT16 = Lane(name="dot16", group=2, a_type="int16", b_type="int16", sum_type="int32", exact_below=1 << 31)
QUAD8 = replace(DOT8, name="quad8", group=16, spread=4)
QUAD16 = replace(DOT16, name="quad16", group=8, spread=4)
ROUND16 = Lane(name="round16", group=2, a_type="int16", b_type="int16", sum_type="int32", exact_below=1 << 31)
ROUND32 = Lane(name="round32", group=1, a_type="int32", b_type="int32", sum_type="int32", exact_below=1 << 31)
NEAREST = Lane(name="nearest", group=1, a_type="float32", b_type="float32", sum_type="int32", exact_below=1 << 31)
FLOAT32 = Lane(name="float32", group=1, a_type="float32", b_type="float32", sum_type="float32", exact_below=1 << 24)
INT64 = Lane(name="int64", group=1, a_type="int32", b_type="int64", sum_type="int64", exact_below=1 << 63)
FLOAT64 = Lane(name="float64", group=1, a_type="float64", b_type="float64", sum_type="float64", exact_below=1 << 53)


CHUNK = 8
"""Groups that a checked tile adds at once."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Shape of a micro-kernel.

    Parameters
    ----------
    lane : Lane
    rows, vectors : int
        Registers of accumulators.
    clamp : str
        ``none``, ``saturate`` or ``zero``: what happens to a sum out of range.
    checked : bool
        Whether a lane that adds several products at once saturates after every single one; see
        :mod:`fxpsim.kernels.mac.checked`.
    every : bool
        Whether every group is followed by a check of all sums, and by the clamp only if one of them left the range.
    fused : bool
        Whether floats need the fused multiply-add. Integers in floats do not where every product and sum is exact,
        which spares processors without the instruction a slow detour.
    own : bool
        Whether every column has an element of a for itself: column j is multiplied with what lies j elements behind
        that of column 0, as in a depthwise convolution.
    rounding : str
        ``none``, or the formula by which each product is rounded before it is added (lanes of one product only); see
        :mod:`fxpsim.kernels.mac.rounding`.
    """

    lane: Lane
    rows: int
    vectors: int
    clamp: str = "none"
    checked: bool = False
    every: bool = False
    fused: bool = False
    own: bool = False
    rounding: str = "none"
