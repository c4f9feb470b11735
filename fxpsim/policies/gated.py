r"""FracTrain's input-adaptive quantization (DFQ): gates choose the word lengths of every block for every sample.

A gate chooses one of K pairs of word lengths, :math:`a_k` of the activations and :math:`g_k` of the errors of a block;
weights keep w bits. A pair costs, in units of a 32 x 32 bit product for each of the three passes,

.. math:: c_k = (a_k w + g_k w + a_k g_k) / 32^2, \qquad cp = 100 \, \mathrm{mean}_{blocks, samples}(c_k) / 3

cp is in percent; static 8 bits have 6.25. The loss gets :math:`r \beta \sum_{blocks, samples} c_k` with r = -1 where
the cp of the batch lies below the target, +1 from target + slack on, 0 in between: its gradient with respect to the
share of a candidate is :math:`r \beta c_k`, for every sample. With ``target_step`` the target rises at every turning
point of the loss (:mod:`fxpsim.policies.turning_point`, three at most): FracTrain, both halves together.

The first layer and the classifier take no part; gates and their shares are :mod:`fxpsim.nn.gating`. All blocks weigh
the same, as in the code unless it is given a file of operations.

Source: Fu et al., "FracTrain", NeurIPS 2020 (arXiv 2012.13113), after the authors' code GATECH-EIC/FracTrain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent
from fxpsim.policies.turning_point import Indicator

TURNING_POINTS = 3
GATES = "gates"


@policies.register("fractrain_dfq")
@dataclass(frozen=True, kw_only=True)
class GatedBits:
    """DFQ, and FracTrain where the target rises.

    Parameters
    ----------
    forward, backward : sequence of int
        Word lengths of activations and of errors, one pair for each candidate.
    weight : int
        Word length of the weights.
    target, target_step : float
        cp that is aimed at, in percent, and what every turning point adds.
    slack : float
        How far cp may lie above the target before it is pushed down.
    beta : float
        Weight of the cost in the loss.
    threshold, decay, window, scale_epochs
        Of the indicator of turning points.

    Examples
    --------
    >>> policy = GatedBits()
    >>> [round(float(100 * c / 3), 2) for c in policy.costs]
    [1.76, 2.08, 2.6, 3.39, 4.69]
    >>> state = policy.init(["conv", "blocks.gates.choice", "blocks.one.conv1"], {"weight": 4, "error": 12})
    >>> policy.decide(state, "blocks.one.conv1", "error"), policy.decide(state, "blocks.gates.choice", "error")
    (Decision(word_bits=12, frac_bits=None), None)
    """

    forward: Sequence[int] = (3, 4, 4, 6, 6)
    backward: Sequence[int] = (6, 6, 8, 8, 12)
    weight: int = 4
    target: float = 3.0
    target_step: float = 0.0
    slack: float = 0.0
    beta: float = 1e-3
    threshold: float = 0.05
    decay: float = 0.3
    window: int = 5
    scale_epochs: int = 10

    def __post_init__(self) -> None:
        both = [*self.forward, *self.backward, self.weight]
        if not self.forward or len(self.forward) != len(self.backward) or not 2 <= min(both) <= max(both) <= 16:
            raise UserError(
                f"forward is {list(self.forward)}, backward is {list(self.backward)}, weight is {self.weight}",
                where="policy fractrain_dfq",
                expected="as many word lengths from 2 to 16 for both, and one for the weights",
                remedy="for example forward = [3, 4, 4, 6, 6], backward = [6, 6, 8, 8, 12], weight = 4",
            )
        if self.target <= 0 or self.target_step < 0 or self.slack < 0 or self.beta < 0:
            raise UserError(
                f"target is {self.target}, target_step {self.target_step}, slack {self.slack}, beta {self.beta}",
                where="policy fractrain_dfq",
                expected="a positive target, and the others not negative",
            )
        self._indicator.check("policy fractrain_dfq")

    @property
    def _indicator(self) -> Indicator:
        return Indicator(threshold=self.threshold, decay=self.decay, window=self.window, scale_epochs=self.scale_epochs)

    @property
    def costs(self) -> list[Fraction]:
        """Cost of every candidate: of all three passes, in units of a 32 x 32 bit product."""
        return [
            Fraction(a * self.weight + g * self.weight + a * g, 1024)
            for a, g in zip(self.forward, self.backward, strict=True)
        ]

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the first target; there must be gates."""
        if not any(is_gate(layer) for layer in layers):
            raise UserError(
                "the network has no gates",
                where="policy fractrain_dfq",
                expected="blocks in an nn.Gated",
                remedy="take the network resnet_cifar_gated or lenet5_gated",
            )
        start = {"fixed": dict(word_bits), "cp sum": Fraction(0), "cp count": 0, "log": []}
        return self._indicator.start() | start | {"work": dict.fromkeys(layers, 0)}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want every loss, with what the gates chose."""
        return moment is Moment.LOSS

    def update(self, state: State, statistics: Statistics) -> State:
        """Take note of the step's cp; raise the target at a turning point."""
        percent = self.percent(statistics.choices.values())
        total, count = state["cp sum"] + percent, state["cp count"] + 1
        state = {**state, "cp sum": total, "cp count": count}
        if state["stage"] < TURNING_POINTS and self.target_step:
            state = self._indicator.update(state, statistics)
        else:
            work = state["work"]
            for layer in work:
                work = spent({"work": work}, layer, 1)
            state = {**state, "work": work, "log": []}
        if (statistics.step + 1) % statistics.steps_per_epoch:
            return state
        log = [*state["log"], ["", "", "cp", total / count], ["", "", "cp target", self.goal(state)]]
        return {**state, "cp sum": Fraction(0), "cp count": 0, "log": log}

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the longest word that a gate can choose; gates themselves are in binary32."""
        if is_gate(layer):
            return None
        match stream.partition("@")[0]:
            case "weight":
                return Decision(word_bits=self.weight)
            case "activation":
                return Decision(word_bits=max(self.forward))
            case "error":
                return Decision(word_bits=max(self.backward))
        return Decision(word_bits=state["fixed"][stream])

    def candidates(self, stream: str) -> Sequence[int] | None:
        """Return the word lengths that a gate chooses from; None where it has no say."""
        return {"activation": self.forward, "error": self.backward}.get(stream.partition("@")[0])

    def goal(self, state: State) -> Fraction:
        """Return the target of the stage."""
        return Fraction(str(self.target)) + state["stage"] * Fraction(str(self.target_step))

    def percent(self, counts: Iterable[Sequence[int]]) -> Fraction:
        """Return cp of the samples that chose each candidate, one row for every block.

        >>> float(GatedBits(forward=[8], backward=[8], weight=8).percent([[32], [32]]))
        6.25
        """
        rows = list(counts)
        chosen = sum(sum(row) for row in rows)
        spent_on = sum(c * n for row in rows for c, n in zip(self.costs, row, strict=True))
        return Fraction(100, 3) * spent_on / chosen if chosen else Fraction(0)

    def sign(self, state: State, percent: Fraction) -> int:
        """Return -1 where the cost may grow, 1 where it must fall, 0 in between.

        >>> policy = GatedBits(target=2.0, slack=0.1)
        >>> [policy.sign({"stage": 0}, Fraction(p)) for p in ("1.9", "2", "2.1")]
        [-1, 0, 1]
        """
        goal = self.goal(state)
        if percent < goal:
            return -1
        return 1 if percent >= goal + Fraction(str(self.slack)) else 0

    def penalty(self, state: State, counts: Iterable[Sequence[int]]) -> list[Fraction]:
        """Return the gradient of the cost with respect to the shares of a sample, one number for every candidate."""
        sign = self.sign(state, self.percent(counts))
        return [sign * Fraction(str(self.beta)) * cost for cost in self.costs]


def is_gate(layer: str) -> bool:
    """Return whether a layer belongs to gates.

    >>> is_gate("blocks.gates.cell.inputs"), is_gate("blocks.stage1_block1.conv1")
    (True, False)
    """
    return GATES in layer.split(".")
