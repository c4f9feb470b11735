"""Functions and moves of the binary64 reference beyond sums and products. Each is a method of ReferenceUnit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fxpsim.kernels import moves
from fxpsim.kernels.curves import Curve
from fxpsim.numerics import threefry

if TYPE_CHECKING:
    from fxpsim.units.reference import Exact, ReferenceUnit


def curve(unit: ReferenceUnit, a: Exact, kind: Curve) -> Exact:
    """Sigmoid, tanh, normal distribution or its density."""
    x = a.array
    match kind:
        case Curve.SIGMOID:
            return unit.load(special.expit(x), None)
        case Curve.TANH:
            return unit.load(np.tanh(x), None)
        case Curve.NORMAL_CDF:
            return unit.load(special.ndtr(x), None)
        case Curve.NORMAL_DENSITY:
            return unit.load(np.exp(-x * x / 2) / np.sqrt(2 * np.pi), None)


def clip(unit: ReferenceUnit, a: Exact, low: Fraction, high: Fraction) -> Exact:
    """``min(max(a, low), high)``."""
    return unit.load(np.clip(a.array, float(low), float(high)), None)


def inside(unit: ReferenceUnit, condition: Exact, a: Exact, low: Fraction, high: Fraction) -> Exact:
    """``a`` where ``low < condition < high``, else 0."""
    x = condition.array
    return unit.load(np.where((x > float(low)) & (x < float(high)), a.array, 0), None)


def dropout(unit: ReferenceUnit, a: Exact, threshold: int, key: tuple[int, int]) -> Exact:
    """``a`` where the element's random word is at least ``threshold``, else 0."""
    words = threefry.stream_words(np.arange(a.array.size), *key).reshape(a.shape)
    return unit.load(np.where(words >= threshold, a.array, 0), None)


def softmax(unit: ReferenceUnit, a: Exact, *, causal: bool) -> Exact:
    """Shares of every row."""
    x = a.array
    if causal:
        seen = np.tri(x.shape[-2], x.shape[-1], x.shape[-1] - x.shape[-2], dtype=bool)
        x = np.where(seen, x, -np.inf)
    return unit.load(special.softmax(x, axis=-1), None)


def softmax_gradient(unit: ReferenceUnit, g: Exact, shares: Exact) -> Exact:
    """``shares (g - sum(g shares))`` of every row."""
    p = shares.array
    return unit.load(p * (g.array - (g.array * p).sum(-1, keepdims=True)), None)


def settle(unit: ReferenceUnit, a: Exact) -> Exact:
    """Return the tensor as it is."""
    return a


def transpose(unit: ReferenceUnit, a: Exact, axes: tuple[int, ...]) -> Exact:
    """Return the tensor with its axes in another order."""
    return unit.load(np.transpose(a.array, axes), None)


def concatenate(unit: ReferenceUnit, parts: list[Exact], axis: int) -> Exact:
    """Join tensors along an axis."""
    return unit.load(np.concatenate([part.array for part in parts], axis), None)


def gather(unit: ReferenceUnit, table: Exact, ids: np.ndarray) -> Exact:
    """Return the rows of a table that ``ids`` name."""
    return unit.load(table.array[ids], None)


def scatter_add(unit: ReferenceUnit, g: Exact, ids: np.ndarray, rows: int) -> Exact:
    """Add every row of ``g`` to the row that its id names."""
    return unit.load(moves.scatter_add(g.array, ids, rows), None)


def label_excess(unit: ReferenceUnit, logits: Exact, labels: np.ndarray) -> float:
    """Return the sum over the rows of ``x[label] - mean(x)``."""
    x = logits.array
    return float((x[np.arange(len(x)), labels] - x.mean(1)).sum())


def sum_of_squares(unit: ReferenceUnit, a: Exact) -> float:
    """Return the sum of the squares of all elements."""
    return float(np.square(a.array).sum())


def whole(unit: ReferenceUnit, a: Exact) -> np.ndarray:
    """Return whole numbers as int64, to address a table with."""
    return a.array.astype(np.int64)
