"""What the units hand to each other: vector values, MAC operands, accumulators, and the counts of a cast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fxpsim.kernels.mac import MacResult
from fxpsim.numerics import FixedFormat
from fxpsim.units.graph import Node


@dataclass(slots=True)
class Value:
    """A tensor in the vector unit.

    Parameters
    ----------
    node : Node
        The elements: binary32, or integer codes.
    frac_bits : int, optional
        Of codes: the value of an element is ``code * 2**-frac_bits``. None for binary32.
    bound : int, optional
        Of codes: no ``|code|`` is larger.
    nonnegative : bool
        Whether no element is negative, by construction (after a ReLU, say).
    """

    node: Node
    frac_bits: int | None = None
    bound: int | None = None
    nonnegative: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.node.shape


@dataclass(slots=True)
class Operand:
    """What a MAC array reads: codes of one fixed-point format, or binary32.

    Parameters
    ----------
    codes : ndarray
        Integer codes, or the float values themselves.
    format : FixedFormat, optional
        How to read the codes; None for float.
    source : (str, Value), optional
        Stream and vector value that it was made of, if another pass reads that anew.
    """

    codes: np.ndarray
    format: FixedFormat | None
    source: tuple[str, Value] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.codes.shape

    @property
    def bound(self) -> int:
        """Largest ``|code|`` that the format allows."""
        assert self.format is not None
        return max(-self.format.min_code, self.format.max_code)


@dataclass(slots=True)
class Accumulated:
    """What a MAC array returns: accumulator codes with their largest magnitude, or binary32.

    ``finish``, where there is one, must be called before anybody reads the codes; the notes are then not there.
    """

    codes: np.ndarray
    frac_bits: int | None
    max_abs: int = 0
    overflowed: int = 0
    finish: Callable[[], None] | None = None


@dataclass(slots=True, frozen=True)
class SumCounts:
    """What a GEMM's accumulators did.

    Parameters
    ----------
    sums, products : int
        How many results the GEMM has, and how many products were added to them.
    overflowed : int
        How many visits to the overflow logic found a sum out of range; where it wraps: how many results.
    flushed, inexact : int
        How many products their rounding set to zero without their being zero, and how many it changed.
    """

    sums: int = 0
    products: int = 0
    overflowed: int = 0
    flushed: int = 0
    inexact: int = 0

    @classmethod
    def of(cls, result: MacResult) -> SumCounts:
        """Return the counts of a result of the kernels."""
        return cls(result.codes.size, result.products, result.overflowed, result.flushed, result.inexact)

    def __add__(self, other: SumCounts) -> SumCounts:
        """Return the counts of both."""
        return SumCounts(
            self.sums + other.sums,
            self.products + other.products,
            self.overflowed + other.overflowed,
            self.flushed + other.flushed,
            self.inexact + other.inexact,
        )


@dataclass(slots=True)
class CastCounts:
    """What a cast did to a tensor, in elements."""

    elements: int
    nonzero: int
    saturated: int
    underflow: int
