"""Activation functions and dropout as layers."""

from __future__ import annotations

from fractions import Fraction

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.module import Module


class ReLU(Module):
    """``max(x, 0)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.relu(x)


class ReLU6(Module):
    """``min(max(x, 0), 6)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.relu6(x)


class LeakyReLU(Module):
    """``x`` above 0, ``slope x`` below; the slope is a decimal, taken exactly as written."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = Fraction(str(slope))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.leaky_relu(x, slope=self.slope)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.tanh(x)


class GELU(Module):
    """``x`` times the share of the standard normal distribution below x (Hendrycks and Gimpel 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.gelu(x)


class SiLU(Module):
    """``x sigmoid(x)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every element."""
        return ops.silu(x)


class Softmax(Module):
    """Shares along the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to every row."""
        return ops.softmax(x)


class Dropout(Module):
    """Zero a share of the elements in training and scale the others up (Srivastava et al. 2014).

    Parameters
    ----------
    share : float
        Share of the elements to drop; a decimal from 0 to below 1.
    """

    def __init__(self, share: float = 0.5) -> None:
        if not 0 <= share < 1:
            raise ValueError(f"share is {share}; it must be at least 0 and below 1")
        self.threshold = int(Fraction(str(share)) * 2**32)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it in training; inference passes the input on."""
        engine = x.engine
        if not engine.training or not self.threshold:
            return x
        key = (0, 0) if engine.precision is None else engine.precision.key(self.path, "dropout")
        return ops.dropout(x, threshold=self.threshold, key=key)
