"""Stochastic gradient descent with momentum, executed by the update unit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fxpsim.optim.registry import optimizers
from fxpsim.optim.schedules import exact
from fxpsim.units import CastCounts, Master, SgdStep, UpdateUnit, Value


@optimizers.register("sgd")
@dataclass(frozen=True, kw_only=True)
class Sgd:
    """``v <- momentum v + g + weight_decay w``; ``w <- w - learning_rate v``.

    Momentum as in most frameworks: the rate multiplies the velocity (Sutskever et al. 2013 put it inside).

    Parameters
    ----------
    learning_rate, momentum, weight_decay : float
        Decimal numbers; they are taken exactly as written.
    nesterov : bool
        Look ahead by one momentum step.
    """

    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def step(
        self, unit: UpdateUnit, master: Master, grad: Value, factor: Fraction, key: tuple[int, int], *, decay: bool
    ) -> dict[str, CastCounts]:
        """Update one tensor.

        Parameters
        ----------
        unit : UpdateUnit
            Who computes.
        master : Master
            The tensor; changed.
        grad : Value
            Its gradient.
        factor : Fraction
            Factor of the learning rate from the schedule.
        key : (int, int)
            Random key of the step.
        decay : bool
            Whether weight decay applies to this tensor (weights: yes; biases: no).
        """
        numbers = SgdStep(
            learning_rate=exact(self.learning_rate) * factor,
            momentum=exact(self.momentum),
            weight_decay=exact(self.weight_decay) if decay else Fraction(0),
            nesterov=self.nesterov,
        )
        return unit.sgd(master, grad, numbers, key)
