"""Static precision: every stream keeps the word length that the method gives its quantizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fxpsim.policies.base import Decision, Moment, State, Statistics, policies


@policies.register("static")
@dataclass(frozen=True, kw_only=True)
class Static:
    """The same bits in every layer at every step.

    >>> policy = Static()
    >>> state = policy.init(["conv1"], {"weight": 8})
    >>> policy.decide(state, "conv1", "weight")
    Decision(word_bits=8, frac_bits=None)
    """

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Remember the word length of each stream."""
        return {"word_bits": dict(word_bits)}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want nothing."""
        return False

    def update(self, state: State, statistics: Statistics) -> State:
        """Change nothing."""
        return state

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the stream's word length."""
        return Decision(word_bits=state["word_bits"][stream])
