r"""FracTrain's progressive quantization (PFQ): word lengths that grow when the loss stops falling.

Stages of word lengths for the forward pass (weights, activations) and the backward pass (errors). At the end of an
epoch with the mean loss L the last five means are compared: if all four

.. math:: |L - L_i| / s \le \epsilon \, \alpha^{\min(t, 2)}

with s the mean of L over the first ten epochs (frozen then), the next stage begins and the window is emptied. t counts
the stages so far; the threshold shrinks at the first two only, as in the code.

Source: Fu et al., "FracTrain", NeurIPS 2020 (arXiv 2012.13113), algorithm 1, after the authors' code
GATECH-EIC/FracTrain. Its published input-adaptive half (DFQ) gates residual blocks by a network of its own and is
not a policy; :func:`computation_percent` and :class:`Regulator` are its cost and its rule for the penalty's sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent

GRID = 1 << 40
FORWARD = ("weight", "activation")


@policies.register("fractrain_pfq")
@dataclass(frozen=True, kw_only=True)
class Progressive:
    """PFQ.

    Parameters
    ----------
    forward, backward : sequence of int
        Word lengths of weights and activations, and of errors, by stage.
    threshold, decay : float
        epsilon and alpha.
    window : int
        Epochs that are compared.
    scale_epochs : int
        Epochs over which the scale of the loss is taken.

    Examples
    --------
    >>> policy = Progressive()
    >>> state = policy.init(["fc"], {"weight": 8, "error": 8})
    >>> [policy.decide(state, "fc", stream).word_bits for stream in ("weight", "error")]
    [3, 6]
    """

    forward: Sequence[int] = (3, 4, 6, 8)
    backward: Sequence[int] = (6, 6, 8, 8)
    threshold: float = 0.05
    decay: float = 0.3
    window: int = 5
    scale_epochs: int = 10

    def __post_init__(self) -> None:
        both = [*self.forward, *self.backward]
        if not both or len(self.forward) != len(self.backward) or not 2 <= min(both) <= max(both) <= 32:
            raise UserError(
                f"forward is {list(self.forward)}, backward is {list(self.backward)}",
                where="policy fractrain_pfq",
                expected="as many word lengths from 2 to 32 for both",
                remedy="for example forward = [3, 4, 6, 8], backward = [6, 6, 8, 8]",
            )
        if self.window < 2 or self.scale_epochs < 1:
            raise UserError(
                f"window is {self.window}, scale_epochs is {self.scale_epochs}",
                where="policy fractrain_pfq",
                expected="at least 2 epochs to compare and 1 to scale by",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the first stage."""
        empty = {"stage": 0, "window": [], "means": [], "sum": Fraction(0), "count": 0}
        return empty | {"fixed": dict(word_bits), "work": dict.fromkeys(layers, 0), "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want every loss until the last stage."""
        return moment is Moment.LOSS and state["stage"] < len(self.forward) - 1

    def update(self, state: State, statistics: Statistics) -> State:
        """Collect the loss; compare at the end of an epoch."""
        assert statistics.loss is not None
        total = state["sum"] + Fraction(round(statistics.loss * GRID), GRID)
        state = {**state, "sum": total, "count": state["count"] + 1, "log": []}
        if (statistics.step + 1) % statistics.steps_per_epoch:
            return state
        mean = Fraction(round(state["sum"] / state["count"] * GRID), GRID)
        work = state["work"]
        for layer in work:
            work = spent({"work": work}, layer, self.window)
        means = [*state["means"], mean][: self.scale_epochs]
        state = {**state, "sum": Fraction(0), "count": 0, "means": means, "work": work}
        return self._compare(state, mean, sum(means, Fraction(0)) / len(means))

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the word length of the stage."""
        match stream.partition("@")[0]:
            case "weight" | "activation":
                return Decision(word_bits=self.forward[state["stage"]])
            case "error":
                return Decision(word_bits=self.backward[state["stage"]])
        return Decision(word_bits=state["fixed"][stream])

    def _compare(self, state: State, mean: Fraction, scale: Fraction) -> State:
        window = [*state["window"], mean][-self.window :]
        state = {**state, "window": window}
        if len(window) < self.window or scale == 0:
            return state
        stage = state["stage"]
        threshold = Fraction(str(self.threshold)) * Fraction(str(self.decay)) ** min(stage, 2)
        largest = max(abs(mean - earlier) for earlier in window[:-1]) / scale
        log = [["", "", "loss difference", largest], ["", "", "threshold", threshold]]
        if largest > threshold:
            return {**state, "log": log}
        return {**state, "stage": stage + 1, "window": [], "log": log}


def computation_percent(weight: int, activations: Sequence[int], errors: Sequence[int]) -> Fraction:
    """Return FracTrain's cp: bit operations of the three products over those of 32 x 32 bits, in percent.

    Parameters
    ----------
    weight : int
        Word length of the weights.
    activations, errors : sequence of int
        Word lengths that were chosen, one pair for every choice; their mean counts.

    Examples
    --------
    >>> float(computation_percent(8, [8], [8]))
    6.25
    """
    pairs = list(zip(activations, errors, strict=True))
    total = sum(a * weight + e * weight + a * e for a, e in pairs)
    return Fraction(100 * total, 3 * 1024 * len(pairs))


@dataclass(frozen=True, kw_only=True)
class Regulator:
    """DFQ's bang-bang rule: which sign the cost's penalty has, for a target that the stages of PFQ may raise.

    Parameters
    ----------
    target, step : float
        cp of the first stage, and what each later stage adds (1.5 and 0.5 as published for CIFAR).
    slack : float
        How far cp may lie above the target before it is pushed down.

    Examples
    --------
    >>> rule = Regulator(target=1.5, step=0.5)
    >>> [rule.sign(Fraction(2), stage) for stage in range(3)], rule.sign(Fraction(2), 1)
    ([1, 1, -1], 1)
    """

    target: float = 3.0
    step: float = 0.0
    slack: float = 0.0

    def sign(self, percent: Fraction, stage: int = 0) -> int:
        """Return -1 where the cost may grow, 1 where it must fall, 0 in between."""
        target = Fraction(str(self.target)) + stage * Fraction(str(self.step))
        if percent < target:
            return -1
        return 1 if percent >= target + Fraction(str(self.slack)) else 0
