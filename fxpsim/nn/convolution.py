"""The convolutional layer."""

from __future__ import annotations

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import he_uniform, zeros
from fxpsim.nn.module import Module
from fxpsim.nn.parameter import Initializer, Parameter

Pair = int | tuple[int, int]


class Conv2d(Module):
    """Two-dimensional convolution: the products on the MAC array, the bias in the vector unit.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the input and of the output.
    kernel, stride, padding, dilation : int or (int, int)
        Geometry, as (height, width).
    groups : int
        Channel groups; ``groups == inputs`` is a depthwise convolution.
    bias : bool
        Whether to add a bias.
    initializer : Initializer
        Initial value of the weight, of shape (R, S, inputs / groups, outputs).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        initializer: Initializer = he_uniform,
    ) -> None:
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        self.weight = Parameter((rows, columns, inputs // groups, outputs), initializer)
        self.bias = Parameter((outputs,), zeros) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, H, W, inputs) to (N, OH, OW, outputs)."""
        activation = ops.cast(x, stream="activation")
        product = ops.conv2d(activation, ops.cast(self.weight(), stream="weight"), **self.geometry)
        return product if self.bias is None else ops.add(product, self.bias())


class ConvTranspose2d(Module):
    """Transposed convolution: the input gradient of a convolution as a layer, to enlarge an image.

    The result has ``(H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`` rows.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the input and of the output.
    kernel, stride, padding, dilation, output_padding : int or (int, int)
        Geometry, as (height, width).
    bias : bool
        Whether to add a bias.
    initializer : Initializer
        Initial value of the weight, of shape (R, S, outputs, inputs).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        output_padding: Pair = 0,
        bias: bool = True,
        initializer: Initializer = he_uniform,
    ) -> None:
        self.kernel, self.outputs = _pair(kernel), outputs
        self.stride, self.padding, self.dilation = _pair(stride), _pair(padding), _pair(dilation)
        self.output_padding = _pair(output_padding)
        self.weight = Parameter((*self.kernel, outputs, inputs), initializer)
        self.bias = Parameter((outputs,), zeros) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, H, W, inputs) to (N, OH, OW, outputs)."""
        height, width = (
            (size - 1) * self.stride[i]
            - 2 * self.padding[i]
            + self.dilation[i] * (self.kernel[i] - 1)
            + self.output_padding[i]
            + 1
            for i, size in enumerate(x.shape[1:3])
        )
        product = ops.conv2d_transpose(
            ops.cast(x, stream="activation"),
            ops.cast(self.weight(), stream="weight"),
            output_shape=(x.shape[0], height, width, self.outputs),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )
        return product if self.bias is None else ops.add(product, self.bias())


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
