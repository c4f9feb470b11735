"""What a MAC array does with its products, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fxpsim.errors import UserError
from fxpsim.numerics import Overflow, Rounding

ORDERS = ("sequential", "chunked")


class Unfinished(Protocol):
    """Sums that others are still working on."""

    @property
    def is_done(self) -> bool:
        """Whether a call would return at once."""
        ...

    def __call__(self) -> tuple[int, int]:
        """Finish them and return (overflowed, largest magnitude of the codes)."""
        ...


@dataclass(frozen=True, kw_only=True)
class MacSpec:
    """Accumulator of one MAC array, in codes.

    Each product drops ``product_shift`` fractional bits (``rounding``), is added exactly to the running sum, and the
    sum is brought into range (``overflow``): after every product along K (``sequential``), or after every ``chunk``
    of consecutive k, which an adder tree sums exactly first (``chunked``).

    Parameters
    ----------
    word_bits : int
        Width of the accumulator, 1 to 64 (63 if unsigned).
    signed : bool
        Whether the accumulator has a sign.
    overflow : Overflow or str
        What happens to a sum that left the range. ``raise`` saturates; the caller raises if the counter is not zero.
    product_shift : int
        Fractional bits that each product drops before it is added; negative: the product is shifted left.
    rounding : Rounding or str
        How a product drops them.
    order : str
        ``sequential`` or ``chunked``.
    chunk : int
        Products per chunk. Chunks are cut at multiples of ``chunk`` of the flat index k; positions in the padding of
        a convolution have an index but no product.
    key0, key1 : int
        Key of the random words of the stochastic roundings (32 bits each). The word of the product of row m, column
        n and index k has the index ``(m * N + n) * K + k``.

    Examples
    --------
    >>> spec = MacSpec(word_bits=18, overflow="saturate")
    >>> spec.min_code, spec.max_code
    (-131072, 131071)
    """

    word_bits: int = 32
    signed: bool = True
    overflow: Overflow = Overflow.WRAP
    product_shift: int = 0
    rounding: Rounding = Rounding.FLOOR
    order: str = "sequential"
    chunk: int = 16
    key0: int = 0
    key1: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "overflow", Overflow(self.overflow))
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        widest = 64 if self.signed else 63
        if not 1 <= self.word_bits <= widest:
            raise UserError(
                f"word_bits is {self.word_bits}",
                where="MacSpec",
                expected=f"1 to {widest} bits for {'a signed' if self.signed else 'an unsigned'} accumulator",
            )
        if self.order not in ORDERS:
            raise UserError(f"order is {self.order!r}", where="MacSpec", expected="one of: " + ", ".join(ORDERS))
        if self.chunk < 1:
            raise UserError(f"chunk is {self.chunk}", where="MacSpec", expected="at least 1 product")
        if not -62 <= self.product_shift <= 62:
            raise UserError(f"product_shift is {self.product_shift}", where="MacSpec", expected="-62 to 62 bits")
        if self.overflow is Overflow.WRAP_SIGN_MAGNITUDE and not self.signed:
            raise UserError("wrap_sign_magnitude with an unsigned accumulator", where="MacSpec", expected="signed")

    @property
    def max_code(self) -> int:
        """Largest code that the accumulator keeps."""
        return (1 << (self.word_bits - self.signed)) - 1

    @property
    def min_code(self) -> int:
        """Smallest code that the accumulator keeps."""
        if self.signed and self.overflow is Overflow.SATURATE_SYMMETRIC:
            return -self.max_code
        return -(1 << (self.word_bits - 1)) if self.signed else 0

    @property
    def step(self) -> int:
        """Products between two visits to the overflow logic."""
        return 1 if self.order == "sequential" else self.chunk

    @property
    def rounds(self) -> bool:
        """Whether a product may change before it is added (``jam`` sets the last bit of exact products too)."""
        return self.product_shift != 0 or self.rounding is Rounding.JAM

    @property
    def dtype(self) -> type[np.signedinteger]:
        """Type of the result's codes: the narrower of int32 and int64 that holds them."""
        return np.int32 if self.max_code < 1 << 31 else np.int64


@dataclass(frozen=True, kw_only=True)
class MacResult:
    """Codes of a product and what the array noticed on the way.

    Parameters
    ----------
    codes : ndarray
        Final accumulator codes, int32 or int64.
    overflowed : int
        How many visits to the overflow logic found a sum out of range; for ``wrap``: how many outputs have an exact
        sum (of the rounded products) out of range.
    max_abs : int
        Largest magnitude among the codes.
    products : int
        How many products were added: none in the padding.
    flushed, inexact : int
        How many products were rounded to zero without being zero, and how many their rounding changed.
    unfinished : callable, optional
        Finishes the codes, which must not be read before, and returns what belongs into ``overflowed`` and ``max_abs``.
    """

    codes: np.ndarray
    overflowed: int
    max_abs: int
    products: int = 0
    flushed: int = 0
    inexact: int = 0
    unfinished: Unfinished | None = None

    def finished(self) -> MacResult:
        """Return the result with finished codes and its notes."""
        if self.unfinished is None:
            return self
        overflowed, max_abs = self.unfinished()
        return replace(self, overflowed=overflowed, max_abs=max_abs, unfinished=None)
