"""Rounding as scalar functions: the same text runs in plain Python and inside a kernel.

Every function is straight-line, so that a generator of kernels can write its body into a loop that vectorizes.

``round_shift_<mode>(code, shift, noise)``
    drops ``shift`` fractional bits of an integer code, ``0 <= shift <= MAX_SHIFT``. Intermediate results stay
    within 63 bits for every 64-bit code. :func:`sticky_shift` makes longer shifts shorter.
``round_float_<mode>(y, noise)``
    rounds a float that is already scaled (exactly, by a power of two) to an integer-valued float. Never ``y + 0.5``:
    the sum can round up to the next integer (0.49999999999999994 + 0.5 == 1.0). ``|y - rint(y)|`` and
    ``|y - trunc(y)|`` are exact, so ties and fractions are compared exactly. Odd results need ``|y| < 2**52``.

``noise`` is a random word of 32 bits for the stochastic modes and ignored by the others. The specification of all of
them is :func:`fxpsim.numerics.oracle.round_fraction`.
"""

import numpy as np

MAX_SHIFT = 62


def sticky_shift(code, drop):
    """Drop ``drop`` bits (0 to 63), the last bit of the result standing for itself and all that was dropped."""
    kept = code >> drop
    return kept | ((kept << drop) != code)


def clamp(value, low, high):
    """``value`` brought into ``[low, high]``."""
    return low if value < low else (high if value > high else value)


def round_shift_floor(code, shift, noise):
    """Toward minus infinity."""
    return code >> shift


def round_shift_ceil(code, shift, noise):
    """Toward plus infinity."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (part > 0)


def round_shift_toward_zero(code, shift, noise):
    """Magnitude truncated."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + ((part > 0) & (code < 0))


def round_shift_away_from_zero(code, shift, noise):
    """Magnitude rounded up."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + ((part > 0) & (code >= 0))


def round_shift_half_up(code, shift, noise):
    """Nearest, ties toward plus infinity."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (2 * part >= (1 << shift))


def round_shift_half_down(code, shift, noise):
    """Nearest, ties toward minus infinity."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (2 * part > (1 << shift))


def round_shift_half_toward_zero(code, shift, noise):
    """Nearest, ties toward zero."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (2 * part + (code < 0) > (1 << shift))


def round_shift_half_away(code, shift, noise):
    """Nearest, ties away from zero."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (2 * part + (code >= 0) > (1 << shift))


def round_shift_half_even(code, shift, noise):
    """Nearest, ties to the even code."""
    low = code >> shift
    part = code & ((1 << shift) - 1)
    return low + (2 * part + (low & 1) > (1 << shift))


def round_shift_half_odd(code, shift, noise):
    """Nearest, ties to the odd code."""
    low = code >> shift
    part = code & ((1 << shift) - 1)
    return low + (2 * part + 1 - (low & 1) > (1 << shift))


def round_shift_jam(code, shift, noise):
    """Floor with the last bit set."""
    return (code >> shift) | 1


def round_shift_jam_unbiased(code, shift, noise):
    """Floor with the last bit set if anything was dropped."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) | (part > 0)


def round_shift_stochastic(code, shift, noise):
    """Up with a probability equal to the dropped fraction: random bits are added and the carry counts."""
    part = code & ((1 << shift) - 1)
    aligned = (noise >> (32 - min(shift, 32))) << (max(shift, 32) - 32)
    return (code >> shift) + ((part + aligned) >> shift)


def round_shift_stochastic_equal(code, shift, noise):
    """Up or down with equal probability if anything was dropped."""
    part = code & ((1 << shift) - 1)
    return (code >> shift) + (part > 0) * (noise >> 31)


def round_float_floor(y, noise):
    """Toward minus infinity."""
    return np.floor(y)


def round_float_ceil(y, noise):
    """Toward plus infinity."""
    return np.ceil(y)


def round_float_toward_zero(y, noise):
    """Magnitude truncated."""
    return np.trunc(y)


def round_float_away_from_zero(y, noise):
    """Magnitude rounded up."""
    return np.floor(y) if y < 0 else np.ceil(y)


def round_float_half_up(y, noise):
    """Nearest, ties toward plus infinity."""
    near = np.rint(y)
    return near + (1 if y - near == 0.5 else 0)


def round_float_half_down(y, noise):
    """Nearest, ties toward minus infinity."""
    near = np.rint(y)
    return near - (1 if y - near == -0.5 else 0)


def round_float_half_toward_zero(y, noise):
    """Nearest, ties toward zero."""
    magnitude = abs(y)
    near = np.rint(magnitude)
    return np.copysign(near - (1 if magnitude - near == -0.5 else 0), y)


def round_float_half_away(y, noise):
    """Nearest, ties away from zero."""
    magnitude = abs(y)
    near = np.rint(magnitude)
    return np.copysign(near + (1 if magnitude - near == 0.5 else 0), y)


def round_float_half_even(y, noise):
    """Nearest, ties to the even integer."""
    return np.rint(y)


def round_float_half_odd(y, noise):
    """Nearest, ties to the odd integer: the other neighbor than that of ties to even."""
    near = np.rint(y)
    past = y - near
    return near + (2 * past if abs(past) == 0.5 else 0)


def round_float_jam(y, noise):
    """Floor with the last bit set."""
    return 2 * np.floor(np.floor(y) * 0.5) + 1


def round_float_jam_unbiased(y, noise):
    """Floor with the last bit set if inexact."""
    low = np.floor(y)
    return 2 * np.floor(low * 0.5) + 1 if low < y else low


def round_float_stochastic(y, noise):
    """Up with a probability equal to the fraction (truncated to 32 bits toward minus infinity)."""
    dither = noise * 2.0**-32
    kept = np.trunc(y)
    part = np.float64(abs(y - kept))
    away = part > dither if y < 0 else part >= 1.0 - dither
    return kept + np.copysign(1 if away else 0, y)


def round_float_stochastic_equal(y, noise):
    """Up or down with equal probability if inexact."""
    return np.ceil(y) if noise >= 2147483648 else np.floor(y)
