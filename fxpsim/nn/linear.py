"""The fully connected layer."""

from __future__ import annotations

import math

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import he_uniform, zeros
from fxpsim.nn.module import Module
from fxpsim.nn.parameter import Initializer, Parameter


class Linear(Module):
    """``y = Q_A(x) Q_W(W) + b``: the product on the MAC array, the bias in the vector unit.

    Parameters
    ----------
    inputs, outputs : int
        Width of the input and of the output.
    bias : bool
        Whether to add a bias.
    initializer : Initializer
        Initial value of the weight, of shape (inputs, outputs).
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, initializer: Initializer = he_uniform) -> None:
        self.weight = Parameter((inputs, outputs), initializer)
        self.bias = Parameter((outputs,), zeros) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        leading = x.shape[:-1]
        if len(leading) > 1:
            x = ops.reshape(x, shape=(math.prod(leading), x.shape[-1]))
        product = ops.matmul(ops.cast(x, stream="activation"), ops.cast(self.weight(), stream="weight"))
        y = product if self.bias is None else ops.add(product, self.bias())
        return y if len(leading) == 1 else ops.reshape(y, shape=(*leading, y.shape[-1]))
