"""Gradient accumulation: the sum over several small batches, in the vector unit's words, for one update."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass(slots=True)
class GradientSum:
    """Gradients of the batches since the last update, by the name of the parameter.

    Each sum is a tensor of the vector unit in memory: 16-bit words with a binary point of its own on an all-integer
    accelerator, binary32 elsewhere. One batch leaves its gradients as they are.

    >>> from fxpsim.units import FloatUnit
    >>> import numpy as np
    >>> unit, total = FloatUnit(), GradientSum()
    >>> for value in (1.0, 3.0):
    ...     total.add(unit, {"fc.weight": unit.load(np.array([value]), None)})
    >>> float(unit.read(total.mean(unit)["fc.weight"])[0])
    2.0
    """

    values: dict[str, Any] = field(default_factory=dict)
    batches: int = 0

    def add(self, unit: Any, gradients: dict[str, Any]) -> None:
        """Add the gradients of one batch; ``unit`` is the vector unit that computed them."""
        for name, value in gradients.items():
            known = self.values.get(name)
            self.values[name] = total = value if known is None else unit.add(known, value)
            if known is not None:
                unit.array(total)  # the batches' own gradients are let go of
        self.batches += 1

    def mean(self, unit: Any) -> dict[str, Any]:
        """Return the mean over the batches: the sum times one over their number."""
        if self.batches == 1:
            return self.values
        return {name: unit.scale(value, Fraction(1, self.batches)) for name, value in self.values.items()}
