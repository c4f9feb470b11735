r"""HGQ's learned bits: a fraction length for every weight and one for the activations of a layer, moved by gradients.

.. math:: \frac{\partial L}{\partial f} = g \, \ln 2 \, (x - q(x)) + \beta \, \frac{\partial \mathrm{EBOPs}}{\partial f}

with g the gradient that arrives at x. EBOPs add bits(a) bits(w) over all multiplications; the derivative by the bits
of a weight is the activation's bits, by those of an activation the mean of the weights', where they have bits at all.
A weight whose bits vanish is pruned. Sums over an activation tensor are taken in integers, so no order decides.

Source: Sun et al., "Gradient-based automatic per-weight mixed precision quantization for neural networks on FPGA"
(HGQ, arXiv 2405.00645), after the authors' code. Published are fraction lengths of single activations too, an Adam for
them and a schedule of beta; one per layer, plain steps and a constant are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent
from fxpsim.policies.sample import Sample

LN2 = 0.6931471805599453
LEAST, LARGEST = -23, 23
SUM_BITS = 40
WORD_BITS = 16
OPERATIONS = 8


@policies.register("hgq")
@dataclass(frozen=True, kw_only=True)
class LearnedBits:
    """HGQ's controller.

    Parameters
    ----------
    start : float
        Fraction length of everything before the first step.
    rate : float
        Step of the fraction lengths along their gradients.
    beta : float
        Price of an effective bit operation, in units of the loss.
    largest_move : float
        No fraction length moves further in a step.

    Examples
    --------
    >>> policy = LearnedBits(start=6.0)
    >>> decision = policy.decide(policy.init(["fc"], {"weight": 16}), "fc", "weight")
    >>> int(decision.bits)
    6
    """

    start: float = 6.0
    rate: float = 200.0
    beta: float = 1e-6
    largest_move: float = 0.125

    def __post_init__(self) -> None:
        if not LEAST <= self.start <= LARGEST or self.rate <= 0 or self.beta < 0 or self.largest_move <= 0:
            raise UserError(
                f"start is {self.start}, rate is {self.rate}, beta is {self.beta}",
                where="policy hgq",
                expected="a start from -23 to 23, a positive rate and a price that is not negative",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Give every layer the start."""
        start = {layer: np.array(self.start) for layer in layers}
        whole = {layer: np.array(round(self.start), np.int64) for layer in layers}
        both = {"f weight": dict(start), "f activation": start, "weight": dict(whole), "activation": whole}
        bits = {layer: [float(self.start), float(self.start)] for layer in layers}
        return {**both, "bits": bits, "fixed": dict(word_bits), "work": dict.fromkeys(layers, 0), "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want the gradients of weights and activations."""
        return moment is Moment.GRADIENT or (moment is Moment.SLOPE and stream == "activation")

    def update(self, state: State, statistics: Statistics) -> State:
        """Move the fraction lengths of a tensor along their gradient."""
        seen, layer = statistics, statistics.layer
        weight = seen.moment is Moment.GRADIENT
        tensor, gradient = (seen.master, seen.tensor) if weight else (seen.tensor, seen.slope)
        assert tensor is not None
        assert gradient is not None
        name = "weight" if weight else "activation"
        x, g = _floats(tensor), _floats(gradient)
        rounded = state[name][layer]
        codes = np.floor(np.ldexp(x, rounded) + 0.5)
        slope = g * LN2 * (x - np.ldexp(codes, -rounded))
        of_weight, of_activation = state["bits"][layer]
        if weight:
            own = np.frexp(np.abs(codes))[1].astype(np.float64)
            slope = slope + self.beta * of_activation * (own > 0)
            bits = [exact_sum(own) / own.size, of_activation]
            f = np.broadcast_to(state["f weight"][layer], x.shape)
        else:
            largest = int(np.frexp(np.abs(codes).max(initial=0.0))[1])
            slope = exact_sum(slope) + self.beta * of_weight * (largest > 0)
            bits = [of_weight, float(largest)]
            f = state["f activation"][layer]
        move = np.clip(self.rate * slope, -self.largest_move, self.largest_move)
        moved = np.asarray(np.clip(f - move, LEAST, LARGEST))  # an array even where it is one number
        now = np.asarray(np.rint(moved), np.int64)
        kept = rounded if now.shape == rounded.shape and np.array_equal(now, rounded) else now
        work = spent(state, layer, OPERATIONS * x.size)
        log = []
        if (seen.step + 1) % seen.steps_per_epoch == 0 and weight:
            log = [
                [layer, "weight", "mean weight bits", bits[0]],
                [layer, "weight", "ebops of a position", bits[0] * x.size * bits[1]],
            ]
        changed = {f"f {name}": {**state[f"f {name}"], layer: moved}, name: {**state[name], layer: kept}}
        return {**state, **changed, "bits": {**state["bits"], layer: bits}, "work": work, "log": log}

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the fraction lengths of weights and activations; other streams keep their words."""
        name = stream.partition("@")[0]
        if name not in ("weight", "activation"):
            return Decision(word_bits=state["fixed"][stream])
        return Decision(word_bits=WORD_BITS, bits=state[name][layer])


def exact_sum(values: NDArray[np.float64]) -> float:
    """Return a sum that depends on no order: of integers of 40 bits below the largest magnitude.

    >>> exact_sum(np.array([0.5, -0.25, 3.0]))
    3.25
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return 0.0
    exponent = SUM_BITS - math.frexp(largest)[1]
    return math.ldexp(float(int(np.rint(np.ldexp(values, exponent)).astype(np.int64).sum())), -exponent)


def _floats(sample: Sample) -> Any:
    values = sample.array.astype(np.float64)
    return values if sample.frac_bits is None else np.ldexp(values, -sample.frac_bits)
