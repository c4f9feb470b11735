"""What a policy is: ``init`` and ``update`` over an explicit state (the shape of optax)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fxpsim.registry import Registry

State = dict[str, Any]  # JSON-able: it goes into the checkpoint as it is


class Policy(Protocol):
    """Decides the bits of each layer and stream over time. Pure: all it remembers is in the state."""

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        layers : sequence of str
            Names of the layers with weights, in the order of the network.
        word_bits : mapping
            Stream -> word length that the method's quantizers start with; streams in float are absent.
        """
        ...

    def update(self, state: State, step: int) -> State:
        """Return the state for ``step``."""
        ...

    def word_bits(self, state: State, layer: str, stream: str) -> int:
        """Return the word length of a stream of a layer."""
        ...


policies: Registry[type] = Registry("policy")
