"""Gradient accumulation: the sum over several small batches, in the vector unit, for one update."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass(slots=True)
class GradientSum:
    """Gradients of the batches since the last update, by the name of the parameter.

    >>> from fxpsim.autodiff.check import reference_engine
    >>> import numpy as np
    >>> unit, total = reference_engine().vector, GradientSum()
    >>> for value in (1.0, 3.0):
    ...     total.add(unit, {"fc.weight": unit.load(np.array([value]), None)})
    >>> float(total.values["fc.weight"].array[0]), total.scale
    (4.0, Fraction(1, 2))
    """

    values: dict[str, Any] = field(default_factory=dict)
    batches: int = 0

    def add(self, unit: Any, gradients: dict[str, Any]) -> None:
        """Add the gradients of one batch; ``unit`` is the vector unit that computed them."""
        for name, value in gradients.items():
            known = self.values.get(name)
            self.values[name] = value if known is None else unit.add(known, value)
        self.batches += 1

    @property
    def scale(self) -> Fraction:
        """Factor that makes a mean of the sum: the ``scale`` of the optimizer's step."""
        return Fraction(1, self.batches)

    def clear(self) -> None:
        """Begin anew, after an update."""
        self.values.clear()
        self.batches = 0
