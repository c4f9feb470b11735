"""What is known about the size of operands, products and sums."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from fxpsim.kernels.mac.spec import MacSpec


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Largest magnitudes that the operands' formats allow, and whether a sum can be negative."""

    a: int
    b: int
    k: int
    nonnegative: bool

    @property
    def product(self) -> int:
        """Largest magnitude of one product."""
        return self.a * self.b

    @property
    def total(self) -> int:
        """Largest magnitude of any sum."""
        return self.k * self.product


def holds(spec: MacSpec, largest: int, nonnegative: bool) -> bool:
    """Return whether sums up to a magnitude stay in the accumulator's range."""
    return largest <= spec.max_code and (nonnegative or -largest >= spec.min_code)


def fits(operand: np.ndarray, bound: int, bits: int, signed: bool) -> bool:
    """Return whether the codes fit into a word of an instruction."""
    return _fits(operand.dtype, bound, bits, signed)


@cache
def _fits(dtype: np.dtype, bound: int, bits: int, signed: bool) -> bool:
    if dtype == f"{'int' if signed else 'uint'}{bits}":
        return True
    if dtype.kind == "i" and not signed:
        return False
    return bound < 1 << (bits - signed)
