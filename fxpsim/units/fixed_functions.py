"""Functions and moves of the fixed-point unit beyond sums and products. Each is a method of FixedUnit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.kernels import curves, moves, softmax_rows
from fxpsim.kernels.curves import Curve
from fxpsim.kernels.softmax import PROBABILITY_FRAC_BITS
from fxpsim.units.curve_tables import INTERVALS_LOG2, NODE_FRAC_BITS, curve_table
from fxpsim.units.graph import Node, apply, evaluate, index, leaf, parameter
from fxpsim.units.values import Value

if TYPE_CHECKING:
    from fxpsim.units.fixed import FixedUnit


def curve(unit: FixedUnit, a: Value, kind: Curve) -> Value:
    """Sigmoid, tanh, normal distribution or its density, from a table: ``word_bits - 1`` fractional bits, saturated."""
    a = unit.narrow(a)
    assert a.frac_bits is not None
    table = curve_table(kind)
    frac_bits = unit.word_bits - 1
    shift = a.frac_bits + table.span_log2 - INTERVALS_LOG2
    drop = NODE_FRAC_BITS - frac_bits
    codes = curves.curve_fixed(unit.array(a), table.nodes, shift, table.reflect, table.offset, drop)
    return Value(_clamped(leaf(codes), -unit.limit, unit.limit), frac_bits, unit.limit, kind is not Curve.TANH)


def clip(unit: FixedUnit, a: Value, low: Fraction, high: Fraction) -> Value:
    """``min(max(a, low), high)``, the limits rounded to the tensor's last place."""
    a = unit.narrow(a)
    bottom, top = _limits(a, low, high)
    assert a.bound is not None
    bound = min(a.bound, max(-bottom, top))
    return Value(_clamped(a.node, bottom, top), a.frac_bits, bound, a.nonnegative or bottom >= 0)


def inside(unit: FixedUnit, condition: Value, a: Value, low: Fraction, high: Fraction) -> Value:
    """``a`` where ``low < condition < high``, else 0."""
    condition, a = unit.narrow(condition), unit.narrow(a)
    bottom, top = _limits(condition, low, high)
    zero = parameter(0, "i32")
    # strictly between the limits is not outside one step further in
    out = apply("outside", condition.node, parameter(bottom + 1, "i32"), parameter(top - 1, "i32"), dtype="i32")
    return Value(apply("select", out, zero, a.node, dtype="i32"), a.frac_bits, a.bound, a.nonnegative)


def dropout(unit: FixedUnit, a: Value, threshold: int, key: tuple[int, int]) -> Value:
    """``a`` where the element's random word is at least ``threshold``, else 0."""
    a = unit.narrow(a)
    kept = apply("greater", _word(key), parameter(threshold - 1, "i64"), dtype="i32")
    zero = parameter(0, "i32")
    return Value(apply("select", kept, a.node, zero, dtype="i32"), a.frac_bits, a.bound, a.nonnegative)


def softmax(unit: FixedUnit, a: Value, *, causal: bool) -> Value:
    """Shares of every row, from integer tables, saturated below 1."""
    a = unit.narrow(a)
    assert a.frac_bits is not None
    shares = softmax_rows.softmax_fixed(unit.array(a), a.frac_bits, causal=causal)
    drop = PROBABILITY_FRAC_BITS - (unit.word_bits - 1)
    node = leaf(shares)
    if drop:
        node = apply(f"round_shift_{unit.rounding}", node, parameter(drop, "i32"), parameter(0, "i64"), dtype="i32")
    return Value(_clamped(node, 0, unit.limit), unit.word_bits - 1, unit.limit, nonnegative=True)


def softmax_gradient(unit: FixedUnit, g: Value, shares: Value) -> Value:
    """``shares (g - sum(g shares))`` of every row."""
    g = unit.narrow(g)
    assert g.frac_bits is not None
    p = unit.array(shares).astype(np.int32) << PROBABILITY_FRAC_BITS - (unit.word_bits - 1)
    codes = softmax_rows.softmax_gradient_fixed(unit.array(g), p)
    return unit.narrow(Value(leaf(codes), g.frac_bits + PROBABILITY_FRAC_BITS, 2**31 - 1))


