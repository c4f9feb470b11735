"""Classification with the loss that a method brings along."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.autodiff.ops import Loss
from fxpsim.numerics import RandomBits
from fxpsim.train.tasks.base import TaskRule


class Niti(TaskRule):
    """Cross entropy; what trains is NITI's integer gradient."""

    def training_loss(self, output: Tensor, targets: np.ndarray, random: Callable[[str, str], RandomBits]) -> Loss:
        """Return the loss of a batch with NITI's gradient."""
        return ops.niti_cross_entropy(output, targets, random("loss", "logits"))


class Squares(TaskRule):
    """Mean squared error from one-hot targets: WAGE's loss."""

    def loss(self, output: Tensor, targets: np.ndarray) -> Loss:
        """Return the loss of a batch: the mean over the classes."""
        return ops.one_hot_squares(output, targets)
