"""Signed 128-bit integers in kernels: ``high`` (int64) and ``low`` (uint64)."""

import numpy as np

from fxpsim.kernels.jit import kernel

U0, U1, U64 = np.uint64(0), np.uint64(1), np.uint64(64)
U32 = np.uint64(32)
LOW32 = np.uint64(0xFFFFFFFF)


@kernel
def shift_right(high, low, drop):
    """Arithmetic shift of a 128-bit value by 0 to 127 places."""
    n = np.uint64(drop)
    if drop == 0:
        return high, low
    if drop < 64:
        return high >> np.int64(drop), (low >> n) | (np.uint64(high) << (U64 - n))
    return high >> np.int64(63), np.uint64(high >> np.int64(drop - 64))


@kernel
def shift_left(high, low, places):
    """Shift of a 128-bit value by 0 to 127 places, modulo 2**128."""
    n = np.uint64(places)
    if places == 0:
        return high, low
    if places < 64:
        return np.int64((np.uint64(high) << n) | (low >> (U64 - n))), low << n
    return np.int64(low << (n - U64)), U0


@kernel
def multiply_wide(x, y):
    """128-bit product of two signed 64-bit values."""
    a, b = np.uint64(x), np.uint64(y)
    a0, a1, b0, b1 = a & LOW32, a >> U32, b & LOW32, b >> U32
    middle = a1 * b0 + ((a0 * b0) >> U32)
    other = a0 * b1 + (middle & LOW32)
    high = np.int64(a1 * b1 + (middle >> U32) + (other >> U32))
    # the product of the patterns, corrected for the signs
    if x < 0:
        high -= y
    if y < 0:
        high -= x
    return high, a * b


@kernel
def add(high, low, other_high, other_low):
    """Sum modulo 2**128."""
    total = low + other_low
    carry = np.int64(1) if total < low else np.int64(0)
    return high + other_high + carry, total


@kernel
def widened(code, signed):
    """128-bit value of a 64-bit pattern."""
    return (np.int64(code) >> np.int64(63)) if signed else np.int64(0), np.uint64(code)
