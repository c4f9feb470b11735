"""The closed op set, one idea a file."""

from fxpsim.autodiff.ops.cast import cast
from fxpsim.autodiff.ops.choice import chosen
from fxpsim.autodiff.ops.convolution import conv2d, conv2d_input_grad, conv2d_weight_grad
from fxpsim.autodiff.ops.curves import curve, gelu, sigmoid, silu, tanh
from fxpsim.autodiff.ops.elementwise import (
    add,
    clip,
    dropout,
    gate,
    inside,
    leaky_relu,
    multiply,
    relu,
    relu6,
    scale,
    settle,
    subtract,
)
from fxpsim.autodiff.ops.layout import concatenate, embedding, scatter_add, transpose
from fxpsim.autodiff.ops.loss import (
    Loss,
    mean_squared_error,
    niti_cross_entropy,
    one_hot_squares,
    softmax_cross_entropy,
)
from fxpsim.autodiff.ops.matmul import matmul
from fxpsim.autodiff.ops.normalization import batch_norm, frozen_batch_norm, normalize_rows
from fxpsim.autodiff.ops.pooling import average_pool, global_average_pool, max_pool, window_sum
from fxpsim.autodiff.ops.products import batched_matmul, conv2d_transpose
from fxpsim.autodiff.ops.shape import flatten, reshape, sum_leading
from fxpsim.autodiff.ops.slicing import pad, put, take
from fxpsim.autodiff.ops.softmax import softmax, softmax_gradient

__all__ = [
    "Loss",
    "add",
    "average_pool",
    "batch_norm",
    "batched_matmul",
    "cast",
    "chosen",
    "clip",
    "concatenate",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_transpose",
    "conv2d_weight_grad",
    "curve",
    "dropout",
    "embedding",
    "flatten",
    "frozen_batch_norm",
    "gate",
    "gelu",
    "global_average_pool",
    "inside",
    "leaky_relu",
    "matmul",
    "max_pool",
    "mean_squared_error",
    "multiply",
    "niti_cross_entropy",
    "normalize_rows",
    "one_hot_squares",
    "pad",
    "put",
    "relu",
    "relu6",
    "reshape",
    "scale",
    "scatter_add",
    "settle",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softmax_gradient",
    "subtract",
    "sum_leading",
    "take",
    "tanh",
    "transpose",
    "window_sum",
]
