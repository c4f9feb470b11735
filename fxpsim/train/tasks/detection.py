"""Detection: the boxes of objects and their classes."""

from __future__ import annotations

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.autodiff.ops import Loss
from fxpsim.data import Dataset
from fxpsim.errors import UserError
from fxpsim.nn import Module
from fxpsim.nn.boxes import PIXEL, Anchors
from fxpsim.nn.losses import multibox_loss
from fxpsim.train.tasks.average_precision import Detections, mean_average_precision
from fxpsim.train.tasks.base import Measure, TaskRule


class Found(Measure):
    """Collects the boxes that a network finds and those that are there.

    Parameters
    ----------
    anchors : Anchors
        What the offsets start from.
    classes : int
        Classes of objects.
    """

    def __init__(self, anchors: Anchors, classes: int) -> None:
        self.anchors, self.classes = anchors, classes
        self.found: list[Detections] = []
        self.wanted: list[np.ndarray] = []

    def add(self, output: Tensor, targets: np.ndarray) -> None:
        """Take note of a batch; figures for people, in binary64."""
        values = output.read()
        scores = np.exp(values[..., :-4] - values[..., :-4].max(axis=-1, keepdims=True))
        shares = scores / scores.sum(axis=-1, keepdims=True)
        corners = self.anchors.corners / PIXEL + values[..., -4:] * self.anchors.strides[:, np.newaxis]
        for image, there in enumerate(targets):
            self.found.append(Detections(shares=shares[image, :, 1:], boxes=corners[image]))
            self.wanted.append(there[there[:, 0] >= 0])

    def result(self, loss: float) -> dict[str, float]:
        """Return ``mean_average_precision`` at an overlap of one half."""
        return {"mean_average_precision": mean_average_precision(self.found, self.wanted, self.classes)}


class Detection(TaskRule):
    """Multibox loss of a network with anchors, measured by mean average precision.

    ``accuracy`` is that of the anchors that take part in the loss.
    """

    def __init__(self, dataset: Dataset, network: Module) -> None:
        super().__init__(dataset, network)
        anchors = getattr(network, "anchors", None)
        if not isinstance(anchors, Anchors):
            raise UserError(
                "the network has no anchors",
                where=f"{type(network).__name__} on data set {dataset.name!r}",
                expected="an attribute anchors, a fxpsim.nn.Anchors: the boxes that its offsets start from",
                remedy="take a detector, such as ssd_small, or data of another task",
            )
        self.anchors = anchors

    def loss(self, output: Tensor, targets: np.ndarray) -> Loss:
        """Return the multibox loss of a batch."""
        return multibox_loss(output, targets, self.anchors)

    def measure(self) -> Measure:
        """Return what collects boxes."""
        return Found(self.anchors, self.dataset.classes)
