r"""FracTrain's progressive quantization (PFQ): word lengths that grow when the loss stops falling.

Stages of word lengths for the forward pass (weights, activations) and the backward pass (errors). The next stage begins
at a turning point of the loss (:mod:`fxpsim.policies.turning_point`).

Source: Fu et al., "FracTrain", NeurIPS 2020 (arXiv 2012.13113), algorithm 1, after the authors' code
GATECH-EIC/FracTrain. Its input-adaptive half (DFQ) is :mod:`fxpsim.policies.gated`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies
from fxpsim.policies.turning_point import Indicator


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
        self._indicator.check("policy fractrain_pfq")

    @property
    def _indicator(self) -> Indicator:
        return Indicator(threshold=self.threshold, decay=self.decay, window=self.window, scale_epochs=self.scale_epochs)

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the first stage."""
        return self._indicator.start() | {"fixed": dict(word_bits), "work": dict.fromkeys(layers, 0), "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want every loss until the last stage."""
        return moment is Moment.LOSS and state["stage"] < len(self.forward) - 1

    def update(self, state: State, statistics: Statistics) -> State:
        """Collect the loss; compare at the end of an epoch."""
        return self._indicator.update(state, statistics)

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the word length of the stage."""
        match stream.partition("@")[0]:
            case "weight" | "activation":
                return Decision(word_bits=self.forward[state["stage"]])
            case "error":
                return Decision(word_bits=self.backward[state["stage"]])
        return Decision(word_bits=state["fixed"][stream])
