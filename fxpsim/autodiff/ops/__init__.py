"""The closed op set, one idea a file."""

from fxpsim.autodiff.ops.cast import cast
from fxpsim.autodiff.ops.convolution import conv2d, conv2d_input_grad, conv2d_weight_grad
from fxpsim.autodiff.ops.elementwise import add, gate, relu, scale
from fxpsim.autodiff.ops.loss import Loss, softmax_cross_entropy
from fxpsim.autodiff.ops.matmul import matmul
from fxpsim.autodiff.ops.normalization import batch_norm, frozen_batch_norm
from fxpsim.autodiff.ops.pooling import average_pool, global_average_pool, max_pool, window_sum
from fxpsim.autodiff.ops.shape import flatten, reshape, sum_leading
from fxpsim.autodiff.ops.slicing import pad, put, take

__all__ = [
    "Loss",
    "add",
    "average_pool",
    "batch_norm",
    "cast",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "flatten",
    "frozen_batch_norm",
    "gate",
    "global_average_pool",
    "matmul",
    "max_pool",
    "pad",
    "put",
    "relu",
    "reshape",
    "scale",
    "softmax_cross_entropy",
    "sum_leading",
    "take",
    "window_sum",
]
