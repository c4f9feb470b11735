"""The fixed-point vector unit: words of ``word_bits`` with one binary point per tensor; no float anywhere.

A value is integer codes, a fraction length and a bound on the magnitude of its codes. An operation computes exactly in
a wide register and, where the bound of the result leaves the word, drops just enough fractional bits, rounding
once. Which bits to drop thus follows from bounds that are known before the operation runs (integers and shifts
only). They start from the largest code itself where a tensor enters the unit: behind the MAC array, from memory, and
behind a reduction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels import moves, niti_loss, softmax, windows
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units import fixed_functions, fixed_norm
from fxpsim.units.floating import store_codes
from fxpsim.units.graph import Node, apply, evaluate, leaf, parameter
from fxpsim.units.noise import noise_node
from fxpsim.units.stretch import LONGEST_STRETCH, leaves, stores
from fxpsim.units.values import Accumulated, CastCounts, Operand, Value

REGISTER_BITS = 31  # magnitude bits of the registers between operations
MAX_SHIFT = 62


class FixedUnit:
    """The vector unit in fixed point.

    Parameters
    ----------
    word_bits : int
        Word length of a tensor, sign included; at most 16, so that a product fits a 32-bit register.
    rounding : Rounding
        How dropped bits are rounded; not stochastic.
    """

    arithmetic = "fixed"

    def __init__(self, word_bits: int = 16, rounding: Rounding = Rounding.HALF_EVEN) -> None:
        assert 2 <= word_bits <= 16
        assert not rounding.is_stochastic
        self.word_bits, self.rounding = word_bits, rounding
        self.limit = 2 ** (word_bits - 1) - 1

    # --- into the unit

    def load(self, array: np.ndarray, frac_bits: int | None) -> Value:
        """Bring codes into the unit. The word may be longer than the unit's until an operation reads it."""
        assert frac_bits is not None, "a fixed-point unit cannot load floats"
        return Value(leaf(array), frac_bits, _type_bound(array.dtype))

    def from_accumulator(self, sums: Accumulated) -> Value:
        """Round the sums to the unit's word, by the leading bit of the largest."""
        assert sums.frac_bits is not None
        return self._dropped(leaf(sums.codes), sums.frac_bits, sums.max_abs, nonnegative=False)

    def narrow(self, a: Value) -> Value:
        """Return ``a`` in the unit's word. Only a loaded or summed tensor can be longer: its largest code decides."""
        assert a.frac_bits is not None
        assert a.bound is not None
        if a.bound <= self.limit:
            return a
        return self._dropped(a.node, a.frac_bits, self.largest(a), a.nonnegative)

    def _dropped(self, node: Node, frac_bits: int, bound: int, nonnegative: bool) -> Value:
        """Drop the fractional bits that a result within ``bound`` has too many, maybe none.

        The nodes are always the same, so that tensors of another range run the same compiled program.
        """
        shift = max(0, bound.bit_length() - (self.word_bits - 1))
        if shift > frac_bits + MAX_SHIFT:
            raise AssertionError("a bound outgrew every register")
        # rounding up may carry into the next bit: one code too many is saturated
        top = min((bound >> shift) + (shift > 0), self.limit)
        low, high = parameter(-self.limit, "i32"), parameter(self.limit, "i32")
        code = apply("clamp", self._shift_right(node, shift), low, high, dtype="i32")
        return Value(code, frac_bits - shift, top, nonnegative)

    def _shift_right(self, node: Node, shift: int) -> Node:
        zero = parameter(0, "i64")
        return apply(f"round_shift_{self.rounding}", node, parameter(shift, "i32"), zero, dtype="i32")

    def largest(self, a: Value) -> int:
        """Read the largest magnitude of a tensor."""
        stores = [] if a.node.array is not None else [(a.node, self._storage(a))]
        ((low, high),) = evaluate(stores, [("range", a.node)])
        return max(-low, high)

    # --- element-wise

    def add(self, a: Value, b: Value) -> Value:
        """Broadcast sum: exact in the register, rounded once."""
        return self._sum("add", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        """Broadcast difference: exact in the register, rounded once."""
        return self._sum("subtract", a, b)

    def _sum(self, primitive: str, a: Value, b: Value) -> Value:
        a, b = self.narrow(self._settled(a)), self.narrow(self._settled(b))
        assert a.frac_bits is not None
        assert b.frac_bits is not None
        # both operands must fit the register at the common binary point; the finer one gives way
        room = min(_room(a), _room(b))
        frac_bits = min(max(a.frac_bits, b.frac_bits), room)
        a, b = self.at(a, frac_bits), self.at(b, frac_bits)
        assert a.bound is not None
        assert b.bound is not None
        nonnegative = primitive == "add" and a.nonnegative and b.nonnegative
        return self._dropped(apply(primitive, a.node, b.node, dtype="i32"), frac_bits, a.bound + b.bound, nonnegative)

    def _settled(self, a: Value) -> Value:
        """Bring a long sum into memory, lest a program grow with the number of its terms."""
        if a.bound is not None and a.bound <= self.limit and leaves(a.node) > LONGEST_STRETCH:
            self.array(a)
        return a

    def at(self, a: Value, frac_bits: int) -> Value:
        """Return ``a`` with its binary point moved; a shift by nothing is a shift all the same, as in ``_dropped``."""
        assert a.frac_bits is not None
        assert a.bound is not None
        shift = frac_bits - a.frac_bits if a.bound else 0
        left, right = max(shift, 0), min(max(-shift, 0), MAX_SHIFT)
        node = self._shift_right(apply("shift_left", a.node, parameter(left, "i32"), dtype="i32"), right)
        bound = a.bound << left if right == 0 else (a.bound >> right) + 1
        return Value(node, frac_bits, bound, a.nonnegative)

    def multiply(self, a: Value, b: Value) -> Value:
        """Broadcast product: exact in the register, rounded once."""
        a, b = self.narrow(a), self.narrow(b)
        assert a.frac_bits is not None
        assert a.bound is not None
        assert b.frac_bits is not None
        assert b.bound is not None
        product = apply("multiply", a.node, b.node, dtype="i32")
        nonnegative = a.nonnegative and b.nonnegative
        return self._dropped(product, a.frac_bits + b.frac_bits, a.bound * b.bound, nonnegative)

    def scale(self, a: Value, factor: Fraction) -> Value:
        """Multiply by a constant, held as a word of the unit and a shift; a power of two only moves the point."""
        a = self.narrow(a)
        assert a.frac_bits is not None
        assert a.bound is not None
        mantissa, shift = constant(factor, self.word_bits - 1)
        if abs(mantissa) == 1:
            node = a.node if mantissa > 0 else apply("negate", a.node, dtype="i32")
            return Value(node, a.frac_bits + shift, a.bound, a.nonnegative and mantissa > 0)
        product = apply("multiply", a.node, parameter(mantissa, "i32"), dtype="i32")
        nonnegative = a.nonnegative and factor >= 0
        return self._dropped(product, a.frac_bits + shift, a.bound * abs(mantissa), nonnegative)

    def relu(self, a: Value) -> Value:
        """``max(a, 0)``."""
        node = apply("maximum", a.node, parameter(0, "i32"), dtype="i32")
        return Value(node, a.frac_bits, a.bound, nonnegative=True)

    def gate(self, condition: Value, a: Value) -> Value:
        """``a`` where ``condition > 0``, else 0."""
        a = self.narrow(a)
        zero = parameter(0, "i32")
        positive = apply("greater", condition.node, zero, dtype="i32")
        return Value(apply("select", positive, a.node, zero, dtype="i32"), a.frac_bits, a.bound, a.nonnegative)

    # --- reductions and moves

    def sum_leading(self, a: Value, shape: tuple[int, ...]) -> Value:
        """Sum over the leading axes, exactly, then round to the unit's word."""
        a = self.narrow(a)
        (total,) = evaluate([], [("column_sum", a.node)])
        sums = np.asarray(total).reshape(-1, math.prod(shape)).sum(0, dtype=np.int64).reshape(shape)
        return self.narrow(Value(leaf(sums), a.frac_bits, int(np.abs(sums).max()), a.nonnegative))

    def reshape(self, a: Value, shape: tuple[int, ...]) -> Value:
        """Return the same elements under another shape."""
        a = self.narrow(a)
        return Value(leaf(self.array(a)).reshaped(shape), a.frac_bits, a.bound, a.nonnegative)

    def take(self, a: Value, index: tuple[slice, ...]) -> Value:
        """Return ``a[index]``."""
        a = self.narrow(a)
        return Value(leaf(moves.take(self.array(a), index)), a.frac_bits, a.bound, a.nonnegative)

    def put(self, a: Value, index: tuple[slice, ...], shape: tuple[int, ...]) -> Value:
        """Return zeros with ``a`` in the places ``index``."""
        a = self.narrow(a)
        return Value(leaf(moves.put(self.array(a), index, shape)), a.frac_bits, a.bound, a.nonnegative)

    def array(self, a: Value) -> np.ndarray:
        """Return the codes in memory."""
        if a.node.array is None:
            evaluate([(a.node, self._storage(a))])
        assert a.node.array is not None
        return a.node.array

    def _storage(self, a: Value) -> str:
        return "i16" if a.bound is not None and a.bound <= self.limit else "i32"

    def window_max(self, a: Value, window: windows.Window) -> tuple[Value, np.ndarray]:
        """Return the largest element of each window."""
        a = self.narrow(a)
        largest, winners = windows.window_max(self.array(a), window)
        return Value(leaf(largest), a.frac_bits, a.bound, a.nonnegative), winners

    def window_max_gradient(
        self, g: Value, winners: np.ndarray, window: windows.Window, shape: tuple[int, ...]
    ) -> Value:
        """Send each gradient back to its window's winner."""
        g = self.narrow(g)
        spread = windows.window_max_gradient(self.array(g), winners, window, shape)
        return self._overlapping(spread, g, window)

    def window_sum(self, a: Value, window: windows.Window) -> Value:
        """Sum of each window, exactly, then rounded to the unit's word."""
        a = self.narrow(a)
        sums = windows.window_sum(self.array(a), window)
        assert a.bound is not None
        return self.narrow(Value(leaf(sums), a.frac_bits, a.bound * window.area, a.nonnegative))

    def window_sum_gradient(self, g: Value, window: windows.Window, shape: tuple[int, ...]) -> Value:
        """Send each gradient back to every element of its window."""
        g = self.narrow(g)
        return self._overlapping(windows.window_sum_gradient(self.array(g), window, shape), g, window)

    def _overlapping(self, spread: np.ndarray, g: Value, window: windows.Window) -> Value:
        assert g.bound is not None
        return self.narrow(Value(leaf(spread), g.frac_bits, g.bound * window.overlap, g.nonnegative))

    def softmax_cross_entropy(self, logits: Value, labels: np.ndarray) -> tuple[Fraction, Value, int]:
        """Return the summed loss (nats), ``softmax - one_hot`` and the number of right rows, by integer tables."""
        logits = self.narrow(logits)
        assert logits.frac_bits is not None
        loss, gradient, correct = softmax.cross_entropy_fixed(self.array(logits), logits.frac_bits, labels)
        frac_bits = self.word_bits - 1
        wide = Value(leaf(gradient), softmax.PROBABILITY_FRAC_BITS, 2**softmax.PROBABILITY_FRAC_BITS)
        return (
            loss,
            self.at(wide, frac_bits) if frac_bits < softmax.PROBABILITY_FRAC_BITS else self.narrow(wide),
            correct,
        )

    def niti_cross_entropy(self, logits: Value, labels: np.ndarray, words: np.ndarray) -> Value:
        """Return the gradient of NITI's integer cross entropy; logits are brought to 8 bits by a shift."""
        assert logits.frac_bits is not None
        codes, exponent = niti_loss.shifted_codes(self.array(logits), logits.frac_bits)
        gradient = niti_loss.niti_gradient(codes, exponent, labels, words)
        return self.narrow(Value(leaf(gradient), niti_loss.GRADIENT_FRAC_BITS, niti_loss.LARGEST))

    # --- functions and moves

    curve = fixed_functions.curve
    clip = fixed_functions.clip
    inside = fixed_functions.inside
    dropout = fixed_functions.dropout
    softmax = fixed_functions.softmax
    softmax_gradient = fixed_functions.softmax_gradient
    settle = fixed_functions.settle
    transpose = fixed_functions.transpose
    concatenate = fixed_functions.concatenate
    gather = fixed_functions.gather
    scatter_add = fixed_functions.scatter_add
    label_excess = fixed_functions.label_excess
    sum_of_squares = fixed_functions.sum_of_squares
    whole = fixed_functions.whole

    # --- normalization

    def normalize_batch(
        self, x: Value, gamma: Value, beta: Value, epsilon: Fraction
    ) -> tuple[Value, fixed_norm.FixedStatistics]:
        """Normalize every column with the statistics of the batch, then scale and shift it."""
        return fixed_norm.normalize_batch(self, x, gamma, beta, epsilon)

    def normalize_frozen(
        self, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Fraction
    ) -> tuple[Value, fixed_norm.FixedStatistics]:
        """Normalize every column with given statistics, then scale and shift it."""
        return fixed_norm.normalize_frozen(self, x, gamma, beta, mean, variance, epsilon)

    def normalize_gradient(
        self, g: Value, gamma: Value, kept: fixed_norm.FixedStatistics
    ) -> tuple[Value, Value, Value]:
        """Return the gradients with respect to the input, gamma and beta."""
        return fixed_norm.normalize_gradient(self, g, gamma, kept)

    normalize_rows = fixed_norm.normalize_rows
    normalize_rows_gradient = fixed_norm.normalize_rows_gradient

    # --- out of the unit

    def leading_exponent(self, a: Value) -> int | None:
        """Return the least e such that every ``|a| < 2**e``; None if all elements are zero."""
        ((low, high),) = evaluate(stores(a.node, self._storage(a)), [("range", a.node)])
        return _exponent(a, low, high)

    def cast(self, a: Value, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int]) -> tuple[Operand, CastCounts]:
        """Shift, round, saturate, count."""
        operand, counts, _ = self._cast(a, fmt, rounding, key, [], [])
        return operand, counts

    def cast_measured(
        self, a: Value, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int], *, reused: bool
    ) -> tuple[Operand, CastCounts, int | None]:
        """Cast, and return the leading exponent of the tensor as well."""
        extra = stores(a.node, self._storage(a)) if reused else []
        operand, counts, ((low, high),) = self._cast(a, fmt, rounding, key, extra, [("range", a.node)])
        return operand, counts, _exponent(a, low, high)

    def _cast(
        self,
        a: Value,
        fmt: FixedFormat,
        rounding: Rounding,
        key: tuple[int, int],
        extra: Sequence[tuple[Node, str]],
        wanted: Sequence[tuple[str, Node]],
    ) -> tuple[Operand, CastCounts, list[Any]]:
        assert a.frac_bits is not None
        low, high = parameter(fmt.min_code, "i64"), parameter(fmt.max_code, "i64")
        shift = a.frac_bits - fmt.frac_bits
        if shift >= 0:
            amount = parameter(min(shift, MAX_SHIFT), "i32")
            moved = apply(f"round_shift_{rounding}", a.node, amount, noise_node(rounding, key), dtype="i64")
        else:
            # beyond 32 places every nonzero code saturates all the same
            moved = apply("shift_left", a.node, parameter(min(-shift, 32), "i64"), dtype="i64")
        code = apply("clamp", moved, low, high, dtype="i64")
        return store_codes(a.node, moved, code, low, high, fmt, extra, wanted)

    def operand(self, a: Value) -> tuple[Operand, CastCounts]:
        """Refuse: this unit has no floats."""
        raise UserError(
            "a stream is float32, but the vector unit is fixed point",
            where="method and accelerator",
            expected="a quantizer for weight, activation and error",
            remedy="choose a method that quantizes them, or an accelerator with a float32 vector unit",
        )

    def read(self, a: Value) -> np.ndarray:
        """Return the values as float64, for people and tests."""
        assert a.frac_bits is not None
        return np.ldexp(self.array(a).astype(np.float64), -a.frac_bits)


