"""Normalization in the binary32 unit: two passes for the statistics, every operation rounded on its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.kernels.rows import row_products_float, row_spread_float
from fxpsim.units.graph import Node, apply, evaluate, leaf
from fxpsim.units.stretch import stores
from fxpsim.units.values import Value

if TYPE_CHECKING:
    from fxpsim.units.floating import FloatUnit

F32 = np.float32


@dataclass(slots=True, eq=False)
class FloatStatistics:
    """What batch normalization keeps for its gradient: the input, and mean and spread of every column."""

    x: Value
    count: int
    means: np.ndarray
    inverse: np.ndarray
    deviations: np.ndarray | None

    def mean(self) -> Value:
        """Return the mean of every column of the batch."""
        return Value(leaf(self.means))

    def variance(self) -> Value:
        """Return the unbiased variance of every column of the batch (divided by ``count - 1``)."""
        assert self.deviations is not None
        return Value(leaf(self.deviations / F32(max(self.count - 1, 1))), nonnegative=True)


@dataclass(slots=True, eq=False)
class FloatRows:
    """What a normalization of rows keeps for its gradient: the result, and the inverse standard deviations."""

    y: Value
    inverse: np.ndarray


def normalize_batch(
    unit: FloatUnit, x: Value, gamma: Value, beta: Value, epsilon: Fraction
) -> tuple[Value, FloatStatistics]:
    """Normalize every column with the statistics of the batch, then scale and shift it."""
    columns = x.shape[-1]
    count = math.prod(x.shape) // columns
    (total,) = evaluate(stores(x.node, "f32"), [("column_sum", x.node)])
    means = _fold(total, columns) / F32(count)
    centered = _float("subtract", x.node, leaf(means))
    (total,) = evaluate([], [("column_sum", _float("multiply", centered, centered))])
    deviations = _fold(total, columns)
    inverse = F32(1) / np.sqrt(deviations / F32(count) + F32(epsilon))
    kept = FloatStatistics(x, count, means, inverse, deviations)
    return _affine(unit, kept, gamma, beta), kept


def normalize_frozen(
    unit: FloatUnit, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Fraction
) -> tuple[Value, FloatStatistics]:
    """Normalize every column with given statistics, then scale and shift it."""
    inverse = F32(1) / np.sqrt(unit.array(variance) + F32(epsilon))
    kept = FloatStatistics(x, 0, unit.array(mean), inverse, None)
    return _affine(unit, kept, gamma, beta), kept


def _affine(unit: FloatUnit, kept: FloatStatistics, gamma: Value, beta: Value) -> Value:
    slope = leaf(unit.array(gamma) * kept.inverse)
    centered = _float("subtract", kept.x.node, leaf(kept.means))
    return Value(_float("add", _float("multiply", centered, slope), leaf(unit.array(beta))))


def normalize_gradient(unit: FloatUnit, grad: Value, gamma: Value, kept: FloatStatistics) -> tuple[Value, Value, Value]:
    """Return the gradients with respect to the input, gamma and beta."""
    columns = grad.shape[-1]
    centered = _float("subtract", kept.x.node, leaf(kept.means))
    sums = evaluate(
        stores(grad.node, "f32", beside=[kept.x.node]),
        [("column_sum", grad.node), ("column_sum", _float("multiply", grad.node, centered))],
    )
    to_beta, products = (_fold(total, columns) for total in sums)
    to_gamma = products * kept.inverse
    slope = unit.array(gamma) * kept.inverse
    node = grad.node
    if kept.deviations is not None:
        pull = to_gamma * kept.inverse / F32(kept.count)
        node = _float("subtract", node, leaf(to_beta / F32(kept.count)))
        node = _float("subtract", node, _float("multiply", centered, leaf(pull)))
    return Value(_float("multiply", node, leaf(slope))), Value(leaf(to_gamma)), Value(leaf(to_beta))


def normalize_rows(unit: FloatUnit, x: Value, epsilon: Fraction) -> tuple[Value, FloatRows]:
    """Normalize every row (the last axis) with its own statistics."""
    means, deviations = row_spread_float(unit.array(x))
    inverse = F32(1) / np.sqrt(deviations / F32(x.shape[-1]) + F32(epsilon))
    shape = (*x.shape[:-1], 1)
    centered = _float("subtract", x.node, leaf(means.reshape(shape)))
    y = Value(_float("multiply", centered, leaf(inverse.reshape(shape))))
    unit.array(y)
    return y, FloatRows(y, inverse.reshape(shape))


def normalize_rows_gradient(unit: FloatUnit, grad: Value, kept: FloatRows) -> Value:
    """Return the gradient with respect to the input."""
    count = F32(grad.shape[-1])
    sums, products = row_products_float(unit.array(grad), unit.array(kept.y))
    shape = kept.inverse.shape
    pull = _float("multiply", kept.y.node, leaf((products / count).reshape(shape)))
    inner = _float("subtract", _float("subtract", grad.node, leaf((sums / count).reshape(shape))), pull)
    return Value(_float("multiply", inner, leaf(kept.inverse)))


def _fold(total: object, columns: int) -> np.ndarray:
    """Add the parts of a column sum that ran over a wider pattern, one after the other."""
    parts = np.asarray(total, F32)
    if parts.size == columns:
        return parts
    return np.add.accumulate(parts.reshape(-1, columns), axis=0)[-1].copy()


def _float(primitive: str, a: Node, b: Node) -> Node:
    return apply(primitive, a, b, dtype="f32")
