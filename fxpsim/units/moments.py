"""Adam in the update unit: in binary32, and in integers alone.

The integer form keeps the second moment as 63-bit words with ``VARIANCE_FRAC_BITS`` fractional bits (the square of a
gradient needs twice its fraction length), takes an integer square root and one integer division an element. Its rate
is a word of ``RATE_BITS`` bits, so that a product fits 63. This form is our own reconstruction.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.units.fixed import constant
from fxpsim.units.graph import Node, apply, evaluate, leaf, parameter
from fxpsim.units.values import CastCounts, Value

if TYPE_CHECKING:
    from fxpsim.units.update import AdamStep, FixedUpdate, FloatUpdate, GradientRule, Master

VARIANCE_FRAC_BITS = 40
RATE_BITS = 8
SQUARE_BITS = 54  # of a squared gradient and of the second moment
RATIO_LIMIT = 2**31


def adam_float(
    unit: FloatUpdate, master: Master, grad: Value, step: AdamStep, key: tuple[int, int]
) -> dict[str, CastCounts]:
    """Make one step of Adam, every operation rounded to binary32 on its own."""
    weights = leaf(master.weights)
    g = ruled_float(grad, step.gradient)
    if step.weight_decay:
        g = _float("add", g, _float("multiply", weights, _number(step.weight_decay)))
    m, v = (leaf(_moment(master, name, np.float32)) for name in ("momentum", "variance"))
    m = _float("add", m, _float("multiply", _float("subtract", g, m), _number(step.first_rate)))
    square = _float("multiply", g, g)
    v = _float("add", v, _float("multiply", _float("subtract", square, v), _number(step.second_rate)))
    root = _float("add", apply("square_root", v, dtype="f32"), _number(step.epsilon))
    moved = _float("subtract", weights, _float("multiply", _float("divide", m, root), _number(step.learning_rate)))
    if step.decay:
        moved = _float("subtract", moved, _float("multiply", weights, _number(step.decay)))
    evaluate([(moved, "f32"), (m, "f32"), (v, "f32")])
    _keep(master, moved, m, v)
    size = master.weights.size
    return {"master": CastCounts(size, size, 0, 0), "momentum": CastCounts(size, size, 0, 0)}


def adam_fixed(
    unit: FixedUpdate, master: Master, grad: Value, step: AdamStep, key: tuple[int, int]
) -> dict[str, CastCounts]:
    """Make one step of Adam in integers."""
    moment, weight = unit.momentum_format, unit.master_format
    weights = leaf(master.weights)
    g = unit.ruled(grad, step.gradient, key)
    if step.weight_decay:
        g = _wide("add", g, unit.product(weights, weight, step.weight_decay, moment.frac_bits, key))
    g, _ = unit.store(g, moment)
    m, v = leaf(_moment(master, "momentum", np.int32)), leaf(_moment(master, "variance", np.int64))
    m = _wide("add", m, unit.product(_wide("subtract", g, m), moment, step.first_rate, moment.frac_bits, key))
    m, momentum_counts = unit.store(m, moment)
    v = _second_moment(unit, g, v, step)
    # sqrt(v) at the fraction length of the momentum, then the ratio at that of the weights
    shift = 2 * moment.frac_bits - VARIANCE_FRAC_BITS
    root = apply("whole_root", _shifted(v, shift), dtype="i64")
    least = max(round(step.epsilon * Fraction(2) ** moment.frac_bits), 1)
    ratio = apply(
        "whole_quotient", _shifted(m, weight.frac_bits), _wide("add", root, parameter(least, "i64")), dtype="i64"
    )
    ratio = apply("clamp", ratio, parameter(-RATIO_LIMIT, "i64"), parameter(RATIO_LIMIT, "i64"), dtype="i64")
    moved = _wide(
        "subtract",
        weights,
        unit.product(ratio, weight, step.learning_rate, weight.frac_bits, (key[0] ^ 0x9E3779B9, key[1])),
    )
    if step.decay:
        moved = _wide("subtract", moved, unit.product(weights, weight, step.decay, weight.frac_bits, key))
    moved, master_counts = unit.store(moved, weight)
    found = evaluate([(moved, "i32"), (m, "i32"), (v, "i64")], master_counts + momentum_counts)
    _keep(master, moved, m, v)
    size = master.weights.size
    return {
        "master": CastCounts(size, found[0], found[1], 0),
        "momentum": CastCounts(size, found[2], found[3], 0),
    }


def _second_moment(unit: FixedUpdate, g: Node, v: Node, step: AdamStep) -> Node:
    square = _shifted(_wide("multiply", g, g), VARIANCE_FRAC_BITS - 2 * unit.momentum_format.frac_bits)
    # so that times a rate, and shifted for its root, it fits 63 bits
    limit = 2 ** min(SQUARE_BITS, 62 - max(2 * unit.momentum_format.frac_bits - VARIANCE_FRAC_BITS, 0))
    square = apply("minimum", square, parameter(limit - 1, "i64"), dtype="i64")
    mantissa, shift = constant(step.second_rate, RATE_BITS)
    change = _wide("multiply", _wide("subtract", square, v), parameter(mantissa, "i64"))
    zero = parameter(0, "i64")
    return _wide("add", v, apply("round_shift_half_even", change, parameter(shift, "i32"), zero, dtype="i64"))


def _shifted(node: Node, left: int) -> Node:
    """Move the binary point; bits that fall off are dropped."""
    if left >= 0:
        return _wide("shift_left", node, parameter(left, "i64"))
    return apply("round_shift_floor", node, parameter(-left, "i32"), parameter(0, "i64"), dtype="i64")


def ruled_float(grad: Value, rule: GradientRule) -> Node:
    """Return the gradient behind its rule."""
    node = grad.node if rule.scale == 1 else _float("multiply", grad.node, _number(rule.scale))
    if rule.limit is None:
        return node
    return apply("clamp", node, _number(-rule.limit), _number(rule.limit), dtype="f32")


def square_norm_fixed(grad: Value) -> Fraction:
    """Return the sum of the squares of the elements, exactly."""
    assert grad.frac_bits is not None
    (total,) = evaluate([], [("sum", _wide("multiply", grad.node, grad.node))])
    return Fraction(int(total)) / Fraction(4) ** grad.frac_bits


def square_norm_float(grad: Value) -> Fraction:
    """Return the sum of the squares: binary32 within a column, then one column after the other."""
    (total,) = evaluate([], [("column_sum", _float("multiply", grad.node, grad.node))])
    return Fraction(float(np.add.accumulate(np.asarray(total, np.float32))[-1]))


def _moment(master: Master, name: str, dtype: type) -> np.ndarray:
    found = master.moments.get(name)
    return np.zeros(master.weights.shape, dtype) if found is None else found


def _keep(master: Master, weights: Node, momentum: Node, variance: Node) -> None:
    assert weights.array is not None
    assert momentum.array is not None
    assert variance.array is not None
    master.weights = weights.array
    master.moments |= {"momentum": momentum.array, "variance": variance.array}


def _float(primitive: str, a: Node, b: Node) -> Node:
    return apply(primitive, a, b, dtype="f32")


def _wide(primitive: str, a: Node, b: Node) -> Node:
    return apply(primitive, a, b, dtype="i64")


def _number(value: Fraction) -> Node:
    return parameter(float(value), "f32")
