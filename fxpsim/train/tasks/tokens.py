"""Tokens: the next one of a text, and those of a translation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.autodiff.ops import Loss
from fxpsim.nn.losses import masked_cross_entropy
from fxpsim.train.tasks.base import Measure, TaskRule, codes

PAD = 0


class Perplexity(Measure):
    """``exp(loss)``: among how many equally likely tokens the network hesitates."""

    def result(self, loss: float) -> dict[str, float]:
        """Return ``perplexity``; infinite where the loss is."""
        return {"perplexity": math.exp(loss) if loss < 700 else math.inf}


class NextToken(TaskRule):
    """Language modelling: cross entropy of every position, measured by perplexity."""

    def measure(self) -> Measure:
        """Return the perplexity."""
        return Perplexity()


@dataclass
class Sentences(Perplexity):
    """Perplexity, and the share of sentences whose tokens are all right, each given those before it."""

    right: int = 0
    sentences: int = 0

    def add(self, output: Tensor, targets: np.ndarray) -> None:
        """Take note of a batch."""
        wanted = targets[:, 1:]
        good = (codes(output).argmax(axis=-1).reshape(wanted.shape) == wanted) | (wanted == PAD)
        self.right += int(good.all(axis=1).sum())
        self.sentences += len(wanted)

    def result(self, loss: float) -> dict[str, float]:
        """Return ``perplexity`` and ``sentence_accuracy``."""
        return super().result(loss) | {"sentence_accuracy": self.right / self.sentences}


class Translation(TaskRule):
    """The network reads the source and the target so far, and predicts the target's next token; padding is left out."""

    def network_input(self, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the source and, behind it, the target without its last token."""
        return np.concatenate([inputs, targets[:, :-1]], axis=1)

    def loss(self, output: Tensor, targets: np.ndarray) -> Loss:
        """Return the mean cross entropy over the target's tokens but the first."""
        wanted = targets[:, 1:]
        return masked_cross_entropy(output, wanted, wanted != PAD)

    def measure(self) -> Measure:
        """Return perplexity and share of right sentences."""
        return Sentences()
