"""A sum of products in an accumulator: which kernel can hold it, and its specification there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.accumulator import Accumulator
from fxpsim.array.counts import CastCounts, overflow_counts
from fxpsim.array.growth import product_format
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.kernels.cast import Target, accumulate_wide
from fxpsim.numerics import FixedFormat, Overflow, RandomBits, Rounding

Codes = NDArray[Any]
NARROW_BITS = 61  # sums between two visits to the overflow logic that the MAC kernels hold


@dataclass(frozen=True, kw_only=True)
class Contraction:
    """Sums of ``terms`` products of codes of ``a`` and ``b`` in an accumulator (None: exact).

    Products of up to 61 bits run in the MAC kernels; longer ones, and accumulators near 64 bits, in a kernel of 128
    bits, which is slow and exact.
    """

    a: FixedFormat
    b: FixedFormat
    terms: int
    accumulator: Accumulator | None

    @property
    def format(self) -> FixedFormat:
        """The format of the sums."""
        if self.accumulator is not None:
            return self.accumulator.format
        return product_format(self.a, self.b, self.terms)

    @property
    def rules(self) -> Accumulator:
        """The accumulator; for exact sums one that never overflows."""
        return self.accumulator or Accumulator(format=self.format, rounding=Rounding.FLOOR, overflow=Overflow.WRAP)

    @property
    def shift(self) -> int:
        """Fractional bits that a product has more than the accumulator."""
        return self.a.frac_bits + self.b.frac_bits - self.format.frac_bits

    @property
    def step(self) -> int:
        """Products between two visits to the overflow logic."""
        return 1 if self.rules.order == "sequential" else self.rules.chunk

    @property
    def is_narrow(self) -> bool:
        """Whether the MAC kernels hold it."""
        if abs(self.shift) > NARROW_BITS or self.format.word_bits > NARROW_BITS + 1:
            return False
        largest = (self.a.max_abs_code * self.b.max_abs_code) << max(-self.shift, 0)
        return (largest + 1) * min(self.step, max(self.terms, 1)) < 1 << NARROW_BITS

    def key(self, item: int) -> tuple[int, int]:
        """Return the key of the random words of an item of a batch; the first has that of a single product."""
        random = self.rules.random or RandomBits()
        return (random.derive("batch", item) if item else random).key

    def spec(self, item: int = 0) -> mac.MacSpec:
        """Return the specification for the MAC kernels."""
        rules = self.rules
        key0, key1 = self.key(item) if rules.rounding.is_stochastic else (0, 0)
        rounds = self.shift > 0 or rules.rounding is Rounding.JAM
        return mac.MacSpec(
            word_bits=self.format.word_bits,
            signed=self.format.signed,
            overflow=rules.overflow,
            product_shift=self.shift,
            rounding=rules.rounding if rounds else Rounding.FLOOR,
            order=rules.order,
            chunk=rules.chunk,
            key0=key0,
            key1=key1,
        )

    def matmul(self, x: Codes, y: Codes, item: int = 0) -> tuple[Codes, CastCounts]:
        """Return codes and counts of a product of two matrices."""
        left, right = as_operand_codes(x), as_operand_codes(y)
        bounds = self.a.max_abs_code, self.b.max_abs_code
        if self.is_narrow:
            result = mac.matmul(left, right, self.spec(item), a_bound=bounds[0], b_bound=bounds[1])
            return result.codes, self.counts(result)
        target = Target(self.format, self.rules.rounding, self.rules.overflow)
        bound = bounds[0] * bounds[1]
        codes, counts = accumulate_wide((left, right), bound, self.shift, target, self.step, self.key(item))
        products = codes.size * self.terms
        return codes, overflow_counts(codes.size, self.rules.overflow, *counts, products=products)

    def counts(self, result: mac.MacResult) -> CastCounts:
        """Return the counts of a result of the MAC kernels."""
        lost = result.flushed, result.inexact
        return overflow_counts(
            result.codes.size, self.rules.overflow, result.overflowed, *lost, products=result.products
        )


def as_operand_codes(codes: Codes) -> Codes:
    """Return contiguous codes of a type that the kernels take."""
    if codes.dtype == np.uint64:
        if codes.size and int(codes.max()) >> 63:
            raise UserError("codes use the last of 64 unsigned bits", where="matmul", expected="codes below 2**63")
        codes = codes.astype(np.int64)
    return np.ascontiguousarray(codes)
