"""Functions and moves of the binary32 unit beyond sums and products. Each is a method of FloatUnit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.kernels import curves, moves, softmax_rows
from fxpsim.kernels.curves import Curve
from fxpsim.units.graph import apply, index, leaf, parameter
from fxpsim.units.values import Value

if TYPE_CHECKING:
    from fxpsim.units.floating import FloatUnit


def curve(unit: FloatUnit, a: Value, kind: Curve) -> Value:
    """Sigmoid, tanh, normal distribution or its density."""
    return Value(leaf(curves.curve_float(unit.array(a), kind)), nonnegative=kind is not Curve.TANH)


def clip(unit: FloatUnit, a: Value, low: Fraction, high: Fraction) -> Value:
    """``min(max(a, low), high)``."""
    limits = parameter(float(low), "f32"), parameter(float(high), "f32")
    return Value(apply("clamp", a.node, *limits, dtype="f32"), nonnegative=a.nonnegative or low >= 0)


def inside(unit: FloatUnit, condition: Value, a: Value, low: Fraction, high: Fraction) -> Value:
    """``a`` where ``low < condition < high``, else 0."""
    zero = parameter(0.0, "f32")
    above = apply("greater", condition.node, parameter(float(low), "f32"), dtype="i32")
    below = apply("greater", parameter(float(high), "f32"), condition.node, dtype="i32")
    kept = apply("select", below, apply("select", above, a.node, zero, dtype="f32"), zero, dtype="f32")
    return Value(kept, nonnegative=a.nonnegative)


def dropout(unit: FloatUnit, a: Value, threshold: int, key: tuple[int, int]) -> Value:
    """``a`` where the element's random word is at least ``threshold``, else 0."""
    word = apply("random_word", index(), parameter(key[0], "i64"), parameter(key[1], "i64"), dtype="i64")
    kept = apply("greater", word, parameter(threshold - 1, "i64"), dtype="i32")
    return Value(apply("select", kept, a.node, parameter(0.0, "f32"), dtype="f32"), nonnegative=a.nonnegative)


def softmax(unit: FloatUnit, a: Value, *, causal: bool) -> Value:
    """Shares of every row."""
    return Value(leaf(softmax_rows.softmax_float(unit.array(a), causal=causal)), nonnegative=True)


def softmax_gradient(unit: FloatUnit, g: Value, shares: Value) -> Value:
    """``shares (g - sum(g shares))`` of every row."""
    return Value(leaf(softmax_rows.softmax_gradient_float(unit.array(g), unit.array(shares))))


def settle(unit: FloatUnit, a: Value) -> Value:
    """Return the tensor as it is: a float carries its own range."""
    return a


def transpose(unit: FloatUnit, a: Value, axes: tuple[int, ...]) -> Value:
    """Return the tensor with its axes in another order."""
    return Value(leaf(np.transpose(unit.array(a), axes)), nonnegative=a.nonnegative)


def concatenate(unit: FloatUnit, parts: list[Value], axis: int) -> Value:
    """Join tensors along an axis."""
    joined = np.concatenate([unit.array(part) for part in parts], axis)
    return Value(leaf(joined), nonnegative=all(part.nonnegative for part in parts))


def gather(unit: FloatUnit, table: Value, ids: np.ndarray) -> Value:
    """Return the rows of a table that ``ids`` name."""
    return Value(leaf(unit.array(table)[ids]), nonnegative=table.nonnegative)


def scatter_add(unit: FloatUnit, g: Value, ids: np.ndarray, rows: int) -> Value:
    """Add every row of ``g`` to the row that its id names, one after the other."""
    return Value(leaf(moves.scatter_add(unit.array(g), ids, rows)), nonnegative=g.nonnegative)


def label_excess(unit: FloatUnit, logits: Value, labels: np.ndarray) -> float:
    """Return the sum over the rows of ``x[label] - mean(x)`` (for people; summed in binary64)."""
    x = unit.array(logits).astype(np.float64)
    return float((x[np.arange(len(x)), labels] - x.mean(1)).sum())


def sum_of_squares(unit: FloatUnit, a: Value) -> float:
    """Return the sum of the squares of all elements (for people; summed in binary64)."""
    return float(np.square(unit.array(a).astype(np.float64)).sum())


def whole(unit: FloatUnit, a: Value) -> np.ndarray:
    """Return whole numbers as int64, to address a table with."""
    return unit.array(a).astype(np.int64)
