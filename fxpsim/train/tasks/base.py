"""The rule of a task: what the network reads, its loss, and the metrics of an evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.autodiff.ops import Loss
from fxpsim.data import Dataset
from fxpsim.nn import Module
from fxpsim.numerics import RandomBits


class Measure:
    """Collects what the metrics of one evaluation need, batch by batch; of its own it measures nothing."""

    def add(self, output: Tensor, targets: np.ndarray) -> None:
        """Take note of a batch."""

    def result(self, loss: float) -> dict[str, float]:
        """Return the metrics by name.

        Parameters
        ----------
        loss : float
            Mean loss of the evaluation.
        """
        return {}


class TaskRule:
    """How a task is trained and measured; as it stands, classification.

    Parameters
    ----------
    dataset : Dataset
        What is learnt from.
    network : Module
        What learns.
    """

    def __init__(self, dataset: Dataset, network: Module) -> None:
        self.dataset, self.network = dataset, network

    def network_input(self, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return what the network reads, as the data set stores it."""
        return inputs

    def loss(self, output: Tensor, targets: np.ndarray) -> Loss:
        """Return the loss of a batch: the mean cross entropy of the rows of scores."""
        return ops.softmax_cross_entropy(output, targets)

    def training_loss(self, output: Tensor, targets: np.ndarray, random: Callable[[str, str], RandomBits]) -> Loss:
        """Return the loss whose gradient trains; ``random(layer, stream)`` gives this step's random bits."""
        return self.loss(output, targets)

    def measure(self) -> Measure:
        """Return what collects the metrics of one evaluation."""
        return Measure()


def codes(output: Tensor) -> np.ndarray:
    """Return the elements of a network's output as the vector unit has them: integer codes, or binary32.

    They compare as the values do, which is all that choosing the largest needs.
    """
    return output.engine.vector.array(output.value)