def settle(unit: FixedUnit, a: Value) -> Value:
    """Return the same tensor with its largest code as its bound, as where a tensor enters the unit."""
    a = unit.narrow(a)
    return Value(a.node, a.frac_bits, unit.largest(a), a.nonnegative)


def transpose(unit: FixedUnit, a: Value, axes: tuple[int, ...]) -> Value:
    """Return the tensor with its axes in another order."""
    a = unit.narrow(a)
    return Value(leaf(np.transpose(unit.array(a), axes)), a.frac_bits, a.bound, a.nonnegative)


def concatenate(unit: FixedUnit, parts: list[Value], axis: int) -> Value:
    """Join tensors along an axis, at the finest binary point at which all fit the word."""
    parts = [unit.narrow(part) for part in parts]
    room = min(_finest(part, unit.word_bits) for part in parts)
    frac_bits = min(max(_fraction(part) for part in parts if part.bound) if any(p.bound for p in parts) else 0, room)
    moved = [unit.at(part, frac_bits) for part in parts]
    # a part whose bits were dropped may be one code too large
    arrays = [np.clip(unit.array(part), -unit.limit, unit.limit) for part in moved]
    bound = min(max(part.bound or 0 for part in moved), unit.limit)
    nonnegative = all(part.nonnegative for part in parts)
    return Value(leaf(np.concatenate(arrays, axis)), frac_bits, bound, nonnegative)


def gather(unit: FixedUnit, table: Value, ids: np.ndarray) -> Value:
    """Return the rows of a table that ``ids`` name."""
    table = unit.narrow(table)
    return Value(leaf(unit.array(table)[ids]), table.frac_bits, table.bound, table.nonnegative)


def scatter_add(unit: FixedUnit, g: Value, ids: np.ndarray, rows: int) -> Value:
    """Add every row of ``g`` to the row that its id names, exactly, then round to the unit's word."""
    g = unit.narrow(g)
    sums = moves.scatter_add(unit.array(g), ids, rows)
    return unit.narrow(Value(leaf(sums), g.frac_bits, max(int(np.abs(sums).max()), 1), g.nonnegative))


def label_excess(unit: FixedUnit, logits: Value, labels: np.ndarray) -> Fraction:
    """Return the sum over the rows of ``x[label] - mean(x)``, exactly."""
    logits = unit.narrow(logits)
    codes = unit.array(logits).astype(np.int64)
    assert logits.frac_bits is not None
    right = int(codes[np.arange(len(codes)), labels].sum())
    return (right - Fraction(int(codes.sum()), codes.shape[1])) / Fraction(2) ** logits.frac_bits


def sum_of_squares(unit: FixedUnit, a: Value) -> Fraction:
    """Return the sum of the squares of all elements, exactly."""
    a = unit.narrow(a)
    assert a.frac_bits is not None
    (total,) = evaluate([], [("sum", apply("multiply", a.node, a.node, dtype="i32"))])
    return Fraction(int(total)) / Fraction(4) ** a.frac_bits


def whole(unit: FixedUnit, a: Value) -> np.ndarray:
    """Return whole numbers as int64, to address a table with."""
    assert a.frac_bits == 0, "token numbers are whole"
    return unit.array(a).astype(np.int64)


def _word(key: tuple[int, int]) -> Node:
    return apply("random_word", index(), parameter(key[0], "i64"), parameter(key[1], "i64"), dtype="i64")


def _clamped(node: Node, low: int, high: int) -> Node:
    return apply("clamp", node, parameter(low, "i32"), parameter(high, "i32"), dtype="i32")


def _limits(a: Value, low: Fraction, high: Fraction) -> tuple[int, int]:
    """Return the limits as codes; beyond the tensor's bound they make no difference."""
    assert a.frac_bits is not None
    assert a.bound is not None
    unit = Fraction(2) ** a.frac_bits
    reach = a.bound + 2
    return max(round(low * unit), -reach), min(round(high * unit), reach)


def _finest(a: Value, word_bits: int) -> int:
    assert a.bound is not None
    return _fraction(a) + (word_bits - 1) - a.bound.bit_length()


def _fraction(a: Value) -> int:
    assert a.frac_bits is not None
    return a.frac_bits
