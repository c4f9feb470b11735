"""Exponential, logarithm and softmax: range reduction, a table of mantissas, linear interpolation.

Errors are below one unit in the last place of the result for words of up to 16 bits (tested for every input).
"""

import numpy as np

from fxpsim.array.functions.recurrences import divide
from fxpsim.array.functions.tables import Table, constant, make_table
from fxpsim.array.functions.unit import GUARD_BITS, Codes, evaluate, require_nonnegative, run
from fxpsim.array.qtensor import QTensor
from fxpsim.errors import UserError
from fxpsim.kernels import functions as kernels
from fxpsim.numerics import FixedFormat, Rounding

EXPONENT_BITS = 28  # fractional bits of the exponent of two
SOFTMAX_BITS = 28  # fractional bits of the exponentials that softmax adds


def exp2_table(precision: int) -> Table:
    """Return the mantissas ``2**f`` for results of ``precision`` significant bits."""
    return make_table(
        "exp2",
        input_frac_bits=EXPONENT_BITS,
        span_log2=0,
        frac_bits=kernels.MANTISSA,
        error_log2=-(precision + 2),
    )


def log2_table(frac_bits: int) -> Table:
    """Return ``log2(m)`` on [1, 2] for results with ``frac_bits`` fractional bits."""
    return make_table(
        "log2",
        input_frac_bits=kernels.MANTISSA,
        span_log2=0,
        frac_bits=frac_bits + GUARD_BITS,
        error_log2=-(frac_bits + 2),
    )


def _powers(codes: Codes, x: FixedFormat, table: Table, frac_bits: int, *, natural: bool) -> Codes:
    """Return ``2**x`` or ``e**x`` with ``frac_bits`` fractional bits."""
    # the exponent in units of 2**-EXPONENT_BITS: a product with a constant, then a shift
    bits = 62 - x.word_bits - 2 if natural else max(EXPONENT_BITS - x.frac_bits, 0)
    factor = constant("log2e", bits) if natural else 1 << bits
    drop = x.frac_bits + bits - EXPONENT_BITS
    if drop < 0:
        codes, drop = codes << -drop, 0
    return run(kernels.power_of_two, codes, table.nodes, table.shift, factor, min(drop, 62), EXPONENT_BITS, frac_bits)


def exp2(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """``2**x``, saturating.

    >>> exp2(QTensor([16, 8, -16], "s8f4"), "u8f6")
    QTensor(codes=[128,  91,  32], format=u8f6, value=[2.      , 1.421875, 0.5     ])
    """
    return _exponential("exp2", x, format, rounding, natural=False)


def exp(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """``e**x``, saturating: ``2**(x * log2(e))``.

    >>> exp(QTensor([16, 0, -16], "s8f4"), "u8f6")
    QTensor(codes=[174,  64,  24], format=u8f6, value=[2.71875, 1.     , 0.375  ])
    """
    return _exponential("exp", x, format, rounding, natural=True)


def _exponential(
    name: str, x: QTensor, format: FixedFormat | str, rounding: Rounding | str, *, natural: bool
) -> QTensor:
    if x.format.frac_bits < 0:
        raise UserError(f"input of {x.format}", where=name, expected="no negative frac_bits", remedy="cast the input")

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        frac_bits = fmt.frac_bits + GUARD_BITS
        return _powers(codes, x.format, exp2_table(fmt.word_bits), frac_bits, natural=natural), frac_bits

    return evaluate(name, x, format, rounding, function)


def log2(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """Logarithm to base two; the least value for zero; negative inputs are refused.

    >>> log2(QTensor([64, 24, 0], "u8f4"), "s8f4")
    QTensor(codes=[  32,    9, -128], format=s8f4, value=[ 2.    ,  0.5625, -8.    ])
    """
    require_nonnegative(x, "log2")

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        table = log2_table(max(fmt.frac_bits, 0))
        return run(kernels.logarithm, codes, table.nodes, table.shift, x.format.frac_bits), table.frac_bits

    return evaluate("log2", x, format, rounding, function)


def log(x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN) -> QTensor:
    """Natural logarithm, ``log2(x) * ln(2)``; the least value for zero; negative inputs are refused.

    >>> log(QTensor([64, 16], "u8f4"), "s8f4")
    QTensor(codes=[22,  0], format=s8f4, value=[1.375, 0.   ])
    """
    require_nonnegative(x, "log")

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        # the product with a constant below 1 makes the error of the table smaller
        table = log2_table(max(fmt.frac_bits, 0))
        binary = run(kernels.logarithm, codes, table.nodes, table.shift, x.format.frac_bits)
        bits = 24
        return run(kernels.scaled, binary, constant("ln2", bits), bits), table.frac_bits

    return evaluate("log", x, format, rounding, function)


def softmax(
    x: QTensor, format: FixedFormat | str, rounding: Rounding | str = Rounding.HALF_EVEN, *, axis: int = -1
) -> QTensor:
    """Softmax along ``axis``: the greatest input subtracted exactly, exponentials added exactly, one division each.

    >>> softmax(QTensor([0, 16, 0], "s8f4"), "u8f8")
    QTensor(codes=[ 54, 147,  54], format=u8f8, value=[0.2109375 , 0.57421875, 0.2109375 ])
    """
    if x.format.frac_bits < 0 or x.ndim == 0 or x.shape[axis] > 1 << 16:
        raise UserError(
            f"input of {x.format} with shape {x.shape}",
            where="softmax",
            expected="frac_bits of at least 0 and at most 65536 elements along the axis",
        )

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        rows = np.moveaxis(codes.reshape(x.shape), axis, -1)
        below = np.ascontiguousarray(rows - rows.max(axis=-1, keepdims=True))
        wide = FixedFormat(word_bits=x.format.word_bits + 1, frac_bits=x.format.frac_bits)
        powers = _powers(below.ravel(), wide, exp2_table(SOFTMAX_BITS - 8), SOFTMAX_BITS, natural=True)
        powers = powers.reshape(rows.shape)
        total = np.broadcast_to(powers.sum(axis=-1, keepdims=True), rows.shape)
        frac_bits = max(fmt.frac_bits, 0) + 2
        shares = divide((powers << frac_bits).ravel(), np.ascontiguousarray(total).ravel())
        return np.ascontiguousarray(np.moveaxis(shares.reshape(rows.shape), -1, axis)).ravel(), frac_bits + 1

    return evaluate("softmax", x, format, rounding, function)
