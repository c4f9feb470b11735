"""The scalar operations of a vector program: the same text is the oracle in plain Python and the body under Numba.

Each function is straight-line (assignments, then one ``return``), so that the generator of
:mod:`fxpsim.kernels.program` can write it into a loop. Integers are codes; floats are binary32, every operation
rounded on its own. To add an element-wise operation, add a function here.
"""

import numpy as np


def add(a, b):
    """Sum."""
    return a + b


def subtract(a, b):
    """Difference."""
    return a - b


def multiply(a, b):
    """Product."""
    return a * b


def shrink(a, factor):
    """Product with a power of two below 1; what is not zero stays so, for roundings that look at the sign alone."""
    product = np.float32(a * factor)
    tiny = np.copysign(np.float32(1.401298464324817e-45), a)
    return tiny if (product == 0) & (a != 0) else product


def divide(a, b):
    """Quotient of two floats."""
    return a / b


def negate(a):
    """Change the sign."""
    return -a


def maximum(a, b):
    """Larger of two values; ``b`` where they are equal or ``a`` is no number."""
    return a if a > b else b


def minimum(a, b):
    """Smaller of two values; ``b`` where they are equal or ``a`` is no number."""
    return a if a < b else b


def outside(a, low, high):
    """1 where ``a`` is outside ``[low, high]``, else 0."""
    return (a < low) | (a > high)


def greater(a, b):
    """1 where ``a > b``, else 0."""
    return a > b


def equal(a, b):
    """1 where ``a == b``, else 0."""
    return a == b


def nonzero(a):
    """1 where ``a != 0``, else 0."""
    return a != 0


def vanished(a, code):
    """1 where ``a`` is not zero but its code is, else 0."""
    return (code == 0) & (a != 0)


def select(condition, a, b):
    """``a`` where the condition is not zero, else ``b``."""
    return a if condition != 0 else b


def shift_left(a, shift):
    """``a * 2**shift`` for ``shift >= 0``."""
    return a << shift


def to_float(a):
    """Integer to binary32, rounded to nearest even."""
    return np.float32(a)


def to_int32(a):
    """Integer-valued float within 32 bits to integer."""
    return np.int32(a)


def to_int(a):
    """Integer-valued float to integer."""
    return np.int64(a)


def magnitude_bits(a):
    """Bits of ``|a|`` of a binary32 number: as integers they have the order of the magnitudes."""
    return np.float32(a).view(np.int32) & 0x7FFFFFFF


def square_root(a):
    """Square root, correctly rounded."""
    return np.sqrt(a)


def whole_quotient(a, b):
    """``a / b`` of whole numbers, rounded down."""
    return a // b


def whole_root(a):
    """Floor of the square root of a whole number below 2**62; 0 for a negative one. Bit by bit."""
    root = 0
    bit = 1 << 60
    rest = max(a, 0)
    while bit > rest:
        bit >>= 2
    while bit > 0:
        if rest >= root + bit:
            rest -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


def round_binary32_stochastic(y, noise):
    """``round_float_stochastic`` of a binary32 number in 32-bit lanes: the fraction times ``2**32`` is exact."""
    kept = np.trunc(y)
    part = np.float32(abs(np.float32(y - kept)) * np.float32(4294967296.0))
    below = np.uint32(np.ceil(part)) > np.uint32(noise)
    above = np.uint32(np.floor(part)) > np.uint32(4294967295 - noise)
    away = below if y < 0 else above
    return kept + np.copysign(np.float32(1 if away else 0), y)
