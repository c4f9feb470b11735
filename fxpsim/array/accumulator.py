"""The accumulator of a MAC array: its format, its rounding, its overflow, its order."""

import warnings
from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Overflow, RandomBits, Rounding, oracle

ORDERS = ("sequential", "chunked")


class OverflowRisk(UserWarning):
    """An accumulator may leave its range."""


@dataclass(frozen=True, kw_only=True)
class RangeProof:
    """Whether a sum of products can leave an accumulator.

    Parameters
    ----------
    terms : int
        Products in a sum.
    safe_terms : int or None
        The longest sum that can never leave the range; None: any.
    least_sum, greatest_sum : int
        Extreme sums of ``terms`` products, in codes of the accumulator.
    accumulator : FixedFormat
        The accumulator.
    """

    terms: int
    safe_terms: int | None
    least_sum: int
    greatest_sum: int
    accumulator: FixedFormat

    @property
    def holds(self) -> bool:
        """Whether overflow is impossible."""
        return self.safe_terms is None or self.terms <= self.safe_terms

    @property
    def needed_word_bits(self) -> int:
        """Length of the word in which no sum of ``terms`` products overflows."""
        signed = self.accumulator.signed
        low = (-self.least_sum - 1).bit_length() if self.least_sum < 0 else 0
        return max(low, self.greatest_sum.bit_length()) + signed


@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """How the MAC array adds products.

    Each exact product is rounded to the accumulator's fractional bits (``rounding``), added to the running sum
    exactly, and the sum is brought into range (``overflow``): after every product along K from a zero start
    (``order="sequential"``), or once per chunk of ``chunk`` consecutive k, whose rounded products an adder tree sums
    exactly first (``order="chunked"``).

    Parameters
    ----------
    format : FixedFormat or str
        The running sum.
    rounding : Rounding or str
        Of each product.
    overflow : Overflow or str
        Of the running sum.
    order : str
        ``sequential`` or ``chunked``.
    chunk : int
        Products per chunk.
    random : RandomBits, optional
        For the stochastic modes: product (m, n, k) takes word ``(m * N + n) * K + k``.

    Examples
    --------
    >>> acc = Accumulator(format="s18f8", overflow="saturate")
    >>> s8 = FixedFormat(word_bits=8, frac_bits=4)
    >>> acc.safe_length(s8, s8), acc.proof(s8, s8, 64).holds
    (7, False)
    """

    format: FixedFormat
    rounding: Rounding = Rounding.HALF_EVEN
    overflow: Overflow = Overflow.SATURATE
    order: str = "sequential"
    chunk: int = 16
    random: RandomBits | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "format", FixedFormat.parse(self.format))
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        object.__setattr__(self, "overflow", Overflow(self.overflow))
        if self.order not in ORDERS or self.chunk < 1:
            raise UserError(
                f"order={self.order!r}, chunk={self.chunk}",
                where="Accumulator",
                expected=f"order one of {', '.join(ORDERS)}; at least one product per chunk",
            )
        if self.overflow is Overflow.WRAP_SIGN_MAGNITUDE and not self.format.signed:
            raise UserError("wrap_sign_magnitude without a sign", where="Accumulator", expected="a signed format")
        if self.rounding.is_stochastic and (self.random is None or self.random.bits != 32):
            raise UserError(
                f"rounding={self.rounding.value!r} with random={self.random!r}",
                where="Accumulator",
                expected="RandomBits of 32 bits",
                remedy="random=RandomBits(seed=...)",
            )

    @property
    def least_code(self) -> int:
        """The least code that is not overflow."""
        symmetric = self.overflow is Overflow.SATURATE_SYMMETRIC and self.format.signed
        return -self.format.max_code if symmetric else self.format.min_code

    def product_range(self, a: FixedFormat, b: FixedFormat) -> tuple[int, int]:
        """Return the least and the greatest rounded product, in codes of the accumulator."""
        corners = [p * q for p in (a.min_code, a.max_code) for q in (b.min_code, b.max_code)]
        unit = Fraction(2) ** (self.format.frac_bits - a.frac_bits - b.frac_bits)
        low, high = (Rounding.FLOOR, Rounding.CEIL) if self.rounding.is_stochastic else (self.rounding, self.rounding)
        return (
            oracle.round_fraction(min(corners) * unit, low),
            oracle.round_fraction(max(corners) * unit, high),
        )

    def safe_length(self, a: FixedFormat | str, b: FixedFormat | str) -> int | None:
        """Return the longest sum of products of ``a`` and ``b`` that cannot overflow; None: any length."""
        least, greatest = self.product_range(FixedFormat.parse(a), FixedFormat.parse(b))
        limits: list[int] = []
        if greatest > 0:
            limits.append(self.format.max_code // greatest)
        if least < 0:
            limits.append(self.least_code // least)
        return min(limits) if limits else None

    def proof(self, a: FixedFormat | str, b: FixedFormat | str, terms: int) -> RangeProof:
        """Return whether sums of ``terms`` products can overflow, with the numbers."""
        least, greatest = self.product_range(FixedFormat.parse(a), FixedFormat.parse(b))
        return RangeProof(
            terms=terms,
            safe_terms=self.safe_length(a, b),
            least_sum=min(terms * least, 0),
            greatest_sum=max(terms * greatest, 0),
            accumulator=self.format,
        )

    def check(self, a: FixedFormat | str, b: FixedFormat | str, terms: int, *, where: str = "matmul") -> RangeProof:
        """Return the proof, and warn with the numbers if it does not hold.

        For a layer to call when it is built; the counters of a result say what really overflowed.
        """
        proof = self.proof(a, b, terms)
        if not proof.holds:
            warnings.warn(
                f"{where}: {terms} products of {a} and {b} may leave the accumulator {self.format} "
                f"({self.overflow.value}): sums reach {proof.least_sum} to {proof.greatest_sum}, the accumulator holds "
                f"{self.least_code} to {self.format.max_code}; safe up to {proof.safe_terms} products, or with "
                f"{proof.needed_word_bits} bits",
                OverflowRisk,
                stacklevel=2,
            )
        return proof
