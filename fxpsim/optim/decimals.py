"""Decimal numbers of a recipe as exact rationals."""

from fractions import Fraction
from functools import lru_cache


@lru_cache(maxsize=256)  # every parameter of every step asks for the same few
def exact(decimal: float) -> Fraction:
    """Return the decimal number as it was written, exactly.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(str(decimal))
