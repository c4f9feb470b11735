"""Normalization in the fixed-point unit: exact sums, 64-bit coefficients, one 16 x 16-bit product an element.

Of columns (batch normalization, with scale and shift) or of rows (layer and group normalization, without).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.kernels import normalization as kernels
from fxpsim.kernels.columns import column_moments, column_products
from fxpsim.kernels.normalization import as_int64
from fxpsim.kernels.rows import row_moments, row_products
from fxpsim.units.graph import Node, apply, leaf, parameter
from fxpsim.units.values import Value

if TYPE_CHECKING:
    from fxpsim.units.fixed import FixedUnit

VARIANCE_GUARD_BITS = 8
MEAN_GUARD_BITS = 8
EPSILON_BITS = 60
ONE_FRAC_BITS = 14

Codes = tuple[np.ndarray, int]  # int64 codes and their fraction length


@dataclass(slots=True, eq=False)
class FixedStatistics:
    """What a normalization keeps for its gradient: the input, and numbers of every column (or row).

    Parameters
    ----------
    x : Value
        The input, in memory.
    count : int
        Rows behind ``sums``.
    sums : ndarray of int64
        ``count`` times the mean, in codes.
    roots, points : ndarray of int64
        Inverse standard deviation ``roots * 2**-points``, in units of the code.
    low, high : ndarray of int64
        Smallest and largest code.
    deviations : ndarray of int64, optional
        Sum of squared deviations; None where the statistics are not those of the batch.
    rows : bool
        Whether the numbers are those of rows.
    """

    x: Value
    count: int
    sums: np.ndarray
    roots: np.ndarray
    points: np.ndarray
    low: np.ndarray
    high: np.ndarray
    deviations: np.ndarray | None
    rows: bool = False

    def mean(self) -> Value:
        """Return the mean of every column of the batch."""
        assert self.x.frac_bits is not None
        codes = np.floor_divide(2 * (self.sums << MEAN_GUARD_BITS) + self.count, 2 * self.count)
        return Value(leaf(codes), self.x.frac_bits + MEAN_GUARD_BITS, int(np.abs(codes).max()))

    def variance(self) -> Value:
        """Return the unbiased variance of every column of the batch (divided by ``count - 1``)."""
        assert self.deviations is not None
        assert self.x.frac_bits is not None
        divisor = max(self.count - 1, 1)
        whole, rest = np.divmod(self.deviations, divisor)
        codes = (whole << VARIANCE_GUARD_BITS) + (rest << VARIANCE_GUARD_BITS) // divisor
        return Value(leaf(codes), 2 * self.x.frac_bits + VARIANCE_GUARD_BITS, int(codes.max()), nonnegative=True)


def normalize_batch(
    unit: FixedUnit, x: Value, gamma: Value, beta: Value, epsilon: Fraction
) -> tuple[Value, FixedStatistics]:
    """Normalize every column with the statistics of the batch, then scale and shift it."""
    x, codes = _in_memory(unit, x)
    kept = _statistics(x, column_moments(codes), codes.size // codes.shape[-1], epsilon)
    return _affine(unit, kept, _codes(unit, gamma), _codes(unit, beta)), kept


def normalize_rows(unit: FixedUnit, x: Value, epsilon: Fraction) -> tuple[Value, FixedStatistics]:
    """Normalize every row (the last axis) with its own statistics."""
    x, codes = _in_memory(unit, x)
    kept = _statistics(x, row_moments(codes), codes.shape[-1], epsilon)
    kept.rows = True
    zero = np.zeros(kept.sums.size, np.int64), 0
    return _affine(unit, kept, _ones(kept), zero), kept


def normalize_rows_gradient(unit: FixedUnit, grad: Value, kept: FixedStatistics) -> Value:
    """Return the gradient with respect to the input."""
    grad, codes = _in_memory(unit, grad)
    return _gradient(unit, grad, row_products(codes, unit.array(kept.x)), _ones(kept), kept)[0]


def _statistics(x: Value, moments: tuple[np.ndarray, ...], count: int, epsilon: Fraction) -> FixedStatistics:
    assert x.frac_bits is not None
    sums, squares, low, high = moments
    scaled = epsilon * count * Fraction(4) ** x.frac_bits
    shift = max(0, round(scaled).bit_length() - EPSILON_BITS + 1) // 2 * 2
    deviations, roots, points = np.zeros((3, sums.size), np.int64)
    kernels.batch_inverse_std(sums, squares, count, round(scaled / 2**shift), shift, deviations, roots, points)
    return FixedStatistics(x, count, sums, roots, points, low, high, deviations)


def normalize_frozen(
    unit: FixedUnit, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Fraction
) -> tuple[Value, FixedStatistics]:
    """Normalize every column with given statistics, then scale and shift it."""
    x, codes = _in_memory(unit, x)
    assert x.frac_bits is not None
    assert mean.frac_bits is not None
    assert mean.frac_bits == variance.frac_bits, "running statistics share a format"
    assert mean.frac_bits % 2 == 0, "the square root wants an even fraction length"
    _, _, low, high = column_moments(codes)
    sums, roots, points = np.zeros((3, codes.shape[-1]), np.int64)
    kernels.running_inverse_std(
        as_int64(unit.array(mean)), as_int64(unit.array(variance)), round(epsilon * 2**mean.frac_bits),
        mean.frac_bits, x.frac_bits, sums, roots, points,
    )  # fmt: skip
    kept = FixedStatistics(x, 1 << kernels.RUNNING_MEAN_BITS, sums, roots, points, low, high, None)
    return _affine(unit, kept, _codes(unit, gamma), _codes(unit, beta)), kept


def _codes(unit: FixedUnit, a: Value) -> Codes:
    assert a.frac_bits is not None
    return as_int64(unit.array(a)), a.frac_bits


def _ones(kept: FixedStatistics) -> Codes:
    return np.full(kept.sums.size, 1 << ONE_FRAC_BITS, np.int64), ONE_FRAC_BITS


def _affine(unit: FixedUnit, kept: FixedStatistics, gamma: Codes, beta: Codes) -> Value:
    factors, shifts, addends = np.zeros((3, kept.sums.size), np.int64)
    frac_bits = kernels.forward_coefficients(
        kept.sums, kept.count, kept.roots, kept.points, kept.low, kept.high,
        *gamma, *beta,
        unit.word_bits - 1, factors, shifts, addends,
    )  # fmt: skip
    scaled = _scaled(unit, kept, kept.x.node, factors, shifts)
    shifted = apply("add", scaled, _repeated(kept, addends), dtype="i32")
    return _limited(unit, shifted, int(frac_bits))


def normalize_gradient(unit: FixedUnit, grad: Value, gamma: Value, kept: FixedStatistics) -> tuple[Value, Value, Value]:
    """Return the gradients with respect to the input, gamma and beta."""
    grad, codes = _in_memory(unit, grad)
    parts = column_products(codes, unit.array(kept.x))
    to_x, numbers = _gradient(unit, grad, parts, _codes(unit, gamma), kept)
    sums = parts[0]
    to_gamma = np.zeros(sums.size, np.int64)
    gamma_frac_bits = int(kernels.align(numbers, unit.word_bits - 1, to_gamma))
    to_beta = unit.narrow(Value(leaf(sums), grad.frac_bits, int(np.abs(sums).max())))
    return to_x, Value(leaf(to_gamma), gamma_frac_bits, unit.limit), to_beta


def _gradient(
    unit: FixedUnit, grad: Value, parts: tuple[np.ndarray, ...], gamma: Codes, kept: FixedStatistics
) -> tuple[Value, np.ndarray]:
    """Return the gradient with respect to the input, and those of gamma as mantissas and fraction lengths."""
    x = kept.x
    assert grad.frac_bits is not None
    assert x.frac_bits is not None
    sums, products, high = parts
    numbers = np.zeros((sums.size, 2), np.int64)
    factors, shifts, x_factors, x_shifts, addends = np.zeros((5, sums.size), np.int64)
    frozen = kept.deviations is None
    frac_bits = kernels.backward_coefficients(
        kept.sums, kept.count, kept.roots, kept.points, kept.low, kept.high, x.frac_bits,
        *gamma, sums, products, high, grad.frac_bits,
        unit.word_bits - 1, frozen, numbers, factors, shifts, x_factors, x_shifts, addends,
    )  # fmt: skip
    node = _scaled(unit, kept, grad.node, factors, shifts)
    if not frozen:
        node = apply("add", node, _scaled(unit, kept, x.node, x_factors, x_shifts), dtype="i32")
        node = apply("add", node, _repeated(kept, addends), dtype="i32")
    return _limited(unit, node, int(frac_bits)), numbers


def _in_memory(unit: FixedUnit, a: Value) -> tuple[Value, np.ndarray]:
    a = unit.narrow(a)
    return a, unit.array(a)


def _repeated(kept: FixedStatistics, codes: np.ndarray) -> Node:
    """Return a node with one number for every column (or row)."""
    shape = (*kept.x.shape[:-1], 1) if kept.rows else codes.shape
    return leaf(codes.astype(np.int32).reshape(shape))


def _scaled(unit: FixedUnit, kept: FixedStatistics, node: Node, factors: np.ndarray, shifts: np.ndarray) -> Node:
    """Multiply by the 16-bit factors (exact in 32 bits) and drop the shifts."""
    product = apply("multiply", node, _repeated(kept, factors), dtype="i32")
    zero = parameter(0, "i64")
    return apply(f"round_shift_{unit.rounding}", product, _repeated(kept, shifts), zero, dtype="i32")


def _limited(unit: FixedUnit, node: Node, frac_bits: int) -> Value:
    # the bounds leave room for all but the last rounding
    low, high = parameter(-unit.limit, "i32"), parameter(unit.limit, "i32")
    return Value(apply("clamp", node, low, high, dtype="i32"), frac_bits, unit.limit)
