r"""Madam, the multiplicative update, on weights that are kept as logarithms: LNS-Madam's.

.. math:: v \leftarrow \beta v + (1 - \beta) g^2, \qquad g^* = \mathrm{clip}(g / \sqrt{\hat v}, \pm c), \qquad
    |w| \leftarrow |w| \, e^{-\alpha \, g^* \mathrm{sign}\, w}

A weight is a sign that never changes and a 16-bit code in units of :math:`1/\gamma` octave, so that the update adds
a whole number to the code: :math:`\mathrm{round}(\alpha \gamma \log_2 e \; g^* \mathrm{sign}\, w)`. Weights stay below
a power of two above ``bound`` times the root mean square of the initial ones. There is no other master copy.

Source: Bernstein et al., "Learning compositional functions via multiplicative weight updates", NeurIPS 2020 (Madam,
after the authors' code jxbz/madam); Zhao et al., "LNS-Madam" (arXiv 2106.13914), whose code was not at hand: the widths
of the code and its gamma are ours. Parameters that are no weights (biases) take plain SGD, ours too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fxpsim.errors import UserError
from fxpsim.optim.adam import power
from fxpsim.optim.base import Optimizer
from fxpsim.optim.decimals import exact
from fxpsim.optim.grid import values_of
from fxpsim.optim.registry import optimizers
from fxpsim.quantizers.logarithmic import LogarithmicCodes, octave_points
from fxpsim.units import CastCounts, Master, SgdStep, UpdateUnit, Value

CODE_BITS = 16
GAMMA = 2048
LARGEST = (1 << (CODE_BITS - 1)) - 1
LOG2_E = Fraction(14426950408889634, 10**16)


@optimizers.register("madam")
@dataclass(frozen=True, kw_only=True)
class Madam(Optimizer):
    """Madam on logarithmic weights.

    Parameters
    ----------
    learning_rate, beta : float
        alpha and the decay of the mean square (0.01 and 0.999 as published).
    largest : float
        c: no normalized gradient counts for more (10 as published).
    bound : float
        Largest weight in units of the initial root mean square, rounded up to a power of two (3 as published).
    bias_rate : float
        Learning rate of parameters that are no weights.
    """

    learning_rate: float = 0.01
    beta: float = 0.999
    largest: float = 10.0
    bound: float = 3.0
    bias_rate: float = 0.01

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
        """Update one tensor: weights (``decay``) by their logarithms, others by SGD."""
        if not decay:
            return unit.sgd(master, grad, SgdStep(learning_rate=exact(self.bias_rate) * factor), key)
        if master.format is not None:
            raise UserError(
                f"the update unit keeps words of {master.format}",
                where="optimizer madam",
                expected="an update unit in float32, which then holds 16-bit logarithms",
                remedy="choose such an accelerator, int8_systolic_32x32 for one",
            )
        state = master.moments
        if "code" not in state:
            state |= self._start(master.weights)
        g = values_of(grad)
        count = int(state["count"][0]) + 1
        beta = float(self.beta)
        square = (beta * state["square"].astype(np.float64) + (1.0 - beta) * (g * g)).astype(np.float32)
        mean = square.astype(np.float64) / float(1 - power(exact(self.beta), count))
        direction = np.divide(g, np.sqrt(mean), out=np.zeros_like(g), where=mean > 0)
        direction = np.clip(direction, -self.largest, self.largest) * state["sign"]
        rate = float(exact(self.learning_rate) * factor * GAMMA * LOG2_E)
        moved = state["code"].astype(np.int64) - np.rint(rate * direction).astype(np.int64)
        code = np.clip(moved, 1, LARGEST)
        saturated = int(np.count_nonzero(moved != code))
        state |= {"code": code.astype(np.int16), "square": square, "count": np.array([count], np.int64)}
        master.weights = weights_of(code, state["sign"], int(state["exponent"][0]))
        return {"master": CastCounts(code.size, code.size, saturated, 0)}

    def _start(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logarithms of the initial weights."""
        encoded = LogarithmicCodes(gamma=GAMMA).encode(weights, bits=CODE_BITS)
        squares = math.fsum((weights.astype(np.float64) ** 2).ravel().tolist())
        top = math.frexp(self.bound * math.sqrt(squares / weights.size))[1]
        below = (top - encoded.reading.exponent) * GAMMA  # type: ignore[attr-defined]
        code = np.clip(np.abs(encoded.codes.astype(np.int64)) - below, 1, LARGEST)
        sign = np.where(weights < 0, -1, 1).astype(np.int8)
        start = {"code": code.astype(np.int16), "sign": sign, "square": np.zeros(weights.shape, np.float32)}
        return start | {"exponent": np.array([top], np.int64), "count": np.zeros(1, np.int64)}


def weights_of(code: np.ndarray, sign: np.ndarray, exponent: int) -> np.ndarray:
    """Return the binary32 weights of codes: ``sign 2**exponent 2**((code - largest) / gamma)``.

    >>> weights_of(np.array([LARGEST, LARGEST - GAMMA]), np.array([1, -1]), 0).tolist()
    [1.0, -0.5]
    """
    octave, part = np.divmod(code.astype(np.int64) - LARGEST, GAMMA)
    return (sign * np.ldexp(octave_points(GAMMA, halves=False)[part], octave + exponent)).astype(np.float32)
