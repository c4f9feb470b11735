"""What gates choose, between the network that runs them and the quantizers that obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np


class Gates:
    """The choices of a step's gates; stands for the engine's ``gating``.

    Parameters
    ----------
    policy : GatedBits
        Candidates and costs.
    state : callable
        Returns the policy's state now.
    current : mapping
        (layer, stream) -> quantizer with the longest word, None where it is binary32.

    Choices are a function of the step's data and weights, so no checkpoint keeps them.
    """

    def __init__(self, policy: Any, state: Callable[[], Any], current: dict[tuple[str, str], Any]) -> None:
        self._policy, self._state, self._current = policy, state, current
        self._chosen: dict[tuple[str, str], Any] = {}
        self.counts: dict[str, list[int]] = {}

    def begin_step(self) -> None:
        """Forget the last step's choices."""
        self._chosen.clear()
        self.counts.clear()

    def quantizer(self, layer: str, stream: str) -> Any:
        """Return the quantizer of a stream with the chosen word lengths; None where nothing was chosen for it."""
        return self._chosen.get((layer, stream))

    # --- what the network says

    @property
    def forward_words(self) -> Sequence[int]:
        """Forward word lengths of the candidates."""
        return self._policy.forward

    def choose(self, block: str, choice: np.ndarray) -> None:
        """Give every layer of a block the word lengths of each sample."""
        for (layer, stream), quantizer in self._current.items():
            words = self._policy.candidates(stream)
            if quantizer is not None and words is not None and layer.startswith(f"{block}."):
                bits = np.asarray(words, np.int64)[choice]
                self._chosen[layer, stream] = replace(quantizer, bits=bits)

    def settle(self, block: str, choice: np.ndarray) -> None:
        """Choose, and count the samples of every candidate."""
        self.choose(block, choice)
        self.counts[block] = np.bincount(choice, minlength=len(self._policy.forward)).tolist()

    def penalty(self) -> list[Fraction]:
        """Return what the cost of the batch adds to the gradient of a sample's shares."""
        return self._policy.penalty(self._state(), self.counts.values())
