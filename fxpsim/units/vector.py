"""The vector unit as the ops see it: one protocol, an interpreter for each arithmetic.

An op's value rule calls these methods and nothing else, so that one network runs on the fixed-point unit, on the
binary32 unit, on the binary64 reference of the gradient check, and on shapes alone.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from fxpsim.kernels.curves import Curve
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units.values import Accumulated, CastCounts, Operand


class VectorUnit(Protocol):
    """Arithmetic between two visits to the MAC array. ``Any`` stands for the unit's own values."""

    arithmetic: str

    def load(self, array: np.ndarray, frac_bits: int | None) -> Any:
        """Bring an array in memory (codes, or floats where ``frac_bits`` is None) into the unit."""
        ...

    def from_accumulator(self, sums: Accumulated) -> Any:
        """Bring the MAC array's result into the unit's own arithmetic."""
        ...

    def add(self, a: Any, b: Any) -> Any:
        """Broadcast sum."""
        ...

    def subtract(self, a: Any, b: Any) -> Any:
        """Broadcast difference."""
        ...

    def multiply(self, a: Any, b: Any) -> Any:
        """Broadcast product."""
        ...

    def scale(self, a: Any, factor: Fraction) -> Any:
        """Multiply by a constant; a power of two is free in fixed point."""
        ...

    def relu(self, a: Any) -> Any:
        """``max(a, 0)``."""
        ...

    def gate(self, condition: Any, a: Any) -> Any:
        """``a`` where ``condition > 0``, else 0."""
        ...

    def sum_leading(self, a: Any, shape: tuple[int, ...]) -> Any:
        """Sum over the leading axes, down to ``shape`` (the trailing axes)."""
        ...

    def reshape(self, a: Any, shape: tuple[int, ...]) -> Any:
        """Return the same elements under another shape."""
        ...

    def take(self, a: Any, index: tuple[slice, ...]) -> Any:
        """Return ``a[index]``, a tuple of slices."""
        ...

    def put(self, a: Any, index: tuple[slice, ...], shape: tuple[int, ...]) -> Any:
        """Return zeros of ``shape`` with ``a`` in the places ``index``."""
        ...

    def window_max(self, a: Any, window: Any) -> tuple[Any, Any]:
        """Return the largest element of each window, and which one it was."""
        ...

    def window_max_gradient(self, g: Any, winners: Any, window: Any, shape: tuple[int, ...]) -> Any:
        """Send each gradient back to its window's winner."""
        ...

    def window_sum(self, a: Any, window: Any) -> Any:
        """Sum of each window."""
        ...

    def window_sum_gradient(self, g: Any, window: Any, shape: tuple[int, ...]) -> Any:
        """Send each gradient back to every element of its window."""
        ...

    def softmax_cross_entropy(self, logits: Any, labels: np.ndarray) -> tuple[Any, Any, Any]:
        """Return the summed loss, ``softmax - one_hot``, and the number of rows whose largest logit is the label's."""
        ...

    def curve(self, a: Any, kind: Curve) -> Any:
        """Sigmoid, tanh, normal distribution or its density."""
        ...

    def clip(self, a: Any, low: Fraction, high: Fraction) -> Any:
        """``min(max(a, low), high)``."""
        ...

    def inside(self, condition: Any, a: Any, low: Fraction, high: Fraction) -> Any:
        """``a`` where ``low < condition < high``, else 0."""
        ...

    def dropout(self, a: Any, threshold: int, key: tuple[int, int]) -> Any:
        """``a`` where the element's random word is at least ``threshold``, else 0."""
        ...

    def niti_cross_entropy(self, logits: Any, labels: np.ndarray, words: np.ndarray) -> Any:
        """Return the gradient of NITI's integer cross entropy, ``softmax - one_hot`` in units of ``2**-7``."""
        ...

    def softmax(self, a: Any, *, causal: bool) -> Any:
        """Shares of every row (the last axis), each position seeing none beyond itself if ``causal``."""
        ...

    def softmax_gradient(self, g: Any, shares: Any) -> Any:
        """``shares (g - sum(g shares))`` of every row."""
        ...

    def settle(self, a: Any) -> Any:
        """Return the same tensor; in fixed point with its largest code as the bound of what follows."""
        ...

    def transpose(self, a: Any, axes: tuple[int, ...]) -> Any:
        """Return the tensor with its axes in another order."""
        ...

    def concatenate(self, parts: list[Any], axis: int) -> Any:
        """Join tensors along an axis."""
        ...

    def gather(self, table: Any, ids: np.ndarray) -> Any:
        """Return the rows of a table that ``ids`` name."""
        ...

    def scatter_add(self, g: Any, ids: np.ndarray, rows: int) -> Any:
        """Add every row of ``g`` to the row that its id names."""
        ...

    def label_excess(self, logits: Any, labels: np.ndarray) -> Any:
        """Return the sum over the rows of ``x[label] - mean(x)``."""
        ...

    def sum_of_squares(self, a: Any) -> Any:
        """Return the sum of the squares of all elements."""
        ...

    def whole(self, a: Any) -> np.ndarray:
        """Return whole numbers as int64, to address a table with."""
        ...

    def normalize_batch(self, x: Any, gamma: Any, beta: Any, epsilon: Fraction) -> tuple[Any, Any]:
        """Batch normalization over the last axis's columns; also returns what the gradient needs.

        That object has ``mean()`` and ``variance()`` (unbiased), for the running statistics.
        """
        ...

    def normalize_frozen(
        self, x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: Fraction
    ) -> tuple[Any, Any]:
        """Batch normalization with given statistics."""
        ...

    def normalize_gradient(self, g: Any, gamma: Any, kept: Any) -> tuple[Any, Any, Any]:
        """Return the gradients with respect to x, gamma and beta."""
        ...

    def normalize_rows(self, x: Any, epsilon: Fraction) -> tuple[Any, Any]:
        """Normalize every row (the last axis); also returns what the gradient needs."""
        ...

    def normalize_rows_gradient(self, g: Any, kept: Any) -> Any:
        """Return the gradient with respect to x."""
        ...

    def leading_exponent(self, a: Any) -> int | None:
        """Return the least e such that every ``|a| < 2**e``; None if all elements are zero."""
        ...

    def cast(self, a: Any, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int]) -> tuple[Operand, CastCounts]:
        """Quantize for the MAC array; saturates."""
        ...

    def cast_measured(
        self, a: Any, fmt: FixedFormat, rounding: Rounding, key: tuple[int, int], *, reused: bool
    ) -> tuple[Operand, CastCounts, int | None]:
        """Quantize for the MAC array and return the tensor's :meth:`leading_exponent` as well, in one pass.

        ``reused`` says that others read the tensor, too: it may be stored on the way.
        """
        ...

    def operand(self, a: Any) -> tuple[Operand, CastCounts]:
        """Return the tensor as a float operand, for a stream that is not quantized."""
        ...

    def read(self, a: Any) -> np.ndarray:
        """Return the values as float64, for people and tests."""
        ...
