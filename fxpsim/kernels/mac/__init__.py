"""The MAC array: matrix products and convolutions of integer codes in a given accumulator, exactly."""

from fxpsim.kernels.mac.floating import (
    conv2d_float,
    conv2d_input_grad_float,
    conv2d_weight_grad_float,
    matmul_float,
)
from fxpsim.kernels.mac.operations import conv2d, conv2d_input_grad, conv2d_weight_grad, matmul
from fxpsim.kernels.mac.spec import MacResult, MacSpec

__all__ = [
    "MacResult",
    "MacSpec",
    "conv2d",
    "conv2d_float",
    "conv2d_input_grad",
    "conv2d_input_grad_float",
    "conv2d_weight_grad",
    "conv2d_weight_grad_float",
    "matmul",
    "matmul_float",
]