def constant(factor: Fraction, magnitude_bits: int) -> tuple[int, int]:
    """Return ``(mantissa, shift)`` with ``factor ~ mantissa * 2**-shift``, the mantissa odd and as short as it can be.

    The mantissa is the nearest integer (ties to even) of at most ``magnitude_bits`` bits.

    >>> constant(Fraction(1, 32), 15), constant(Fraction(9, 10), 15)
    ((1, 5), (29491, 15))
    """
    if factor == 0:
        return 0, 0
    exponent = _floor_log2(abs(factor))
    shift = magnitude_bits - 1 - exponent
    mantissa = round(factor * Fraction(2) ** shift)
    while mantissa % 2 == 0:
        mantissa, shift = mantissa // 2, shift - 1
    return mantissa, shift


def _exponent(a: Value, low: int, high: int) -> int | None:
    """Return the least e such that every ``|a| < 2**e``, by the smallest and the largest code."""
    assert a.frac_bits is not None
    bound = max(-low, high)
    return bound.bit_length() - a.frac_bits if bound else None


def _floor_log2(x: Fraction) -> int:
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def _room(a: Value) -> int:
    """The largest fraction length at which the codes of ``a`` still fit half the register."""
    assert a.frac_bits is not None
    assert a.bound is not None
    return a.frac_bits + (REGISTER_BITS - 1) - a.bound.bit_length()


def _type_bound(dtype: np.dtype) -> int:
    info = np.iinfo(dtype)
    return max(-int(info.min), int(info.max))
