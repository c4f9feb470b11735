"""Reciprocal and roots by digit recurrence: correctly rounded in every mode.

A divider and a square rooter produce one bit of the result after the other and leave a remainder; whether it is zero is
the sticky bit. The result is the exact value rounded once: the error is at most 1/2 unit in the last place for the
modes to nearest and below 1 for the others, for all inputs.
"""

import numpy as np

from fxpsim.array.functions.unit import Codes, evaluate, require_bits, require_nonnegative, run
from fxpsim.array.qtensor import QTensor
from fxpsim.kernels import functions as kernels
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, Rounding


def divide(numerator: Codes, divisor: Codes) -> Codes:
    """Return quotients with a sticky bit; ``numerator`` has one element or as many as ``divisor``."""
    out = np.empty(divisor.size, np.int64)
    parallel_for(kernels.quotient, -(-divisor.size // kernels.UNIT), numerator, divisor, out)
    return out


def reciprocal(
    x: QTensor,
    format: FixedFormat | str,
    rounding: Rounding | str = Rounding.HALF_EVEN,
) -> QTensor:
    """``1 / x``, correctly rounded; the greatest value for zero.

    >>> reciprocal(QTensor([16, 48, 0], "s8f4"), "s8f4")
    QTensor(codes=[ 16,   5, 127], format=s8f4, value=[1.    , 0.3125, 7.9375])
    """

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        # two bits past the last place, and the sticky bit
        frac_bits = fmt.frac_bits + 2
        places = frac_bits + x.format.frac_bits
        require_bits("reciprocal", places + 2, x, fmt)
        return divide(np.array([1 << max(places, 0)], np.int64), codes << min(max(-places, 0), 38)), frac_bits + 1

    return evaluate("reciprocal", x, format, rounding, function)


def sqrt(
    x: QTensor,
    format: FixedFormat | str,
    rounding: Rounding | str = Rounding.HALF_EVEN,
) -> QTensor:
    """Square root, correctly rounded; negative inputs are refused.

    >>> sqrt(QTensor([64, 32], "u8f4"), "u8f6")
    QTensor(codes=[128,  91], format=u8f6, value=[2.      , 1.421875])
    """
    require_nonnegative(x, "sqrt")

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        frac_bits = fmt.frac_bits + 1
        places = 2 * frac_bits - x.format.frac_bits
        require_bits("sqrt", x.format.word_bits + places, x, fmt)
        return run(kernels.square_root, codes, max(places, -62)), frac_bits + 1

    return evaluate("sqrt", x, format, rounding, function)


def rsqrt(
    x: QTensor,
    format: FixedFormat | str,
    rounding: Rounding | str = Rounding.HALF_EVEN,
) -> QTensor:
    """``1 / sqrt(x)``, correctly rounded; the greatest value for zero; negative inputs are refused.

    >>> rsqrt(QTensor([64, 32], "u8f4"), "u8f6")
    QTensor(codes=[32, 45], format=u8f6, value=[0.5     , 0.703125])
    """
    require_nonnegative(x, "rsqrt")

    def function(codes: Codes, fmt: FixedFormat) -> tuple[Codes, int]:
        frac_bits = fmt.frac_bits + 1
        places = 2 * frac_bits + x.format.frac_bits
        require_bits("rsqrt", places + 1, x, fmt)
        # a root below its last place needs no more than the sticky bit: a larger divisor stands for 2**places
        return run(kernels.reciprocal_root, codes << min(max(-places, 0), 38), max(places, 0)), frac_bits + 1

    return evaluate("rsqrt", x, format, rounding, function)
