r"""Adam and AdamW, executed by the update unit.

.. math::

    m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
    w \leftarrow w - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt{v} + \hat\epsilon}

with :math:`\hat\epsilon = \epsilon \sqrt{1 - \beta_2^t}`: Kingma and Ba, "Adam", 2015, section 2, last paragraph. The
corrections of the bias are numbers of the step, not of an element; they are exact to 40 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fxpsim.optim.base import Optimizer, root
from fxpsim.optim.decimals import exact
from fxpsim.optim.registry import optimizers
from fxpsim.units import AdamStep, CastCounts, Master, UpdateUnit, Value

GRID_BITS = 60


@optimizers.register("adam")
@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Adam; weight decay is added to the gradient.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon, weight_decay : float
        Decimal numbers; they are taken exactly as written. An integer update unit takes at least one unit in the
        last place of its momentum for ``epsilon``.
    """

    by_element = True

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled = False

    def step(
        self,
        unit: UpdateUnit,
        master: Master,
        grad: Value,
        factor: Fraction,
        key: tuple[int, int],
        *,
        decay: bool,
        scale: Fraction = Fraction(1),
    ) -> dict[str, CastCounts]:
        """Update one tensor; the number of its steps is part of its state."""
        count = int(master.moments.get("count", np.zeros(1, np.int64))[0]) + 1
        first, second = exact(self.beta1), exact(self.beta2)
        correction = root(1 - power(second, count))
        rate = exact(self.learning_rate) * factor
        shrink = exact(self.weight_decay) if decay else Fraction(0)
        numbers = AdamStep(
            learning_rate=rate * correction / (1 - power(first, count)),
            first_rate=1 - first,
            second_rate=1 - second,
            epsilon=exact(self.epsilon) * correction,
            weight_decay=Fraction(0) if self.decoupled else shrink,
            decay=rate * shrink if self.decoupled else Fraction(0),
            gradient=self.rule(unit, grad, scale),
        )
        counts = unit.adam(master, grad, numbers, key)
        master.moments["count"] = np.array([count], np.int64)
        return counts


@optimizers.register("adamw")
@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``w <- w - learning_rate weight_decay w`` (Loshchilov and Hutter 2019)."""

    weight_decay: float = 0.01
    decoupled = True


def power(base: Fraction, exponent: int) -> Fraction:
    """Return ``base**exponent`` for 0 <= base < 1 on a grid of ``2**-60``, by repeated squaring.

    >>> power(Fraction(1, 2), 3), float(power(Fraction(9, 10), 1000)) < 1e-15
    (Fraction(1, 8), True)
    """
    result, square = 1 << GRID_BITS, round(base * (1 << GRID_BITS))
    while exponent:
        if exponent & 1:
            result = result * square >> GRID_BITS
        square = square * square >> GRID_BITS
        exponent >>= 1
    return Fraction(result, 1 << GRID_BITS)
