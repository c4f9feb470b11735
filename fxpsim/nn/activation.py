"""Activation functions as layers."""

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.module import Module


class ReLU(Module):
    """``max(x, 0)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.relu(x)
