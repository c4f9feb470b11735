"""Logarithms and exponentials that are the same everywhere: correctly rounded decimals, or integers alone.

The math library of a platform may differ in the last bit; a decision that compares its result could then differ. The
functions here use :mod:`decimal`, which rounds correctly by definition (50 digits), or integers.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

_CONTEXT = Context(prec=50)
_LN2 = _CONTEXT.ln(Decimal(2))
HARDWARE_BITS = 16
_LN2_HARDWARE = 45426  # round(2**16 * ln 2)


def decimal(x: Fraction) -> Decimal:
    """Return the decimal of 50 digits nearest to a rational."""
    return _CONTEXT.divide(Decimal(x.numerator), Decimal(x.denominator))


def ln(x: Fraction) -> Fraction:
    """Return the natural logarithm of ``x > 0`` to 50 digits.

    >>> float(ln(Fraction(2)))
    0.6931471805599453
    """
    return Fraction(_CONTEXT.ln(decimal(x)))


def log2(x: Fraction) -> Fraction:
    """Return the logarithm to base 2 of ``x > 0`` to about 49 digits.

    >>> float(log2(Fraction(3, 2)))
    0.5849625007211562
    """
    return Fraction(_CONTEXT.divide(_CONTEXT.ln(decimal(x)), _LN2))


def exp(x: Fraction) -> Fraction:
    """Return the exponential to 50 digits.

    >>> float(exp(Fraction(-1)))
    0.36787944117144233
    """
    return Fraction(_CONTEXT.exp(decimal(x)))


def hardware_log2(x: int) -> int:
    """Return ``floor(2**16 log2(x))`` to within 2 units for ``x >= 1``: leading bit, then one squaring a bit.

    >>> hardware_log2(8), hardware_log2(3) / 2**16
    (196608, 1.5849609375)
    """
    exponent = x.bit_length() - 1
    mantissa = x << (31 - exponent) if exponent <= 31 else x >> (exponent - 31)
    result = exponent
    for _ in range(HARDWARE_BITS):
        mantissa = (mantissa * mantissa) >> 31
        bit = mantissa >> 32
        mantissa >>= bit
        result = 2 * result + bit
    return result


def hardware_ln(x: Fraction) -> Fraction:
    """Return the natural logarithm of ``x > 0`` on a grid of ``2**-16``, by integers alone.

    >>> abs(float(hardware_ln(Fraction(5, 2)) - ln(Fraction(5, 2)))) < 2**-14
    True
    """
    difference = hardware_log2(x.numerator) - hardware_log2(x.denominator)
    return Fraction((difference * _LN2_HARDWARE) >> HARDWARE_BITS, 1 << HARDWARE_BITS)
