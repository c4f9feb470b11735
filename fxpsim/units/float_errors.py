"""A backward pass in binary32 behind a forward pass in fixed point, to see what errors in integers cost.

What the forward pass left is read as it is: codes exactly (rounded to nearest even where a word has more than 24 bits),
the statistics of a normalization as codes, too. Gradients of parameters leave in words of 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from fxpsim.units import floating_norm
from fxpsim.units.fixed_norm import FixedStatistics
from fxpsim.units.floating import FloatUnit
from fxpsim.units.floating_norm import FloatRows, FloatStatistics
from fxpsim.units.graph import leaf
from fxpsim.units.values import Value
from fxpsim.units.vector import VectorUnit

F32 = np.float32
GRADIENT_BITS = 32


def _reads_both(unit: type) -> type:
    """Let every method of the protocol that the class does not define itself read operands of either unit."""
    for name in vars(VectorUnit):
        run = getattr(unit, name, None)
        if not name.startswith("_") and callable(run) and name not in vars(unit):
            setattr(unit, name, _reading(run))
    return unit


def _reading(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the binary32 unit that reads operands of either unit."""

    @wraps(run)
    def method(self: FloatErrorUnit, *operands: Any, **options: Any) -> Any:
        return run(self, *(self.here(operand) for operand in operands), **options)

    return method


@_reads_both
class FloatErrorUnit(FloatUnit):
    """The binary32 vector unit, reading what a fixed-point unit has left: every operand may be of either.

    Parameters
    ----------
    forward : IslandUnit
        The unit of the forward pass.
    """

    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def here(self, operand: Any) -> Any:
        """Return a tensor of codes in binary32; anything else as it is."""
        if isinstance(operand, list):
            return [self.here(part) for part in operand]
        return self.forward.exact(operand) if isinstance(operand, Value) and operand.frac_bits is not None else operand

    def leave(self, gradient: Value) -> Value:
        """Return the gradient of a parameter in words of the forward pass's unit."""
        return gradient if gradient.frac_bits is not None else self.forward.rounded(gradient, GRADIENT_BITS)

    def array(self, a: Value) -> np.ndarray:
        """Return the elements in memory: codes of what the forward pass left."""
        return super().array(a) if a.frac_bits is None else self.forward.array(a)

    def normalize_gradient(self, g: Value, gamma: Value, kept: Any) -> tuple[Value, Value, Value]:
        """Return the gradients with respect to the input, gamma and beta."""
        return floating_norm.normalize_gradient(self, self.here(g), self.here(gamma), self._statistics(kept))

    def normalize_rows_gradient(self, g: Value, kept: Any) -> Value:
        """Return the gradient with respect to the input."""
        return floating_norm.normalize_rows_gradient(self, self.here(g), self._rows(kept))

    def _statistics(self, kept: Any) -> FloatStatistics:
        """Return the statistics of columns in binary32."""
        if not isinstance(kept, FixedStatistics):
            return kept.kept  # of a normalization in binary32
        means, inverse = _read(kept)
        return FloatStatistics(self.here(kept.x), kept.count, means, inverse, kept.deviations)

    def _rows(self, kept: Any) -> FloatRows:
        """Return the statistics of rows in binary32, and the normalized rows."""
        if not isinstance(kept, FixedStatistics):
            return kept
        means, inverse = (numbers.reshape(*kept.x.shape[:-1], 1) for numbers in _read(kept))
        centered = self.subtract(kept.x, Value(leaf(means)))
        return FloatRows(self.multiply(centered, Value(leaf(inverse))), inverse)


def _read(kept: FixedStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Return means and inverse standard deviations, each rounded once."""
    assert kept.x.frac_bits is not None
    means = np.ldexp(kept.sums / kept.count, -kept.x.frac_bits)
    inverse = np.ldexp(kept.roots.astype(np.float64), kept.x.frac_bits - kept.points)
    return means.astype(F32), inverse.astype(F32)
