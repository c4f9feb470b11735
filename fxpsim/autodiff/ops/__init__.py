"""The closed op set, one idea a file."""

from fxpsim.autodiff.ops.cast import cast
from fxpsim.autodiff.ops.convolution import conv2d, conv2d_input_grad, conv2d_weight_grad
from fxpsim.autodiff.ops.elementwise import add, gate, relu, scale
from fxpsim.autodiff.ops.loss import Loss, softmax_cross_entropy
from fxpsim.autodiff.ops.matmul import matmul
from fxpsim.autodiff.ops.pooling import average_pool, max_pool, window_sum
from fxpsim.autodiff.ops.shape import flatten, reshape, sum_leading

__all__ = [
    "Loss",
    "add",
    "average_pool",
    "cast",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "flatten",
    "gate",
    "matmul",
    "max_pool",
    "relu",
    "reshape",
    "scale",
    "softmax_cross_entropy",
    "sum_leading",
    "window_sum",
]
