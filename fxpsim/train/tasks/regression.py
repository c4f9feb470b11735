"""Regression: numbers, by the squared error."""

from __future__ import annotations

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.autodiff.ops import Loss
from fxpsim.nn.losses import squared_error
from fxpsim.train.tasks.base import TaskRule


class Regression(TaskRule):
    """Mean squared error; a sample counts as right if all its numbers lie within a quarter of the wanted ones.

    Targets are scaled to a standard deviation of about 1.
    """

    def loss(self, output: Tensor, targets: np.ndarray) -> Loss:
        """Return the mean squared error of a batch."""
        return squared_error(output, targets, self.dataset.target_frac_bits)
