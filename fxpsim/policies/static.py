"""Static precision: every stream keeps the word length that the method gives its quantizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fxpsim.policies.base import State, policies


@policies.register("static")
@dataclass(frozen=True, kw_only=True)
class Static:
    """The same bits in every layer at every step.

    >>> policy = Static()
    >>> state = policy.init(["conv1"], {"weight": 8})
    >>> policy.word_bits(policy.update(state, 1), "conv1", "weight")
    8
    """

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Remember the word length of each stream."""
        return {"word_bits": dict(word_bits)}

    def update(self, state: State, step: int) -> State:
        """Change nothing."""
        return state

    def word_bits(self, state: State, layer: str, stream: str) -> int:
        """Return the stream's word length."""
        return state["word_bits"][stream]
