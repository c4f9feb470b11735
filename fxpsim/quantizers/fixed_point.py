r"""Fixed point with one format per tensor.

.. math:: Q(x) = 2^{-f} \, \mathrm{clamp}(\mathrm{round}(2^f x))

With ``frac_bits`` given the format is static. Without it the fraction length follows the leading bit of the largest
magnitude, :math:`f = b_{magnitude} - e` with e the least integer such that every :math:`|x| < 2^e` (dynamic fixed
point: Courbariaux et al., "Training deep neural networks with low precision multiplications", 2015, section 5, here
with the range taken from the tensor itself). Only shifts are needed: the step is a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.quantizers.registry import quantizers


@quantizers.register("fixed_point")
@dataclass(frozen=True, kw_only=True)
class FixedPoint:
    """Fixed point, static or by the leading bit.

    Parameters
    ----------
    word_bits : int
        Word length, sign included.
    frac_bits : int, optional
        Fraction length; None chooses it per tensor.
    rounding : Rounding
        How values are brought onto the grid.
    signed : bool or "auto"
        ``auto`` uses an unsigned word for tensors that cannot be negative.

    Examples
    --------
    >>> FixedPoint(word_bits=8).format(0, nonnegative=False)
    FixedFormat(word_bits=8, frac_bits=7, signed=True)
    >>> FixedPoint(word_bits=8, signed="auto").format(2, nonnegative=True)
    FixedFormat(word_bits=8, frac_bits=6, signed=False)
    """

    word_bits: int
    frac_bits: int | None = None
    rounding: Rounding = Rounding.HALF_EVEN
    signed: bool | Literal["auto"] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        if not isinstance(self.word_bits, int) or not 2 <= self.word_bits <= 32:
            raise UserError(
                f"word_bits is {self.word_bits}",
                where="quantizer fixed_point",
                expected="a whole number from 2 to 32 for an operand of the MAC array",
                remedy="choose a word length in that range, or quantizer = 'none' for float32",
            )

    @property
    def needs_range(self) -> bool:
        """Whether the format depends on the tensor."""
        return self.frac_bits is None

    def format(self, leading_exponent: int | None, *, nonnegative: bool) -> FixedFormat:
        """Return the format for a tensor whose magnitudes are below ``2**leading_exponent``."""
        signed = not nonnegative if self.signed == "auto" else bool(self.signed)
        frac_bits = self.frac_bits
        if frac_bits is None:
            magnitude_bits = self.word_bits - 1 if signed else self.word_bits
            frac_bits = magnitude_bits - (leading_exponent or 0)
        return _format(self.word_bits, frac_bits, signed)


@cache
def _format(word_bits: int, frac_bits: int, signed: bool) -> FixedFormat:
    return FixedFormat(word_bits=word_bits, frac_bits=frac_bits, signed=signed)
