r"""MuPPET: one word length for the whole network, raised between epochs, and binary32 at the end.

Rajagopal, Vink, Venieris, Bouganis, "Multi-Precision Policy Enforced Training (MuPPET)", ICML 2020, constants and rule
of the released code (ICIdsl/muppet). At the end of every ``resolution`` epochs

.. math:: \Delta = \frac{1}{layers} \sum_l \frac{\sum_k \|g_{l,k}\|^2}{\|\sum_k g_{l,k}\|^2}

over the gradients of the window's epochs; ``max`` is its largest value at this precision. A ratio ``max / now`` above
:math:`\alpha + \beta e^{-\lambda \cdot epoch}` is a violation; after ``patience`` violations the next word length of
``schedule`` is taken. Which gradients stand for an epoch (its last batch) is our reconstruction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent
from fxpsim.policies.logarithms import exp
from fxpsim.policies.sample import square_sum

GRADIENT_BITS = 36


@policies.register("muppet")
@dataclass(frozen=True, kw_only=True)
class Muppet:
    """The precision schedule of MuPPET.

    Parameters
    ----------
    schedule : sequence of int
        Word lengths, in order.
    ends_in_float32 : bool
        Whether binary32 follows the last word length.
    resolution : int
        Epochs of a window.
    patience : int
        Violations before a switch.
    alpha, beta, rate : float
        Constants of the threshold.

    Examples
    --------
    >>> policy = Muppet()
    >>> policy.decide(policy.init(["fc"], {"weight": 8}), "fc", "weight")
    Decision(word_bits=8, frac_bits=None)
    """

    schedule: Sequence[int] = (8, 12, 14, 16)
    ends_in_float32: bool = True
    resolution: int = 3
    patience: int = 2
    alpha: float = 1.0
    beta: float = 1.5
    rate: float = 0.1

    def __post_init__(self) -> None:
        bits = list(self.schedule)
        if not bits or bits != sorted(set(bits)) or not (bits[0] >= 2 and bits[-1] <= 32):
            raise UserError(
                f"schedule is {bits}",
                where="policy muppet",
                expected="growing word lengths from 2 to 32",
                remedy="for example schedule = [8, 12, 14, 16]",
            )
        if self.resolution < 1 or self.patience < 1:
            raise UserError(
                f"resolution is {self.resolution}, patience is {self.patience}",
                where="policy muppet",
                expected="whole numbers of at least 1",
                remedy="the published values are 3 and 2",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the first word length."""
        windows = {layer: {"sum": None, "squares": 0} for layer in layers}
        return {"level": 0, "max": None, "violations": 0, "windows": windows, "work": {}, "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want the beginning of steps, and gradients (of which those at the end of an epoch count)."""
        moving = state["level"] < len(self.schedule) - (not self.ends_in_float32)
        return moving and moment in (Moment.BEGIN, Moment.GRADIENT)

    def update(self, state: State, statistics: Statistics) -> State:
        """Collect a gradient at the end of an epoch; decide when a window of epochs is over."""
        epoch, place = divmod(statistics.step, statistics.steps_per_epoch)
        if statistics.moment is Moment.GRADIENT:
            return self._collect(state, statistics) if place == statistics.steps_per_epoch - 1 else state
        due = place == 0 and epoch > 0 and epoch % self.resolution == 0
        return self._decide_level(state, epoch) if due else {**state, "log": []}

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the network's word length."""
        level = state["level"]
        return Decision(word_bits=self.schedule[level]) if level < len(self.schedule) else None

    def _collect(self, state: State, statistics: Statistics) -> State:
        assert statistics.tensor is not None
        gradient = statistics.tensor.on_grid(GRADIENT_BITS)
        window = state["windows"][statistics.layer]
        total = gradient if window["sum"] is None else window["sum"] + gradient
        own = {"sum": total, "squares": window["squares"] + square_sum(gradient)}
        windows = {**state["windows"], statistics.layer: own}
        return {**state, "windows": windows, "work": spent(state, statistics.layer, 3 * gradient.size), "log": []}

    def _decide_level(self, state: State, epoch: int) -> State:
        parts = []
        for window in state["windows"].values():
            total = square_sum(window["sum"]) if window["sum"] is not None else 0
            if total:
                parts.append(Fraction(window["squares"], total))
        empty = {layer: {"sum": None, "squares": 0} for layer in state["windows"]}
        if not parts:
            return {**state, "windows": empty, "log": []}
        diversity = sum(parts, Fraction(0)) / len(parts)
        # on a grid of 2**-32: the state stays short, and the ratio is compared exactly
        now = max(round(diversity * 2**32), 1)
        largest = max(state["max"] or 0, now)
        alpha, beta, rate = (Fraction(str(number)) for number in (self.alpha, self.beta, self.rate))
        threshold = alpha + beta * exp(-rate * epoch)
        violations = state["violations"] + (Fraction(largest, now) > threshold)
        level = state["level"]
        log = [["", "", "diversity", Fraction(now, 2**32)], ["", "", "ratio", Fraction(largest, now)]]
        log.append(["", "", "threshold", threshold])
        log.append(["", "", "violations", violations])
        if violations >= self.patience:
            level, largest, violations = level + 1, None, 0
        return {**state, "level": level, "max": largest, "violations": violations, "windows": empty, "log": log}
