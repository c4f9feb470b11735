"""The binary32 vector unit: every operation rounded on its own, reductions in an order that the shape alone fixes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels import moves, niti_loss, softmax, windows
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units import floating_functions, floating_norm
from fxpsim.units.graph import Awaited, Node, apply, evaluate, leaf, parameter
from fxpsim.units.noise import noise_node
from fxpsim.units.stretch import LONGEST_STRETCH, leaves, stores
from fxpsim.units.values import Accumulated, CastCounts, Operand, Value

# a float holds every integer up to here: casts to longer words are clamped as integers
EXACT_WORD_BITS = 24
_INFINITY = 0x7F800000  # its bits; those of a NaN are above


class FloatUnit:
    """The vector unit in IEEE 754 binary32."""

    arithmetic = "float32"

    def load(self, array: np.ndarray, frac_bits: int | None) -> Value:
        """Bring an array into the unit; codes become floats (rounded to nearest even)."""
        if frac_bits is None:
            return Value(leaf(np.asarray(array, np.float32)))
        return self._scaled(apply("to_float", leaf(array), dtype="f32"), frac_bits)

    def from_accumulator(self, sums: Accumulated) -> Value:
        """Round the sums to binary32."""
        if sums.finish is None or sums.frac_bits is None:
            return self.load(sums.codes, sums.frac_bits)
        return self._scaled(apply("to_float", Awaited(sums.codes, sums.finish), dtype="f32"), sums.frac_bits)

    def _scaled(self, node: Node, frac_bits: int) -> Value:
        return Value(_times_power(node, -frac_bits, shrink="multiply"))

    def add(self, a: Value, b: Value) -> Value:
        """Broadcast sum. A long one is brought into memory, lest a program grow with the number of its terms."""
        for part in (a, b):
            if leaves(part.node) > LONGEST_STRETCH:
                self.array(part)
        return Value(apply("add", a.node, b.node, dtype="f32"), nonnegative=a.nonnegative and b.nonnegative)

    def subtract(self, a: Value, b: Value) -> Value:
        """Broadcast difference."""
        return Value(apply("subtract", a.node, b.node, dtype="f32"))

    def multiply(self, a: Value, b: Value) -> Value:
        """Broadcast product."""
        return Value(apply("multiply", a.node, b.node, dtype="f32"), nonnegative=a.nonnegative and b.nonnegative)

    def scale(self, a: Value, factor: Fraction) -> Value:
        """Multiply by the binary32 nearest to ``factor``."""
        return Value(
            apply("multiply", a.node, parameter(float(factor), "f32"), dtype="f32"),
            nonnegative=a.nonnegative and factor >= 0,
        )

    def relu(self, a: Value) -> Value:
        """``max(a, 0)``."""
        return Value(apply("maximum", a.node, parameter(0.0, "f32"), dtype="f32"), nonnegative=True)

    def gate(self, condition: Value, a: Value) -> Value:
        """``a`` where ``condition > 0``, else 0."""
        zero = parameter(0.0, "f32")
        positive = apply("greater", condition.node, zero, dtype="i32")
        return Value(apply("select", positive, a.node, zero, dtype="f32"), nonnegative=a.nonnegative)

    def sum_leading(self, a: Value, shape: tuple[int, ...]) -> Value:
        """Sum over the leading axes."""
        (total,) = evaluate([], [("column_sum", a.node)])
        parts = np.asarray(total, np.float32).reshape(-1, math.prod(shape))
        return Value(leaf(np.add.accumulate(parts, axis=0)[-1].reshape(shape)))  # accumulate pins the order

    def reshape(self, a: Value, shape: tuple[int, ...]) -> Value:
        """Return the same elements under another shape."""
        return Value(leaf(self.array(a)).reshaped(shape), nonnegative=a.nonnegative)

    def take(self, a: Value, index: tuple[slice, ...]) -> Value:
        """Return ``a[index]``."""
        return Value(leaf(moves.take(self.array(a), index)), nonnegative=a.nonnegative)

    def put(self, a: Value, index: tuple[slice, ...], shape: tuple[int, ...]) -> Value:
        """Return zeros with ``a`` in the places ``index``."""
        return Value(leaf(moves.put(self.array(a), index, shape)), nonnegative=a.nonnegative)

    def array(self, a: Value) -> np.ndarray:
        """Return the elements in memory."""
        if a.node.array is None:
            evaluate([(a.node, "f32")])
        assert a.node.array is not None
        return a.node.array

    def window_max(self, a: Value, window: windows.Window) -> tuple[Value, np.ndarray]:
        """Return the largest element of each window."""
        largest, winners = windows.window_max(self.array(a), window)
        return Value(leaf(largest), nonnegative=a.nonnegative), winners

    def window_max_gradient(
        self, g: Value, winners: np.ndarray, window: windows.Window, shape: tuple[int, ...]
    ) -> Value:
        """Send each gradient back to its window's winner."""
        return Value(leaf(windows.window_max_gradient(self.array(g), winners, window, shape)))

    def window_sum(self, a: Value, window: windows.Window) -> Value:
        """Sum of each window, row by row."""
        return Value(leaf(windows.window_sum(self.array(a), window)), nonnegative=a.nonnegative)

    def window_sum_gradient(self, g: Value, window: windows.Window, shape: tuple[int, ...]) -> Value:
        """Send each gradient back to every element of its window."""
        return Value(leaf(windows.window_sum_gradient(self.array(g), window, shape)))

    def softmax_cross_entropy(self, logits: Value, labels: np.ndarray) -> tuple[float, Value, int]:
        """Return the summed loss (nats), ``softmax - one_hot`` and the number of right rows."""
        loss, gradient, correct = softmax.cross_entropy_float(self.array(logits), labels)
        return loss, Value(leaf(gradient)), correct

    def niti_cross_entropy(self, logits: Value, labels: np.ndarray, words: np.ndarray) -> Value:
        """Return the gradient of NITI's integer cross entropy; logits become integers of 24 bits, then of 8."""
        x = self.array(logits).astype(np.float64)
        frac_bits = 24 - int(np.frexp(np.abs(x).max(initial=0))[1])
        codes, exponent = niti_loss.shifted_codes(np.ldexp(x, frac_bits).astype(np.int64), frac_bits)
        gradient = niti_loss.niti_gradient(codes, exponent, labels, words)
        return Value(leaf(np.ldexp(gradient.astype(np.float32), -niti_loss.GRADIENT_FRAC_BITS)))

    # --- functions and moves

    normalize_rows = floating_norm.normalize_rows
    normalize_rows_gradient = floating_norm.normalize_rows_gradient
    curve = floating_functions.curve
    clip = floating_functions.clip
    inside = floating_functions.inside
    dropout = floating_functions.dropout
    softmax = floating_functions.softmax
    softmax_gradient = floating_functions.softmax_gradient
    settle = floating_functions.settle
    transpose = floating_functions.transpose
    concatenate = floating_functions.concatenate
    gather = floating_functions.gather
    scatter_add = floating_functions.scatter_add
    label_excess = floating_functions.label_excess
    sum_of_squares = floating_functions.sum_of_squares
    whole = floating_functions.whole

    def normalize_batch(
        self, x: Value, gamma: Value, beta: Value, epsilon: Fraction
    ) -> tuple[Value, floating_norm.FloatStatistics]:
        """Normalize every column with the statistics of the batch, then scale and shift it."""
        return floating_norm.normalize_batch(self, x, gamma, beta, epsilon)

    def normalize_frozen(
        self, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Fraction
    ) -> tuple[Value, floating_norm.FloatStatistics]:
        """Normalize every column with given statistics, then scale and shift it."""
        return floating_norm.normalize_frozen(self, x, gamma, beta, mean, variance, epsilon)

    def normalize_gradient(
        self, g: Value, gamma: Value, kept: floating_norm.FloatStatistics
    ) -> tuple[Value, Value, Value]:
        """Return the gradients with respect to the input, gamma and beta."""
        return floating_norm.normalize_gradient(self, g, gamma, kept)

    def leading_exponent(self, a: Value) -> int | None:
        """Return the least e such that every ``|a| < 2**e``; None if all elements are zero."""
        (bits,) = evaluate(stores(a.node, "f32"), [_magnitudes(a.node)])
        return _exponent(bits)

    def cast(self, a: Value, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int]) -> tuple[Operand, CastCounts]:
        """Scale exactly by a power of two, round, saturate, count."""
        operand, counts, _ = self._cast(a, fmt, rounding, key, [], [])
        return operand, counts

    def cast_measured(
        self, a: Value, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int], *, reused: bool
    ) -> tuple[Operand, CastCounts, int | None]:
        """Cast, and return the leading exponent of the tensor as well."""
        extra = stores(a.node, "f32") if reused else []
        operand, counts, (bits,) = self._cast(a, fmt, rounding, key, extra, [_magnitudes(a.node)])
        return operand, counts, _exponent(bits)

    def _cast(
        self,
        a: Value,
        fmt: FixedFormat,
        rounding: Rounding,
        key: tuple[int, int],
        extra: Sequence[tuple[Node, str]],
        wanted: Sequence[tuple[str, Node]],
    ) -> tuple[Operand, CastCounts, list[Any]]:
        scaled = _times_power(a.node, fmt.frac_bits)
        name = f"round_float_{rounding}" if rounding is not Rounding.STOCHASTIC else "round_binary32_stochastic"
        rounded = apply(name, scaled, noise_node(rounding, key), dtype="f32")
        if fmt.word_bits <= EXACT_WORD_BITS:
            low, high = parameter(float(fmt.min_code), "f32"), parameter(float(fmt.max_code), "f32")
            code = apply("to_int32", apply("clamp", rounded, low, high, dtype="f32"), dtype="i32")
        else:
            limit = 2.0**62
            wide = apply("clamp", rounded, parameter(-limit, "f32"), parameter(limit, "f32"), dtype="f32")
            low, high = parameter(fmt.min_code, "i64"), parameter(fmt.max_code, "i64")
            rounded = apply("to_int", wide, dtype="i64")
            code = apply("clamp", rounded, low, high, dtype="i64")
        return store_codes(scaled, rounded, code, low, high, fmt, extra, wanted)

    def operand(self, a: Value) -> tuple[Operand, CastCounts]:
        """Return the tensor as a float operand."""
        (nonzero,) = evaluate([(a.node, "f32")], [("sum", apply("nonzero", a.node, dtype="i32"))])
        array = self.array(a)
        return Operand(array, None), CastCounts(array.size, nonzero, 0, 0)

    def read(self, a: Any) -> np.ndarray:
        """Return the values as float64, for people and tests."""
        return self.array(a).astype(np.float64)


