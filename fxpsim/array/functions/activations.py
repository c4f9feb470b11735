"""Sigmoid, tanh and GELU: a table of one half of the axis, linear interpolation, and a symmetry for the other half.

Errors are below one unit in the last place of the result for words of up to 16 bits (tested for every input).
"""

from math import ceil, log2
from typing import Literal

from fxpsim.array.functions.tables import Table, make_table
from fxpsim.array.functions.unit import GUARD_BITS, Codes, evaluate, require_bits, run
from fxpsim.array.qtensor import QTensor
from fxpsim.kernels import functions as kernels
from fxpsim.numerics import FixedFormat, Rounding

Name = Literal["sigmoid", "tanh", "gelu"]


def activation_table(name: Name, x: FixedFormat, out: FixedFormat) -> Table:
    """Return the table of ``name`` for inputs of ``x`` and results of ``out``.

    It covers the inputs of ``x``, or as much of them as is needed until the function is within an eighth of the last
    place of its limit.
    """
    bits = max(out.frac_bits, 1) + 3
    reach = {
        "sigmoid": 0.6932 * bits,  # exp(-x) below 2**-bits
        "tanh": 0.3466 * (bits + 1),  # 2 exp(-2x)
        "gelu": (1.3863 * bits) ** 0.5 + 0.5,  # x exp(-x**2 / 2), with room for the factor
    }[name]
    span_log2 = min(max(ceil(log2(reach)), -x.frac_bits), max(x.word_bits - x.frac_bits, -x.frac_bits))
    return make_table(
        name,
        input_frac_bits=x.frac_bits,
        span_log2=span_log2,
        frac_bits=max(out.frac_bits, 0) + GUARD_BITS,
        error_log2=-(max(out.frac_bits, 0) + 2),
    )


def sigmoid(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """``1 / (1 + exp(-x))``; negative inputs by ``1 - sigmoid(-x)``.

    >>> sigmoid(QTensor([0, 16, -16], "s8f4"), "u8f8")
    QTensor(codes=[128, 187,  69], format=u8f8, value=[0.5       , 0.73046875, 0.26953125])
    """

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        table = activation_table("sigmoid", x.format, fmt)
        one = 1 << table.frac_bits
        return run(kernels.symmetric, codes, table.nodes, table.shift, True, one, -1), table.frac_bits

    return evaluate("sigmoid", x, format, rounding, function)


def tanh(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """Hyperbolic tangent; odd.

    >>> tanh(QTensor([0, 16, -16], "s8f4"), "s8f7")
    QTensor(codes=[  0,  97, -97], format=s8f7, value=[ 0.       ,  0.7578125, -0.7578125])
    """

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        table = activation_table("tanh", x.format, fmt)
        return run(kernels.symmetric, codes, table.nodes, table.shift, True, 0, -1), table.frac_bits

    return evaluate("tanh", x, format, rounding, function)


def gelu(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """``x * Phi(x)`` with the normal distribution function, no approximation: ``max(x, 0)`` plus an even table.

    >>> gelu(QTensor([0, 16, -16], "s8f4"), "s8f4")
    QTensor(codes=[ 0, 13, -3], format=s8f4, value=[ 0.    ,  0.8125, -0.1875])
    """

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        # the nodes take the input's fractional bits too, so that x is added exactly
        precise = FixedFormat(
            word_bits=fmt.word_bits, frac_bits=max(fmt.frac_bits, x.format.frac_bits - GUARD_BITS), signed=fmt.signed
        )
        table = activation_table("gelu", x.format, precise)
        identity = table.frac_bits - x.format.frac_bits
        require_bits("gelu", x.format.word_bits + identity, x, fmt)
        return run(kernels.symmetric, codes, table.nodes, table.shift, False, 0, identity), table.frac_bits

    return evaluate("gelu", x, format, rounding, function)
