"""Non-linear functions in fixed point, as a hardware unit computes them: integers only, saturating results."""

from fxpsim.array.functions.activations import activation_table, gelu, sigmoid, tanh
from fxpsim.array.functions.exponentials import exp, exp2, exp2_table, log, log2, log2_table, softmax
from fxpsim.array.functions.recurrences import reciprocal, rsqrt, sqrt

__all__ = [
    "activation_table",
    "exp",
    "exp2",
    "exp2_table",
    "gelu",
    "log",
    "log2",
    "log2_table",
    "reciprocal",
    "rsqrt",
    "sigmoid",
    "softmax",
    "sqrt",
    "tanh",
]