def _times_power(node: Node, exponent: int, *, shrink: str = "shrink") -> Node:
    """Return ``node * 2**exponent``; powers that no normal binary32 number holds are taken in parts."""
    while exponent > 127:
        node, exponent = apply("multiply", node, parameter(2.0**127, "f32"), dtype="f32"), exponent - 127
    while exponent < -126:
        node, exponent = apply(shrink, node, parameter(2.0**-100, "f32"), dtype="f32"), exponent + 100
    name = "multiply" if exponent >= 0 else shrink
    return apply(name, node, parameter(math.ldexp(1.0, exponent), "f32"), dtype="f32")


def _magnitudes(node: Node) -> tuple[str, Node]:
    return "range", apply("magnitude_bits", node, dtype="i32")


def _exponent(bits: tuple[int, int]) -> int | None:
    """Return the exponent of the largest magnitude, by its bits."""
    largest = bits[1]
    if largest >= _INFINITY:
        raise UserError(
            "a tensor holds an infinity or a NaN: the training has diverged",
            expected="finite values",
            remedy="lower the learning rate, or clip the gradient",
        )
    if largest == 0:
        return None
    field = largest >> 23
    return field - 126 if field else largest.bit_length() - 149


def store_codes(
    source: Node,
    rounded: Node,
    code: Node,
    low: Node,
    high: Node,
    fmt: FixedFormat,
    extra: Sequence[tuple[Node, str]],
    wanted: Sequence[tuple[str, Node]],
) -> tuple[Operand, CastCounts, list[Any]]:
    """Run the cast that ends in ``code``, store ``extra`` nodes, count; the ``wanted`` reductions are returned last."""
    storage = next(f"{'i' if fmt.signed else 'u'}{w}" for w in (8, 16, 32, 64) if fmt.word_bits <= w)
    storage = {"u32": "i64", "u64": "i64"}.get(storage, storage)
    counts = [
        ("sum", apply("nonzero", code, dtype="i32")),
        ("sum", apply("outside", rounded, low, high, dtype="i32")),
        ("sum", apply("vanished", source, code, dtype="i32")),
    ]
    nonzero, saturated, underflow, *found = evaluate([(code, storage), *extra], [*counts, *wanted])
    assert code.array is not None
    return Operand(code.array, fmt), CastCounts(code.array.size, nonzero, saturated, underflow), found
