"""Segmentation: a class for every pixel."""

from __future__ import annotations

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.train.tasks.base import Measure, TaskRule, codes


class Confusion(Measure):
    """Counts pixels by right and found class.

    Parameters
    ----------
    classes : int
        Classes, the ground included.
    """

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, output: Tensor, targets: np.ndarray) -> None:
        """Take note of a batch."""
        classes = len(self.counts)
        pairs = targets.reshape(-1) * classes + codes(output).argmax(axis=-1).reshape(-1)
        self.counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def result(self, loss: float) -> dict[str, float]:
        """Return ``mean_iou``: intersection over union, averaged over the classes that occur.

        Everingham et al., "The Pascal visual object classes challenge", 2010, section 4.1.3.
        """
        shared = np.diag(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - shared
        occur = union > 0
        return {"mean_iou": float((shared[occur] / union[occur]).mean())}


class Segmentation(TaskRule):
    """Cross entropy of every pixel, measured by mean intersection over union."""

    def measure(self) -> Measure:
        """Return the confusion of the classes."""
        return Confusion(self.dataset.classes)
