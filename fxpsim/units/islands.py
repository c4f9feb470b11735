"""Parts of an all-integer step in binary32, to see which of them costs accuracy.

What surrounds such a part stays as it was: its inputs are the codes of the fixed-point unit, read exactly, and its
results are rounded into words of that unit (weights: into 24 fractional bits on their way to the cast).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units.fixed import FixedUnit
from fxpsim.units.floating import FloatUnit
from fxpsim.units.graph import leaf
from fxpsim.units.update import AdamStep, FloatUpdate, Master, SgdStep
from fxpsim.units.values import CastCounts, Value

STATISTICS_BITS = 32
LOADED_FRAC_BITS = 24


@dataclass(slots=True, eq=False)
class IslandStatistics:
    """What a normalization in binary32 keeps, with its statistics as codes.

    Parameters
    ----------
    unit : IslandUnit
        Who rounds.
    kept : Any
        What the binary32 unit keeps.
    """

    unit: IslandUnit
    kept: Any

    def mean(self) -> Value:
        """Return the mean of every column of the batch."""
        return self.unit.rounded(self.kept.mean(), STATISTICS_BITS)

    def variance(self) -> Value:
        """Return the unbiased variance of every column of the batch."""
        return self.unit.rounded(self.kept.variance(), STATISTICS_BITS)


class IslandUnit(FixedUnit):
    """The fixed-point vector unit with normalizations or the loss in binary32.

    Parameters
    ----------
    word_bits : int
        Word length of a tensor, sign included.
    rounding : Rounding
        How dropped bits are rounded.
    parts : iterable of str
        Some of ``normalization``, ``loss``, ``update`` and ``error``. With ``error`` this is the unit of forward
        passes, and backward passes have that of :mod:`fxpsim.units.float_errors`.
    """

    def __init__(self, word_bits: int, rounding: Rounding, parts: Iterable[str]) -> None:
        super().__init__(word_bits, rounding)
        self.parts, self.floats = frozenset(parts), FloatUnit()

    def exact(self, a: Value) -> Value:
        """Return a tensor of codes in binary32; words of up to 24 bits are exact."""
        return self.floats.load(self.array(a), a.frac_bits)

    def rounded(self, a: Value, word_bits: int) -> Value:
        """Round a binary32 tensor to words, by the leading bit of the largest."""
        exponent = self.floats.leading_exponent(a)
        fmt = FixedFormat(word_bits=word_bits, frac_bits=word_bits - 1 - (exponent or 0))
        operand, _ = self.floats.cast(a, fmt, self.rounding, (0, 0))
        codes = np.maximum(operand.codes, -fmt.max_code)  # the words of this unit are symmetric
        return Value(leaf(codes), fmt.frac_bits, fmt.max_code, a.nonnegative)

    def load(self, array: np.ndarray, frac_bits: int | None) -> Value:
        """Bring codes into the unit, or the binary32 words of an update unit."""
        if frac_bits is not None:
            return super().load(array, frac_bits)
        codes = np.rint(np.ldexp(array.astype(np.float64), LOADED_FRAC_BITS)).astype(np.int64)
        return super().load(codes, LOADED_FRAC_BITS)

    def softmax_cross_entropy(self, logits: Value, labels: np.ndarray) -> tuple[Fraction, Value, int]:
        """Return the summed loss, ``softmax - one_hot`` and the number of right rows."""
        if "loss" not in self.parts:
            return super().softmax_cross_entropy(logits, labels)
        loss, gradient, correct = self.floats.softmax_cross_entropy(self.exact(self.narrow(logits)), labels)
        return Fraction(loss), self.rounded(gradient, self.word_bits), correct

    def normalize_batch(self, x: Value, gamma: Value, beta: Value, epsilon: Fraction) -> tuple[Value, Any]:
        """Normalize every column with the statistics of the batch, then scale and shift it."""
        if "normalization" not in self.parts:
            return super().normalize_batch(x, gamma, beta, epsilon)
        y, kept = self.floats.normalize_batch(self.exact(self.narrow(x)), self.exact(gamma), self.exact(beta), epsilon)
        return self.rounded(y, self.word_bits), IslandStatistics(self, kept)

    def normalize_frozen(
        self, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Fraction
    ) -> tuple[Value, Any]:
        """Normalize every column with given statistics, then scale and shift it."""
        if "normalization" not in self.parts:
            return super().normalize_frozen(x, gamma, beta, mean, variance, epsilon)
        statistics = self.exact(mean), self.exact(variance)
        y, kept = self.floats.normalize_frozen(
            self.exact(self.narrow(x)), self.exact(gamma), self.exact(beta), *statistics, epsilon
        )
        return self.rounded(y, self.word_bits), IslandStatistics(self, kept)

    def normalize_gradient(self, g: Value, gamma: Value, kept: Any) -> tuple[Value, Value, Value]:
        """Return the gradients with respect to the input, gamma and beta."""
        if "normalization" not in self.parts:
            return super().normalize_gradient(g, gamma, kept)
        found = self.floats.normalize_gradient(self.exact(self.narrow(g)), self.exact(gamma), kept.kept)
        to_x, to_gamma, to_beta = (self.rounded(value, self.word_bits) for value in found)
        return to_x, to_gamma, to_beta

    def normalize_rows(self, x: Value, epsilon: Fraction) -> tuple[Value, Any]:
        """Normalize every row (the last axis) with its own statistics."""
        if "normalization" not in self.parts:
            return super().normalize_rows(x, epsilon)
        y, kept = self.floats.normalize_rows(self.exact(self.narrow(x)), epsilon)
        return self.rounded(y, self.word_bits), kept

    def normalize_rows_gradient(self, g: Value, kept: Any) -> Value:
        """Return the gradient with respect to the input."""
        if "normalization" not in self.parts:
            return super().normalize_rows_gradient(g, kept)
        return self.rounded(self.floats.normalize_rows_gradient(self.exact(self.narrow(g)), kept), self.word_bits)


class IslandUpdate(FloatUpdate):
    """Updates in binary32 of gradients that a fixed-point vector unit computed.

    Parameters
    ----------
    vector : IslandUnit
        The vector unit.
    """

    def __init__(self, vector: IslandUnit) -> None:
        self.vector = vector

    def sgd(self, master: Master, grad: Value, step: SgdStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of stochastic gradient descent."""
        return super().sgd(master, self.vector.exact(grad), step, key)

    def adam(self, master: Master, grad: Value, step: AdamStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of Adam."""
        return super().adam(master, self.vector.exact(grad), step, key)

    def square_norm(self, grad: Value) -> Fraction:
        """Return the sum of the squares of a gradient's elements, in a pinned order of binary32 operations."""
        return super().square_norm(self.vector.exact(grad))

    def average(self, master: Master, observed: Value, rate: Fraction) -> None:
        """Move a running average, every operation rounded on its own."""
        super().average(master, self.vector.exact(observed), rate)
