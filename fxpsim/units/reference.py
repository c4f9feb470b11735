"""The reference interpreter: the same ops in NumPy's binary64, one after the other. For gradient checks and tests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.kernels import mac, moves, windows
from fxpsim.units import reference_functions
from fxpsim.units.values import Accumulated, CastCounts, Operand


@dataclass(slots=True)
class Exact:
    """A tensor of the reference unit."""

    array: np.ndarray
    nonnegative: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.array.shape


@dataclass(slots=True)
class ExactStatistics:
    """What batch normalization keeps for its gradient."""

    x: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    epsilon: float
    batch: bool

    @property
    def inverse(self) -> np.ndarray:
        """Inverse standard deviation of every column."""
        return 1 / np.sqrt(self.spread + self.epsilon)

    @property
    def normalized(self) -> np.ndarray:
        """The normalized input."""
        return (self.x - self.center) * self.inverse

    def mean(self) -> Exact:
        """Return the mean of every column of the batch."""
        return Exact(self.center)

    def variance(self) -> Exact:
        """Return the unbiased variance of every column of the batch."""
        count = self.x.size // self.x.shape[-1]
        return Exact(self.spread * count / max(count - 1, 1))


class ReferenceUnit:
    """The vector unit in binary64: the methods of :class:`~fxpsim.units.vector.VectorUnit`, plainly."""

    arithmetic = "float64"

    def load(self, array: np.ndarray, frac_bits: int | None) -> Exact:
        """Return the values of an array."""
        return Exact(np.ldexp(np.asarray(array, np.float64), -(frac_bits or 0)))

    def from_accumulator(self, sums: Accumulated) -> Exact:
        """Return the sums."""
        return self.load(sums.codes, sums.frac_bits)

    def add(self, a: Exact, b: Exact) -> Exact:
        """Broadcast sum."""
        return Exact(a.array + b.array)

    def subtract(self, a: Exact, b: Exact) -> Exact:
        """Broadcast difference."""
        return Exact(a.array - b.array)

    def multiply(self, a: Exact, b: Exact) -> Exact:
        """Broadcast product."""
        return Exact(a.array * b.array)

    def scale(self, a: Exact, factor: Fraction) -> Exact:
        """Multiply by a constant."""
        return Exact(a.array * float(factor))

    def relu(self, a: Exact) -> Exact:
        """``max(a, 0)``."""
        return Exact(np.maximum(a.array, 0), nonnegative=True)

    def gate(self, condition: Exact, a: Exact) -> Exact:
        """``a`` where ``condition > 0``, else 0."""
        return Exact(np.where(condition.array > 0, a.array, 0))

    def sum_leading(self, a: Exact, shape: tuple[int, ...]) -> Exact:
        """Sum over the leading axes."""
        return Exact(a.array.reshape(-1, *shape).sum(0))

    def reshape(self, a: Exact, shape: tuple[int, ...]) -> Exact:
        """Return the same elements under another shape."""
        return Exact(a.array.reshape(shape))

    def take(self, a: Exact, index: tuple[slice, ...]) -> Exact:
        """Return ``a[index]``."""
        return Exact(a.array[index], a.nonnegative)

    def put(self, a: Exact, index: tuple[slice, ...], shape: tuple[int, ...]) -> Exact:
        """Return zeros with ``a`` in the places ``index``."""
        return Exact(moves.put(a.array, index, shape), a.nonnegative)

    def window_max(self, a: Exact, window: windows.Window) -> tuple[Exact, np.ndarray]:
        """Return the largest element of each window."""
        largest, winners = windows.window_max(a.array, window)
        return Exact(largest), winners

    def window_max_gradient(
        self, g: Exact, winners: np.ndarray, window: windows.Window, shape: tuple[int, ...]
    ) -> Exact:
        """Send each gradient back to its window's winner."""
        return Exact(windows.window_max_gradient(g.array, winners, window, shape))

    def window_sum(self, a: Exact, window: windows.Window) -> Exact:
        """Sum of each window."""
        return Exact(windows.window_sum(a.array, window))

    def window_sum_gradient(self, g: Exact, window: windows.Window, shape: tuple[int, ...]) -> Exact:
        """Send each gradient back to every element of its window."""
        return Exact(windows.window_sum_gradient(g.array, window, shape))

    def softmax_cross_entropy(self, logits: Exact, labels: np.ndarray) -> tuple[float, Exact, int]:
        """Return the summed loss, ``softmax - one_hot`` and the number of right rows."""
        x = logits.array - logits.array.max(axis=1, keepdims=True)
        power = np.exp(x)
        total = power.sum(axis=1, keepdims=True)
        rows = np.arange(len(x))
        gradient = power / total
        gradient[rows, labels] -= 1
        loss = float((np.log(total[:, 0]) - x[rows, labels]).sum())
        return loss, Exact(gradient), int((logits.array.argmax(axis=1) == labels).sum())

    # --- functions and moves

    curve = reference_functions.curve
    clip = reference_functions.clip
    inside = reference_functions.inside
    dropout = reference_functions.dropout
    softmax = reference_functions.softmax
    softmax_gradient = reference_functions.softmax_gradient
    settle = reference_functions.settle
    transpose = reference_functions.transpose
    concatenate = reference_functions.concatenate
    gather = reference_functions.gather
    scatter_add = reference_functions.scatter_add
    label_excess = reference_functions.label_excess
    sum_of_squares = reference_functions.sum_of_squares
    whole = reference_functions.whole

    def normalize_batch(self, x: Exact, gamma: Exact, beta: Exact, epsilon: Fraction) -> tuple[Exact, ExactStatistics]:
        """Normalize every column with the statistics of the batch, then scale and shift it."""
        rows = x.array.reshape(-1, x.shape[-1])
        kept = ExactStatistics(x.array, rows.mean(0), rows.var(0), float(epsilon), batch=True)
        return Exact(kept.normalized * gamma.array + beta.array), kept

    def normalize_frozen(
        self, x: Exact, gamma: Exact, beta: Exact, mean: Exact, variance: Exact, epsilon: Fraction
    ) -> tuple[Exact, ExactStatistics]:
        """Normalize every column with given statistics, then scale and shift it."""
        kept = ExactStatistics(x.array, mean.array, variance.array, float(epsilon), batch=False)
        return Exact(kept.normalized * gamma.array + beta.array), kept

    def normalize_gradient(self, g: Exact, gamma: Exact, kept: ExactStatistics) -> tuple[Exact, Exact, Exact]:
        """Return the gradients with respect to the input, gamma and beta."""
        axes = tuple(range(g.array.ndim - 1))
        to_beta, to_gamma = g.array.sum(axes), (g.array * kept.normalized).sum(axes)
        inner = g.array
        if kept.batch:
            count = g.array.size // g.shape[-1]
            inner = inner - to_beta / count - kept.normalized * to_gamma / count
        return Exact(gamma.array * kept.inverse * inner), Exact(to_gamma), Exact(to_beta)

    def normalize_rows(self, x: Exact, epsilon: Fraction) -> tuple[Exact, ExactStatistics]:
        """Normalize every row (the last axis) with its own statistics."""
        center, spread = x.array.mean(-1, keepdims=True), x.array.var(-1, keepdims=True)
        kept = ExactStatistics(x.array, center, spread, float(epsilon), batch=True)
        return Exact(kept.normalized), kept

    def normalize_rows_gradient(self, g: Exact, kept: ExactStatistics) -> Exact:
        """Return the gradient with respect to the input."""
        y = kept.normalized
        inner = g.array - g.array.mean(-1, keepdims=True) - y * (g.array * y).mean(-1, keepdims=True)
        return Exact(kept.inverse * inner)

    def operand(self, a: Exact) -> tuple[Operand, CastCounts]:
        """Return the tensor as it is."""
        return Operand(a.array, None), CastCounts(a.array.size, int(np.count_nonzero(a.array)), 0, 0)

    def read(self, a: Exact) -> np.ndarray:
        """Return the values."""
        return a.array


class ReferenceMac:
    """The MAC array in binary64."""

    overflowed = 0

    def run(self, operation: str, a: Operand, b: Operand, **attributes: Any) -> Accumulated:
        """Run an operation of :class:`~fxpsim.units.mac.MacArray` on float64 operands."""
        return Accumulated(getattr(mac, operation + "_float")(a.codes, b.codes, **attributes), None)
